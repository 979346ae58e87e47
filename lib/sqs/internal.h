/* internal.h - what the files of lib/sqs share. */
#ifndef FN_SQS_INTERNAL_H
#define FN_SQS_INTERNAL_H

#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "sqs/errors.h"
#include "sqs/sqs.h"

#define FN_SQS_PREFIX "sqs:" /* of the engine's names of our queues */
#define FN_SQS_DEDUP_US (300u * 1000000ull)
#define FN_SQS_VISIBILITY_MAX_S 43200

/* A queue's attributes as they are used; the text is in its configuration. */
struct fn_sqs_settings {
	int64_t visibility_s, delay_s, wait_s, retention_s, size_max;
	bool fifo, by_content, by_group; /* ContentBasedDeduplication; DeduplicationScope messageGroup */
	char *dead;			 /* RedrivePolicy: the target's name, NULL = none; and */
	uint32_t most_receives;
};

struct fn_sqs_queue {
	struct fn_sqs *sqs;
	struct fn_queue *queue;
	/* {"Attributes": {name: text}, "Tags": {}, "Created": s, "Modified": s}: on disk. `next`: what is on its way there, the last of several; NULL = nothing */
	json_t *config, *next;
	struct fn_sqs_settings settings;
	struct fn_iam_document *policy; /* read; NULL = none, or: */
	bool policy_is_broken;		/* by an earlier fnd's rules it was none: nobody may but root */
	uint64_t purged_us;
	bool made;   /* its row is on disk */
	bool trimming;
	char name[81];
};

struct fn_sqs {
	struct fn_loop *loop;
	struct fn_db_writer *writer;
	struct fn_queues *queues;
	struct fn_jobs *jobs;
	char *region, *account_id;
	unsigned purge_wait_s, delete_wait_s;
	struct fn_map *by_name;
	struct fn_map *deleted; /* names, with when (us) */
	struct fn_list moves;
	struct fn_list polls; /* calls whose lease waits */
	uint64_t retention_timer;
	void (*policy_changed)(void *arg);
	void *policy_arg;
	unsigned busy; /* calls under way that write */
	bool draining;
};

struct fn_sqs_call {
	struct fn_sqs *sqs;
	const struct fn_aws_operation *o;
	json_t *in;
	bool query, https;
	char *principal, *identity, *context, *host, *trace_id;
	char user_id[160];
	char request_id[FN_UUID_SIZE];
	void (*answer)(void *arg, struct fn_sqs_answer *a);
	void *arg;
	const struct fn_sqs_bodies *bodies; /* until the handler has returned */
	struct fn_sqs_call **handle; /* where the caller keeps it */
	struct fn_sqs_queue *queue;
	/* the handler's; freed with the call */
	void *state;
	void (*free_state)(void *state);
	bool (*cancel)(struct fn_sqs_call *call); /* what it waits for; false: too late */
	struct fn_list link;			  /* in polls */
};

