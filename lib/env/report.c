/*
 * report.c - the platform's lines about environments and invocations.
 *
 * Text: Lambda's to the byte. What is ours is a line of its own: "RequestId: <id> Cold Start: ...", "LOGS_DROPPED ...". JSON (LoggingConfig):
 * one object a line, {"time","type","record"}, the events of the Telemetry API (Lambda Developer Guide, "telemetry-schema-reference"); an event
 * below SystemLogLevel is not written. The levels are those of "monitoring-cloudwatchlogs-log-level", whose rule for most is: INFO, what tells of
 * a phase's success DEBUG, what tells of a failure WARN. Ours is "fnd.coldStart".
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/str.h"
#include "env/image.h"
#include "env/internal.h"

/* --- the two ways to write --- */
void fn_env_emit(struct fn_env *e, enum fn_log_kind kind, const char *text, size_t len)
{
	const struct fn_invocation *inv = e->inv ? e->inv : e->report.inv;
	const struct fn_log_event event = {.time_ms = (int64_t)(fn_clock_real_us() / 1000), .kind = kind, .request_id = inv ? inv->id : NULL,
					   .tenant_id = inv ? inv->tenant_id : NULL,
					   .text = text, .len = len};

	if (!e->log)
		fn_env_open_log(e);
	fn_log_append(e->log, &event);
	if (e->inv)
		fn_invocation_tail(e->inv, text, len);
}

