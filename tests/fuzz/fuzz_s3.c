/* fuzz_s3.c - what an S3 server says: 'E' an error's XML, 'L' where it redirects to, 'U' an address, 'K' the key that is asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fuzz/fuzz.h"
#include "image/s3.h"

static void line(const char *text, size_t size)
{
	fuzz_check(memchr(text, '\0', size));
	fuzz_check(fn_utf8_valid(text, strlen(text)));
	for (; *text; text++)
		fuzz_check((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void error(const char *text, size_t len)
{
	struct fn_s3_error e;

	fn_s3_error_parse(text, len, &e);
	line(e.code, sizeof(e.code));
	line(e.message, sizeof(e.message));
	line(e.region, sizeof(e.region));
}

/* What we format we understand, and it means the same. */
static void same(const struct fn_s3_url *u)
{
	struct fn_buf text = {0};
	struct fn_s3_url again;

	fuzz_check(fn_s3_url_format(u, &text) == 0 && !strpbrk(text.data, " \r\n\t#"));
	fuzz_check(fn_s3_url_parse(text.data, &again) == 0);
	fuzz_check(again.tls == u->tls && fn_streq(again.host, u->host) && fn_streq(again.port, u->port) && fn_streq(again.path, u->path) && fn_streq(again.query, u->query));
	fn_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fn_s3_settings s = {.endpoint = (char *)"http://h.example:1", .region = (char *)"r", .access_key_id = (char *)"a", .secret_access_key = (char *)"b", .timeout_s = 1};
	struct fuzz_in in = {data, data + size};
	char what = (char)fuzz_byte(&in);
	struct fn_buf headers = {0};
	struct fn_s3_object o = {.bucket = "bucket"};
	struct fn_s3_url from, u;
	size_t len = (size_t)(in.end - in.p);
	char *text = malloc(len + 1);

	if (!text)
		return 0;
	memcpy(text, in.p, len);
	text[len] = '\0';
	if (what == 'E')
		error((const char *)in.p, len);
	if (what == 'U' && fn_s3_url_parse(text, &u) == 0)
		same(&u);
	if (what == 'L' && fn_s3_url_parse("http://h.example:1/b/k", &from) == 0 && fn_s3_redirect(&s, &from, text, &u) == 0) {
		same(&u);
		fuzz_check(fn_streq(u.host, "h.example") || fn_str_ends(u.host, ".h.example"));
	}
	if (what == 'K' && len < sizeof(o.key)) {
		memcpy(o.key, text, len + 1);
		s.style = len % 2 ? FN_S3_VIRTUAL : FN_S3_PATH;
		if (fn_s3_address(&s, &o, &u) == 0) {
			same(&u);
			fuzz_check(fn_s3_sign(&s, &u, "20130524T000000Z", &headers) == 0 && headers.len > 0);
		}
	}
	fn_buf_free(&headers);
	free(text);
	return 0;
}
