/* members.c - see members.h. In a thread nothing is asked of the request itself, whose connection may end meanwhile: its strings and its body stay. */
#include "api/members.h"

#include <stdlib.h>
#include <strings.h>

#include "api/receive.h"
#include "aws/query.h"
#include "base/cleanup.h"
#include "base/jobs.h"
#include "web/h1.h"
#include "web/h1reply.h"
#include "web/json_fault.h"
#include "web/json_nul.h"
#include "web/json_scan.h"

#define LONG 65536u        /* is parsed by a thread */
#define LONG_EVENT 262144u /* is looked at by a thread */

/* What there is of a request, and what became of it. */
struct members {
	const struct fn_aws_operation *operation;
	enum fn_aws_protocol protocol;
	struct fn_aws_labels labels;
	struct fn_aws_head head;
	struct fn_h1_header headers[FN_H1_FIELDS_MAX];
	size_t n_headers;
	const char *body;
	size_t len;
	enum { PARSED, JUDGED, EVENT } what;
	/* results */
	json_t *in;
	bool is_json; /* the event */
	const struct fn_aws_error *error; /* NULL: `in` is it */
	struct fn_buf why;
	/* of a long one */
	struct fn_job job;
	struct fn_api *api;
	struct fn_http_req *req;
	void (*again)(void *arg, struct fn_http_req *req);
};

static bool collect(void *arg, const char *name, const char *value)
{
	struct members *m = arg;

	m->headers[m->n_headers++] = (struct fn_h1_header){name, value};
	return m->n_headers < sizeof(m->headers) / sizeof(m->headers[0]);
}

static const char *header_of(void *arg, const char *name)
{
	const struct members *m = arg;

	for (size_t i = 0; i < m->n_headers; i++)
		if (strcasecmp(m->headers[i].name, name) == 0)
			return m->headers[i].value;
	return NULL;
}

static void look_at(struct members *m, const struct fn_call *call, int what)
{
	*m = (struct members){.operation = call->operation, .protocol = call->protocol, .labels = call->labels, .head = fn_call_head(call->req), .what = what};
	fn_http_req_each_header(call->req, collect, m);
	fn_receive_body(call->req, &m->body, &m->len);
}

static void refuse(struct members *m, const struct fn_aws_error *e, const char *text)
{
	m->error = e;
	if (m->why.len == 0)
		(void)fn_buf_add_str(&m->why, text);
}

static void read_json(struct members *m)
{
	static const char *const events[] = {"message", NULL}; /* PutLogEvents': what programs print */
	bool logs = m->operation && m->operation->op == FN_AWS_Logs_PutLogEvents;
	json_error_t je;

	m->in = m->len ? fn_json_load_nul(m->body, m->len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, logs ? events : NULL, &je) : json_object();
	if (!m->in) {
		(void)fn_json_fault(m->body, m->len, &m->why);
		refuse(m, &FN_E_SERIALIZATION, m->len ? je.text : "out of memory");
	} else if (!json_is_object(m->in)) {
		refuse(m, &FN_E_SERIALIZATION, json_is_array(m->in) ? "Start of list found where not expected" : "Expected null");
	}
}

static void judge(struct members *m)
{
	const struct fn_aws_request r = {.labels = &m->labels, .query = m->head.query, .header = header_of, .arg = m, .body = m->in};

	m->error = fn_call_fault(m->operation, &r, &m->why);
}

/* In any thread. */
static void work(struct members *m)
{
	if (m->what == EVENT) {
		m->is_json = fn_json_valid(m->body, m->len, NULL);
		return;
	}
	if (m->protocol == FN_AWS_QUERY) {
		m->in = fn_aws_query_members(m->operation, &m->head, m->body, m->len, &m->why);
		if (!m->in)
			refuse(m, &FN_E_MALFORMED_INPUT, "out of memory");
		else if (fn_json_nul(m->in, NULL))
			refuse(m, &FN_E_MALFORMED_INPUT, "A parameter has the character U+0000, which it cannot have");
	} else if (m->operation->json) {
		read_json(m);
	}
	if (!m->error && m->what == JUDGED)
		judge(m);
}

/* On the loop. The request may come here several times: it keeps what was made of it. */
static bool give(struct fn_call *call, struct members *m)
{
	bool good = !m->error;

	if (good)
		call->in = json_incref(m->in);
	else
		fn_reply_error(call, m->error, "%s", m->why.data ? m->why.data : "out of memory");
	return good;
}

static void clear(struct members *m)
{
	json_decref(m->in);
	fn_buf_free(&m->why);
}

/* The request has ended: after `again`, for until then nobody answers it. */
static void release(void *kept)
{
	clear(kept);
	free(kept);
}

static void run(struct fn_job *j) { work(fn_list_entry(j, struct members, job)); }

static void done(struct fn_job *j)
{
	struct members *m = fn_list_entry(j, struct members, job);

	m->again(m->api, m->req);
}

static void post(struct fn_call *call, int what, void (*again)(void *arg, struct fn_http_req *req))
{
	struct members *m = malloc(sizeof(*m));

	if (!m || fn_receive_keep(call->api, call->req, m, release) < 0) {
		free(m);
		fn_reply_error(call, &FN_E_SERVICE, "out of memory");
		return;
	}
	look_at(m, call, what);
	m->job = (struct fn_job){.run = run, .done = done};
	m->api = call->api;
	m->req = call->req;
	m->again = again;
	fn_jobs_post(call->api->cfg.jobs, &m->job);
}

bool fn_members_read(struct fn_call *call, bool judged, void (*again)(void *arg, struct fn_http_req *req))
{
	struct members *made = fn_receive_kept(call->req), here;
	bool good;

	if (made && made->what != EVENT)
		return give(call, made);
	look_at(&here, call, judged ? JUDGED : PARSED);
	if (here.len > LONG && (call->operation->json || call->protocol == FN_AWS_QUERY)) {
		post(call, here.what, again);
		return false;
	}
	work(&here);
	good = give(call, &here);
	clear(&here);
	return good;
}

bool fn_members_event(struct fn_call *call, void (*again)(void *arg, struct fn_http_req *req))
{
	const struct members *made = fn_receive_kept(call->req);
	const char *body;
	size_t len;

	fn_http_req_body(call->req, &body, &len);
	if (made)
		call->event = made->is_json ? FN_EVENT_JSON : FN_EVENT_NO_JSON;
	else if (len > LONG_EVENT)
		post(call, EVENT, again);
	return made || len <= LONG_EVENT;
}
