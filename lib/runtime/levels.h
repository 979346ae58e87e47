/*
 * levels.h - the levels of LoggingConfig: what a line of a function's own is worth, where the log format is JSON.
 *
 * Lambda Developer Guide, "monitoring-cloudwatchlogs-advanced": a line that is a JSON object has the level its member "level" names, in upper or
 * lower case; every other line, and one without such a member, counts as INFO. Python's names are known too: its loggers write WARNING, CRITICAL.
 */
#ifndef FN_RUNTIME_LEVELS_H
#define FN_RUNTIME_LEVELS_H

#include <stddef.h>

enum fn_level { FN_LEVEL_NONE, FN_LEVEL_TRACE, FN_LEVEL_DEBUG, FN_LEVEL_INFO, FN_LEVEL_WARN, FN_LEVEL_ERROR, FN_LEVEL_FATAL };

/* FN_LEVEL_NONE: no such level; also for NULL. */
enum fn_level fn_level_parse(const char *name, size_t len);
/* Of a line, with or without its newline. */
enum fn_level fn_level_of_line(const char *line, size_t len);

#endif
