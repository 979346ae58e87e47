/* extapi.c - see extapi.h. */
#include "runtime/extapi.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"

#define INVALID_STATE "Extension.InvalidExtensionState"

static const char *const state_names[FN_EXT_STATES] = {"Started", "Registered", "Ready", "Running", "InitError", "ExitError", "ShutdownFailed", "Exited", "LaunchError"};

/* Which calls are right in which state. */
enum call { REGISTER, NEXT, INIT_ERROR, EXIT_ERROR, CALLS };
#define IN(s) (1u << FN_EXT_##s)
static const struct {
	unsigned states;
	enum fn_ext_state to;
} calls[CALLS] = {
	[REGISTER] = {IN(STARTED), FN_EXT_REGISTERED},
	[NEXT] = {IN(REGISTERED) | IN(RUNNING), FN_EXT_READY},
	[INIT_ERROR] = {IN(REGISTERED) | IN(INIT_ERROR), FN_EXT_INIT_ERROR},
	[EXIT_ERROR] = {IN(REGISTERED) | IN(READY) | IN(RUNNING) | IN(EXIT_ERROR), FN_EXT_EXIT_ERROR},
};

struct extension {
	char *name;
	char identifier[FN_UUID_SIZE];
	enum fn_ext_state state;
	unsigned events, process;
	struct fn_h1_conn *c; /* its `next` is pending */
	bool owed;            /* there is an event for it, and was no connection */
	char error_type[128];
};

struct fn_ext {
	const struct fn_ext_ops *ops;
	void *arg;
	struct extension all[FN_EXT_MAX];
	unsigned n, external, registered; /* registered: of the external ones */
	bool closed;
	char *event;      /* INVOKE: of the invocation under way */
	char *last_event; /* SHUTDOWN */
};

const char *fn_ext_state_name(enum fn_ext_state s) { return state_names[s]; }

int fn_ext_new(const struct fn_ext_ops *ops, void *arg, struct fn_ext **ret)
{
	struct fn_ext *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->ops = ops;
	x->arg = arg;
	*ret = x;
	return 0;
}

void fn_ext_free(struct fn_ext *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < x->n; i++)
		free(x->all[i].name);
	free(x->event);
	free(x->last_event);
	free(x);
}

static struct extension *add(struct fn_ext *x, const char *name, unsigned process)
{
	struct extension *e = &x->all[x->n];

	*e = (struct extension){.name = strdup(name), .state = FN_EXT_STARTED, .process = process};
	if (!e->name)
		return NULL;
	fn_id_uuid(e->identifier);
	x->n++;
	return e;
}

int fn_ext_expect(struct fn_ext *x, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n && x->n < FN_EXT_MAX; i++)
		if (!add(x, names[i], i + 1))
			return -ENOMEM;
	x->external = x->n;
	return 0;
}

unsigned fn_ext_count(const struct fn_ext *x) { return x ? x->n : 0; }
unsigned fn_ext_external(const struct fn_ext *x) { return x ? x->external : 0; }
void fn_ext_close_registration(struct fn_ext *x) { x->closed = true; }

bool fn_ext_ready(const struct fn_ext *x, unsigned events)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if ((events == 0 || x->all[i].events & events) && x->all[i].state != FN_EXT_READY)
			return false;
	return true;
}

bool fn_ext_subscribed(const struct fn_ext *x, unsigned events)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (x->all[i].events & events)
			return true;
	return false;
}

int fn_ext_find(const struct fn_ext *x, const char *identifier)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (x->all[i].state != FN_EXT_STARTED && strcasecmp(x->all[i].identifier, identifier) == 0)
			return (int)i;
	return -ENOENT;
}

void fn_ext_info(const struct fn_ext *x, unsigned i, struct fn_ext_info *ret)
{
	const struct extension *e = &x->all[i];

	*ret = (struct fn_ext_info){e->name, e->identifier, e->state, e->events, e->process, e->error_type};
}

