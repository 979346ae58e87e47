/* credentials.c - see credentials.h. */
#include "env/credentials.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "os/command.h"

#define STAGE "role credentials"
#define MARGIN_US 300000000u

static void wipe(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

void fn_credentials_clear(struct fn_credentials *c)
{
	wipe(&c->access_key_id);
	wipe(&c->secret_access_key);
	wipe(&c->session_token);
}

static bool printable(const char *s, size_t least, size_t most)
{
	size_t n = 0;

	for (; s && s[n]; n++)
		if (s[n] <= ' ' || s[n] > '~')
			return false;
	return n >= least && n <= most;
}

int fn_credentials_check(const struct fn_credentials *c, struct fn_err *err)
{
	const char *wrong = !printable(c->access_key_id, 16, 128)			  ? "the access key id must have 16 to 128 characters"
			    : !printable(c->secret_access_key, 1, 128)			  ? "the secret access key must have 1 to 128 characters"
			    : c->session_token && !printable(c->session_token, 1, 8192) ? "the session token must have 1 to 8192 characters"
											  : NULL;

	return wrong ? fn_err_set(err, EINVAL, STAGE, "%s, none of them a space", wrong) : 0;
}

/* ISO 8601 as AWS's tools print it: 2025-01-31T08:00:00Z, with a fraction or with an offset too. */
static int parse_time(const char *text, uint64_t *ret_us)
{
	struct tm tm = {0};
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours, minutes, n = 0;
	long offset = 0;
	time_t t;

	if (!p)
		return -EINVAL;
	if (*p == '.')
		p += 1 + strspn(p + 1, "0123456789");
	if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &n) == 2 && n == 5 && hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60) {
		offset = (*p == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
		p += 1 + n;
	} else if (*p == 'Z') {
		p++;
	} else {
		return -EINVAL;
	}
	t = timegm(&tm);
	if (*p || t <= 86400 || tm.tm_year > 8000)
		return -EINVAL;
	*ret_us = (uint64_t)(t - offset) * 1000000u;
	return 0;
}

static int take(json_t *o, const char *key, char **to)
{
	json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return -EINVAL;
	*to = strdup(json_string_value(v));
	return *to ? 0 : -ENOMEM;
}

/* What jansson says of a text that is no JSON may hold a piece of it: it is not passed on. */
int fn_credentials_parse(const char *text, size_t len, struct fn_credentials *ret, struct fn_err *err)
{
	struct fn_credentials c = {.expires_us = UINT64_MAX};
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *version = json_object_get(root, "Version"),
	       *expiration = json_object_get(root, "Expiration");
	int r = 0;

	if (!json_is_object(root))
		r = fn_err_set(err, EINVAL, STAGE, "what it printed is no JSON object");
	else if (!json_is_integer(version) || json_integer_value(version) != 1)
		r = fn_err_set(err, EINVAL, STAGE, "what it printed has no \"Version\" 1");
	else if (take(root, "AccessKeyId", &c.access_key_id) < 0 || take(root, "SecretAccessKey", &c.secret_access_key) < 0 ||
		 take(root, "SessionToken", &c.session_token) < 0)
		r = fn_err_set(err, EINVAL, STAGE, "AccessKeyId, SecretAccessKey and SessionToken must be strings");
	else if (expiration && !json_is_null(expiration) && (!json_is_string(expiration) || parse_time(json_string_value(expiration), &c.expires_us) < 0))
		r = fn_err_set(err, EINVAL, STAGE, "\"Expiration\" is no time like 2025-01-31T08:00:00Z");
	else
		r = fn_credentials_check(&c, err);
	json_decref(root);
	if (r < 0)
		fn_credentials_clear(&c);
	else
		*ret = c;
	return r;
}

