/* condition.c - see condition.h. Values are read once, when the policy is put; a value of the context when it is judged. */
#include "aws/condition.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/glob.h"
#include "base/cleanup.h"
#include "base/str.h"

enum family { STRING, STRING_CASE, STRING_LIKE, ARN, NUMBER, DATE, BOOLEAN, ADDRESS, NONE_AT_ALL, BINARY };
enum test { EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };
enum quantity { ONE, ALL_VALUES, ANY_VALUE };

static const struct {
	const char *name;
	enum family family;
	enum test test;
	bool negated;
} operators[] = {
	{"StringEquals", STRING, EQUAL, false},
	{"StringNotEquals", STRING, EQUAL, true},
	{"StringEqualsIgnoreCase", STRING_CASE, EQUAL, false},
	{"StringNotEqualsIgnoreCase", STRING_CASE, EQUAL, true},
	{"StringLike", STRING_LIKE, EQUAL, false},
	{"StringNotLike", STRING_LIKE, EQUAL, true},
	{"ArnEquals", ARN, EQUAL, false}, /* as ArnLike, says the guide */
	{"ArnLike", ARN, EQUAL, false},
	{"ArnNotEquals", ARN, EQUAL, true},
	{"ArnNotLike", ARN, EQUAL, true},
	{"NumericEquals", NUMBER, EQUAL, false},
	{"NumericNotEquals", NUMBER, EQUAL, true},
	{"NumericLessThan", NUMBER, LESS, false},
	{"NumericLessThanEquals", NUMBER, LESS_EQUAL, false},
	{"NumericGreaterThan", NUMBER, GREATER, false},
	{"NumericGreaterThanEquals", NUMBER, GREATER_EQUAL, false},
	{"DateEquals", DATE, EQUAL, false},
	{"DateNotEquals", DATE, EQUAL, true},
	{"DateLessThan", DATE, LESS, false},
	{"DateLessThanEquals", DATE, LESS_EQUAL, false},
	{"DateGreaterThan", DATE, GREATER, false},
	{"DateGreaterThanEquals", DATE, GREATER_EQUAL, false},
	{"Bool", BOOLEAN, EQUAL, false},
	{"IpAddress", ADDRESS, EQUAL, false},
	{"NotIpAddress", ADDRESS, EQUAL, true},
	{"BinaryEquals", BINARY, EQUAL, false},
	{"Null", NONE_AT_ALL, EQUAL, false},
};

struct network {
	int family;
	unsigned bits;
	uint8_t addr[16];
};

struct value {
	struct fn_iam_text text;
	double number; /* of a date: seconds since 1970 */
	bool flag;
	struct network net;
};

struct fn_iam_condition {
	enum family family;
	enum test test;
	enum quantity quantity;
	bool negated, if_exists;
	char *key; /* in lower case */
	struct value *values;
	size_t n;
};

/* --- keys --- */
bool fn_iam_key_known(const char *key)
{
	static const char *const known[] = {
		"aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID",
		"aws:PrincipalOrgPaths", "aws:PrincipalType", "aws:PrincipalIsAWSService", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:ResourceAccount",
		"aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:RequestedRegion", "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp", "aws:SecureTransport",
		"aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime", "aws:userid", "aws:username", "aws:UserAgent", "aws:referer", "aws:MultiFactorAuthPresent",
		"aws:MultiFactorAuthAge", "aws:ViaAWSService", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:FederatedProvider", "lambda:FunctionArn",
		"lambda:FunctionUrlAuthType", "lambda:InvokedViaFunctionUrl", "lambda:Principal", "lambda:SourceFunctionArn", "lambda:EventSourceToken", "lambda:Layer",
		"lambda:VpcIds", "lambda:SubnetIds", "lambda:SecurityGroupIds", "lambda:CodeSigningConfigArn", "iam:PassedToService", "iam:AssociatedResourceArn",
		"iam:PolicyARN", "iam:PermissionsBoundary", "iam:AWSServiceName", "sts:ExternalId", "sts:RoleSessionName",
	};

	if (strncasecmp(key, "aws:PrincipalTag/", 17) == 0 && key[17])
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(known[i], key) == 0)
			return true;
	return false;
}

