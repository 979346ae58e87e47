/* internal.h - shared by the files of lib/spawn that run in fn-spawnd: server.c (messages), reply.c (answers), order.c (from an order to a sandbox), box.c
 * (one sandbox's life), clone.c (how it is made), processes.c (several in one), stock.c and demand.c (those made ahead), turns.c (who is started when many
 * are asked for), parked.c (orders that wait for an address, uids or a /tmp), kept_order.c (a copy of one), handover.c (a sandbox's first descriptors),
 * kept.c (what outlives a sandbox), reclaim.c (memory of those that idle), background.c (CPU for those at something long), oom.c (those that have no more), files.c (how many files one has open). */
#ifndef FN_SPAWN_INTERNAL_H
#define FN_SPAWN_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "spawn/proto.h"
#include "spawn/survey.h"
#include "spawn/server.h"
#include "spawn/stock.h"

#define FN_BOX_SLOTS_MAX 20000u
/* From one sandbox's range of 65,536 uids to the next one's. Odd: the kernel finds users by a hash of 128 buckets (kernel/user.c), where the same
 * uid of every sandbox would lie in one, walked at each setuid(2): 0.3 ms with 2,000. */
#define FN_BOX_UIDS_APART 65537u

#define FN_BOX_NAMES_MAX (FN_EXTENSIONS_MAX * 256) /* bytes of extensions' names */

enum fn_box_state {
	FN_BOX_BUILDING, /* cloned; its first half is under way, for nobody yet */
	FN_BOX_READY,    /* in stock */
	FN_BOX_STARTING, /* has its order */
	FN_BOX_RUNNING,  /* its runtime has been exec'ed, fnd holds its descriptors */
	FN_BOX_ENDING,   /* killed or dead; waits for the reaping and for the kernel to let its groups go */
};

struct fn_box;
struct fn_kept_order;
/* How an order is given: for the first time, again after a sandbox in stock had died (a new one is made), again after it was parked for too long. */
enum fn_order_try { FN_ORDER_FIRST, FN_ORDER_FRESH, FN_ORDER_LAST };
typedef void (*fn_order_fn)(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len, enum fn_order_try how);

/* What boxes, and those that watch over them, ask of those above them; server.c fills it. */
struct fn_box_hooks {
	void (*none)(struct fn_stock *k); /* not even a box could be made for it that there were to end */
	void (*ready)(struct fn_box *b);
	void (*started)(struct fn_box *b);
	void (*initialised)(struct fn_box *b);
	void (*failed)(struct fn_box *b, const struct fn_err *err); /* while it was made ahead */
	void (*ended)(struct fn_box *b, enum fn_box_state was);
	void (*through)(struct fn_spawn_server *s); /* one that was starting, or initialising, has, or has ended */
	fn_order_fn order;                          /* is to be given anew */
	void (*end)(struct fn_box *b);              /* it has no more memory, or too many files */
};

/* A sandbox. Owned by the server's list of boxes until it is freed, which is the last step of its end. */
struct fn_box {
	struct fn_spawn_server *server;
	struct fn_list link;       /* of all */
	struct fn_list reclaim;    /* among those whose page cache is being taken back */
	struct fn_list background; /* among those at something long; background.c */
	bool gives_way;
	uint64_t looked_us, used_us, all_used_us; /* when it was looked at; how much CPU it, and all, had used then */
	struct fn_list place;      /* in stock, or among those whose groups are to be removed */
	enum fn_box_state state;
	uint64_t id, request, environment; /* environment: whose it is, in fnd's numbers; 0: of none that could outlive it */
	uint32_t slot, nat_slot;
	struct fn_child_nat nat; /* iface is NULL: loopback alone */
	struct fn_tmp *tmp; /* its environment's; NULL: it has none yet, or a tmpfs */
	pid_t pid;
	int pidfd, sync_fd, output_fd, listen_fd, platform_fd, freeze_fd, peak_fd, stat_fd;
	int tmp_fd; /* a mount of tmp, for fnd to look at */
	int extensions_fd; /* what they print; -EBADF: it has none */
	bool no_platform;  /* its function is to have no platform endpoint */
	bool held;         /* its runtime waits for FN_PROTO_RELEASE */
	bool initialising; /* RUNNING, and FN_PROTO_INITIALISED has not come */
	unsigned n_extensions;
	pid_t pids[FN_SPEC_PROCESSES_MAX]; /* by process, as they are inside; 0: it has ended */
	int oom_fd; /* fn_cgroup_watch_oom(); -EBADF where the kernel ends all of a group by itself */
	uint64_t pidfd_io, sync_io, oom_io, oom_timer, timer;
	unsigned oom_rechecks;
	struct fn_cgroup *cgroup;
	struct fn_cg_limits limits; /* the function's */
	struct fn_sandbox_timing timing;
	struct fn_sandbox_exit exit;
	uint64_t started_us;
	struct fn_kept_order *kept; /* of one that was READY: it may have been dying unseen when it got its order, which another then gets */
	struct fn_stock *stock; /* it is made for, or lies in; NULL = it is a request's */
	enum fn_prepared prepared;
	bool reaped, answered, out_of_memory;
};

