/* target.c - see target.h. */
#include "gateway/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define BY_PATH "/_fnd/url/"
#define BY_HOST ".lambda-url."

/* Of a URI in absolute form: what follows its scheme; NULL: it has another form. */
static const char *after_scheme(const char *uri)
{
	return strncasecmp(uri, "http://", 7) == 0 ? uri + 7 : strncasecmp(uri, "https://", 8) == 0 ? uri + 8 : NULL;
}

bool fn_gw_same_host(const char *uri, const char *host)
{
	const char *authority = after_scheme(uri);
	size_t len = authority ? strcspn(authority, "/?#") : 0;

	return !authority || (host && strlen(host) == len && strncasecmp(authority, host, len) == 0);
}

bool fn_gw_split(const char *uri, const char **ret_path, size_t *ret_len, const char **ret_query)
{
	const char *query, *rest = after_scheme(uri);

	if (rest) {
		uri = strchr(rest, '/');
		if (!uri)
			return false;
	}
	query = strchr(uri, '?');
	*ret_path = uri;
	*ret_len = query ? (size_t)(query - uri) : strlen(uri);
	*ret_query = query ? query + 1 : "";
	return *uri == '/';
}

static bool take_id(const char *text, size_t len, char out[FN_URL_ID_SIZE])
{
	if (len != FN_URL_ID_SIZE - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[len] = '\0';
	return fn_url_id_valid(out);
}

/* Without the port, and without a dot at the end. */
static size_t name_len(const char *host)
{
	size_t n = strcspn(host, ":");

	return n > 1 && host[n - 1] == '.' ? n - 1 : n;
}

static bool by_host(const struct fn_gw_names *names, const char *host, struct fn_gw_target *t)
{
	size_t n = host ? name_len(host) : 0, id = FN_URL_ID_SIZE - 1, skip = strlen(BY_HOST), region = strlen(names->region), domain = name_len(names->domain);

	if (n != id + skip + region + 1 + domain || n >= sizeof(t->host) || !take_id(host, id, t->id))
		return false;
	if (strncasecmp(host + id, BY_HOST, skip) != 0 || strncasecmp(host + id + skip, names->region, region) != 0 || host[id + skip + region] != '.' ||
	    strncasecmp(host + n - domain, names->domain, domain) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		t->host[i] = (char)tolower((unsigned char)host[i]);
	t->host[n] = '\0';
	return true;
}

bool fn_gw_target(const struct fn_gw_names *names, const char *host, const char *uri, struct fn_gw_target *t)
{
	size_t skip = strlen(BY_PATH);

	if (!fn_gw_split(uri, &t->path, &t->path_len, &t->query))
		return false;
	if (by_host(names, host, t))
		return true;
	if (t->path_len < skip + FN_URL_ID_SIZE - 1 || strncmp(t->path, BY_PATH, skip) != 0 || !take_id(t->path + skip, FN_URL_ID_SIZE - 1, t->id))
		return false;
	skip += FN_URL_ID_SIZE - 1;
	t->path += skip;
	t->path_len -= skip;
	if (t->path_len > 0 && *t->path != '/')
		return false;
	return fn_str_format(t->host, sizeof(t->host), "%s" BY_HOST "%s.%.*s", t->id, names->region, (int)name_len(names->domain), names->domain) == 0;
}
