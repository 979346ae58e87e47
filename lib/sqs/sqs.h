/*
 * sqs.h - Amazon SQS on lib/queue's durable queues: all operations, by both wire protocols (JSON 1.0 and query), and an interface in the process for what sends to and
 * receives from queues by ARN: destinations, dead letter queues, event source mappings. On a loop; nothing here waits for the disk.
 *
 * What was answered is on disk: a message sent, a queue made, a message received (so that ApproximateReceiveCount, visibility and redrive hold over a crash) and deleted.
 * Not over a crash: the answers that ReceiveRequestAttemptId would repeat.
 * Sources: SQS API reference 2012-11-05; SQS developer guide; answers recorded from the service.
 */
#ifndef FN_SQS_SQS_H
#define FN_SQS_SQS_H

#include <jansson.h>

#include "aws/resource_policy.h"
#include "aws/route.h"
#include "base/id.h"
#include "queue/queue.h"

struct fn_sqs;

struct fn_sqs_config {
	struct fn_loop *loop;
	struct fn_db_writer *writer;
	struct fn_queues *queues;
	struct fn_jobs *jobs;	    /* for long requests: service.h */
	const char *db_path, *region, *account_id; /* copied */
	unsigned purge_wait_s, delete_wait_s;	   /* AWS has 60 for both: a second PurgeQueue, and CreateQueue after DeleteQueue, are refused so long */
};
int fn_sqs_new(const struct fn_sqs_config *config, struct fn_sqs **ret, struct fn_err *err);
/* Long polls are answered, empty, and so is what comes from now on. */
void fn_sqs_drain(struct fn_sqs *sqs);
bool fn_sqs_busy(const struct fn_sqs *sqs); /* something is being written that somebody waits for */
void fn_sqs_free(struct fn_sqs *sqs); /* after fn_queues_stop() and the writer's drain; NULL is fine */

/* --- requests, whatever they came by --- */
struct fn_sqs_answer {
	unsigned status;
	const char *type;	 /* Content-Type; NULL = no body */
	const char *query_error; /* x-amzn-query-error; NULL = none */
	struct fn_buf body;	 /* the receiver's to free */
};
/* What was found out beforehand of the bodies of messages that are sent, by their entries: SendMessage's is the first. */
struct fn_sqs_body {
	bool seen, good; /* good: its characters may be sent */
	char md5[33];
};
#define FN_SQS_ENTRIES_MAX 10u
struct fn_sqs_bodies {
	struct fn_sqs_body of[FN_SQS_ENTRIES_MAX];
};
struct fn_sqs_request {
	const char *operation;		 /* "SendMessage" */
	bool query;			 /* answered in XML */
	bool misplaced;			 /* there is no such operation where it was posted to */
	json_t *in;			 /* members by their names in the model; taken */
	bool prepared;			 /* by fn_sqs_prepare(), and */
	const char *why;		 /* what that said of it; NULL: nothing is wrong */
	const struct fn_sqs_bodies *bodies; /* that too; NULL: nothing was */
	struct fn_iam_asker who;	 /* judged by the queue's policy and by what their own say */
	const char *user_id;		 /* of the principal: messages' SenderId; NULL = the account's id */
	const char *host;		 /* as the client calls us: of queue URLs */
	bool https;
	const char *trace_id; /* X-Amzn-Trace-Id; NULL */
	const char *request_id;
	void (*answer)(void *arg, struct fn_sqs_answer *a); /* once, now or later */
	void *arg;
};
/* What any thread may do before: members that are none of the operation's go, and the types of the others are looked at. False: why says what is wrong. bodies (zeroed; NULL: none
 * are wanted): of long messages that are to be sent. */
bool fn_sqs_prepare(const char *operation, json_t *in, struct fn_sqs_bodies *bodies, struct fn_buf *why);
struct fn_sqs_call;
/* All of the request is copied. ret_call may be NULL: else what fn_sqs_gone() takes; set to NULL when it has been answered at once. */
void fn_sqs_serve(struct fn_sqs *sqs, struct fn_sqs_request *request, struct fn_sqs_call **ret_call);
/* The client has gone: a long poll ends, without taking a message. answer() is called all the same, now or later. */
void fn_sqs_gone(struct fn_sqs_call *call);

/* --- in the process, by ARN --- */
struct fn_sqs_facts {
	struct fn_queue *queue; /* for fn_queue_change(): settle what was leased with DONE and EXTEND */
	bool fifo;
	uint64_t visibility_us;
	uint32_t most_receives; /* 0 = no redrive policy */
};
/* -ENOENT: there is no such queue here (of this account and region). Holds until the loop's next round. */
int fn_sqs_find(struct fn_sqs *sqs, const char *arn, struct fn_sqs_facts *ret);

/* May they? action: "sqs:ReceiveMessage". Of a queue that is not here their own policies say it alone. */
bool fn_sqs_may(struct fn_sqs *sqs, const struct fn_iam_asker *who, const char *action, const char *arn);

/* changed(arg): a queue has another policy, or there is another queue. One alone is told; NULL: nobody. */
void fn_sqs_on_policy(struct fn_sqs *sqs, void (*changed)(void *arg), void *arg);

struct fn_sqs_attribute {
	const char *name, *type, *value; /* type "String" or "Number" */
};
struct fn_sqs_message {
	const char *body;
	size_t len;
	const struct fn_sqs_attribute *attributes;
	size_t n_attributes;
	const char *group, *dedup; /* FIFO */
	const char *trace_id;
	const char *sender;
};
/* A step that puts the message, for a fn_queue_change: with what else is to be done in the same transaction. *ret_memory is what it points to: free() it after `done`. body is
 * borrowed. -ENOENT; -EINVAL with why (of FN_SQS_WHY_MAX bytes): it may not be sent there (too long, no group, ...). */
#define FN_SQS_WHY_MAX 512
int fn_sqs_step(struct fn_sqs *sqs, const char *arn, const struct fn_sqs_message *m, struct fn_queue_step *ret, void **ret_memory, char *why);

/* Leases, with the queue's redrive policy, retention and limits; n, bytes, for_us (0 = the queue's), wait_until_us and done are the caller's. No polling: wait_until_us = UINT64_MAX
 * is called when there is something; with ENOENT when the queue is deleted, ECANCELED at the process's end. -ENOENT. */
int fn_sqs_lease(struct fn_sqs *sqs, const char *arn, struct fn_queue_lease *lease);
/* A leased message as a record of an SQS event (Records[i]); NULL: no memory. */
json_t *fn_sqs_record(struct fn_sqs *sqs, const char *arn, const struct fn_queue_message *m);

#endif
