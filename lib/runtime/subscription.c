/* subscription.c - see subscription.h. */
#include "runtime/subscription.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "sandbox/spec.h"

static const struct {
	const char *name;
	enum fn_telemetry_api api;
} schemas[] = {
	[FN_SCHEMA_2020_08_15] = {"2020-08-15", FN_API_LOGS},	   [FN_SCHEMA_2021_03_18] = {"2021-03-18", FN_API_LOGS},
	[FN_SCHEMA_2022_07_01] = {"2022-07-01", FN_API_TELEMETRY}, [FN_SCHEMA_2022_12_13] = {"2022-12-13", FN_API_TELEMETRY},
	[FN_SCHEMA_2025_01_29] = {"2025-01-29", FN_API_TELEMETRY},
};
#define N_SCHEMAS (sizeof(schemas) / sizeof(schemas[0]))

const char *fn_telemetry_kind_name(enum fn_telemetry_kind kind)
{
	return kind == FN_TELEMETRY_PLATFORM ? "platform" : kind == FN_TELEMETRY_FUNCTION ? "function" : "extension";
}

/* Where the sentence about what is wrong goes. */
struct reason {
	char *text;
	size_t size;
};

static int wrong(struct reason *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct reason *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->text, r->size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* A member; one that is null is as good as absent: what clients make of an option that is not set. */
static json_t *member(json_t *o, const char *name)
{
	json_t *m = json_object_get(o, name);

	return json_is_null(m) ? NULL : m;
}

static int parse_schema(json_t *o, struct fn_subscription *s, struct reason *why)
{
	const char *name = json_string_value(member(o, "schemaVersion"));

	if (!name && s->api == FN_API_LOGS && !member(o, "schemaVersion"))
		name = "2020-08-15";
	for (unsigned i = 0; name && i < N_SCHEMAS; i++)
		if (schemas[i].api == s->api && strcmp(schemas[i].name, name) == 0) {
			s->schema = (enum fn_telemetry_schema)i;
			return 0;
		}
	return wrong(why, "schemaVersion must be one of %s", s->api == FN_API_LOGS ? "2020-08-15, 2021-03-18" : "2022-07-01, 2022-12-13, 2025-01-29");
}

static int parse_types(json_t *o, struct fn_subscription *s, struct reason *why)
{
	static const enum fn_telemetry_kind kinds[] = {FN_TELEMETRY_PLATFORM, FN_TELEMETRY_FUNCTION, FN_TELEMETRY_EXTENSION};
	json_t *types = member(o, "types"), *type;
	size_t i;

	if (!json_is_array(types) || json_array_size(types) == 0)
		return wrong(why, "types must be a list with at least one of platform, function, extension");
	json_array_foreach(types, i, type)
	{
		const char *name = json_string_value(type);
		unsigned kind = 0;

		for (unsigned k = 0; name && k < 3; k++)
			if (strcmp(name, fn_telemetry_kind_name(kinds[k])) == 0)
				kind = kinds[k];
		if (!kind)
			return wrong(why, "types must be of platform, function, extension");
		s->kinds |= kind;
	}
	return 0;
}

static int parse_number(json_t *o, const char *name, uint32_t least, uint32_t most, uint32_t *ret, struct reason *why)
{
	json_t *n = member(o, name);

	if (!n)
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < least || json_integer_value(n) > most)
		return wrong(why, "buffering.%s must be an integer from %u to %u", name, least, most);
	*ret = (uint32_t)json_integer_value(n);
	return 0;
}

static int parse_buffering(json_t *o, struct fn_subscription *s, struct reason *why)
{
	json_t *b = member(o, "buffering");
	uint32_t timeout_ms = 1000;
	int r;

	s->max_items = 10000;
	s->max_bytes = 262144;
	if (b && !json_is_object(b))
		return wrong(why, "buffering must be an object");
	r = parse_number(b, "maxItems", 1000, 10000, &s->max_items, why);
	if (r == 0)
		r = parse_number(b, "maxBytes", 262144, 1048576, &s->max_bytes, why);
	if (r == 0)
		r = parse_number(b, "timeoutMs", 25, 30000, &timeout_ms, why);
	s->timeout_us = timeout_ms * 1000ull;
	return r;
}