/* handover.c */
enum { FN_HANDOVER_SYNC, FN_HANDOVER_OUTPUT, FN_HANDOVER_N };
struct fn_handover {
	int fd[FN_HANDOVER_N], nothing, last; /* nothing: what lies there between two sandboxes */
};

struct fn_spawn_server {
	struct fn_spawn_server_config cfg;
	const struct fn_box_hooks *hooks;
	uint64_t io;
	uint64_t next_id;
	struct fn_list boxes;
	struct fn_map *by_id;
	struct fn_map *kept; /* by environment; kept.c */
	unsigned n_boxes, n_starting, n_initialising, n_running;
	struct fn_handover handover;
	struct fn_slots *slots; /* uid ranges; not reused at once: a late file of its last owner stays foreign */
	bool shutdown;
	struct fn_list out; /* answers that wait for a full socket */
	struct fn_list turns; /* orders that wait for others to have started */
	unsigned n_turns;
	unsigned at_once, inits_at_once, runnable_most; /* runnable_most: so many threads on the host, and its CPUs have enough to do */
	uint64_t turns_timer, last_turn_us;
	struct fn_list graves; /* boxes whose groups are to be removed */
	uint64_t graves_timer;
	struct fn_list reclaims;
	uint64_t reclaims_timer;
	struct fn_list background; /* those at something long */
	uint64_t background_timer;
	unsigned n_giving_way, n_cpus;
	struct fn_list stocks; /* the plain one first */
	uint64_t stock_timer, stock_tick_us;
	struct fn_list parked; /* orders that wait for an address, a range of uids or a /tmp */
	struct fn_list surveys; /* under way */
	uint64_t parked_timer;
	uint64_t quiet_until_us; /* nothing is made ahead before: a runtime initialises */
	uint64_t hungry_since_us; /* something is to be made since then, and waits for that; 0 = nothing does */
	int files_fd; /* /proc/sys/fs/file-nr */
	uint64_t files_timer, files_last, files_calm; /* calm: how many were open when last nobody had too many */
	pid_t census_pid; /* who counts; 0 = nobody */
	int census_fd;    /* ids of those that have too many */
	unsigned census_budget;
	uint64_t census_io;
	struct fn_unpacker *unpacker;
	struct fn_fetcher *fetcher;
	struct fn_merger *merger;
	char *in;
};

/* reply.c. Takes the descriptors. */
void fn_spawn_reply(struct fn_spawn_server *s, uint32_t type, uint64_t request, uint64_t id, const void *data, size_t len, const int *fds,
		    size_t n_fds);
void fn_spawn_reply_err(struct fn_spawn_server *s, uint64_t request, const struct fn_err *err);

void fn_spawn_flush(struct fn_spawn_server *s); /* the socket has room, or there is none any more */