void fn_ext_exited(struct fn_ext *x, unsigned process, bool well)
{
	for (unsigned i = 0; i < x->n; i++) {
		struct extension *e = &x->all[i];

		if (e->process != process || process == 0)
			continue;
		e->c = NULL; /* what it held is closed by itself */
		if (x->last_event && e->state != FN_EXT_INIT_ERROR && e->state != FN_EXT_EXIT_ERROR)
			e->state = well ? FN_EXT_EXITED : FN_EXT_SHUTDOWN_FAILED;
	}
}

void fn_ext_closed(struct fn_ext *x, const struct fn_h1_conn *c)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->all[i].c == c)
			x->all[i].c = NULL;
}

/* --- events --- */
static void send_event(struct extension *e, const char *body, bool invoke)
{
	char id[FN_UUID_SIZE];
	const struct fn_h1_header h = {"Lambda-Extension-Event-Identifier", id};
	const struct fn_h1_reply r = {.status = 200, .content_type = "application/json", .headers = &h, .n_headers = invoke, .body = body, .len = strlen(body)};

	if (invoke)
		fn_id_uuid(id);
	e->state = FN_EXT_RUNNING;
	e->owed = false;
	fn_h1_conn_reply(fn_take_ptr(e->c), &r);
}

/* To each that gets it; who has no connection now, or is at something else (SHUTDOWN), has it when it asks. */
static void send_to_all(struct fn_ext *x, const char *body, unsigned which)
{
	for (unsigned i = 0; body && i < x->n; i++) {
		struct extension *e = &x->all[i];

		if (!(e->events & which))
			continue;
		if (e->state == FN_EXT_READY && e->c) {
			send_event(e, body, which == FN_EXT_INVOKE);
		} else {
			e->owed = true;
			if (e->state == FN_EXT_READY)
				e->state = FN_EXT_RUNNING;
		}
	}
}

void fn_ext_invoke(struct fn_ext *x, const struct fn_invocation *inv)
{
	json_t *o = json_pack("{s:s,s:I,s:s,s:s}", "eventType", "INVOKE", "deadlineMs", (json_int_t)inv->deadline_real_ms, "requestId", inv->id,
			      "invokedFunctionArn", inv->invoked_arn ? inv->invoked_arn : "");

	if (o && inv->trace_id)
		json_object_set_new(o, "tracing", json_pack("{s:s,s:s}", "type", "X-Amzn-Trace-Id", "value", inv->trace_id));
	free(x->event);
	x->event = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	send_to_all(x, x->event, FN_EXT_INVOKE);
}

void fn_ext_shutdown(struct fn_ext *x, const char *reason, uint64_t deadline_real_ms)
{
	json_t *o = json_pack("{s:s,s:s,s:I}", "eventType", "SHUTDOWN", "shutdownReason", reason, "deadlineMs", (json_int_t)deadline_real_ms);

	free(x->last_event);
	x->last_event = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	send_to_all(x, x->last_event, FN_EXT_SHUTDOWN);
}

/* --- requests --- */
static void refuse(struct fn_ext_answer *a, const char *type, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void refuse(struct fn_ext_answer *a, const char *type, const char *fmt, ...)
{
	char message[512];
	va_list ap;
	json_t *o;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	o = json_pack("{s:s,s:s}", "errorMessage", message, "errorType", type);
	a->status = 403;
	a->body = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
}

/* Is the call right now? Then its state is the next. */
static bool may(struct extension *e, enum call call, const char *who, struct fn_ext_answer *a)
{
	bool again = call == NEXT && e->state == FN_EXT_READY && !e->c; /* over another connection: the first has gone */

	if (again || calls[call].states & (1u << e->state)) {
		e->state = calls[call].to;
		return true;
	}
	refuse(a, INVALID_STATE, "State transition from %s to %s failed for extension %s. Error: State transition is not allowed", state_names[e->state],
	       state_names[calls[call].to], who);
	return false;
}

/* A name is part of log lines and of JSON. */
static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return len <= FN_EXT_NAME_MAX && fn_utf8_valid(name, len);
}

