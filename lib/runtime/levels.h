/*
 * levels.h - the levels of LoggingConfig: what a line of a function's own is worth, where the log format is JSON.
 *
 * Lambda Developer Guide, "monitoring-cloudwatchlogs-log-level": a line that is a JSON object has the level its member "level" names, in upper or
 * lower case, if it has a time, too, that is valid by RFC 3339; every other line counts as INFO. Python's names are known: its loggers write WARNING,
 * CRITICAL. The time's member is "timestamp"; "time" and "@timestamp", which other loggers have, count as it.
 */
#ifndef FN_RUNTIME_LEVELS_H
#define FN_RUNTIME_LEVELS_H

#include <stdbool.h>
#include <stddef.h>

enum fn_level { FN_LEVEL_NONE, FN_LEVEL_TRACE, FN_LEVEL_DEBUG, FN_LEVEL_INFO, FN_LEVEL_WARN, FN_LEVEL_ERROR, FN_LEVEL_FATAL };

/* FN_LEVEL_NONE: no such level; also for NULL. */
enum fn_level fn_level_parse(const char *name, size_t len);
/* Is it a date-time of RFC 3339, section 5.6? */
bool fn_level_is_time(const char *text, size_t len);
/* Of a line, with or without its newline. */
enum fn_level fn_level_of_line(const char *line, size_t len);

#endif
