/* query.c - see query.h. A form is first a tree by the dots in its names; the model then says what of it is a list, a map, a number. */
#include "aws/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"

#define INDEX_MAX 1000000

static bool is_form(const struct fn_aws_head *h)
{
	return strcmp(h->method, "POST") == 0 && h->content_type && fn_str_starts(h->content_type, "application/x-www-form-urlencoded");
}

/* --- the tree --- */
/* Puts the text where the name's dots lead; what has been there goes. */
static bool put(json_t *at, char *name, json_t *text)
{
	unsigned depth = 0;
	char *dot;

	for (; (dot = strchr(name, '.')); name = dot + 1) {
		json_t *below;

		*dot = '\0';
		below = json_object_get(at, name);
		if (++depth > FN_AWS_QUERY_DEPTH_MAX)
			break;
		if (!json_is_object(below)) {
			below = json_object();
			if (json_object_set_new(at, name, below) < 0)
				break;
		}
		at = below;
	}
	if (!dot && json_is_object(json_object_get(at, name))) { /* "A.1=x&A=y": what is more counts */
		json_decref(text);
		return true;
	}
	return json_object_set_new(at, dot ? "" : name, text) == 0 && !dot;
}

static bool add_pair(json_t *tree, const char *text, size_t len, struct fn_buf *why)
{
	fn_auto_buf struct fn_buf name = {0}, value = {0};
	size_t n = 0;

	while (n < len && text[n] != '=')
		n++;
	if (fn_aws_decode(&name, text, n, true) < 0 || fn_aws_decode_value(&value, text + n + (n < len), len - n - (n < len)) < 0 || fn_buf_add(&name, "", 1) < 0) {
		(void)fn_buf_add_str(why, "out of memory");
		return false;
	}
	if (put(tree, name.data, json_stringn(value.data ? value.data : "", value.len)))
		return true;
	(void)fn_buf_addf(why, "A parameter's name has more than %u parts", FN_AWS_QUERY_DEPTH_MAX);
	return false;
}

static bool add_form(json_t *tree, const char *form, size_t len, unsigned *pairs, struct fn_buf *why)
{
	const char *end = form + len, *amp;

	for (; form < end; form = amp + 1) {
		amp = memchr(form, '&', (size_t)(end - form));
		if (!amp)
			amp = end;
		if (amp > form && ++*pairs > FN_AWS_QUERY_PAIRS_MAX) {
			(void)fn_buf_addf(why, "There are more than %u parameters", FN_AWS_QUERY_PAIRS_MAX);
			return false;
		}
		if (amp > form && !add_pair(tree, form, (size_t)(amp - form), why))
			return false;
	}
	return true;
}

/* --- as the model has it --- */
static json_t *build(json_t *node, const struct fn_aws_shape *s, const char *name, struct fn_buf *why);

static json_t *wrong(struct fn_buf *why, const char *name, const char *wanted)
{
	(void)fn_buf_addf(why, "Parameter %s is not %s", name, wanted);
	return NULL;
}

static json_t *scalar(json_t *node, const struct fn_aws_shape *s, const char *name, struct fn_buf *why)
{
	const char *text = json_string_value(node);
	int64_t n;
	char *end;
	double d;

	if (!text)
		return wrong(why, name, "a value");
	switch (s->type) {
	case FN_AWS_INTEGER:
		return fn_str_to_i64(text, INT64_MIN, INT64_MAX, &n) == 0 ? json_integer(n) : wrong(why, name, "a whole number");
	case FN_AWS_DOUBLE:
		d = strtod(text, &end);
		return *text && !*end && d == d && d - d == 0 ? json_real(d) : wrong(why, name, "a number");
	case FN_AWS_BOOLEAN:
		if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
			return json_boolean(strcasecmp(text, "true") == 0);
		return wrong(why, name, "a boolean");
	default:
		return json_incref(node);
	}
}

struct indexed {
	int64_t at;
	json_t *node;
};

