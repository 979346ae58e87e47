/*
 * log.h - the daemon's own log (not the functions' logs: logs/logs.h).
 *
 * Lines on stderr, "<prio>" prefixed when stderr is the journal (JOURNAL_STREAM), else with
 * time and level. Only programs and top-level modules log; libraries return errors.
 */
#ifndef FN_BASE_LOG_H
#define FN_BASE_LOG_H

enum fn_log_level { FN_LOG_ERROR, FN_LOG_WARN, FN_LOG_INFO, FN_LOG_DEBUG };

void fn_log_init(const char *ident, enum fn_log_level max_level);
void fn_log_set_level(enum fn_log_level max_level);
int fn_log_level_parse(const char *text, enum fn_log_level *ret_level); /* -EINVAL */
const char *fn_log_level_name(enum fn_log_level level);
void fn_log(enum fn_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define fn_log_error(...) fn_log(FN_LOG_ERROR, __VA_ARGS__)
#define fn_log_warn(...) fn_log(FN_LOG_WARN, __VA_ARGS__)
#define fn_log_info(...) fn_log(FN_LOG_INFO, __VA_ARGS__)
#define fn_log_debug(...) fn_log(FN_LOG_DEBUG, __VA_ARGS__)

#endif