static int take_port(int64_t port, struct fn_subscription *s, struct reason *why)
{
	if (port < 1 || port > 65535)
		return wrong(why, "destination: the port must be from 1 to 65535");
	if (port == FN_RTAPI_PORT)
		return wrong(why, "destination: port %d is reserved", FN_RTAPI_PORT);
	s->port = (uint16_t)port;
	return 0;
}

/* http://sandbox.localdomain:PORT[/path] */
static int parse_uri(const char *uri, struct fn_subscription *s, struct reason *why)
{
	static const char *const hosts[] = {"sandbox.localdomain", "sandbox"};
	const char *rest = uri + strlen("http://");
	size_t host;
	char port[8];
	int64_t n;

	for (const char *p = uri; *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return wrong(why, "destination.URI has a character that a URI cannot have");
	if (strncasecmp(uri, "http://", strlen("http://")) != 0)
		return wrong(why, "destination.URI must begin with http://");
	host = strcspn(rest, ":/?#");
	for (unsigned i = 0; i < 2; i++)
		if (strlen(hosts[i]) == host && strncasecmp(rest, hosts[i], host) == 0)
			snprintf(s->host, sizeof(s->host), "%s", hosts[i]);
	if (!s->host[0])
		return wrong(why, "destination.URI: the host must be sandbox.localdomain");
	rest += host;
	if (*rest != ':')
		return wrong(why, "destination.URI must name a port");
	host = strcspn(++rest, "/?#");
	if (host >= sizeof(port))
		return wrong(why, "destination: the port must be from 1 to 65535");
	snprintf(port, sizeof(port), "%.*s", (int)host, rest);
	if (fn_str_to_i64(port, 0, INT32_MAX, &n) < 0)
		return wrong(why, "destination: the port must be from 1 to 65535");
	rest += host;
	host = strcspn(rest, "#");
	if (host + 2 > sizeof(s->path))
		return wrong(why, "destination.URI: its path is longer than %u bytes", FN_SUBSCRIPTION_PATH_MAX - 2);
	snprintf(s->path, sizeof(s->path), "%s%.*s", *rest == '/' ? "" : "/", (int)host, rest);
	return take_port(n, s, why);
}

static int parse_destination(json_t *o, struct fn_subscription *s, struct reason *why)
{
	json_t *d = member(o, "destination");
	const char *protocol = json_string_value(member(d, "protocol")), *uri = json_string_value(member(d, "URI"));
	const char *method = json_string_value(member(d, "method")), *encoding = json_string_value(member(d, "encoding"));

	if (!json_is_object(d))
		return wrong(why, "destination must be an object");
	if (!protocol || (strcmp(protocol, "HTTP") != 0 && strcmp(protocol, "TCP") != 0))
		return wrong(why, "destination.protocol must be HTTP or TCP");
	s->tcp = protocol[0] == 'T';
	if (s->tcp) {
		if (!json_is_integer(member(d, "port")))
			return wrong(why, "destination.port must be an integer");
		return take_port(json_integer_value(member(d, "port")), s, why);
	}
	if (!uri)
		return wrong(why, "destination.URI must be a string");
	if (s->api == FN_API_LOGS) {
		if (member(d, "method") && (!method || (strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0)))
			return wrong(why, "destination.method must be POST or PUT");
		if (member(d, "encoding") && (!encoding || strcmp(encoding, "JSON") != 0))
			return wrong(why, "destination.encoding must be JSON");
		s->put = method && method[1] == 'U';
	}
	return parse_uri(uri, s, why);
}

int fn_subscription_parse(enum fn_telemetry_api api, const char *body, size_t len, struct fn_subscription *ret, char *why, size_t size)
{
	struct fn_subscription s = {.api = api};
	struct reason reason = {why, size};
	json_t *o = json_loadb(body, len, 0, NULL);
	int r = json_is_object(o) ? 0 : wrong(&reason, "the body must be a JSON object");

	if (r == 0)
		r = parse_schema(o, &s, &reason);
	if (r == 0)
		r = parse_types(o, &s, &reason);
	if (r == 0)
		r = parse_destination(o, &s, &reason);
	if (r == 0)
		r = parse_buffering(o, &s, &reason);
	json_decref(o);
	if (r == 0)
		*ret = s;
	return r;
}
