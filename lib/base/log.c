/* log.c - see log.h. One write(2) a line, so that lines of several processes do not mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static const char *ident = "fnd";
static enum fn_log_level max = FN_LOG_INFO;
static bool journal;

static const struct {
	const char *name;
	int syslog;
} levels[] = {
	[FN_LOG_ERROR] = {"error", 3},
	[FN_LOG_WARN] = {"warn", 4},
	[FN_LOG_INFO] = {"info", 6},
	[FN_LOG_DEBUG] = {"debug", 7},
};

void fn_log_init(const char *name, enum fn_log_level max_level)
{
	ident = name;
	max = max_level;
	journal = getenv("JOURNAL_STREAM") != NULL;
}

void fn_log_set_level(enum fn_log_level max_level) { max = max_level; }

int fn_log_level_parse(const char *text, enum fn_log_level *ret_level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (text && strcmp(text, levels[i].name) == 0) {
			*ret_level = (enum fn_log_level)i;
			return 0;
		}
	return -EINVAL;
}

const char *fn_log_level_name(enum fn_log_level level) { return levels[level].name; }

void fn_log(enum fn_log_level level, const char *fmt, ...)
{
	char line[2048], when[32];
	int saved = errno, n;
	va_list ap;

	if (level > max)
		return;
	if (journal)
		n = snprintf(line, sizeof(line), "<%d>%s: ", levels[level].syslog, ident);
	else
		n = snprintf(line, sizeof(line), "%s %s[%d] %s: ",
			     fn_clock_format_rfc3339(fn_clock_real_us(), when, sizeof(when)), ident, (int)getpid(),
			     levels[level].name);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* nowhere to say so */
	}
	errno = saved;
}
