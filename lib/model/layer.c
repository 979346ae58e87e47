/* layer.c - see layer.h. */
#include "model/layer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* --- names --- */
static bool is_name(const char *s) { return *s && strlen(s) <= FN_LAYER_NAME_MAX && s[strspn(s, NAME_CHARS)] == '\0'; }

/* The parts of an ARN, in place; the service model has judged the letters of a region. */
static int parse_arn(char *text, struct fn_layer_name *n)
{
	char *part[8] = {0}, *next = text;
	size_t count = 0;

	for (char *p; (p = strsep(&next, ":")); part[count++] = p)
		if (count == 8)
			return -EINVAL;
	if (count < 7 || !fn_streq(part[0], "arn") || !fn_str_starts(part[1], "aws") || !fn_streq(part[2], "lambda") || !*part[3] ||
	    strlen(part[4]) != 12 || part[4][strspn(part[4], "0123456789")] || !fn_streq(part[5], "layer") || !is_name(part[6]))
		return -EINVAL;
	if (part[7] && fn_str_to_i64(part[7], 0, INT64_MAX, &n->version) < 0)
		return -EINVAL;
	if (fn_str_format(n->region, sizeof(n->region), "%s", part[3]) < 0)
		return -EINVAL;
	snprintf(n->account, sizeof(n->account), "%s", part[4]);
	snprintf(n->name, sizeof(n->name), "%s", part[6]);
	return fn_str_format(n->key, sizeof(n->key), "%s:%s:lambda:%s:%s:layer:%s", part[0], part[1], part[3], part[4], part[6]) < 0 ? -EINVAL : 0;
}

int fn_layer_name_parse(const char *text, struct fn_layer_name *ret)
{
	struct fn_layer_name n = {0};
	char copy[FN_LAYER_ARN_SIZE];

	if (!strchr(text, ':')) {
		if (!is_name(text))
			return -EINVAL;
		snprintf(n.name, sizeof(n.name), "%s", text);
		snprintf(n.key, sizeof(n.key), "%s", text);
	} else if (fn_str_format(copy, sizeof(copy), "%s", text) < 0 || parse_arn(copy, &n) < 0) {
		return -EINVAL;
	}
	*ret = n;
	return 0;
}

bool fn_layer_name_key(struct fn_layer_name *n, const char *region, const char *account)
{
	if (n->region[0] && (!fn_streq(n->region, region) || !fn_streq(n->account, account)))
		return false;
	snprintf(n->key, sizeof(n->key), "%s", n->name);
	return true;
}

bool fn_layer_is_foreign(const char *key) { return strchr(key, ':') != NULL; }

void fn_layer_arn(char *out, size_t size, const char *region, const char *account, const char *key, int64_t version)
{
	char number[24] = "";

	if (version > 0)
		snprintf(number, sizeof(number), ":%" PRId64, version);
	if (fn_layer_is_foreign(key))
		snprintf(out, size, "%s%s", key, number);
	else
		snprintf(out, size, "arn:aws:lambda:%s:%s:layer:%s%s", region, account, key, number);
}

/* --- versions --- */
struct fn_layer_version *fn_layer_version_new(void)
{
	struct fn_layer_version *v = calloc(1, sizeof(*v));

	if (v)
		v->refs = 1;
	return v;
}

struct fn_layer_version *fn_layer_version_ref(struct fn_layer_version *v)
{
	v->refs++;
	return v;
}

static void clear_statement(struct fn_layer_statement *s)
{
	free(s->sid);
	free(s->principal);
	free(s->organization);
}

void fn_layer_version_unref(struct fn_layer_version *v)
{
	if (!v || --v->refs > 0)
		return;
	for (size_t i = 0; i < v->n_statements; i++)
		clear_statement(&v->statements[i]);
	free(v->statements);
	fn_strs_free(v->runtimes);
	fn_strs_free(v->architectures);
	free(v->layer);
	free(v->description);
	free(v->license);
	free(v);
}

/* NULL stays NULL. */
static int copy_strings(char **from, char ***ret)
{
	size_t n = 0;
	char **to;

	if (!from)
		return 0;
	while (from[n])
		n++;
	*ret = to = calloc(n + 1, sizeof(*to));
	for (size_t i = 0; to && i < n; i++)
		if (!(to[i] = strdup(from[i])))
			return -ENOMEM;
	return to ? 0 : -ENOMEM;
}

struct fn_layer_version *fn_layer_version_clone(const struct fn_layer_version *v)
{
	struct fn_layer_version *c = fn_layer_version_new();
	int r;

	if (!c)
		return NULL;
	c->version = v->version;
	memcpy(c->code_sha256, v->code_sha256, sizeof(c->code_sha256));
	c->code_size = v->code_size;
	c->unpacked_size = v->unpacked_size;
	c->created_us = v->created_us;
	memcpy(c->policy_revision, v->policy_revision, sizeof(c->policy_revision));
	c->layer = strdup(v->layer);
	c->description = strdup(v->description);
	c->license = fn_strdup_opt(v->license);
	r = c->layer && c->description && (c->license || !v->license) ? 0 : -ENOMEM;
	if (r == 0)
		r = copy_strings(v->runtimes, &c->runtimes);
	if (r == 0)
		r = copy_strings(v->architectures, &c->architectures);
	for (size_t i = 0; r == 0 && i < v->n_statements; i++)
		r = fn_layer_version_permit(c, v->statements[i].sid, v->statements[i].principal, v->statements[i].organization);
	if (r == 0)
		return c;
	fn_layer_version_unref(c);
	return NULL;
}

static bool has(char **list, const char *wanted)
{
	for (char **p = list; p && *p; p++)
		if (strcmp(*p, wanted) == 0)
			return true;
	return false;
}

bool fn_layer_version_fits(const struct fn_layer_version *v, const char *runtime, const char *architecture)
{
	return (!runtime || has(v->runtimes, runtime)) && (!architecture || has(v->architectures, architecture));
}

/* --- its policy --- */
int fn_layer_version_permit(struct fn_layer_version *v, const char *sid, const char *principal, const char *organization)
{
	struct fn_layer_statement s = {strdup(sid), strdup(principal), fn_strdup_opt(organization)};
	struct fn_layer_statement *more = realloc(v->statements, (v->n_statements + 1) * sizeof(*more));

	if (more)
		v->statements = more;
	if (!more || !s.sid || !s.principal || (organization && !s.organization)) {
		clear_statement(&s);
		return -ENOMEM;
	}
	v->statements[v->n_statements++] = s;
	return 0;
}

size_t fn_layer_version_statement(const struct fn_layer_version *v, const char *sid)
{
	for (size_t i = 0; i < v->n_statements; i++)
		if (strcmp(v->statements[i].sid, sid) == 0)
			return i;
	return SIZE_MAX;
}

void fn_layer_version_forbid(struct fn_layer_version *v, size_t i)
{
	clear_statement(&v->statements[i]);
	memmove(&v->statements[i], &v->statements[i + 1], (v->n_statements - i - 1) * sizeof(v->statements[0]));
	v->n_statements--;
}
