/* rtapi_internal.h - one instance of the Runtime API, for rtapi.c, rttalk.c and rtresult.c only. */
#ifndef FN_RUNTIME_RTAPI_INTERNAL_H
#define FN_RUNTIME_RTAPI_INTERNAL_H

#include "base/bucket.h"
#include "runtime/rtapi.h"

#define FN_RT_CONNS_MAX 16 /* and one more for each extension: fn_rt_places() */

enum fn_rt_state { FN_RT_START, FN_RT_WAITING, FN_RT_RUNNING, FN_RT_RESPONDED, FN_RT_INIT_FAILED, FN_RT_SNAPSHOT };

struct fn_rt {
	struct fn_loop *loop;
	struct fn_h1_server *server;
	const struct fn_rt_ops *ops;
	void *arg;
	int listen_fd;
	uint64_t io, resume; /* the listening socket; a timer while it is not watched */
	enum fn_rt_state state;
	struct fn_rt_conn {
		struct fn_h1_conn *c; /* NULL: free */
		uint64_t number;      /* they come in this order */
		bool useful;          /* it has brought a request that was right */
		struct fn_rt_held *held;    /* the answer that it waits for */
	} conns[FN_RT_CONNS_MAX + FN_EXT_MAX];
	uint64_t n_accepted, pace;    /* pace: the timer of what is held */
	struct fn_bucket idle_talk;
	unsigned wrong; /* beyond the budget, since it was full */
	struct fn_h1_conn *next;    /* its `next` is pending */
	struct fn_h1_conn *asked;   /* the last that asked; to compare only */
	struct fn_h1_conn *posting; /* the one result under way: only it may be large */
	bool posts_result;          /* it is the invocation's, not the init's */
	struct fn_h1_conn *streaming; /* the same, while it goes to the sink in pieces */
	size_t written;             /* of it */
	size_t stream_max;          /* of it, at most */
	struct fn_invocation *inv;
	struct fn_ext *ext;         /* NULL: not yet */
	bool no_extensions;
	bool ask_loaded, loaded_asked; /* the next invocation is to ask for it; this one has */
};

static inline unsigned fn_rt_places(const struct fn_rt *rt) { return FN_RT_CONNS_MAX + fn_ext_count(rt->ext); }

struct fn_rt_held {
	unsigned status;
	const char *type;
	size_t len;
	char body[];
};

/* rttalk.c: answers, and how much of a runtime's idle talk is answered at once. */
struct fn_rt_conn *fn_rt_slot(struct fn_rt *rt, const struct fn_h1_conn *c); /* NULL c: a free one */
void fn_rt_useful(struct fn_rt *rt, const struct fn_h1_conn *c); /* it has brought a request that was right */
bool fn_rt_may_talk(struct fn_rt *rt, bool wrong); /* Is it within the budget? */
/* Now, or late: while it waits, nothing more is read from the connection. */
void fn_rt_talk(struct fn_rt *rt, struct fn_h1_conn *c, const struct fn_h1_reply *reply, bool wrong);
void fn_rt_reply_error(struct fn_rt *rt, struct fn_h1_conn *c, unsigned status, const char *type, const char *message);
void fn_rt_reply_state(struct fn_rt *rt, struct fn_h1_conn *c, const char *to); /* what it asks for may not follow its state */
void fn_rt_reply_ok(struct fn_rt *rt, struct fn_h1_conn *c);

/* rtresult.c */
/* Is id that of the invocation under way? */
bool fn_rt_is_current(const struct fn_rt *rt, const char *id, size_t id_len);
/* The body of an error that was posted; malloc'ed. */
char *fn_rt_take_error(const struct fn_h1 *req, struct fn_buf *posted, size_t *ret_len);
/* POST .../response or .../error is there: its head, a piece, its end in the midst (of the connection, or of what can be read), all of it. The first returns how much may come. */
size_t fn_rt_result_begins(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, bool is_error);
void fn_rt_result_piece(struct fn_rt *rt, struct fn_h1_conn *c, const char *data, size_t len);
void fn_rt_result_cut(struct fn_rt *rt, struct fn_h1_conn *c);
void fn_rt_result(struct fn_rt *rt, struct fn_h1_conn *c, struct fn_h1 *req, const char *id, size_t id_len, bool is_error);

#endif
