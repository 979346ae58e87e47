/* origin.c - see origin.h. */
#include "web/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "web/httpd.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

/* "name", "name:port", "[v6]", "[v6]:port" -> the name, without a dot at its end. */
static bool without_port(const char *host, char *out, size_t size)
{
	bool v6 = host[0] == '[';
	size_t n = v6 ? strcspn(host, "]") : strcspn(host, ":");
	const char *port = host + n + (v6 && host[n] == ']');

	if ((v6 && host[n] != ']') || (*port && (*port != ':' || strspn(port + 1, "0123456789") != strlen(port + 1))))
		return false;
	host += v6;
	n -= v6;
	if (n > 1 && host[n - 1] == '.')
		n--;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, host, n);
	out[n] = '\0';
	return strspn(out, v6 ? "0123456789abcdefABCDEF:." : NAME_CHARS) == n;
}

static bool is_loopback(const char *name)
{
	struct in6_addr six;
	struct in_addr four;
	size_t n = strlen(name);

	if (strcasecmp(name, "localhost") == 0 || (n > 10 && strcasecmp(name + n - 10, ".localhost") == 0))
		return true;
	if (inet_pton(AF_INET, name, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, name, &six) == 1 && (IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127));
}

bool fn_host_allowed(const char *host, char *const *hosts, size_t n_hosts)
{
	char name[256];

	if (!host) /* HTTP/1.0: no browser */
		return true;
	if (!without_port(host, name, sizeof(name)))
		return false;
	if (is_loopback(name))
		return true;
	for (size_t i = 0; i < n_hosts; i++)
		if (strcasecmp(hosts[i], name) == 0)
			return true;
	return false;
}

bool fn_origin_same(const char *origin, const char *host)
{
	const char *at = fn_str_starts(origin, "http://") ? origin + 7 : fn_str_starts(origin, "https://") ? origin + 8 : NULL;

	return at && host && strcasecmp(at, host) == 0;
}

struct seen {
	const char *host, *site, *type, *origins[2];
	unsigned n_origins;
};

static bool see(void *arg, const char *name, const char *value)
{
	struct seen *s = arg;

	switch (name[0] | 0x20) {
	case 'h':
		if (strcasecmp(name, "Host") == 0)
			s->host = value;
		break;
	case 'o':
		if (strcasecmp(name, "Origin") == 0 && s->n_origins < 2)
			s->origins[s->n_origins++] = value;
		break;
	case 's':
		if (strcasecmp(name, "Sec-Fetch-Site") == 0)
			s->site = value;
		break;
	case 'c':
		if (strcasecmp(name, "Content-Type") == 0)
			s->type = value;
		break;
	}
	return true;
}

enum fn_proof fn_proof_wanted(const struct fn_http_req *req, size_t n_credentials)
{
	return fn_http_req_control(req) ? FN_PROOF_NONE : fn_http_req_role(req) == FN_HTTP_SANDBOX ? FN_PROOF_SANDBOX : n_credentials > 0 ? FN_PROOF_SIGNATURE : FN_PROOF_ORIGIN;
}

bool fn_request_signed(const struct fn_http_req *req)
{
	const char *query = fn_http_req_raw_query(req);

	return fn_http_req_header(req, "Authorization") || strstr(query, "X-Amz-Signature=") || strstr(query, "X-Amz-Algorithm=");
}

const char *fn_origin_fault(const struct fn_http_req *req, char *const *hosts, size_t n_hosts)
{
	struct seen s = {0};

	fn_http_req_each_header(req, see, &s);
	if (!fn_host_allowed(s.host, hosts, n_hosts))
		return "Requests without a signature are taken under the names of this machine's loopback alone, and those that \"hosts\" configures.";
	if (s.n_origins > 0 && (s.n_origins > 1 || !fn_origin_same(s.origins[0], s.host)))
		return "Requests without a signature are not taken from pages of another origin.";
	if (s.site && strcmp(s.site, "same-origin") != 0 && strcmp(s.site, "none") != 0)
		return "Requests without a signature are not taken from pages of another site.";
	/* what a form of any page can send, by a browser so old that it tells no origin; nobody else does */
	if (s.type && (strncasecmp(s.type, "text/plain", 10) == 0 || strncasecmp(s.type, "multipart/form-data", 19) == 0))
		return "Requests without a signature are not taken from forms: send JSON as application/json.";
	return NULL;
}
