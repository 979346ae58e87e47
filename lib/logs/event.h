/*
 * event.h - a log event, typed: what an environment prints, what the platform says of it, what a client puts.
 *
 * One event is one line as it was printed, or one record of the platform's; its text has its newline at the end, as Lambda's have in CloudWatch Logs.
 * Plain data: strings are the caller's.
 */
#ifndef FN_LOGS_EVENT_H
#define FN_LOGS_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum fn_log_kind { FN_LOG_PLATFORM, FN_LOG_FUNCTION, FN_LOG_EXTENSION, FN_LOG_PUT /* by PutLogEvents */ };

#define FN_LOG_EVENT_MAX (1u << 20) /* bytes of text, CloudWatch Logs' own bound since 2025 */

struct fn_log_event {
	int64_t time_ms; /* since the epoch */
	enum fn_log_kind kind;
	const char *request_id; /* NULL = none. Stored when it is a UUID */
	const char *tenant_id;  /* NULL = none; at most 256 bytes of it are stored */
	const char *text;
	size_t len;
};

#endif
