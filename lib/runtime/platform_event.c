/* platform_event.c - see platform_event.h. */
#include "runtime/platform_event.h"

const char *fn_platform_event_name(enum fn_platform_event event)
{
	static const char *const names[FN_PLATFORM_EVENTS] = {
		[FN_PLATFORM_INIT_START] = "platform.initStart",
		[FN_PLATFORM_INIT_RUNTIME_DONE] = "platform.initRuntimeDone",
		[FN_PLATFORM_INIT_REPORT] = "platform.initReport",
		[FN_PLATFORM_RESTORE_START] = "platform.restoreStart",
		[FN_PLATFORM_RESTORE_RUNTIME_DONE] = "platform.restoreRuntimeDone",
		[FN_PLATFORM_RESTORE_REPORT] = "platform.restoreReport",
		[FN_PLATFORM_START] = "platform.start",
		[FN_PLATFORM_RUNTIME_DONE] = "platform.runtimeDone",
		[FN_PLATFORM_REPORT] = "platform.report",
		[FN_PLATFORM_END] = "platform.end",
		[FN_PLATFORM_FAULT] = "platform.fault",
		[FN_PLATFORM_EXTENSION] = "platform.extension",
		[FN_PLATFORM_LOGS_DROPPED] = "platform.logsDropped",
		[FN_PLATFORM_LOGS_SUBSCRIPTION] = "platform.logsSubscription",
		[FN_PLATFORM_TELEMETRY_SUBSCRIPTION] = "platform.telemetrySubscription",
		[FN_FND_COLD_START] = "fnd.coldStart",
		[FN_FND_ROLE_CREDENTIALS] = "fnd.roleCredentials",
	};

	return names[event];
}