static int by_index(const void *a, const void *b)
{
	const struct indexed *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* The entries "1", "2", ... in their order; what is none of them has no meaning. -ENOMEM, or their number. */
static int entries(json_t *node, struct indexed **ret)
{
	size_t n = json_object_size(node);
	struct indexed *all = calloc(n + 1, sizeof(*all));
	const char *key;
	json_t *below;
	int found = 0;

	if (!all)
		return -ENOMEM;
	json_object_foreach(node, key, below)
		if (fn_str_to_i64(key, 0, INDEX_MAX, &all[found].at) == 0)
			all[found++].node = below;
	qsort(all, (size_t)found, sizeof(*all), by_index);
	*ret = all;
	return found;
}

static bool add_entry(json_t *map, json_t *node, const struct fn_aws_shape *s, const char *name, struct fn_buf *why)
{
	json_t *key = json_object_get(node, s->key_wire ? s->key_wire : "key"), *value = json_object_get(node, s->value_wire ? s->value_wire : "value");

	if (!json_is_string(key) || !value)
		return wrong(why, name, "a map: an entry has a name and a value");
	value = build(value, s->value, name, why);
	return value && json_object_set_new(map, json_string_value(key), value) == 0;
}

/* Of a list or a map. An empty one is sent as "Name=". */
static json_t *collection(json_t *node, const struct fn_aws_shape *s, const char *name, struct fn_buf *why)
{
	bool list = s->type == FN_AWS_LIST;
	json_t *all = list ? json_array() : json_object(), *e;
	struct indexed *at = NULL;
	int n;

	if (!s->flattened && json_is_object(node))
		node = json_object_get(node, list ? (s->value_wire ? s->value_wire : "member") : "entry");
	n = entries(node, &at);
	for (int i = 0; i < n && why->len == 0; i++) {
		if (!list) {
			(void)add_entry(all, at[i].node, s, name, why);
		} else if ((e = build(at[i].node, s->value, name, why)) && json_array_append_new(all, e) < 0) {
			(void)fn_buf_add_str(why, "out of memory");
		}
	}
	free(at);
	if (n >= 0 && why->len == 0)
		return all;
	json_decref(all);
	return NULL;
}

/* What the form has for a member: by the entries' name, where those are not within it, by its own on the wire, by that in the model. */
static json_t *node_of(json_t *tree, const struct fn_aws_member *m, const char **ret_name)
{
	bool flat = m->shape->type == FN_AWS_LIST && m->shape->flattened;
	const char *names[] = {flat ? m->shape->value_wire : NULL, m->wire, m->name};
	json_t *node = NULL;

	for (size_t i = 0; i < 3 && !node; i++) {
		*ret_name = names[i];
		node = names[i] ? json_object_get(tree, names[i]) : NULL;
	}
	return node;
}

static json_t *structure(json_t *tree, const struct fn_aws_member *members, unsigned n, struct fn_buf *why)
{
	json_t *all = json_object(), *node, *value;
	const char *name;

	for (unsigned i = 0; i < n && why->len == 0; i++) {
		node = node_of(tree, &members[i], &name);
		value = node ? build(node, members[i].shape, name, why) : NULL;
		if (value && json_object_set_new(all, members[i].name, value) < 0)
			(void)fn_buf_add_str(why, "out of memory");
	}
	if (why->len == 0)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *build(json_t *node, const struct fn_aws_shape *s, const char *name, struct fn_buf *why)
{
	switch (s->type) {
	case FN_AWS_STRUCTURE:
		return structure(node, s->members, s->n_members, why);
	case FN_AWS_LIST:
	case FN_AWS_MAP:
		return collection(node, s, name, why);
	default:
		return scalar(node, s, name, why);
	}
}

/* --- requests --- */
/* Of the first 64 KB of the body alone: where it stands in what clients send is before everything that is long. */
static void parameter(const struct fn_aws_head *h, const char *body, size_t len, const char *name, struct fn_buf *ret)
{
	size_t n = strlen(name);
	const char *end, *amp;

	if (fn_aws_query(h->query, name, 0, ret) == 0 || !is_form(h))
		return;
	for (end = body + len; body < end; body = amp + 1) {
		amp = memchr(body, '&', (size_t)(end - body));
		if (!amp)
			amp = end;
		if ((size_t)(amp - body) > n && memcmp(body, name, n) == 0 && body[n] == '=') {
			(void)fn_aws_decode(ret, body + n + 1, (size_t)(amp - body) - n - 1, true);
			return;
		}
	}
}

const struct fn_aws_operation *fn_aws_query_operation(const struct fn_aws_head *h, const char *body, size_t len, enum fn_aws_service *ret_service, char *ret_action,
						      size_t action_size)
{
	fn_auto_buf struct fn_buf action = {0}, version = {0};
	enum fn_aws_service s = fn_aws_service_of(h);

	parameter(h, body, len, "Action", &action);
	parameter(h, body, len, "Version", &version);
	if (s == FN_AWS_SERVICES)
		s = fn_aws_service_versioned(version.len ? version.data : NULL, action.len ? action.data : NULL);
	if (fn_str_format(ret_action, action_size, "%s", action.len ? action.data : "") < 0)
		ret_action[0] = '\0';
	*ret_service = s;
	return s < FN_AWS_SERVICES && ret_action[0] ? fn_aws_operation_named(s, ret_action) : NULL;
}

json_t *fn_aws_query_members(const struct fn_aws_operation *o, const struct fn_aws_head *h, const char *body, size_t len, struct fn_buf *why)
{
	json_t *tree = json_object(), *in = NULL;
	unsigned pairs = 0;

	if (tree && add_form(tree, h->query, strlen(h->query), &pairs, why) && (!is_form(h) || add_form(tree, body, len, &pairs, why)))
		in = structure(tree, o->members, o->n_members, why);
	if (in && o->service == FN_AWS_SQS && o->n_members > 0 && strcmp(o->members[0].name, "QueueUrl") == 0 && !json_object_get(in, "QueueUrl") &&
	    strspn(h->path, "/") < strlen(h->path))
		(void)json_object_set_new(in, "QueueUrl", json_string(h->path));
	json_decref(tree);
	return in;
}
