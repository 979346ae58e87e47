/*
 * platform_event.h - what the platform tells of an environment: events of the Telemetry API, which are also records of a log whose format is JSON.
 *
 * Lambda Developer Guide, "telemetry-schema-reference". FN_FND_*: ours, which subscribers are not told.
 */
#ifndef FN_RUNTIME_PLATFORM_EVENT_H
#define FN_RUNTIME_PLATFORM_EVENT_H

enum fn_platform_event {
	FN_PLATFORM_INIT_START,
	FN_PLATFORM_INIT_RUNTIME_DONE,
	FN_PLATFORM_INIT_REPORT,
	FN_PLATFORM_RESTORE_START,
	FN_PLATFORM_RESTORE_RUNTIME_DONE,
	FN_PLATFORM_RESTORE_REPORT,
	FN_PLATFORM_START,
	FN_PLATFORM_RUNTIME_DONE,
	FN_PLATFORM_REPORT,
	FN_PLATFORM_END, /* of the Logs API alone */
	FN_PLATFORM_FAULT,
	FN_PLATFORM_EXTENSION,
	FN_PLATFORM_LOGS_DROPPED,
	FN_PLATFORM_LOGS_SUBSCRIPTION,
	FN_PLATFORM_TELEMETRY_SUBSCRIPTION,
	FN_FND_COLD_START,
	FN_FND_ROLE_CREDENTIALS,
	FN_PLATFORM_EVENTS
};

/* "platform.initStart" */
const char *fn_platform_event_name(enum fn_platform_event event);

#endif
