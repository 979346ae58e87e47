/* levels.c - see levels.h. */
#include "runtime/levels.h"

#include <string.h>
#include <strings.h>

#include "web/json_scan.h"

enum fn_level fn_level_parse(const char *name, size_t len)
{
	static const struct {
		const char *name;
		enum fn_level level;
	} known[] = {{"TRACE", FN_LEVEL_TRACE}, {"DEBUG", FN_LEVEL_DEBUG}, {"INFO", FN_LEVEL_INFO},   {"WARN", FN_LEVEL_WARN},
		     {"ERROR", FN_LEVEL_ERROR}, {"FATAL", FN_LEVEL_FATAL}, {"WARNING", FN_LEVEL_WARN}, {"CRITICAL", FN_LEVEL_FATAL}};

	for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && strncasecmp(known[i].name, name, len) == 0)
			return known[i].level;
	return FN_LEVEL_NONE;
}

/* --- a date-time, taken off a text's front part by part --- */
static bool number(const char **at, const char *end, int digits, int least, int most, int *ret)
{
	int n = 0;

	if (end - *at < digits)
		return false;
	for (; digits > 0; digits--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		n = 10 * n + (**at - '0');
	}
	*ret = n;
	return n >= least && n <= most;
}

static bool sign(const char **at, const char *end, const char *any)
{
	return *at < end && **at != '\0' && strchr(any, **at) && (*at)++;
}

static int days(int year, int month)
{
	if (month == 2)
		return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool fn_level_is_time(const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	int year, month, n;

	if (!number(&at, end, 4, 0, 9999, &year) || !sign(&at, end, "-") || !number(&at, end, 2, 1, 12, &month) || !sign(&at, end, "-") ||
	    !number(&at, end, 2, 1, days(year, month), &n) || !sign(&at, end, "Tt") || !number(&at, end, 2, 0, 23, &n) || !sign(&at, end, ":") ||
	    !number(&at, end, 2, 0, 59, &n) || !sign(&at, end, ":") || !number(&at, end, 2, 0, 60, &n))
		return false;
	if (sign(&at, end, ".")) {
		if (!number(&at, end, 1, 0, 9, &n))
			return false;
		while (sign(&at, end, "0123456789"))
			;
	}
	if (!sign(&at, end, "Zz") && (!sign(&at, end, "+-") || !number(&at, end, 2, 0, 23, &n) || !sign(&at, end, ":") || !number(&at, end, 2, 0, 59, &n)))
		return false;
	return at == end;
}

static bool has_time(const char *line, size_t len)
{
	static const char *const names[] = {"timestamp", "time", "@timestamp"};
	const char *value;
	size_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fn_json_member(line, len, names[i], &value, &n) && fn_level_is_time(value, n))
			return true;
	return false;
}

enum fn_level fn_level_of_line(const char *line, size_t len)
{
	enum fn_level level = FN_LEVEL_NONE;
	const char *value;
	size_t n;

	if (len > 0 && (line[0] == '{' || line[0] == ' ' || line[0] == '\t') && fn_json_member(line, len, "level", &value, &n))
		level = fn_level_parse(value, n);
	return level == FN_LEVEL_NONE || level == FN_LEVEL_INFO || !has_time(line, len) ? FN_LEVEL_INFO : level;
}
