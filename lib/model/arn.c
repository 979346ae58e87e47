/* arn.c - see arn.h. */
#include "model/arn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static bool all_of(const char *s, const char *set) { return *s && strspn(s, set) == strlen(s); }

bool fn_qualifier_valid(const char *q)
{
	return strlen(q) <= 128 && (fn_streq(q, "$LATEST.PUBLISHED") || all_of(q, NAME_CHARS "$"));
}

/* Behind a name it may be less than in a parameter of its own. */
static bool is_suffix(const char *q)
{
	return strlen(q) <= 128 && (fn_streq(q, "$LATEST") || fn_streq(q, "$LATEST.PUBLISHED") || all_of(q, NAME_CHARS));
}

static bool is_partition(const char *s) { return fn_str_starts(s, "aws") && s[strspn(s, LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] == '\0'; }

/* -[a-z]+-\d */
static bool is_region_end(const char *s)
{
	size_t n = *s == '-' ? strspn(s + 1, LETTERS) : 0;

	return n > 0 && s[n + 1] == '-' && s[n + 2] >= '0' && s[n + 2] <= '9' && !s[n + 3];
}

bool fn_region_valid(const char *s)
{
	if (strlen(s) > FN_REGION_MAX)
		return false;
	if (fn_str_starts(s, "eusc-"))
		s += 5;
	if (strspn(s, LETTERS) != 2)
		return false;
	s += 2;
	if (is_region_end(s) || (fn_str_starts(s, "-gov") && is_region_end(s + 4)))
		return true;
	return fn_str_starts(s, "-iso") && (is_region_end(s + 4) || (s[4] >= 'a' && s[4] <= 'z' && is_region_end(s + 5)));
}

/* The pattern: all before the name may be left out, in any combination; what could be the one or the other is the longer way a prefix. */
int fn_name_parse(const char *text, struct fn_name *ret)
{
	char copy[512], *part[8] = {0}, *save = NULL;
	struct fn_name n = {0};
	size_t count = 0, i = 0;

	if (fn_str_starts(text, "arn::lambda:")) /* a partition may be left out too */
		text += strlen("arn::lambda:");
	if (fn_str_format(copy, sizeof(copy), "%s", text) < 0 || !*copy || *copy == ':' || strstr(copy, "::") || fn_str_ends(copy, ":"))
		return -EINVAL;
	for (char *p = strtok_r(copy, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		if (count == 8)
			return -EINVAL;
		part[count++] = p;
	}
#define NAME_BEHIND (i + 1 < count && all_of(part[i + 1], NAME_CHARS "."))
	if (count > 3 && fn_streq(part[0], "arn") && is_partition(part[1]) && fn_streq(part[2], "lambda"))
		i = 3;
	if (fn_region_valid(part[i]) && NAME_BEHIND)
		snprintf(n.region, sizeof(n.region), "%s", part[i++]);
	if (strlen(part[i]) == 12 && all_of(part[i], "0123456789") && NAME_BEHIND)
		snprintf(n.account, sizeof(n.account), "%s", part[i++]);
	if (fn_streq(part[i], "function") && NAME_BEHIND)
		i++;
#undef NAME_BEHIND
	if (count - i > 2 || !all_of(part[i], NAME_CHARS ".") || strlen(part[i]) > FN_NAME_MAX)
		return -EINVAL;
	snprintf(n.name, sizeof(n.name), "%s", part[i]);
	if (count - i == 2) {
		if (!is_suffix(part[i + 1]))
			return -EINVAL;
		snprintf(n.qualifier, sizeof(n.qualifier), "%s", part[i + 1]);
	}
	*ret = n;
	return 0;
}

enum fn_name_place fn_name_place(const struct fn_name *n, const char *qualifier, const char *region, const char *account, char *why, size_t size)
{
	if (n->region[0] && !fn_streq(n->region, region)) {
		snprintf(why, size, "Functions from '%s' are not reachable in this region ('%s')", n->region, region);
		return FN_NAME_OTHER_REGION;
	}
	if (n->account[0] && !fn_streq(n->account, account)) {
		snprintf(why, size, "Functions of account %s are not reachable here (account %s)", n->account, account);
		return FN_NAME_OTHER_ACCOUNT;
	}
	if (qualifier && n->qualifier[0] && !fn_streq(qualifier, n->qualifier)) {
		snprintf(why, size, "The derived qualifier from the function name does not match the specified qualifier.");
		return FN_NAME_OTHER_QUALIFIER;
	}
	return FN_NAME_HERE;
}

void fn_arn_format(char *out, size_t size, const char *region, const char *account, const char *name, const char *qualifier)
{
	snprintf(out, size, "arn:aws:lambda:%s:%s:function:%s%s%s", region, account, name, qualifier && *qualifier ? ":" : "",
		 qualifier ? qualifier : "");
}

bool fn_arn_of(const char *arn, const char *service)
{
	const char *at = fn_str_starts(arn, "arn:") ? strchr(arn + 4, ':') : NULL;
	size_t n = strlen(service);

	return at && strncmp(at + 1, service, n) == 0 && at[1 + n] == ':';
}

bool fn_arn_at(const char *arn, const char *service, const char *region, const char *account)
{
	char begins[128];

	return fn_str_format(begins, sizeof(begins), "arn:aws:%s:%s:%s:", service, region, account) == 0 && fn_str_starts(arn, begins);
}