static void text(struct fn_env *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void text(struct fn_env *e, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	if (e->reason == FN_ENV_FOR_TRIAL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if ((size_t)n >= sizeof(line))
		n = (int)sizeof(line) - 1;
	fn_env_emit(e, FN_LOG_PLATFORM, line, (size_t)n);
}

/* Does anybody hear of events? Of a trial nobody does: what its function prints is there, since it has run. */
static bool heard(const struct fn_env *e) { return (e->version->json || e->telemetry) && e->reason != FN_ENV_FOR_TRIAL; }

/* Is its start told as a restore? */
static bool restores(const struct fn_env *e) { return e->restored || e->as_restored; }

enum { LOG = 1, TELEMETRY = 2, BOTH = 3 }; /* whom an event is for: the log, if its format is JSON; extensions that have subscribed */

/* fmt: the record, JSON. */
static void event(struct fn_env *e, unsigned whom, enum fn_level level, enum fn_platform_event what, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void event(struct fn_env *e, unsigned whom, enum fn_level level, enum fn_platform_event what, const char *fmt, ...)
{
	uint64_t now = fn_clock_real_us();
	bool log = (whom & LOG) && e->version->json && level >= e->version->system_level;
	char line[4096], stamp[32];
	va_list ap;
	int n, head;

	if (!log && !((whom & TELEMETRY) && e->telemetry))
		return;
	head = snprintf(line, sizeof(line), "{\"time\":\"%s\",\"type\":\"%s\",\"record\":", fn_clock_format_rfc3339(now, stamp, sizeof(stamp)), fn_platform_event_name(what));
	va_start(ap, fmt);
	n = head + vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
	va_end(ap);
	if ((size_t)n + 3 > sizeof(line)) /* longer than anything that is said here */
		return;
	if (whom & TELEMETRY)
		fn_telemetry_event(e->telemetry, now, what, line + head);
	memcpy(line + n, "}\n", 2);
	if (log)
		fn_env_emit(e, FN_LOG_PLATFORM, line, (size_t)n + 2);
}

/* As a JSON string with its quotes, which the caller frees. */
static char *quoted(const char *s)
{
	json_t *j = json_string(s);
	char *q = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;

	json_decref(j);
	return q ? q : strdup("\"\"");
}

/* Milliseconds to the microsecond, without zeros behind: "12.5". */
static const char *ms(uint64_t us, char buf[32])
{
	size_t n = (size_t)snprintf(buf, 32, "%" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));

	while (buf[n - 1] == '0' && buf[n - 2] != '.')
		buf[--n] = '\0';
	return buf;
}

/* --- statuses --- */
/* What a runtime calls its error goes into lines that programs take apart. The rule is AWS's: `Runtime.Reason` or `Function.Reason`. */
const char *fn_report_error_type(const char *said, char *buf, size_t size)
{
	bool function = fn_str_starts(said, "Function.");
	const char *reason = said + (function ? strlen("Function.") : strlen("Runtime."));
	size_t n = 0;

	if (function || fn_str_starts(said, "Runtime."))
		while ((reason[n] >= 'a' && reason[n] <= 'z') || (reason[n] >= 'A' && reason[n] <= 'Z'))
			n++;
	if (n > 0 && reason[0] <= 'Z' && reason[n] == '\0')
		snprintf(buf, size, "%s", said);
	else
		snprintf(buf, size, "%s", function ? "Function.Unknown" : "Runtime.Unknown");
	return buf;
}

const struct fn_env_status fn_status_success = {.how = FN_STATUS_SUCCESS}, fn_status_timeout = {.how = FN_STATUS_TIMEOUT};

struct fn_env_status fn_status_error(const char *type)
{
	struct fn_env_status s = {.how = FN_STATUS_ERROR};

	snprintf(s.type, sizeof(s.type), "%s", type);
	return s;
}

struct fn_env_status fn_status_fault(const struct fn_env *e, const char *otherwise)
{
	struct fn_env_status s = fn_status_error(e->fault.type[0] ? e->fault.type : otherwise);

	if (e->fault.type[0] && e->fault.of == FN_FAULT_PLATFORM)
		s.how = FN_STATUS_FAILURE;
	return s;
}

static bool ok(const struct fn_env_status *s) { return s->how == FN_STATUS_SUCCESS; }

static const char *status_word(const struct fn_env_status *s)
{
	static const char *const words[] = {[FN_STATUS_SUCCESS] = "success", [FN_STATUS_TIMEOUT] = "timeout", [FN_STATUS_ERROR] = "error", [FN_STATUS_FAILURE] = "failure"};

	return words[s->how];
}

/* ,"errorType":"...": behind a status. */
static const char *error_member(const struct fn_env_status *s, char buf[128])
{
	buf[0] = '\0';
	if (s->type[0])
		snprintf(buf, 128, ",\"errorType\":\"%s\"", s->type);
	return buf;
}

static const char *status_text(const struct fn_env_status *s, char buf[128])
{
	buf[0] = '\0';
	if (!ok(s))
		snprintf(buf, 128, "Status: %s%s%s", status_word(s), s->type[0] ? "\tError Type: " : "", s->type);
	return buf;
}

/* --- init --- */
const char *fn_report_init_type(const struct fn_env *e)
{
	if (e->reason == FN_ENV_PROVISIONED)
		return "provisioned-concurrency";
	return (e->reason == FN_ENV_FOR_SNAPSHOT && !e->makes_archive) || e->snap_start ? "snap-start" : "on-demand";
}

/* The record of platform.initStart or restoreStart. */
static void init_record(const struct fn_env *e, const struct fn_runtime *rt, char *buf, size_t size)
{
	const struct fn_function *f = e->version->function;
	char arn[160], type[96], runtime[320] = "", *version;

	if (!f->image) { /* an image's runtime is its own affair */
		version = quoted(rt->version);
		fn_runtime_version_arn(rt, e->host->cfg.region, arn, sizeof(arn));
		snprintf(runtime, sizeof(runtime), "\"runtimeVersion\":%s,\"runtimeVersionArn\":\"%s\",", version, arn);
		free(version);
	}
	snprintf(type, sizeof(type), "\"initializationType\":\"%s\",\"phase\":\"%s\",", fn_report_init_type(e), e->inv ? "invoke" : "init");
	snprintf(buf, size, "{%s%s\"functionName\":\"%s\",\"functionVersion\":\"%s\",\"instanceId\":\"%s\","
		 "\"instanceMaxMemory\":%" PRIu64 "}", restores(e) ? "" : type, runtime, f->name, f->version, e->log_stream, (uint64_t)f->memory_mb << 20);
}

static enum fn_platform_event init_event(const struct fn_env *e) { return restores(e) ? FN_PLATFORM_RESTORE_START : FN_PLATFORM_INIT_START; }

void fn_report_init_start(struct fn_env *e, const struct fn_runtime *rt)
{
	char arn[160], record[1024];

	e->init_done_told = false;
	fn_runtime_version_arn(rt, e->host->cfg.region, arn, sizeof(arn));
	if (!e->version->json && !e->version->function->image)
		text(e, "%s Runtime Version: %s\tRuntime Version ARN: %s\n", restores(e) ? "RESTORE_START" : "INIT_START", rt->version, arn);
	if (!heard(e))
		return;
	init_record(e, rt, record, sizeof(record));
	event(e, BOTH, FN_LEVEL_INFO, init_event(e), "%s", record);
}

void fn_report_init_started(struct fn_env *e)
{
	const struct fn_runtime *rt = fn_runtimes_of(e->host->cfg.runtimes, e->version->function);
	char record[1024];

	if (!rt)
		return;
	init_record(e, rt, record, sizeof(record));
	fn_telemetry_event(e->telemetry, fn_clock_real_us() - (fn_clock_mono_us() - e->asked_us), init_event(e), record);
}

void fn_report_init_done(struct fn_env *e, const struct fn_env_status *status)
{
	enum fn_level level = !ok(status) ? FN_LEVEL_WARN : FN_LEVEL_DEBUG;
	char buf[128];

	if (e->init_done_told || !heard(e))
		return;
	e->init_done_told = true;
	error_member(status, buf);
	if (restores(e))
		event(e, BOTH, level, FN_PLATFORM_RESTORE_RUNTIME_DONE, "{\"status\":\"%s\"%s}", status_word(status), buf);
	else
		event(e, BOTH, level, FN_PLATFORM_INIT_RUNTIME_DONE, "{\"initializationType\":\"%s\",\"phase\":\"%s\",\"status\":\"%s\"%s}", fn_report_init_type(e),
		      e->inv ? "invoke" : "init", status_word(status), buf);
}

void fn_report_init(struct fn_env *e, uint64_t us, const struct fn_env_status *status)
{
	const char *phase = e->inv ? "invoke" : "init", *word = status_word(status);
	enum fn_level level = !ok(status) ? FN_LEVEL_WARN : FN_LEVEL_INFO;
	char buf[128], number[32];

	if (!e->version->json) {
		status_text(status, buf);
		if (restores(e))
			text(e, "RESTORE_REPORT Restore Duration: %.2f ms%s%s\n", (double)us / 1000.0, buf[0] ? "\t" : "", buf);
		else if (!ok(status) || e->reason == FN_ENV_FOR_SNAPSHOT) /* of one that succeeds REPORT tells */
			text(e, "INIT_REPORT Init Duration: %.2f ms\tPhase: %s\t%s\n", (double)us / 1000.0, phase, buf[0] ? buf : "Status: success");
	}
	if (!heard(e))
		return;
	fn_report_init_done(e, status);
	error_member(status, buf);
	ms(us, number);
	if (restores(e)) {
		event(e, BOTH, level, FN_PLATFORM_RESTORE_REPORT, "{\"status\":\"%s\"%s,\"metrics\":{\"durationMs\":%s}}", word, buf, number);
		return;
	}
	if (level == FN_LEVEL_INFO && e->reason != FN_ENV_PROVISIONED && e->reason != FN_ENV_FOR_SNAPSHOT)
		level = FN_LEVEL_DEBUG;
	event(e, BOTH, level, FN_PLATFORM_INIT_REPORT, "{\"initializationType\":\"%s\",\"phase\":\"%s\",\"status\":\"%s\"%s,\"metrics\":{\"durationMs\":%s}}", fn_report_init_type(e),
	      phase, word, buf, number);
}

/* --- invocations --- */
/* The one that it is about: being served, or with extensions still. */
static const struct fn_invocation *reported(const struct fn_env *e) { return e->inv ? e->inv : e->report.held ? e->report.inv : NULL; }

/* ,"tenantId":"...": behind what is there of a record. Its pattern leaves nothing that JSON would write otherwise. */
#define TENANT_MEMBER 288
static const char *tenant_member(const struct fn_invocation *inv, char buf[TENANT_MEMBER])
{
	buf[0] = '\0';
	if (inv->tenant_id)
		snprintf(buf, TENANT_MEMBER, ",\"tenantId\":\"%s\"", inv->tenant_id);
	return buf;
}

/* ,"tracing":{...}: of what the caller has sent, for extensions. The invocation is a span below the one that the caller names, by the same id in all records. */
static const char *tracing(const struct fn_invocation *inv, char buf[640])
{
	char *q = inv->trace_id ? quoted(inv->trace_id) : NULL;

	buf[0] = '\0';
	if (q && strlen(q) < 512)
		snprintf(buf, 640, ",\"tracing\":{\"spanId\":\"%s\",\"type\":\"X-Amzn-Trace-Id\",\"value\":%s}", inv->span_id, q);
	free(q);
	return buf;
}

void fn_report_start(struct fn_env *e)
{
	char tenant[TENANT_MEMBER];
	struct fn_invocation *inv = e->inv;
	const char *version = e->version->function->version;
	char trace[640];

	if (e->started)
		return;
	e->started = true;
	if (!e->version->json)
		text(e, "START RequestId: %s Version: %s\n", inv->id, version);
	else
		event(e, LOG, FN_LEVEL_INFO, FN_PLATFORM_START, "{\"requestId\":\"%s\",\"functionArn\":\"%s\",\"version\":\"%s\"%s}", inv->id,
		      inv->invoked_arn ? inv->invoked_arn : "", version, tenant_member(inv, tenant));
	if (!e->telemetry)
		return;
	fn_id_hex(inv->span_id, sizeof(inv->span_id) - 1);
	event(e, TELEMETRY, FN_LEVEL_INFO, FN_PLATFORM_START, "{\"requestId\":\"%s\",\"version\":\"%s\"%s%s}", inv->id, version,
	      tracing(inv, trace), tenant_member(inv, tenant));
}

void fn_report_fault(struct fn_env *e, const char *message, const char *type)
{
	const struct fn_invocation *inv = reported(e);
	char line[512], *q;

	snprintf(line, sizeof(line), "%s%s%sError: %s\n%s", inv ? "RequestId: " : "", inv ? inv->id : "", inv ? " " : "", message, type);
	if (!e->version->json)
		text(e, "%s\n", line);
	if (!heard(e))
		return;
	q = quoted(line);
	event(e, BOTH, FN_LEVEL_WARN, FN_PLATFORM_FAULT, "%s", q);
	free(q);
}

void fn_report_image(struct fn_env *e, const char *message)
{
	char told[768];

	if (!e->version->json) /* where it is, the fault has the message */
		text(e, "IMAGE\tLaunch error: %s\t%s\n", message, fn_env_image_told(e->version->function, told, sizeof(told)));
}

void fn_report_timeout(struct fn_env *e, const char *message)
{
	const struct fn_invocation *inv = reported(e);
	char stamp[32];

	fn_clock_format_rfc3339(fn_clock_real_us(), stamp, sizeof(stamp));
	event(e, BOTH, FN_LEVEL_WARN, FN_PLATFORM_FAULT, "\"%s %s %s\"", stamp, inv->id, message);
	if (!e->version->json)
		text(e, "%s %s %s\n\n", stamp, inv->id, message);
}

void fn_report_extension(struct fn_env *e, const char *name, const char *state, unsigned events, const char *error_type)
{
	bool both = (events & FN_EXT_INVOKE) && (events & FN_EXT_SHUTDOWN);
	const char *invoke = events & FN_EXT_INVOKE ? "INVOKE" : "", *shutdown = events & FN_EXT_SHUTDOWN ? "SHUTDOWN" : "";
	char *q[2];

	if (!e->version->json)
		text(e, "EXTENSION\tName: %s\tState: %s\tEvents: [%s%s%s]%s%s\n", name, state, invoke, both ? ", " : "", shutdown, error_type[0] ? "\tError Type: " : "",
		     error_type);
	if (!heard(e))
		return;
	q[0] = quoted(name);
	q[1] = quoted(error_type);
	event(e, BOTH, error_type[0] ? FN_LEVEL_WARN : FN_LEVEL_INFO, FN_PLATFORM_EXTENSION, "{\"name\":%s,\"state\":\"%s\",\"events\":[%s%s%s%s%s%s%s]%s%s}", q[0], state,
	      invoke[0] ? "\"" : "", invoke, invoke[0] ? "\"" : "", both ? "," : "", shutdown[0] ? "\"" : "", shutdown, shutdown[0] ? "\"" : "",
	      error_type[0] ? ",\"errorType\":" : "", error_type[0] ? q[1] : "");
	free(q[0]);
	free(q[1]);
}

void fn_report_extensions(struct fn_env *e)
{
	const struct fn_ext *x = fn_rt_extensions(e->rt);

	if (e->extensions_told)
		return;
	e->extensions_told = true;
	for (unsigned i = 0; i < fn_ext_count(x); i++) {
		struct fn_ext_info info;

		fn_ext_info(x, i, &info);
		fn_report_extension(e, info.name, fn_ext_state_name(info.state), info.events, info.error_type);
	}
}

void fn_report_dropped(struct fn_env *e, uint64_t bytes, uint64_t records)
{
	static const char reason[] = "the function prints faster than its log is written";

	event(e, BOTH, FN_LEVEL_WARN, FN_PLATFORM_LOGS_DROPPED, "{\"droppedBytes\":%" PRIu64 ",\"droppedRecords\":%" PRIu64 ",\"reason\":\"%s\"}", bytes, records, reason);
	if (!e->version->json)
		text(e, "LOGS_DROPPED Dropped Bytes: %" PRIu64 "\tDropped Records: %" PRIu64 "\tReason: %s\n", bytes, records, reason);
}

void fn_report_no_credentials(struct fn_env *e, const struct fn_err *err)
{
	char why[512];
	char *said = quoted(fn_err_format(err, why, sizeof(why)));

	if (e->version->json)
		event(e, LOG, FN_LEVEL_ERROR, FN_FND_ROLE_CREDENTIALS, "{\"status\":\"error\",\"reason\":%s}", said ? said : "\"\"");
	else
		text(e, "ROLE_CREDENTIALS Status: error\tReason: %s\n", why);
	free(said);
}

/* Where the time of a cold start went. */
static void cold_start(struct fn_env *e, const struct fn_invocation *inv, uint64_t init_us)
{
	const struct fn_sandbox_timing *t = &e->timing;
	static const char *const ways[][2] = {{"", "class archive"}, {"prepared sandbox", "prepared sandbox, class archive"}};
	const char *how = t->prepared == FN_PREPARED_RUNTIME ? "runtime started ahead" : ways[t->prepared != FN_PREPARED_NOT][e->archived];
	bool early = e->reason == FN_ENV_FOR_LATER;
	char plain[sizeof(e->plain)], *obstacle;

	snprintf(plain, sizeof(plain), "%s", e->plain); /* it may be the function's words, cut anywhere */
	if (!fn_utf8_valid(plain, strlen(plain)))
		for (char *p = plain; *p; p++)
			if (*p & 0x80)
				*p = '?';
	if (!e->version->json) {
		text(e, "RequestId: %s Cold Start: queue %.2f ms, cgroup %.2f ms, mounts %.2f ms, clone %.2f ms, net %.2f ms, exec %.2f ms, %s %.2f ms%s%s%s%s%s\n",
		     inv->id, t->queue_us / 1000.0, t->cgroup_us / 1000.0, t->mounts_us / 1000.0, t->clone_us / 1000.0, t->net_us / 1000.0, t->exec_us / 1000.0,
		     e->restored ? "restore" : "init", (double)init_us / 1000.0, how[0] ? ", " : "", how, plain[0] ? ", " : "", plain,
		     early ? ", ahead of the invocation" : "");
		return;
	}
	obstacle = quoted(plain);
	event(e, LOG, FN_LEVEL_INFO, FN_FND_COLD_START,
	      "{\"requestId\":\"%s\",\"metrics\":{\"queueMs\":%.2f,\"cgroupMs\":%.2f,\"mountsMs\":%.2f,\"cloneMs\":%.2f,\"netMs\":%.2f,\"execMs\":%.2f,\"%s\":%.2f},"
	      "\"prepared\":\"%s\",\"obstacle\":%s,\"aheadOfInvocation\":%s}",
	      inv->id, t->queue_us / 1000.0, t->cgroup_us / 1000.0, t->mounts_us / 1000.0, t->clone_us / 1000.0, t->net_us / 1000.0, t->exec_us / 1000.0,
	      e->restored ? "restoreMs" : "initMs", (double)init_us / 1000.0, how, obstacle ? obstacle : "\"\"", early ? "true" : "false");
	free(obstacle);
}

/* What extensions took when the runtime was done with the invocation. */
static const char *overhead_span(const struct fn_env *e, char span[160])
{
	uint64_t since_us = fn_clock_mono_us() - e->report.runtime_done_us;
	char stamp[32], number[32];

	span[0] = '\0';
	if (e->report.overhead_us > 0)
		snprintf(span, 160, ",\"spans\":[{\"name\":\"extensionOverhead\",\"start\":\"%s\",\"durationMs\":%s}]",
			 fn_clock_format_rfc3339(fn_clock_real_us() - since_us, stamp, sizeof(stamp)), ms(e->report.overhead_us, number));
	return span;
}

static void add_span(char *buf, size_t size, const char *name, uint64_t from_us, uint64_t to_us)
{
	uint64_t real = fn_clock_real_us() - (fn_clock_mono_us() - from_us);
	size_t n = strlen(buf);
	char stamp[32], number[32];

	snprintf(buf + n, size - n, "%s{\"name\":\"%s\",\"start\":\"%s\",\"durationMs\":%s}", n ? "," : "", name, fn_clock_format_rfc3339(real, stamp, sizeof(stamp)),
		 ms(to_us > from_us ? to_us - from_us : 0, number));
}

/* ,"spans":[...]: where the time of an invocation went that has been responded to. */
static const char *done_spans(const struct fn_env *e, char buf[512])
{
	uint64_t to = e->report.responded_us, from = e->report.begun_us ? e->report.begun_us : to;
	char spans[448] = "";

	buf[0] = '\0';
	if (!to)
		return buf;
	add_span(spans, sizeof(spans), "responseLatency", e->delivered_us, from);
	add_span(spans, sizeof(spans), "responseDuration", from, to);
	if (e->report.held)
		add_span(spans, sizeof(spans), "runtimeOverhead", to, e->report.runtime_done_us);
	snprintf(buf, 512, ",\"spans\":[%s]", spans);
	return buf;
}

static void runtime_done(struct fn_env *e, const struct fn_invocation *inv, uint64_t us, const struct fn_env_status *status)
{
	enum fn_level level = !ok(status) ? FN_LEVEL_WARN : FN_LEVEL_DEBUG;
	char error[128], number[32], spans[512], trace[640];

	if (e->report.done_told || !heard(e))
		return;
	e->report.done_told = true;
	error_member(status, error);
	ms(us, number);
	event(e, LOG, level, FN_PLATFORM_RUNTIME_DONE, "{\"requestId\":\"%s\",\"status\":\"%s\"%s,\"metrics\":{\"durationMs\":%s,\"producedBytes\":%zu}}", inv->id,
	      status_word(status), error, number, e->report.produced);
	if (e->telemetry)
		event(e, TELEMETRY, level, FN_PLATFORM_RUNTIME_DONE,
		      "{\"requestId\":\"%s\",\"status\":\"%s\"%s,\"metrics\":{\"durationMs\":%s,\"producedBytes\":%zu}%s%s}", inv->id, status_word(status), error, number,
		      e->report.produced, done_spans(e, spans), tracing(inv, trace));
}

void fn_report_runtime_done(struct fn_env *e)
{
	runtime_done(e, e->report.inv, e->report.runtime_done_us - e->delivered_us, &e->report.status);
}

/* Billed is what is printed: Duration and Init Duration, or Billed Restore Duration, rounded up together (since August 2025). */
static void report(struct fn_env *e, const struct fn_invocation *inv, uint64_t us, uint64_t init_us, uint64_t peak_mb, const struct fn_env_status *status)
{
	const struct fn_function *f = e->version->function;
	uint64_t hundredths = (us + 5) / 10, init_hundredths = restores(e) ? (init_us + 999) / 1000 * 100 : (init_us + 5) / 10;
	uint64_t billed = (hundredths + init_hundredths + 99) / 100, restore_us = e->ready_us - e->asked_us;
	char init[128] = "", buf[128], number[2][32], span[160], trace[640], tenant[TENANT_MEMBER];

	if (e->version->json) /* which prints microseconds */
		billed = (us + (restores(e) ? (init_us + 999) / 1000 * 1000 : init_us) + 999) / 1000;
	billed = billed ? billed : 1;
	runtime_done(e, inv, us - e->report.overhead_us, status);
	if (heard(e)) {
		error_member(status, buf);
		ms(e->version->json ? us : hundredths * 10, number[0]);
		if (init_us)
			snprintf(init, sizeof(init), ",\"%s\":%s", restores(e) ? "restoreDurationMs" : "initDurationMs",
				 ms(restores(e) ? restore_us : e->version->json ? init_us : init_hundredths * 10, number[1]));
		event(e, BOTH, !ok(status) ? FN_LEVEL_WARN : FN_LEVEL_INFO, FN_PLATFORM_REPORT,
		      "{\"requestId\":\"%s\",\"metrics\":{\"durationMs\":%s,\"billedDurationMs\":%" PRIu64 ",\"memorySizeMB\":%d,\"maxMemoryUsedMB\":%" PRIu64
		      "%s},\"status\":\"%s\"%s%s%s%s}",
		      inv->id, number[0], billed, f->memory_mb, peak_mb, init, status_word(status), buf, overhead_span(e, span), e->telemetry ? tracing(inv, trace) : "",
		      tenant_member(inv, tenant));
		init[0] = '\0';
	}
	if (e->version->json)
		return;
	if (init_us && restores(e))
		snprintf(init, sizeof(init), "Restore Duration: %.2f ms\tBilled Restore Duration: %" PRIu64 " ms\t", (double)restore_us / 1000.0, (init_us + 999) / 1000);
	else if (init_us)
		snprintf(init, sizeof(init), "Init Duration: %" PRIu64 ".%02u ms\t", init_hundredths / 100, (unsigned)(init_hundredths % 100));
	text(e, "END RequestId: %s\n", inv->id);
	text(e, "REPORT RequestId: %s\tDuration: %" PRIu64 ".%02u ms\tBilled Duration: %" PRIu64 " ms\tMemory Size: %d MB\tMax Memory Used: %" PRIu64 " MB\t%s%s\n",
	     inv->id, hundredths / 100, (unsigned)(hundredths % 100), billed, f->memory_mb, peak_mb, init, status_text(status, buf));
}

void fn_report_end(struct fn_env *e, const struct fn_invocation *inv)
{
	uint64_t peak = fn_memory_used(e) + (1u << 20) - 1, init_us = 0;
	bool cold = e->first && e->ready_us && e->reason != FN_ENV_PROVISIONED;

	if (cold && e->delivered_us >= e->ready_us) /* else it was repeated within the invocation, and is part of its duration */
		init_us = e->ready_us > e->spawned_us ? e->ready_us - e->spawned_us : 1;
	report(e, inv, e->report.end_us - e->delivered_us, init_us, peak >> 20, &e->report.status);
	if (cold)
		cold_start(e, inv, e->ready_us - e->spawned_us - (e->restored ? 0 : e->timing.exec_us));
	e->first = false;
}
