/* document.c - see document.h. */
#include "aws/document.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/glob.h"
#include "base/cleanup.h"
#include "base/str.h"

#define SYNTAX "Syntax errors in policy."
#define NO_MEMORY "out of memory"
#define ALNUM "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NO_VENDOR "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."

struct principal {
	enum { EVERYBODY, AWS_ARN, AWS_ACCOUNT, SERVICE, NOBODY_HERE } type; /* NOBODY_HERE: federated, canonical */
	char *text;
	const char *id; /* borrowed; of an AWS_ARN: whom alone it means of those who have that ARN one after the other; NULL = each */
};

struct statement {
	bool deny, not_action, not_resource, not_principal;
	struct fn_iam_text *actions, *resources;
	struct principal *principals;
	struct fn_iam_condition **conditions;
	size_t n_actions, n_resources, n_principals, n_conditions;
};

struct fn_iam_document {
	struct statement *statements;
	size_t n;
};

struct reading {
	enum fn_iam_kind kind;
	bool variables;
	bool put; /* it is being put: what was taken before is read for ever, what is taken is the service's rule of today */
	struct fn_buf *why;
};

static bool fail(struct reading *r, const char *text)
{
	if (r->why->len == 0)
		(void)fn_buf_add_str(r->why, text);
	return false;
}

static void statement_clear(struct statement *s)
{
	for (size_t i = 0; i < s->n_actions; i++)
		fn_iam_text_free(&s->actions[i]);
	for (size_t i = 0; i < s->n_resources; i++)
		fn_iam_text_free(&s->resources[i]);
	for (size_t i = 0; i < s->n_principals; i++)
		free(s->principals[i].text);
	for (size_t i = 0; i < s->n_conditions; i++)
		fn_iam_condition_free(s->conditions[i]);
	free(s->actions);
	free(s->resources);
	free(s->principals);
	free(s->conditions);
}

void fn_iam_document_free(struct fn_iam_document *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		statement_clear(&d->statements[i]);
	free(d->statements);
	free(d);
}

const struct fn_iam_document *fn_iam_nothing(void)
{
	static const struct fn_iam_document nothing;

	return &nothing;
}

/* --- reading --- */
/* A string, or a list of strings, that is not empty. */
static bool texts(struct reading *r, json_t *v, struct fn_iam_text **ret, size_t *ret_n, bool variables)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;
	struct fn_iam_text *all = calloc(n + 1, sizeof(*all));

	*ret = all;
	if (!all)
		return fail(r, NO_MEMORY);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);

		if (!text || strlen(text) != json_string_length(json_is_array(v) ? json_array_get(v, i) : v))
			return fail(r, SYNTAX);
		*ret_n = i + 1;
		if (!fn_iam_text_parse(&all[i], text, variables, r->why))
			return fail(r, NO_MEMORY);
	}
	return true;
}

static bool action_formed(struct reading *r, const char *a)
{
	const char *colon = strchr(a, ':');

	if (strcmp(a, "*") == 0)
		return true;
	if (colon && colon != a && strchr(colon + 1, ':'))
		return fail(r, "Actions/Condition can contain only one colon.");
	if (!colon || colon == a || !colon[1])
		return fail(r, NO_VENDOR);
	for (const char *p = a; p < colon; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '*') {
			(void)fn_buf_addf(r->why, "Vendor %.*s is not valid", (int)(colon - a), a);
			return false;
		}
	for (const char *p = colon + 1; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("*?-_", *p))
			return fail(r, NO_VENDOR);
	return true;
}

static bool read_actions(struct reading *r, json_t *o, struct statement *s)
{
	json_t *one = json_object_get(o, "Action"), *other = json_object_get(o, "NotAction");

	if (one && other)
		return fail(r, SYNTAX);
	if (!one && !other)
		return fail(r, "Policy statement must contain actions.");
	s->not_action = other;
	if (!texts(r, one ? one : other, &s->actions, &s->n_actions, false))
		return false;
	if (s->n_actions == 0)
		return fail(r, "Policy statement must contain actions.");
	for (size_t i = 0; i < s->n_actions; i++) {
		if (!action_formed(r, s->actions[i].text))
			return false;
		if (r->kind == FN_IAM_TRUST && strncasecmp(s->actions[i].text, "sts:", 4) != 0)
			return fail(r, "AssumeRole policy may only specify STS AssumeRole actions.");
	}
	return true;
}

