/* transfer.c - see transfer.h. */
#include "image/transfer.h"

#include <string.h>
#include <strings.h>

#include "image/s3.h"

#define CONNECT_S 10L    /* at most, whatever the settings say */
#define SLOW_BYTES 1024L /* a second; fewer, for the settings' time, and the server is taken to hang */

bool fn_transfer_set(CURL *c, const struct fn_transfer *t)
{
	long timeout = (long)t->timeout_s;
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(c, option, value) == CURLE_OK
	SET(CURLOPT_URL, t->url);
	SET(CURLOPT_PROTOCOLS_STR, t->protocols);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTPHEADER, t->headers);
	SET(CURLOPT_USERAGENT, "fn-fetch/" FN_VERSION);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (t->ca)
		SET(CURLOPT_CAINFO, FN_FETCH_CA_FILE);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, timeout < CONNECT_S ? timeout : CONNECT_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	SET(CURLOPT_LOW_SPEED_TIME, timeout);
	SET(CURLOPT_ERRORBUFFER, t->words);
	SET(CURLOPT_HEADERFUNCTION, t->on_header);
	SET(CURLOPT_HEADERDATA, t->arg);
	SET(CURLOPT_WRITEFUNCTION, t->on_body);
	SET(CURLOPT_WRITEDATA, t->arg);
#undef SET
	return ok;
}

void fn_transfer_words(CURLcode code, const char *words, char *to, size_t size)
{
	if (!*words)
		words = curl_easy_strerror(code);
	if (code == CURLE_PEER_FAILED_VERIFICATION && strstr(words, "CAfile")) /* GnuTLS' one sentence for both; a wrong name has another */
		words = "its certificate is by no authority that is trusted here (ca_file), or not valid now";
	else if (code == CURLE_SSL_CONNECT_ERROR && strstr(words, "unexpected TLS packet"))
		words = "it speaks no TLS";
	fn_s3_text(words, strlen(words), to, size);
}

bool fn_transfer_header(const char *line, size_t len, const char *name, char *to, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	fn_s3_text(line + n + 1, len - n - 1, to, size);
	return true;
}