/* An order as it came. */
struct fn_kept_order {
	struct fn_list link; /* while it waits for its turn */
	uint64_t until_us;    /* parked.c: then it is told what there is none of */
	uint64_t tmp_bytes;   /* parked.c: it waits for a /tmp of that size; 0 = for an address or uids */
	struct fn_proto_header head;
	size_t len;
	char encoded[];
};
struct fn_kept_order *fn_kept_order_new(const struct fn_proto_header *head, const void *encoded, size_t len); /* NULL on no memory */

/* order.c */
/* Has a sandbox made for it: one in stock, or a new one. Answers if that fails. */
void fn_spawn_order(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len, enum fn_order_try how);

/* handover.c */
int fn_handover_open(struct fn_handover *h);
void fn_handover_close(struct fn_handover *h);
int fn_handover_put(struct fn_handover *h, unsigned which, int *fd); /* takes *fd; its number there, or -errno */
void fn_handover_clear(struct fn_handover *h);

/* turns.c: orders are served as they come, but few at once: a hundred processes that share two CPUs all start late, and the first no sooner than
 * the last. */
int fn_turns_open(struct fn_spawn_server *s);
void fn_turns_close(struct fn_spawn_server *s);
void fn_turns_order(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len);
void fn_turns_one_is_through(struct fn_spawn_server *s);

/* box.c */
/* Of what each sandbox has one of, a range of uids and with `nat` an address: how many there are, how many nobody has now; is one about to come back?
 * lack: fn_box_new()'s error, EUSERS or EADDRNOTAVAIL. */
uint32_t fn_box_capacity(const struct fn_spawn_server *s);
uint32_t fn_box_unused(const struct fn_spawn_server *s);
bool fn_box_expects(const struct fn_spawn_server *s, int lack);
/* Clones a sandbox and sets its first half going; NULL on failure, with err. stock: it is made ahead for that one,
 * nobody waits for it; else NULL. */
struct fn_box *fn_box_new(struct fn_spawn_server *s, struct fn_stock *stock, struct fn_err *err);

struct fn_box_order {
	const struct fn_proto_header *head; /* of the message that asks */
	const struct fn_spec *spec;
	const void *encoded; /* the same spec, as it came */
	size_t len;
	int root_fd;         /* borrowed */
	struct fn_tmp *tmp;  /* the box has it, if it takes the order; NULL: a tmpfs */
	int tmp_fd;          /* a mount of it, which the box has then, too; -EBADF */
	uint64_t from_us;    /* when it was taken up */
	uint32_t root_us;    /* what the root took */
};
/* Gives a box its function: one that is READY, or BUILDING (the order then waits in its socket). After a failure it is of no use: end it. */
int fn_box_order(struct fn_box *b, const struct fn_box_order *order, struct fn_err *err);
/* The function's own share of CPU holds from now on. */
void fn_box_initialised(struct fn_box *b);
void fn_box_end(struct fn_box *b);
/* The first of its 65,536 ids on the host. */
static inline uint32_t fn_box_range(const struct fn_box *b) { return b->server->cfg.uid_base + FN_BOX_UIDS_APART * (b->slot + 1); }
/* Answers a request that this box has not answered yet with err, and ends the box. */
void fn_box_fail(struct fn_box *b, const struct fn_err *err);

/* clone.c */
/* For output of the function's processes. Both are the caller's, after a failure too. */
int fn_box_pipe(const struct fn_box *b, int *ret_ours, int *ret_theirs, struct fn_err *err);
#define FN_BOX_HANDSHAKE_US 30000000u /* within which a sandbox is set up */
/* Makes b's groups and its first process, which goes on by itself from here; -errno: what there is of them is fn_box_end()'s. */
int fn_box_clone(struct fn_box *b, struct fn_err *err);

/* kept.c */
/* Its environment may outlive this box, which is about to be killed: its /tmp is kept until fn_kept_forget(). False: it is not. */
bool fn_kept_keep(struct fn_box *b);
bool fn_kept_has(struct fn_spawn_server *s, uint64_t environment);
/* A mount of it, detached, for this sandbox; -ENOENT: nothing is kept. The caller owns the descriptor. */
int fn_kept_tmp(struct fn_box *b, uint64_t environment, struct fn_err *err);
/* Is this the /tmp that is kept of it? */
bool fn_kept_is(struct fn_spawn_server *s, uint64_t environment, const struct fn_tmp *tmp);
void fn_kept_forget(struct fn_spawn_server *s, uint64_t environment);
void fn_kept_free(struct fn_spawn_server *s);