/* arn:PARTITION:... */
static bool partition_known(struct reading *r, const char *arn)
{
	static const char *const all[] = {"aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"};
	size_t n = fn_str_starts(arn, "arn:") ? strcspn(arn + 4, ":") : 0;

	if (!r->put || n == 0 || strcspn(arn + 4, "*?$") < n)
		return true;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strlen(all[i]) == n && memcmp(all[i], arn + 4, n) == 0)
			return true;
	(void)fn_buf_addf(r->why, "Partition \"%.*s\" is not valid for resource \"%s\".", (int)n, arn + 4, arn);
	return false;
}

static bool read_resources(struct reading *r, json_t *o, struct statement *s)
{
	json_t *one = json_object_get(o, "Resource"), *other = json_object_get(o, "NotResource");

	if (r->kind == FN_IAM_TRUST)
		return (!one && !other) || fail(r, "Has prohibited field Resource");
	if (one && other)
		return fail(r, SYNTAX);
	if (!one && !other)
		return fail(r, "Policy statement must contain resources.");
	s->not_resource = other;
	if (!texts(r, one ? one : other, &s->resources, &s->n_resources, r->variables))
		return false;
	if (s->n_resources == 0)
		return fail(r, "Policy statement must contain resources.");
	for (size_t i = 0; i < s->n_resources; i++) {
		const char *text = s->resources[i].text, *p = text;
		int colons = 0;

		for (; *p; p++)
			colons += *p == ':';
		if (strcmp(text, "*") != 0 && !(fn_str_starts(text, "arn:") && (colons >= 5 || s->resources[i].wild)) && !s->resources[i].variables && !fn_str_starts(text, "*")) {
			(void)fn_buf_addf(r->why, "Resource %s must be in ARN format or \"*\".", text);
			return false;
		}
		if (!partition_known(r, text))
			return false;
	}
	return true;
}

static bool digits(const char *text) { return strlen(text) == 12 && strspn(text, "0123456789") == 12; }

static bool read_aws(struct reading *r, struct principal *p, const char *text)
{
	const char *last = strrchr(text, ':');

	p->type = AWS_ARN;
	if (strcmp(text, "*") == 0) {
		p->type = EVERYBODY;
	} else if (digits(text)) {
		p->type = AWS_ACCOUNT;
	} else if (fn_str_starts(text, "arn:") && strstr(text, ":iam::") && fn_str_ends(text, ":root") && last - text > 12) {
		p->type = AWS_ACCOUNT;
		text = last - 12;
	} else if ((!fn_str_starts(text, "arn:") || !(strstr(text, ":iam::") || strstr(text, ":sts::")) || strchr(text, '*')) &&
		   strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(text)) { /* an id is of somebody who has gone */
		(void)fn_buf_addf(r->why, "Invalid principal in policy: \"AWS\":\"%s\"", text);
		return false;
	}
	p->text = p->type == AWS_ACCOUNT ? strndup(text, 12) : strdup(text);
	return p->text || fail(r, NO_MEMORY);
}