static char *lower(const char *key)
{
	char *copy = strdup(key);
	/* behind the '/' is a tag's name, which has its own case */
	for (char *p = copy; p && *p && *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* --- text --- */
/* "${key}" or "${key, 'default'}"; p is behind the brace. *ret_end: the closing one; NULL = there is none. */
static const char *variable_end(const char *p)
{
	const char *quote = strchr(p, '\''), *end = strchr(p, '}');

	if (quote && end && quote < end) {
		quote = strchr(quote + 1, '\'');
		end = quote ? strchr(quote, '}') : NULL;
	}
	return end;
}

static bool variable_known(const char *p, const char *end)
{
	size_t n = strcspn(p, ",}");
	char key[160];

	while (n > 0 && p[n - 1] == ' ')
		n--;
	return p + n <= end && n > 0 && fn_str_format(key, sizeof(key), "%.*s", (int)n, p) == 0 && fn_iam_key_known(key);
}

bool fn_iam_text_parse(struct fn_iam_text *t, const char *text, bool variables, struct fn_buf *why)
{
	fn_auto_buf struct fn_buf b = {0};
	size_t len;

	*t = (struct fn_iam_text){0};
	for (const char *p = text; *p; p++) {
		const char *end = p[0] == '$' && p[1] == '{' && variables ? variable_end(p + 2) : NULL;

		if (end == p + 3 && strchr("*?$", p[2])) {
			t->wild = true;
			(void)fn_buf_add(&b, (char[]){FN_GLOB_LITERAL, p[2]}, 2);
			p = end;
		} else if (end) {
			if (!variable_known(p + 2, end)) {
				(void)fn_buf_addf(why, "fnd has no value for the policy variable %.*s", (int)(end - p) + 1, p);
				return false;
			}
			t->wild = t->variables = true;
			(void)fn_buf_add(&b, p, (size_t)(end - p) + 1);
			p = end;
		} else if (p[0] == '$' && p[1] == '{' && variables) {
			(void)fn_buf_addf(why, "The policy variable in %s has no end", text);
			return false;
		} else {
			t->wild = t->wild || *p == '*' || *p == '?';
			(void)fn_buf_add(&b, p, 1);
		}
	}
	t->text = fn_buf_take(&b, &len);
	return t->text;
}

void fn_iam_text_free(struct fn_iam_text *t) { free(t->text); }

/* One value for all of it stands for itself: its '*' is none. */
static void add_literal(struct fn_buf *b, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?", text[i]) && text[i])
			(void)fn_buf_add(b, (char[]){FN_GLOB_LITERAL}, 1);
		(void)fn_buf_add(b, text + i, 1);
	}
}

static bool add_variable(struct fn_buf *b, const char *p, const char *end, const struct fn_iam_context *c)
{
	const char *comma = memchr(p, ',', (size_t)(end - p)), *quote, *value;
	size_t n = (size_t)((comma ? comma : end) - p);
	fn_auto_free char *key = NULL;
	char name[160];

	while (n > 0 && p[n - 1] == ' ')
		n--;
	(void)fn_str_format(name, sizeof(name), "%.*s", (int)n, p);
	key = lower(name);
	value = key ? c->value(c->arg, key, 0) : NULL;
	if (value && !c->value(c->arg, key, 1)) {
		add_literal(b, value, strlen(value));
		return true;
	}
	quote = comma ? memchr(comma, '\'', (size_t)(end - comma)) : NULL;
	if (value || !quote)
		return false;
	add_literal(b, quote + 1, strcspn(quote + 1, "'"));
	return true;
}

const char *fn_iam_text_of(const struct fn_iam_text *t, const struct fn_iam_context *c, struct fn_buf *room)
{
	if (!t->variables)
		return t->text;
	fn_buf_reset(room);
	for (const char *p = t->text; *p; p++) {
		const char *end = p[0] == '$' && p[1] == '{' ? variable_end(p + 2) : NULL;

		if (!end) {
			(void)fn_buf_add(room, p, 1);
		} else {
			if (!add_variable(room, p + 2, end, c))
				return NULL;
			p = end;
		}
	}
	return room->data ? room->data : "";
}

/* --- numbers, dates, addresses --- */
static bool read_number(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *text && !*end && *ret == *ret && *ret - *ret == 0;
}

/* W3C's profile of ISO 8601, or seconds. */
static bool read_date(const char *text, double *ret)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y%m%dT%H%M%S"};
	double seconds = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		char *end = strptime(text, forms[i], &tm), sign;
		int h, m;

		if (!end)
			continue;
		if (*end == '.') {
			seconds = strtod(end, &end);
		}
		if (*end == 'Z' || !*end) {
			if (*end && end[1])
				continue;
			*ret = (double)timegm(&tm) + seconds;
			return true;
		}
		sign = *end;
		if ((sign == '+' || sign == '-') && strlen(end) == 6 && sscanf(end + 1, "%2d:%2d", &h, &m) == 2) {
			*ret = (double)timegm(&tm) + seconds - (sign == '+' ? 1 : -1) * (h * 3600 + m * 60);
			return true;
		}
	}
	return read_number(text, ret);
}

