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

enum fn_level fn_level_of_line(const char *line, size_t len)
{
	enum fn_level level = FN_LEVEL_NONE;
	const char *value;
	size_t n;

	if (len > 0 && (line[0] == '{' || line[0] == ' ' || line[0] == '\t') && fn_json_member(line, len, "level", &value, &n))
		level = fn_level_parse(value, n);
	return level == FN_LEVEL_NONE ? FN_LEVEL_INFO : level;
}