/* Services are called so in the partitions that there are; a trust policy with another one trusts nobody. */
static bool service_formed(const struct reading *r, const char *name)
{
	static const char *const ends[] = {".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".aws.internal", ".ic.gov", ".sgov.gov", ".adc-e.uk"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (fn_str_ends(name, ends[i]))
			return true;
	return !r->put || r->kind != FN_IAM_TRUST;
}

static bool add_principal(struct reading *r, struct statement *s, const char *type, json_t *v)
{
	const char *text = json_string_value(v);
	struct principal *more = realloc(s->principals, (s->n_principals + 1) * sizeof(*more)), *p;

	if (!more)
		return fail(r, NO_MEMORY);
	s->principals = more;
	if (!text || !*text)
		return fail(r, SYNTAX);
	p = &s->principals[s->n_principals++];
	*p = (struct principal){0};
	if (strcmp(type, "AWS") == 0)
		return read_aws(r, p, text);
	if (strcmp(type, "Service") == 0) {
		p->type = SERVICE;
		if (strcmp(text, "*") != 0 && (!strchr(text, '.') || !service_formed(r, text))) {
			(void)fn_buf_addf(r->why, "Invalid principal in policy: \"SERVICE\":\"%s\"", text);
			return false;
		}
	} else if (strcmp(type, "Federated") == 0 || strcmp(type, "CanonicalUser") == 0) {
		p->type = NOBODY_HERE;
	} else {
		return fail(r, SYNTAX);
	}
	p->text = strdup(text);
	return p->text || fail(r, NO_MEMORY);
}

static bool read_principals(struct reading *r, json_t *o, struct statement *s)
{
	json_t *one = json_object_get(o, "Principal"), *other = json_object_get(o, "NotPrincipal"), *v, *e;
	const char *type;
	size_t i;

	if (r->kind == FN_IAM_IDENTITY) {
		if (one || other)
			return fail(r, "Policy document should not specify a principal.");
		return true;
	}
	if (!one == !other)
		return fail(r, one ? SYNTAX : r->kind == FN_IAM_TRUST ? "Missing required field Principal" : "Missing required field Principal cannot be empty!");
	s->not_principal = other;
	one = one ? one : other;
	if (json_is_string(one))
		return fn_streq(json_string_value(one), "*") ? add_principal(r, s, "AWS", one) : fail(r, "Invalid principal in policy.");
	if (!json_is_object(one) || json_object_size(one) == 0)
		return fail(r, SYNTAX);
	json_object_foreach(one, type, v) {
		if (!json_is_array(v) && !add_principal(r, s, type, v))
			return false;
		json_array_foreach(v, i, e)
			if (!add_principal(r, s, type, e))
				return false;
	}
	return s->n_principals > 0 || fail(r, SYNTAX);
}

/* Is it about something that is served here? NotAction is about nearly all. */
static bool is_about_us(const struct statement *s)
{
	static const char *const ours[] = {"lambda", "logs", "sqs", "iam", "sts", "fnd"};

	if (s->not_action)
		return true;
	for (size_t i = 0; i < s->n_actions; i++) {
		char service[64];

		if (fn_str_format(service, sizeof(service), "%.*s", (int)strcspn(s->actions[i].text, ":"), s->actions[i].text) < 0)
			continue;
		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			if (fn_glob_matches(service, ours[k], true))
				return true;
	}
	return false;
}

static bool read_conditions(struct reading *r, json_t *o, struct statement *s)
{
	json_t *all = json_object_get(o, "Condition"), *keys, *values;
	const char *op, *key;
	bool ours = is_about_us(s);

	if (!all)
		return true;
	if (!json_is_object(all))
		return fail(r, SYNTAX);
	json_object_foreach(all, op, keys) {
		if (!json_is_object(keys))
			return fail(r, SYNTAX);
		json_object_foreach(keys, key, values) {
			struct fn_iam_condition **more = realloc(s->conditions, (s->n_conditions + 1) * sizeof(struct fn_iam_condition *)); /* NOLINT(bugprone-sizeof-expression) */

			if (!more)
				return fail(r, NO_MEMORY);
			s->conditions = more;
			if (!strchr(key, ':'))
				return fail(r, NO_VENDOR);
			if (ours && !fn_iam_key_known(key)) {
				(void)fn_buf_addf(r->why, "fnd cannot judge the condition key %s: requests have none here.", key);
				return false;
			}
			if (!fn_iam_condition_parse(op, key, values, r->variables, &s->conditions[s->n_conditions], r->why))
				return fail(r, NO_MEMORY);
			s->n_conditions++;
		}
	}
	return true;
}

static bool known_members(json_t *o, const char *const *names)
{
	const char *k;
	json_t *v;

	json_object_foreach(o, k, v) {
		size_t i = 0;

		while (names[i] && strcmp(names[i], k) != 0)
			i++;
		if (!names[i])
			return false;
	}
	return true;
}

static const char *const of_document[] = {"Version", "Id", "Statement", NULL};
static const char *const of_statement[] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition", NULL};

static bool read_statement(struct reading *r, json_t *o, struct statement *s)
{
	const char *effect = json_string_value(json_object_get(o, "Effect"));
	json_t *sid = json_object_get(o, "Sid");

	if (!json_is_object(o) || !known_members(o, of_statement) || (sid && !json_is_string(sid)))
		return fail(r, SYNTAX);
	if (!fn_streq(effect, "Allow") && !fn_streq(effect, "Deny"))
		return fail(r, SYNTAX);
	if (r->put && r->kind != FN_IAM_RESOURCE && sid && json_string_value(sid)[strspn(json_string_value(sid), ALNUM)])
		return fail(r, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*");
	s->deny = strcmp(effect, "Deny") == 0;
	return read_principals(r, o, s) && read_actions(r, o, s) && read_resources(r, o, s) && read_conditions(r, o, s);
}

static bool sids_differ(json_t *list)
{
	json_auto_t *seen = json_object();
	json_t *s;
	size_t i;

	json_array_foreach(list, i, s) {
		const char *sid = json_string_value(json_object_get(s, "Sid"));

		if (fn_str_empty(sid))
			continue;
		if (json_object_get(seen, sid))
			return false;
		json_object_set_new(seen, sid, json_true());
	}
	return true;
}

static int read_document(json_t *document, enum fn_iam_kind kind, bool put, struct fn_iam_document **ret, struct fn_buf *why)
{
	json_t *list = json_object_get(document, "Statement"), *version = json_object_get(document, "Version"), *s;
	struct reading r = {.kind = kind, .variables = fn_streq(json_string_value(version), "2012-10-17"), .put = put, .why = why};
	struct fn_iam_document *d = NULL;
	size_t n = json_is_array(list) ? json_array_size(list) : json_is_object(list) ? 1 : 0;

	if (!json_is_object(document) || !known_members(document, of_document) || n == 0 || (version && !r.variables && !fn_streq(json_string_value(version), "2008-10-17")))
		(void)fail(&r, SYNTAX);
	else if (kind == FN_IAM_IDENTITY && !r.variables)
		(void)fail(&r, "Policy document must be version 2012-10-17 or greater.");
	else if (json_is_array(list) && !sids_differ(list))
		(void)fail(&r, "Statement IDs (SID) in a single policy must be unique.");
	else if (!(d = calloc(1, sizeof(*d))) || !(d->statements = calloc(n, sizeof(*d->statements))))
		(void)fail(&r, NO_MEMORY);
	for (; why->len == 0 && d->n < n; d->n++) {
		s = json_is_array(list) ? json_array_get(list, d->n) : list;
		if (!read_statement(&r, s, &d->statements[d->n])) {
			d->n++; /* what there is of it goes too */
			break;
		}
	}
	if (why->len == 0) {
		*ret = d;
		return 0;
	}
	fn_iam_document_free(d);
	return strcmp(why->data, NO_MEMORY) == 0 ? -ENOMEM : -EINVAL;
}

int fn_iam_document_of(json_t *document, enum fn_iam_kind kind, struct fn_iam_document **ret, struct fn_buf *why)
{
	return read_document(document, kind, false, ret, why);
}

static int parse(const char *text, enum fn_iam_kind kind, bool put, struct fn_iam_document **ret, struct fn_buf *why)
{
	json_auto_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (!document) {
		(void)fn_buf_add_str(why, kind == FN_IAM_TRUST ? "This policy contains invalid Json" : SYNTAX);
		return -EINVAL;
	}
	return read_document(document, kind, put, ret, why);
}

int fn_iam_document_parse(const char *text, enum fn_iam_kind kind, struct fn_iam_document **ret, struct fn_buf *why) { return parse(text, kind, false, ret, why); }

int fn_iam_document_check(const char *text, enum fn_iam_kind kind, struct fn_buf *why)
{
	struct fn_iam_document *d = NULL;
	int r = parse(text, kind, true, &d, why);

	fn_iam_document_free(d);
	return r;
}

void fn_iam_document_bind(struct fn_iam_document *d, const json_t *ids)
{
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->statements[i].n_principals; k++) {
			struct principal *p = &d->statements[i].principals[k];

			if (p->type == AWS_ARN)
				p->id = json_string_value(json_object_get(ids, p->text));
		}
}

/* --- judging --- */
static bool is_action(const struct statement *s, const char *action)
{
	for (size_t i = 0; i < s->n_actions; i++)
		if (((s->actions[i].text[0] | 0x20) != (action[0] | 0x20)) && s->actions[i].text[0] != '*' && s->actions[i].text[0] != '?')
			continue; /* another service's, most often */
		else if (s->actions[i].wild ? fn_glob_matches(s->actions[i].text, action, true) : strcasecmp(s->actions[i].text, action) == 0)
			return !s->not_action;
	return s->not_action;
}

static bool is_resource(const struct statement *s, const struct fn_iam_request *r)
{
	fn_auto_buf struct fn_buf room = {0};

	if (s->n_resources == 0)
		return true;
	for (size_t i = 0; i < s->n_resources; i++) {
		const char *pattern = fn_iam_text_of(&s->resources[i], &r->context, &room);

		if (!pattern) /* a variable without a value: the statement says nothing of the request */
			return s->not_resource && s->deny;
		if (s->resources[i].wild ? fn_glob_matches(pattern, r->resource, false) : strcmp(pattern, r->resource) == 0)
			return !s->not_resource;
	}
	return s->not_resource;
}

/* As whom one of the principals means the one who asks; NOTHING = it does not. */
static enum fn_iam_says meant(const struct principal *p, const struct fn_iam_principal *who)
{
	switch (p->type) {
	case EVERYBODY:
		return FN_IAM_ROLE;
	case AWS_ACCOUNT:
		return who->type != FN_IAM_SERVICE && fn_streq(who->account, p->text) ? (who->type == FN_IAM_ROOT ? FN_IAM_NAMED : FN_IAM_ACCOUNT) : FN_IAM_NOTHING;
	case AWS_ARN:
		if (who->type == FN_IAM_SERVICE || who->type == FN_IAM_ANONYMOUS)
			return FN_IAM_NOTHING;
		if (p->id && !fn_streq(who->id, p->id)) /* another one, who has got the name */
			return FN_IAM_NOTHING;
		return fn_streq(who->arn, p->text) ? FN_IAM_NAMED : fn_streq(who->of, p->text) ? FN_IAM_ROLE : FN_IAM_NOTHING;
	case SERVICE:
		return who->type == FN_IAM_SERVICE && (fn_streq(p->text, "*") || fn_streq(who->arn, p->text)) ? FN_IAM_NAMED : FN_IAM_NOTHING;
	default:
		return FN_IAM_NOTHING;
	}
}

static enum fn_iam_says is_principal(const struct statement *s, const struct fn_iam_principal *who)
{
	enum fn_iam_says most = FN_IAM_NOTHING;

	if (s->n_principals == 0)
		return FN_IAM_NAMED;
	for (size_t i = 0; i < s->n_principals; i++) {
		enum fn_iam_says m = meant(&s->principals[i], who);

		most = m > most ? m : most;
	}
	return !s->not_principal ? most : most == FN_IAM_NOTHING ? FN_IAM_ROLE : FN_IAM_NOTHING;
}

static bool conditions_hold(const struct statement *s, const struct fn_iam_context *c)
{
	for (size_t i = 0; i < s->n_conditions; i++)
		if (!fn_iam_condition_holds(s->conditions[i], c))
			return false;
	return true;
}

enum fn_iam_says fn_iam_document_says(const struct fn_iam_document *d, const struct fn_iam_request *r)
{
	enum fn_iam_says most = FN_IAM_NOTHING, whom;

	for (size_t i = 0; i < d->n; i++) {
		const struct statement *s = &d->statements[i];

		if (!is_action(s, r->action) || !is_resource(s, r))
			continue;
		whom = is_principal(s, r->who);
		if (whom == FN_IAM_NOTHING || (!s->deny && whom <= most) || !conditions_hold(s, &r->context))
			continue;
		if (s->deny)
			return FN_IAM_DENIED;
		most = whom;
	}
	return most;
}