static bool read_address(const char *text, struct network *ret)
{
	char host[64];
	size_t n = strcspn(text, "/");
	int64_t bits;

	*ret = (struct network){0};
	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	ret->family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(ret->family, host, ret->addr) != 1)
		return false;
	if (ret->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((struct in6_addr *)ret->addr) && !text[n]) {
		memmove(ret->addr, ret->addr + 12, 4);
		ret->family = AF_INET;
	}
	ret->bits = ret->family == AF_INET ? 32 : 128;
	if (!text[n])
		return true;
	if (fn_str_to_i64(text + n + 1, 0, ret->bits, &bits) < 0)
		return false;
	ret->bits = (unsigned)bits;
	return true;
}

static bool within(const struct network *net, const struct network *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	return net->family == a->family && memcmp(net->addr, a->addr, whole) == 0 && (rest == 0 || (net->addr[whole] ^ a->addr[whole]) >> (8 - rest) == 0);
}

/* --- a condition --- */
static bool find_operator(const char *name, struct fn_iam_condition *c)
{
	size_t n;

	if (strncasecmp(name, "ForAllValues:", 13) == 0) {
		c->quantity = ALL_VALUES;
		name += 13;
	} else if (strncasecmp(name, "ForAnyValue:", 12) == 0) {
		c->quantity = ANY_VALUE;
		name += 12;
	}
	n = strlen(name);
	if (n > 8 && strcasecmp(name + n - 8, "IfExists") == 0) {
		c->if_exists = true;
		n -= 8;
	}
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (strlen(operators[i].name) != n || strncasecmp(operators[i].name, name, n) != 0)
			continue;
		c->family = operators[i].family;
		c->test = operators[i].test;
		c->negated = operators[i].negated;
		return c->family != NONE_AT_ALL || (!c->if_exists && c->quantity == ONE);
	}
	return false;
}

static bool read_value(const struct fn_iam_condition *c, const char *text, bool variables, struct value *v, struct fn_buf *why)
{
	bool fine;

	/* only text has variables; what ArnLike has is a pattern in any case */
	if (!fn_iam_text_parse(&v->text, text, variables && c->family <= ARN, why))
		return false;
	switch (c->family) {
	case NUMBER:
		fine = read_number(text, &v->number);
		break;
	case DATE:
		fine = read_date(text, &v->number);
		break;
	case BOOLEAN:
	case NONE_AT_ALL:
		v->flag = strcasecmp(text, "true") == 0;
		fine = v->flag || strcasecmp(text, "false") == 0;
		break;
	case ADDRESS:
		fine = read_address(text, &v->net);
		break;
	case ARN:
		fine = strcmp(text, "*") == 0 || fn_str_starts(text, "arn:") || v->text.variables;
		break;
	default:
		fine = true;
	}
	if (!fine)
		(void)fn_buf_addf(why, "The value %s cannot be judged by the operator of its condition", text);
	return fine;
}

static const char *printed(json_t *v, char room[32])
{
	if (json_is_boolean(v))
		return json_is_true(v) ? "true" : "false";
	if (json_is_integer(v))
		snprintf(room, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_real(v))
		snprintf(room, 32, "%.15g", json_real_value(v));
	else
		return json_string_value(v);
	return room;
}