/* One of the list's, or not known. */
static bool add_event(json_t *v, bool external, unsigned *events, struct fn_ext_answer *a)
{
	const char *s = json_string_value(v);

	if (!s) {
		refuse(a, "InvalidRequestFormat", "events must be strings");
	} else if (fn_streq(s, "INVOKE")) {
		*events |= FN_EXT_INVOKE;
		return true;
	} else if (fn_streq(s, "SHUTDOWN")) {
		*events |= FN_EXT_SHUTDOWN;
		if (external)
			return true;
		refuse(a, "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
	} else {
		refuse(a, "Extension.InvalidEventType", "%.64s: ErrorInvalidEventType", s);
	}
	return false;
}

/* {"events": [...]}: both the list and its members may be missing; keys are taken in any case, as the service's decoder does. */
static bool parse_events(const struct fn_buf *body, bool external, unsigned *ret, struct fn_ext_answer *a)
{
	json_error_t err;
	json_t *o = json_loadb(body->len ? body->data : "", body->len, 0, &err), *v, *item;
	const char *key;
	bool ok = json_is_object(o);
	size_t i;

	*ret = 0;
	if (!ok)
		refuse(a, "InvalidRequestFormat", "%s", o ? "the body must be an object" : err.text);
	if (ok)
		json_object_foreach(o, key, v)
		{
			bool keys = strcasecmp(key, "configurationKeys") == 0;

			if ((!keys && strcasecmp(key, "events") != 0) || json_is_null(v) || !ok)
				continue;
			if (!json_is_array(v))
				refuse(a, "InvalidRequestFormat", "%s must be a list", keys ? "configurationKeys" : "events");
			else if (keys && json_array_size(v) > 0)
				refuse(a, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead");
			else if (!keys)
				json_array_foreach(v, i, item) if (!add_event(item, external, ret, a)) break;
			ok = !a->status;
		}
	json_decref(o);
	return ok;
}

/* Is it in a comma-separated list? */
static bool lists(const char *list, const char *what)
{
	size_t len = strlen(what);

	while (list && *list) {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, ",");
		while (n > 0 && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n == len && strncmp(list, what, len) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static void on_register(struct fn_ext *x, const struct fn_h1 *req, struct fn_ext_answer *a)
{
	const char *name = fn_h1_header(req, "Lambda-Extension-Name");
	struct extension *e = NULL;
	struct fn_ext_function f = {0};
	unsigned events;
	json_t *o;

	if (!name || !name[0]) {
		refuse(a, "Extension.InvalidExtensionName", "Empty extension name");
		return;
	}
	if (!name_ok(name)) {
		refuse(a, "Extension.InvalidExtensionName", "An extension's name is UTF-8 without control characters, of up to %u bytes", FN_EXT_NAME_MAX);
		return;
	}
	for (unsigned i = 0; i < x->n && !e; i++)
		if (fn_streq(x->all[i].name, name))
			e = &x->all[i];
	if (req->too_large) {
		refuse(a, "InvalidRequestFormat", "the body is longer than %u bytes", FN_EXT_BODY_MAX);
		return;
	}
	if (!parse_events(&req->body, e && e->process, &events, a))
		return;
	if (e && e->process) {
		if (!may(e, REGISTER, name, a))
			return;
		if (++x->registered == x->external) {
			a->then = x->ops->on_registered;
			a->arg = x->arg;
		}
	} else if (x->closed) {
		refuse(a, "Extension.RegistrationClosed", "Extension registration closed already");
		return;
	} else if (x->n >= FN_EXT_MAX) {
		refuse(a, "Extension.TooManyExtensions", "Extension limit (%u) reached", FN_EXT_MAX);
		return;
	} else if (e) {
		refuse(a, INVALID_STATE, "Extension with this name already registered");
		return;
	} else {
		e = add(x, name, 0);
		if (!e) {
			a->status = 500;
			return;
		}
		e->state = FN_EXT_REGISTERED;
	}
	e->events = events;
	x->ops->describe(x->arg, &f);
	o = json_pack("{s:s,s:s,s:s}", "functionName", f.name, "functionVersion", f.version, "handler", f.handler);
	if (o && f.account_id && lists(fn_h1_header(req, "Lambda-Extension-Accept-Feature"), "accountId"))
		json_object_set_new(o, "accountId", json_string(f.account_id));
	a->status = 200;
	a->body = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	memcpy(a->identifier, e->identifier, sizeof(a->identifier));
}

static void on_next(struct fn_ext *x, struct extension *e, struct fn_h1_conn *c, struct fn_ext_answer *a)
{
	if (!may(e, NEXT, e->identifier, a))
		return;
	e->c = c;
	if (e->owed && x->last_event && e->events & FN_EXT_SHUTDOWN)
		send_event(e, x->last_event, false);
	else if (e->owed && x->event && !x->last_event)
		send_event(e, x->event, true);
	else
		a->then = x->ops->on_ready;
	a->arg = x->arg;
}

static void on_error(struct fn_ext *x, struct extension *e, enum call call, const struct fn_h1 *req, struct fn_ext_answer *a)
{
	const char *type = fn_h1_header(req, "Lambda-Extension-Function-Error-Type");
	bool first = e->state != calls[call].to;

	if (!type || !type[0]) {
		refuse(a, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found");
		return;
	}
	if (!may(e, call, e->identifier, a))
		return;
	if (first) {
		snprintf(e->error_type, sizeof(e->error_type), "%s", type);
		for (char *p = e->error_type; *p; p++) /* it becomes part of log lines */
			if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
				*p = '?';
		x->ops->on_error(x->arg, call == INIT_ERROR);
	}
	a->status = 202;
	a->body = strdup("{\"status\":\"OK\"}\n");
}

/* The extension that calls; NULL: refused. */
static struct extension *who(struct fn_ext *x, const struct fn_h1 *req, bool next, struct fn_ext_answer *a)
{
	const char *id = fn_h1_header(req, "Lambda-Extension-Identifier");
	int i;

	if (!id || !id[0]) {
		refuse(a, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header");
		return NULL;
	}
	if (!fn_id_is_uuid(id)) {
		refuse(a, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier");
		return NULL;
	}
	i = fn_ext_find(x, id);
	if (i < 0) {
		refuse(a, "Extension.UnknownExtensionIdentifier", "Unknown %s%s", next ? "extension " : "Lambda-Extension-Identifier", next ? id : "");
		return NULL;
	}
	return &x->all[i];
}

const char *fn_ext_name_of(struct fn_ext *x, const struct fn_h1 *req, struct fn_ext_answer *ret)
{
	const struct extension *e = who(x, req, true, ret);

	return e ? e->name : NULL;
}

void fn_ext_request(struct fn_ext *x, struct fn_h1_conn *c, const struct fn_h1 *req, struct fn_ext_answer *ret)
{
	static const struct {
		const char *method, *path;
		enum call call;
	} routes[] = {{"POST", "register", REGISTER}, {"GET", "event/next", NEXT}, {"POST", "init/error", INIT_ERROR}, {"POST", "exit/error", EXIT_ERROR}};
	const char *path = fn_h1_target(req) + strlen(FN_EXT_BASE);
	size_t len = strcspn(path, "?");
	struct extension *e;

	*ret = (struct fn_ext_answer){0};
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strlen(routes[i].path) != len || strncmp(path, routes[i].path, len) != 0)
			continue;
		if (!fn_streq(fn_h1_method(req), routes[i].method)) {
			refuse(ret, "InvalidRequest", "%s is called with %s", routes[i].path, routes[i].method);
			ret->status = 405;
			return;
		}
		if (routes[i].call == REGISTER) {
			on_register(x, req, ret);
			return;
		}
		e = who(x, req, routes[i].call == NEXT, ret);
		if (e && routes[i].call == NEXT)
			on_next(x, e, c, ret);
		else if (e)
			on_error(x, e, routes[i].call, req, ret);
		return;
	}
	refuse(ret, "InvalidRequest", "no such path in the Extensions API");
	ret->status = 404;
}
