/* fnd.c - see fnd.h. */
#include "service/fnd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/inner.h"

#define KEEP 64
#define WAITING 100000
#define RESULT_MAX ((6u << 20) + 65536u)
#define CONNECT_US 2000000u /* a worker that is being started anew */
#define LOOKUP_US 10000000u
#define RIGHTS_MAX (64u << 20)

struct fn_fnd {
	struct fn_inner_client *client;
};

int fn_fnd_new(const struct fn_fnd_config *config, struct fn_fnd **ret)
{
	const struct fn_inner_config inner = {.loop = config->loop, .dir_fd = config->dir_fd, .name = FN_INVOKE_SOCKET, .connections = config->calls, .keep = KEEP,
					      .waiting = WAITING, .connect_us = CONNECT_US};
	struct fn_fnd *f = calloc(1, sizeof(*f));
	int r = f ? fn_inner_client_new(&inner, &f->client) : -ENOMEM;

	if (r < 0)
		free(f);
	else
		*ret = f;
	return r;
}

void fn_fnd_free(struct fn_fnd *f)
{
	if (!f)
		return;
	fn_inner_client_free(f->client);
	free(f);
}

/* The qualifier by itself: the longest name and the longest alias are more than a name may be. */
static int add_target(struct fn_buf *b, const char *name, const char *end)
{
	const char *qualifier = strchr(name, ':');
	int r = fn_buf_add_str(b, "/_fnd/functions/");

	if (r == 0)
		r = fn_buf_add_url(b, name, strcspn(name, ":"), "");
	if (r == 0)
		r = fn_buf_add_str(b, end);
	if (r == 0 && qualifier)
		r = fn_buf_add_str(b, "?Qualifier=");
	return r == 0 && qualifier ? fn_buf_add_url(b, qualifier + 1, strlen(qualifier + 1), "") : r;
}

int fn_fnd_invoke(struct fn_fnd *f, const struct fn_fnd_invocation *i, struct fn_inner_call **ret)
{
	struct fn_h1_header headers[4] = {{"Content-Type", "application/json"}, {FN_INNER_REQUEST_ID, i->request_id}};
	fn_auto_buf struct fn_buf target = {0};
	struct fn_inner_request q = {.http = {.method = "POST", .headers = headers, .n_headers = 2, .body = i->payload, .len = i->len}, .body_max = RESULT_MAX,
					   .timeout_us = i->timeout_us, .done = i->done, .arg = i->arg};

	if (i->trace_id)
		headers[q.http.n_headers++] = (struct fn_h1_header){"X-Amzn-Trace-Id", i->trace_id};
	if (i->tenant_id)
		headers[q.http.n_headers++] = (struct fn_h1_header){"X-Amz-Tenant-Id", i->tenant_id};
	if (add_target(&target, i->name, "/invocations") < 0)
		return -ENOMEM;
	q.http.target = target.data;
	return fn_inner_send(f->client, &q, ret);
}

int fn_fnd_function(struct fn_fnd *f, const char *name, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret)
{
	struct fn_inner_request q = {.http = {.method = "GET"}, .body_max = 1u << 20, .timeout_us = LOOKUP_US, .done = done, .arg = arg};
	fn_auto_buf struct fn_buf target = {0};

	if (add_target(&target, name, "") < 0)
		return -ENOMEM;
	q.http.target = target.data;
	return fn_inner_send(f->client, &q, ret);
}

int fn_fnd_rights(struct fn_fnd *f, const char *body, size_t len, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret)
{
	static const struct fn_h1_header headers[] = {{"Content-Type", "application/json"}};
	const struct fn_inner_request q = {.http = {.method = "POST", .target = "/_fnd/rights", .headers = headers, .n_headers = 1, .body = body, .len = len}, .body_max = RIGHTS_MAX,
					   .timeout_us = LOOKUP_US, .done = done, .arg = arg};

	return fn_inner_send(f->client, &q, ret);
}

/* It waits as long as nothing changes. */
int fn_fnd_changes(struct fn_fnd *f, const char *since, void (*done)(void *arg, struct fn_inner_answer *a), void *arg, struct fn_inner_call **ret)
{
	char target[128];
	const struct fn_inner_request q = {.http = {.method = "GET", .target = target}, .body_max = 4096, .done = done, .arg = arg};

	snprintf(target, sizeof(target), "/_fnd/changes?Since=%.64s", since);
	return fn_inner_send(f->client, &q, ret);
}
