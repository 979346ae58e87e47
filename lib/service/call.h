/*
 * call.h - what a service inside fn-events sees: requests that fnd has authenticated and passed on over events.sock, and what all services share.
 *
 * A service registers under the name that the model gives it in signatures, in lower case ("lambda", "sqs"), in cmd/fn-events/services.c. All of it happens on the
 * loop, in whichever thread runs it then; what is written goes to events.db through the one writer, and a 2xx that promises something follows the writer's outcome.
 */
#ifndef FN_SERVICE_CALL_H
#define FN_SERVICE_CALL_H

#include <jansson.h>

#include "aws/error.h"
#include "base/id.h"
#include "base/jobs.h"
#include "base/loop.h"
#include "db/writer.h"
#include "web/httpd.h"

struct fn_fnd;
struct fn_rights;
struct fn_queues;
struct fn_sqs;

/* What services are given; it outlives them. */
struct fn_service_env {
	struct fn_loop *loop;
	struct fn_jobs *jobs;        /* for what would keep the loop waiting */
	struct fn_db_writer *writer; /* of events.db */
	const char *db_path;         /* for connections that only read, of their own (WAL) */
	struct fn_queues *queues;    /* all in events.db: queue/queue.h */
	struct fn_sqs *sqs;          /* sqs/sqs.h: opened before those that send to queues */
	struct fn_fnd *fnd;          /* service/fnd.h */
	struct fn_rights *rights;    /* service/rights.h */
	const char *region, *account_id;
	json_t *config;              /* the configuration's "events" object: borrowed */
	int64_t account_concurrency;
};

/* A request. Strings live as long as the request; the struct only until serve() returns (copy it). Each is replied to exactly once, now or
 * later (web/http_req.h), even when nobody waits any more: fn_http_req_on_gone() tells. */
struct fn_service_call {
	struct fn_http_req *req;
	const char *service, *operation;   /* "sqs", "SendMessage" */
	const char *protocol;              /* "rest-json", "json" or "query": how it is to be answered */
	const char *principal, *identity, *context; /* of struct fn_iam_asker (aws/resource_policy.h) */
	const char *user_id;               /* aws:userid of the principal */
	const char *host;                  /* as the client has called us */
	bool secure;                       /* by TLS */
	char request_id[FN_UUID_SIZE];
};

struct fn_service {
	const char *name;
	void (*serve)(void *arg, struct fn_service_call *call);
	/* The process is to end: who waits (long polls) is answered, nothing new is begun. */
	void (*drain)(void *arg);
	/* Is there something under way that is worth waiting for? */
	bool (*busy)(void *arg);
	void *arg;
};

/* Replies in the manner of rest-json. */
void fn_service_reply_json(const struct fn_service_call *call, unsigned status, json_t *body); /* takes body */
void fn_service_reply_empty(const struct fn_service_call *call, unsigned status);
/* The same, for the writer's thread to send with fn_h1_ahead_send(), or not: whatever is replied in the end, fn_service_replied() has to be asked before, and if it was sent, that was it. */
bool fn_service_reply_ahead(const struct fn_service_call *call, struct fn_h1_ahead *a, unsigned status);
bool fn_service_replied(const struct fn_service_call *call);
void fn_service_reply_error(const struct fn_service_call *call, const struct fn_aws_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A write failed: a full disk and whatever else passes is 503, which clients retry. */
void fn_service_reply_failed(const struct fn_service_call *call, const struct fn_err *err);

/* For the fn_httpd of events.sock; its arg: */
struct fn_services {
	struct fn_service list[8];
	size_t n;
};
extern const struct fn_httpd_ops fn_service_httpd_ops;

#endif