bool fn_iam_condition_parse(const char *op, const char *key, json_t *values, bool variables, struct fn_iam_condition **ret, struct fn_buf *why)
{
	struct fn_iam_condition *c = calloc(1, sizeof(*c));
	size_t n = json_is_array(values) ? json_array_size(values) : 1;

	if (!c || !(c->key = lower(key)) || !(c->values = calloc(n + 1, sizeof(*c->values)))) {
		fn_iam_condition_free(c);
		return false;
	}
	if (!find_operator(op, c))
		(void)fn_buf_addf(why, "Invalid Condition type : %s.", op);
	for (size_t i = 0; i < n && why->len == 0; i++) {
		char room[32];
		const char *text = printed(json_is_array(values) ? json_array_get(values, i) : values, room);

		c->n = i + 1;
		if (!text)
			(void)fn_buf_add_str(why, "Syntax errors in policy.");
		else if (!read_value(c, text, variables, &c->values[i], why) && why->len == 0)
			(void)fn_buf_add_str(why, "out of memory");
	}
	if (why->len > 0) {
		fn_iam_condition_free(c);
		return false;
	}
	*ret = c;
	return true;
}

void fn_iam_condition_free(struct fn_iam_condition *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		fn_iam_text_free(&c->values[i].text);
	free(c->values);
	free(c->key);
	free(c);
}

static bool compared(enum test t, double a, double b)
{
	switch (t) {
	case LESS:
		return a < b;
	case LESS_EQUAL:
		return a <= b;
	case GREATER:
		return a > b;
	case GREATER_EQUAL:
		return a >= b;
	default:
		return a == b;
	}
}

/* STRING has no patterns: its '*' is one. But "${*}" is what it stands for. */
static bool equals(const char *pattern, const char *text, bool fold)
{
	for (; *pattern && *text; pattern++, text++) {
		if (*pattern == FN_GLOB_LITERAL && pattern[1])
			pattern++;
		if (*pattern != *text && !(fold && tolower((unsigned char)*pattern) == tolower((unsigned char)*text)))
			return false;
	}
	return !*pattern && !*text;
}

static bool text_fits(const struct fn_iam_condition *c, const struct value *v, const char *given, const struct fn_iam_context *context)
{
	fn_auto_buf struct fn_buf room = {0};
	const char *pattern = fn_iam_text_of(&v->text, context, &room);

	if (!pattern)
		return false;
	switch (c->family) {
	case STRING_LIKE:
		return fn_glob_matches(pattern, given, false);
	case ARN:
		return fn_glob_arn_matches(pattern, given);
	default:
		return equals(pattern, given, c->family == STRING_CASE);
	}
}

/* Does the context's value fit one of the condition's? */
static bool fits(const struct fn_iam_condition *c, const char *given, const struct fn_iam_context *context)
{
	struct network net = {0};
	double number = 0;

	if ((c->family == NUMBER && !read_number(given, &number)) || (c->family == DATE && !read_date(given, &number)) ||
	    (c->family == ADDRESS && !read_address(given, &net)))
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct value *v = &c->values[i];
		bool fit;

		if (c->family == NUMBER || c->family == DATE)
			fit = compared(c->test, number, v->number);
		else if (c->family == ADDRESS)
			fit = within(&v->net, &net);
		else if (c->family == BOOLEAN)
			fit = strcasecmp(given, v->flag ? "true" : "false") == 0;
		else
			fit = text_fits(c, v, given, context);
		if (fit)
			return true;
	}
	return false;
}

bool fn_iam_condition_holds(const struct fn_iam_condition *c, const struct fn_iam_context *context)
{
	const char *given = context->value(context->arg, c->key, 0);

	if (c->family == NONE_AT_ALL) {
		for (size_t i = 0; i < c->n; i++)
			if (c->values[i].flag == !given)
				return true;
		return false;
	}
	if (!given) /* nothing of nothing fits: of all values, each does */
		return c->if_exists || c->quantity == ALL_VALUES || (c->negated && c->quantity != ANY_VALUE);
	for (unsigned nth = 0; given; given = context->value(context->arg, c->key, ++nth)) {
		bool fit = fits(c, given, context);

		if (c->quantity == ALL_VALUES && fit == c->negated)
			return false;
		if (c->quantity == ANY_VALUE && fit != c->negated)
			return true;
		if (c->quantity == ONE && fit)
			return !c->negated;
	}
	return c->quantity == ALL_VALUES || (c->quantity == ONE && c->negated);
}
