/* fuzz_text.c - what is made of single strings: function names and ARNs, services of the host, base64, percent-coding, hex, numbers, UTF-8,
 * SigV4's canonical form, what a role's command prints, chains of invocations. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/origin.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "model/arn.h"
#include "model/layer.h"
#include "model/lineage.h"
#include "os/cgroup_stat.h"
#include "os/subnet.h"
#include "env/credentials.h"
#include "aws/model.h"
#include "aws/pattern.h"
#include "aws/sigv4.h"

static void names(const char *text)
{
	struct fn_name n, again;
	char arn[512];

	if (fn_name_parse(text, &n) < 0)
		return;
	fuzz_check(n.name[0] && !strpbrk(n.name, "/:\n %") && strlen(n.name) <= FN_NAME_MAX && strstr(text, n.name));
	fuzz_check(!n.qualifier[0] || fn_qualifier_valid(n.qualifier));
	fuzz_check(!n.account[0] || strlen(n.account) == 12);
	if (!n.region[0] || strpbrk(n.region, ":"))
		snprintf(n.region, sizeof(n.region), "us-east-1");
	if (!n.account[0])
		snprintf(n.account, sizeof(n.account), "000000000000");
	fn_arn_format(arn, sizeof(arn), n.region, n.account, n.name, n.qualifier);
	fuzz_check(fn_name_parse(arn, &again) == 0); /* what we print we understand, and it means the same */
	fuzz_check(strcmp(n.name, again.name) == 0 && strcmp(n.qualifier, again.qualifier) == 0);
	fuzz_check(strcmp(n.account, again.account) == 0 && strcmp(n.region, again.region) == 0);
}

/* Ours by whatever name, or another's by its ARN: what we print we understand, and it means the same. */
static void layer_names(const char *text)
{
	char arn[FN_LAYER_ARN_SIZE];
	struct fn_layer_name n, again;
	bool ours;

	if (fn_layer_name_parse(text, &n) < 0)
		return;
	fuzz_check(n.name[0] && !strpbrk(n.name, "/:\n %") && strlen(n.name) <= FN_LAYER_NAME_MAX && strstr(text, n.name) && n.version >= 0);
	fuzz_check(!n.region[0] == !n.account[0] && (!n.account[0] || strlen(n.account) == 12));
	ours = fn_layer_name_key(&n, "us-east-1", "000000000000");
	fuzz_check(ours == !fn_layer_is_foreign(n.key));
	fn_layer_arn(arn, sizeof(arn), "us-east-1", "000000000000", n.key, n.version);
	fuzz_check(fn_layer_name_parse(arn, &again) == 0 && again.version == n.version);
	fuzz_check(fn_layer_name_key(&again, "us-east-1", "000000000000") == ours && strcmp(n.key, again.key) == 0);
}

static bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/* What is parsed is what the service model lets through: an invocation's name is not held against it otherwise. */
static void modelled(const char *text)
{
	const struct fn_aws_member *m = fn_aws_operations[FN_AWS_Invoke].members; /* FunctionName */
	struct fn_name n;

	if (strlen(text) <= FN_NAME_MAX && fn_name_parse(text, &n) == 0)
		fuzz_check(fn_aws_pattern_matches(m->shape->pattern, text, strlen(text)));
}

static void codes(const char *text, size_t len)
{
	uint8_t *data = NULL, bytes[64];
	char *back = NULL, *copy, hex[129];
	size_t n;
	int r;

	if (fn_base64_decode(text, len, &data, &n) == 0) {
		fuzz_check(n <= len / 4 * 3);
		fuzz_check(fn_base64_encode(data, n, &back) == 0 && strlen(back) == len);
		for (size_t i = 0; i < len; i++) /* the last group may have had bits that count for nothing */
			fuzz_check(back[i] == text[i] || (i + 4 > len && text[i] != '=' && (is_alnum(text[i]) || strchr("+/", text[i]))));
		free(data);
		free(back);
	}
	fuzz_check(fn_base64_encode(text, len, &back) == 0);
	fuzz_check(fn_base64_decode(back, strlen(back), &data, &n) == 0 && n == len && memcmp(data, text, len) == 0);
	free(data);
	free(back);
	copy = malloc(len + 1);
	memcpy(copy, text, len + 1);
	r = fn_url_decode(copy, len);
	fuzz_check(r <= (int)len);
	if (r >= 0 && !memchr(text, '\0', len))
		fuzz_check(strlen(copy) == (size_t)r);
	free(copy);
	n = len < sizeof(bytes) * 2 ? len : sizeof(bytes) * 2;
	if (fn_hex_decode(text, n, bytes) == 0) {
		fn_hex_encode(bytes, n / 2, hex);
		fuzz_check(strncasecmp(hex, text, n) == 0);
	}
}

static void numbers(const char *text)
{
	int64_t v;
	char again[32];

	if (fn_str_to_i64(text, -1000, 1000000, &v) < 0)
		return;
	fuzz_check(v >= -1000 && v <= 1000000);
	snprintf(again, sizeof(again), "%lld", (long long)v);
	fuzz_check(atoll(text) == v && fn_str_to_i64(again, -1000, 1000000, &v) == 0);
}