/* processes.c */
struct fn_sync_msg;
void fn_box_release(struct fn_box *b);
void fn_box_signal(struct fn_box *b, unsigned process, int sig); /* of one that has ended: nothing */
int fn_box_socket(const struct fn_box *b, struct fn_err *err);   /* an unconnected one for streams, non-blocking; the caller's */
void fn_box_process_ended(struct fn_box *b, const struct fn_sync_msg *m); /* one of several */

/* background.c: a sandbox is at something long; it no longer is, or ends. */
void fn_background_begin(struct fn_box *b);
void fn_background_end(struct fn_box *b);
/* Pure. Is it to give way (or go on so), of n that do, that has used so much of the CPU since it was looked at, all sandboxes together that much? *ret_look: looked at it is now. */
bool fn_background_judge(bool gives_way, unsigned n, unsigned n_cpus, uint64_t passed_us, uint64_t used_us, uint64_t all_used_us, bool *ret_look);

/* reclaim.c: takes a running sandbox's page cache back, a part at a time and while nobody waits for a start; answers when done. */
void fn_reclaim_begin(struct fn_box *b);

/* oom.c: until fn_oom_forget(), at the latest when its groups go. -ENOMEM */
int fn_oom_watch(struct fn_box *b);
void fn_oom_forget(struct fn_box *b);

/* files.c */
int fn_files_open(struct fn_spawn_server *s);
void fn_files_watch(struct fn_spawn_server *s); /* there is a sandbox that runs */
void fn_files_close(struct fn_spawn_server *s);

/* parked.c: the order (copied) is given anew as soon as there is an address, or a /tmp of that size (not 0), or after a while; false: no memory. */
int fn_parked_open(struct fn_spawn_server *s);
bool fn_parked_add(struct fn_spawn_server *s, const struct fn_proto_header *head, const void *encoded, size_t len, uint64_t tmp_bytes);
void fn_parked_look(struct fn_spawn_server *s); /* there may be */
void fn_parked_free(struct fn_spawn_server *s);

/* stock.c: what boxes tell it (struct fn_box_hooks) */
void fn_stock_box_none(struct fn_stock *k);
void fn_stock_box_ready(struct fn_box *b);
void fn_stock_box_started(struct fn_box *b);
void fn_stock_box_initialised(struct fn_box *b);
void fn_stock_box_failed(struct fn_box *b, const struct fn_err *err);
void fn_stock_box_ended(struct fn_box *b, enum fn_box_state was);
int fn_stock_open(struct fn_spawn_server *s);
void fn_stock_close(struct fn_spawn_server *s);
void fn_stock_free(struct fn_spawn_server *s); /* once no box is left */
/* What holds this tree is not given out any more; it ends. */
void fn_stock_forget_tree(struct fn_spawn_server *s, const char *tree);
/* A ready box of a kind, or NULL. Counts as demand. */
struct fn_box *fn_stock_take(struct fn_spawn_server *s, const char *kind);
/* Ends one, of the kind with the least demand: its address is wanted. False: there is none. */
bool fn_stock_end_one(struct fn_spawn_server *s);
/* From now on sandboxes with this runtime started ahead are kept; order: an encoded spec with `prestart` (copied). */
int fn_stock_declare(struct fn_spawn_server *s, const char *kind, const void *order, size_t len);
/* Answers the request (FN_PROTO_READY) as soon as one of that kind is ready, or it is clear that none will be, or patience is at its end. */
void fn_stock_await(struct fn_spawn_server *s, const char *kind, uint64_t request);
unsigned fn_stock_count(const struct fn_spawn_server *s); /* of all kinds, with those that are being built */
/* "sandbox":4,"python3.11-852e287230eb":2 - what is ready, as members of a JSON object. */
void fn_stock_describe(const struct fn_spawn_server *s, char *buf, size_t size);

#endif