/* A key id is "ASIA" and 16 of the letters of base32; a token begins as the STS's have for years. */
int fn_credentials_invent(struct fn_credentials *ret)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	static const char head[] = "!\n\torigin_ec";
	struct fn_credentials c = {.expires_us = UINT64_MAX, .access_key_id = strdup("ASIA................")};
	unsigned char id[16], secret[30], token[588];

	fn_id_random(id, sizeof(id));
	fn_id_random(secret, sizeof(secret));
	fn_id_random(token, sizeof(token));
	memcpy(token, head, sizeof(head) - 1);
	for (size_t i = 0; c.access_key_id && i < sizeof(id); i++)
		c.access_key_id[4 + i] = letters[id[i] % 32];
	if (!c.access_key_id || fn_base64_encode(secret, sizeof(secret), &c.secret_access_key) < 0 || fn_base64_encode(token, sizeof(token), &c.session_token) < 0) {
		fn_credentials_clear(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

uint64_t fn_credentials_renew_us(uint64_t now_us, uint64_t expires_us)
{
	uint64_t left, margin;

	if (expires_us == UINT64_MAX || expires_us <= now_us)
		return expires_us;
	left = expires_us - now_us;
	margin = left / 4 < MARGIN_US ? left / 4 : MARGIN_US;
	return expires_us - margin;
}

uint64_t fn_credentials_spread_us(uint64_t until_us, uint64_t expires_us, uint32_t random)
{
	return expires_us > until_us && expires_us != UINT64_MAX ? (expires_us - until_us) / 2 * (random >> 16) >> 16 : 0;
}

void fn_role_clear(struct fn_role *r)
{
	for (char **a = r->command; a && *a; a++)
		free(*a);
	free(r->command);
	fn_strs_free(r->endpoints);
	free(r->arn);
	fn_credentials_clear(&r->fixed);
}

/* --- by role --- */
struct role {
	const struct fn_role *configured;
	struct fn_roles *of;
	struct fn_command *command; /* at work */
	struct fn_list waiting;     /* of struct fn_roles_wait */
	struct fn_credentials got;  /* by the command; no access_key_id: none */
	uint64_t until_us;          /* CLOCK_MONOTONIC */
};

struct fn_roles {
	struct fn_loop *loop;
	size_t n;
	struct role items[];
};

int fn_roles_new(struct fn_loop *loop, const struct fn_role *configured, size_t n, struct fn_roles **ret)
{
	struct fn_roles *r = calloc(1, sizeof(*r) + n * sizeof(r->items[0]));

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->n = n;
	for (size_t i = 0; i < n; i++) {
		r->items[i].configured = &configured[i];
		r->items[i].of = r;
		fn_list_init(&r->items[i].waiting);
	}
	*ret = r;
	return 0;
}

void fn_roles_free(struct fn_roles *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		fn_command_free(r->items[i].command);
		fn_credentials_clear(&r->items[i].got);
	}
	free(r);
}

/* Who asks again may come to wait again. */
static void tell(struct role *role, const struct fn_err *err)
{
	struct fn_list told, *l;

	fn_list_take_over(&told, &role->waiting);
	while ((l = fn_list_first(&told))) {
		struct fn_roles_wait *wait = fn_list_entry(l, struct fn_roles_wait, link);

		fn_list_remove(l);
		wait->fn(wait->arg, err);
	}
}

static void on_command(void *arg, const struct fn_err *failed, const char *out, size_t len)
{
	struct role *role = arg;
	uint64_t now = fn_clock_real_us(), renew;
	struct fn_err err = {0}, why = {0};
	int r = 0;

	role->command = NULL;
	fn_credentials_clear(&role->got);
	if (failed)
		r = fn_err_set(&err, failed->code, STAGE, "the command of %s: %s", role->configured->arn, failed->msg);
	else if (fn_credentials_parse(out, len, &role->got, &why) < 0)
		r = fn_err_set(&err, why.code, STAGE, "the command of %s: %s", role->configured->arn, why.msg);
	else if (role->got.expires_us <= now)
		r = fn_err_set(&err, EINVAL, STAGE, "the command of %s: what it printed has expired", role->configured->arn);
	if (r < 0) {
		fn_credentials_clear(&role->got);
		tell(role, &err);
		return;
	}
	renew = fn_credentials_renew_us(now, role->got.expires_us);
	role->until_us = renew == UINT64_MAX ? UINT64_MAX : fn_clock_mono_us() + (renew - now);
	fn_log_debug("the command of %s has printed credentials", role->configured->arn);
	tell(role, NULL);
}

static int copy(const struct fn_credentials *from, struct fn_credentials *ret, struct fn_err *err)
{
	struct fn_credentials c = {fn_strdup_opt(from->access_key_id), fn_strdup_opt(from->secret_access_key), fn_strdup_opt(from->session_token), from->expires_us};

	if (!c.access_key_id || !c.secret_access_key || (from->session_token && !c.session_token)) {
		fn_credentials_clear(&c);
		return fn_err_set(err, ENOMEM, STAGE, NULL);
	}
	*ret = c;
	return 0;
}

const struct fn_role *fn_roles_find(const struct fn_roles *r, const char *arn)
{
	for (size_t i = 0; r && i < r->n; i++)
		if (fn_streq(r->items[i].configured->arn, arn))
			return r->items[i].configured;
	return NULL;
}

int fn_roles_get(struct fn_roles *r, const char *arn, struct fn_credentials *ret, uint64_t *ret_until_us, struct fn_roles_wait *wait, struct fn_err *err)
{
	struct role *role = NULL;
	int rc;

	for (size_t i = 0; r && i < r->n && !role; i++)
		if (fn_streq(r->items[i].configured->arn, arn))
			role = &r->items[i];
	*ret_until_us = UINT64_MAX;
	if (!role) {
		rc = fn_credentials_invent(ret);
		return rc < 0 ? fn_err_set(err, rc, STAGE, NULL) : 0;
	}
	if (!role->configured->command)
		return copy(&role->configured->fixed, ret, err);
	if (role->got.access_key_id && fn_clock_mono_us() < role->until_us) {
		*ret_until_us = role->until_us;
		return copy(&role->got, ret, err);
	}
	if (!role->command) {
		rc = fn_command_start(r->loop, role->configured->command, FN_CREDENTIALS_OUTPUT_MAX, FN_CREDENTIALS_TIMEOUT_US, on_command, role, &role->command, err);
		if (rc < 0)
			return fn_err_set(err, rc, STAGE, "the command of %s cannot be run", arn);
	}
	fn_list_push_back(&role->waiting, &wait->link);
	return -EINPROGRESS;
}