/* What is understood ends up in a rule: nothing but numbers does. */
static void services(const char *text)
{
	struct fn_host_services s = {.n = 0};
	struct fn_subnet net;

	fuzz_check(fn_subnet_parse("10.201.0.0/16", &net, NULL) == 0);
	if (fn_host_services_parse(text, &net, &s, NULL) < 0)
		return;
	fuzz_check(s.n <= FN_HOST_SERVICES_MAX && (s.n > 0) == (text[0] != '\0'));
	for (unsigned i = 0; i < s.n; i++)
		fuzz_check(s.list[i].port != 0 && (s.list[i].addr == 0 || s.list[i].addr >> 24 != 0) && s.list[i].addr >> 16 != 0x0ac9);
}

/* Whatever is taken for ours is a plain name or a literal; an origin is the same only as what it names. */
static void hosts(const char *text)
{
	char own[] = "own.example", *list[] = {own}, origin[600];
	bool fine = fn_host_allowed(text, list, 1);

	fuzz_check(fine || !fn_host_allowed(text, NULL, 0));
	fuzz_check(!fine || strcspn(text, "/@ \\") == strlen(text) || text[0] == '[');
	if (strlen(text) < 500) {
		snprintf(origin, sizeof(origin), "http://%s", text);
		fuzz_check(fn_origin_same(origin, text));
		fuzz_check(!fn_origin_same(origin, "other.example") || strcasecmp(text, "other.example") == 0);
	}
}

static const char *header_of(void *arg, const char *name, unsigned nth) { return nth > 1 || strcmp(name, "missing") == 0 ? NULL : arg; }

static void signature(struct fuzz_in in)
{
	char *v[6], a[65], b[65];
	struct fn_sigv4 s = {.header = header_of, .region = "us-east-1", .service = "lambda", };
	uint8_t flags = fuzz_byte(&in);
	int r;

	s.encode_path = flags & 1;
	s.encode_query = flags & 2;
	for (size_t i = 0; i < 6; i++)
		v[i] = fuzz_take(&in, '\n', NULL);
	s.method = v[0];
	s.path = v[1];
	s.query = v[2];
	s.signed_headers = v[3];
	s.amz_date = v[4];
	s.payload_sha256 = "UNSIGNED-PAYLOAD";
	s.arg = v[5];
	r = fn_sigv4_signature(&s, v[5], a);
	if (r == 0) { /* every parameter counts, the last of many too */
		char *more = malloc(strlen(v[2]) + 4);

		sprintf(more, "%s&x", v[2]);
		s.query = more;
		fuzz_check(fn_sigv4_signature(&s, v[5], b) < 0 || strcmp(a, b) != 0);
		s.query = v[2];
		free(more);
	}
	if (r == 0) {
		fuzz_check(strlen(a) == 64 && fn_sigv4_signature(&s, v[5], b) == 0 && strcmp(a, b) == 0);
		s.method = "OTHER";
		fuzz_check(strcmp(v[0], "OTHER") == 0 || (fn_sigv4_signature(&s, v[5], b) == 0 && strcmp(a, b) != 0));
	}
	for (size_t i = 0; i < 6; i++)
		free(v[i]);
}

/* What a header says of a chain: what we make of it we read again, and it stays small whatever it was. */
static void lineage(const char *trace)
{
	struct fn_buf once = {0}, twice = {0};
	unsigned before = fn_lineage_count(trace, "f");

	fuzz_check(fn_lineage_add(trace, "f", &once) == 0 && once.len <= FN_TRACE_MAX);
	fuzz_check(fn_lineage_count(once.data, "f") == before + 1);
	fuzz_check(fn_lineage_of_call(trace, once.data, "g", &twice) == 0 && twice.len <= FN_TRACE_MAX);
	fuzz_check(fn_lineage_count(twice.data, "f") == before + 1 && fn_lineage_count(twice.data, "g") >= 1);
	fuzz_check(!strpbrk(twice.data, "\r\n") || strpbrk(trace, "\r\n"));
	fn_buf_free(&once);
	fn_buf_free(&twice);
}

/* What a role's command prints. */
static void credentials(struct fuzz_in in)
{
	struct fn_credentials c = {0};
	struct fn_err err = {0};
	uint64_t renew;

	if (fn_credentials_parse((const char *)in.p, (size_t)(in.end - in.p), &c, &err) < 0) {
		fuzz_check(err.code == EINVAL && err.msg[0] && !c.access_key_id);
		return;
	}
	fuzz_check(fn_credentials_check(&c, &err) == 0);
	renew = fn_credentials_renew_us(1000000, c.expires_us);
	fuzz_check(renew <= c.expires_us && (renew > 1000000 || c.expires_us <= 1000000));
	fn_credentials_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	size_t len;
	char *text;

	if (size > 0 && data[0] == 'S') {
		in.p++;
		signature(in);
		return 0;
	}
	if (size > 0 && data[0] == 'C') {
		in.p++;
		credentials(in);
		return 0;
	}
	text = fuzz_take(&in, 0, &len);
	names(text);
	layer_names(text);
	lineage(text);
	modelled(text);
	hosts(text);
	numbers(text);
	services(text);
	free(text);
	text = malloc(size + 1);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	codes(text, size);
	(void)fn_cg_stat_held(text);
	(void)fn_utf8_valid(text, size);
	free(text);
	return 0;
}
