/* arn.c - see arn.h. */
#include "model/arn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

const char fn_name_pattern[] =
	"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
	"([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

static bool all_of(const char *s, const char *set) { return *s && strspn(s, set) == strlen(s); }

bool fn_qualifier_valid(const char *q)
{
	return strlen(q) <= 128 && (fn_streq(q, "$LATEST") || all_of(q, NAME_CHARS));
}

int fn_name_parse(const char *text, struct fn_name *ret)
{
	char copy[512], *part[8] = {0}, *save = NULL;
	struct fn_name n = {0};
	size_t count = 0, i = 0;

	if (fn_str_format(copy, sizeof(copy), "%s", text) < 0 || !*copy || *copy == ':' || strstr(copy, "::") || fn_str_ends(copy, ":"))
		return -EINVAL;
	for (char *p = strtok_r(copy, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		if (count == 8)
			return -EINVAL;
		part[count++] = p;
	}
	if (fn_streq(part[0], "arn")) {
		if (count < 7 || !fn_str_starts(part[1], "aws") || !fn_streq(part[2], "lambda") || !fn_streq(part[5], "function"))
			return -EINVAL;
		snprintf(n.region, sizeof(n.region), "%s", part[3]);
		snprintf(n.account, sizeof(n.account), "%s", part[4]);
		i = 6;
	} else if (count >= 3 && fn_streq(part[1], "function")) {
		snprintf(n.account, sizeof(n.account), "%s", part[0]);
		i = 2;
	} else if (count >= 2 && fn_streq(part[0], "function")) {
		i = 1;
	}
	if (n.account[0] && (strlen(n.account) != 12 || !all_of(n.account, "0123456789")))
		return -EINVAL;
	if (count - i < 1 || count - i > 2 || !all_of(part[i], NAME_CHARS) || strlen(part[i]) > 140)
		return -EINVAL;
	snprintf(n.name, sizeof(n.name), "%s", part[i]);
	if (count - i == 2) {
		if (!fn_qualifier_valid(part[i + 1]))
			return -EINVAL;
		snprintf(n.qualifier, sizeof(n.qualifier), "%s", part[i + 1]);
	}
	*ret = n;
	return 0;
}

void fn_arn_format(char *out, size_t size, const char *region, const char *account, const char *name, const char *qualifier)
{
	snprintf(out, size, "arn:aws:lambda:%s:%s:function:%s%s%s", region, account, name, qualifier && *qualifier ? ":" : "",
		 qualifier ? qualifier : "");
}