/* --- answer.c: each ends the call --- */
void fn_sqs_reply(struct fn_sqs_call *call, json_t *out); /* takes out; NULL = nothing but success */
void fn_sqs_fail(struct fn_sqs_call *call, const struct fn_sqs_error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void fn_sqs_fail_with(struct fn_sqs_call *call, const struct fn_sqs_problem *p);
void fn_sqs_failed(struct fn_sqs_call *call, const struct fn_err *err); /* of the disk */

/* --- members.c: a request's members; their types have been looked at --- */
const char *fn_sqs_text(const json_t *in, const char *name);		     /* NULL = absent */
bool fn_sqs_number(const json_t *in, const char *name, int64_t *ret);	     /* false = absent */
/* `Value x for parameter name is invalid. Reason: must be...` outside of min..max; absent: *ret stays. */
int fn_sqs_bounded(const json_t *in, const char *name, int64_t min, int64_t max, const char *reason, int64_t *ret, struct fn_sqs_problem *p);
size_t fn_sqs_characters(const char *text); /* not bytes */
bool fn_sqs_printable(const char *s); /* 1 to 128 ASCII letters, digits and punctuation characters */
#define FN_SQS_PRINTABLE "can only include alphanumeric and punctuation characters. 1 to 128 in length."
void fn_sqs_bad_value(struct fn_sqs_problem *p, const char *name, const char *value, const char *reason);

/* --- store.c --- */
int fn_sqs_load(struct fn_sqs *sqs, sqlite3 *db, struct fn_err *err);
struct fn_sqs_queue *fn_sqs_queue_new(struct fn_sqs *sqs, const char *name, json_t *config); /* takes config; NULL: no memory */
void fn_sqs_queue_free(struct fn_sqs_queue *q);
struct fn_sqs_queue *fn_sqs_queue_named(struct fn_sqs *sqs, const char *name); /* NULL: there is none */
struct fn_sqs_queue *fn_sqs_queue_by_arn(struct fn_sqs *sqs, const char *arn);
/* By its policy and by what theirs say; q NULL: by theirs. */
bool fn_sqs_queue_allows(const struct fn_sqs_queue *q, const struct fn_iam_asker *who, const char *action, const char *arn);
/* The configuration as it will be; a deep copy to change and to give to fn_sqs_store(). */
json_t *fn_sqs_config_copy(const struct fn_sqs_queue *q);
const json_t *fn_sqs_config(const struct fn_sqs_queue *q);
/* Writes it (takes it), then answers the call with out (taken). */
void fn_sqs_store(struct fn_sqs_call *call, struct fn_sqs_queue *q, json_t *config, json_t *out);
void fn_sqs_remove(struct fn_sqs_call *call, struct fn_sqs_queue *q);
int fn_sqs_arn(const struct fn_sqs *sqs, const char *name, char *buf, size_t size);
char *fn_sqs_url(const struct fn_sqs_call *call, const char *name); /* to be freed */

/* --- settings.c --- */
void fn_sqs_settings_of(struct fn_sqs_settings *s, const json_t *attributes);
void fn_sqs_settings_free(struct fn_sqs_settings *s);
bool fn_sqs_receive_count(const json_t *v, int64_t *ret); /* maxReceiveCount: a number, or text of one */

/* --- attributes.c --- */
/* Are these good for a queue (of this kind)? What is there already: `had`, NULL = it is made. The answer is normalised: a copy, with what is taken away ("") as such. */
int fn_sqs_attributes_check(struct fn_sqs *sqs, const char *name, bool fifo, const json_t *given, const json_t *had, json_t **ret, struct fn_sqs_problem *p);
void fn_sqs_attributes_defaults(json_t *attributes, bool fifo);
/* Those that GetQueueAttributes was asked for. */
int fn_sqs_attributes_show(const struct fn_sqs_queue *q, const json_t *names, json_t **ret, struct fn_sqs_problem *p);

/* --- the operations --- */
typedef void (*fn_sqs_handler)(struct fn_sqs_call *call);
void fn_sqs_h_create(struct fn_sqs_call *call);
void fn_sqs_h_url(struct fn_sqs_call *call);
void fn_sqs_h_list(struct fn_sqs_call *call);
void fn_sqs_h_delete_queue(struct fn_sqs_call *call);
void fn_sqs_h_get_attributes(struct fn_sqs_call *call);
void fn_sqs_h_set_attributes(struct fn_sqs_call *call);
void fn_sqs_h_purge(struct fn_sqs_call *call);
void fn_sqs_h_sources(struct fn_sqs_call *call);
void fn_sqs_h_tag(struct fn_sqs_call *call);
void fn_sqs_h_untag(struct fn_sqs_call *call);
void fn_sqs_h_tags(struct fn_sqs_call *call);
void fn_sqs_h_add_permission(struct fn_sqs_call *call);
void fn_sqs_h_remove_permission(struct fn_sqs_call *call);
void fn_sqs_h_send(struct fn_sqs_call *call);
void fn_sqs_h_send_batch(struct fn_sqs_call *call);
void fn_sqs_h_receive(struct fn_sqs_call *call);
void fn_sqs_h_delete(struct fn_sqs_call *call);
void fn_sqs_h_delete_batch(struct fn_sqs_call *call);
void fn_sqs_h_visibility(struct fn_sqs_call *call);
void fn_sqs_h_visibility_batch(struct fn_sqs_call *call);
void fn_sqs_h_move_start(struct fn_sqs_call *call);
void fn_sqs_h_move_cancel(struct fn_sqs_call *call);
void fn_sqs_h_move_list(struct fn_sqs_call *call);

#endif
