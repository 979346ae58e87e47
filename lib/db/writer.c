/*
 * writer.c - see writer.h. Two threads take turns at two roles: one *runs* closures in a transaction and commits it into the write-ahead log, one *syncs* the log, and both go on
 * at once: while the disk is waited for, what comes meanwhile is run, and one sync is enough for all of it. Whoever has committed syncs himself unless the other one
 * does; there is no hand-over between them where one client waits. With fn_db_writer_run_loop() the loop is a third role, and the thread that runs it a third to take turns: who has read
 * what one client waits for leaves the loop to one that rests and writes it; when there is nothing left to do he rests, or has the loop again. `checkpointer` has a connection that
 * copies the log into the database.
 *
 * SQLite is told synchronous=NORMAL, with which a commit is written and not synced, all else is (the log before it is copied, the database before the log begins anew, the new
 * log's header): a log whose end a power cut has taken is one with fewer commits, each of them whole. The sync that FULL would do at each commit is done here, before
 * anybody is told. A log that began anew between a commit and its sync had been copied, and synced, before.
 */
#include "db/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"

/* Pages of the write-ahead log. The checkpointer copies what there is beside a writer that goes on, so that the log begins anew only when that rests
 * for a moment; where it never does, the writer copies the remainder itself. */
#define CHECKPOINT_PAGES 1000
#define CHECKPOINT_PAGES_MOST 8000
#define CHECKPOINT_PAGES_FULL 200 /* where there is hardly any room: it copies at once */
/* Free pages that may stay in the file, and how many are given back at a time, while nothing is to be written. */
#define FREE_PAGES 256
#define FREE_PAGES_AT_ONCE 64
#define WORKERS 2
#define SYNCED_AT_ONCE 2 /* told by the thread that has synced; of more the loop tells, and the next sync begins */
/* Room on the disk for what is written while what is there already is brought to an end, beside the copy of the log. */
#define ROOM_BYTES (4u << 20)

enum { BEGIN, COMMIT, SAVE, RELEASE, STATEMENTS };

struct fn_db_writer {
	char *path;
	sqlite3 *db, *checkpoint_db; /* db, statements, log_pages, asked_at, full, room: whoever runs */
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3_file *log; /* db's */
	pthread_t workers[WORKERS], checkpointer;
	unsigned n_workers;
	bool has_checkpointer;
	struct fn_mailbox *outcomes;
	/* the loop's. What is given in one of its rounds is handed over at the end of that: one lock, one wake, one transaction. What nobody waits for stays here until then, or
	 * until lazy_timer. */
	struct fn_loop *loop;
	struct fn_list given;
	struct fn_deferred hand_over;
	uint64_t lazy_timer;
	unsigned untold, waiting; /* waiting: of those that somebody waits for the disk for */
	int log_pages, asked_at; /* pages of the log, now and when a checkpoint was last asked for */
	int64_t page_bytes;
	bool full; /* there was no room for what was to be written */
	enum { UNKNOWN, ENOUGH, SHORT } room; /* on the disk, as looked at in this transaction */
	pthread_mutex_t lock;
	pthread_cond_t wake, wake_checkpointer, idle;
	/* under the lock */
	struct fn_list queue, committed; /* to be run; told when the log is synced */
	bool running, syncing, looping, watched; /* the roles; watched: one of those that rest looks at the clock */
	bool lends;      /* the loop is a role, too, and has not ended */
	int loop_result;
	unsigned resting;
	bool stop, checkpoint_due, tidy;
	bool unsynced;                   /* there is something in the log that is not known to be on disk */
	bool at_once;                    /* which is to be there now, for all is to end */
	uint64_t sync_until_us, tidy_at_us;
};

/* --- who runs --- */
static int statement(struct fn_db_writer *w, int which, struct fn_err *err)
{
	static const char *const text[] = {[BEGIN] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT", [SAVE] = "SAVEPOINT one", [RELEASE] = "RELEASE one"};
	sqlite3_stmt **st = &w->statements[which];
	int r = *st ? SQLITE_OK : sqlite3_prepare_v3(w->db, text[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(*st);
	if (r == SQLITE_DONE) {
		(void)sqlite3_reset(*st);
		return 0;
	}
	r = fn_db_failed(w->db, "database", err);
	if (which == COMMIT)
		fn_db_check_sync(w->db);
	(void)sqlite3_reset(*st);
	return r;
}

/* False: with it all of the transaction is undone, as SQLite does when the disk is full in the midst of a statement. */
static bool run_one(struct fn_db_writer *w, struct fn_db_write *one)
{
	one->result = statement(w, SAVE, &one->err);
	if (one->result == 0)
		one->result = one->run(one, w->db, &one->err);
	if (one->result == 0)
		one->result = statement(w, RELEASE, &one->err);
	if (one->result < 0 && !sqlite3_get_autocommit(w->db))
		(void)fn_db_exec(w->db, "ROLLBACK TO one; RELEASE one", NULL);
	return !sqlite3_get_autocommit(w->db);
}

static void fail(struct fn_list *batch, const struct fn_err *why)
{
	fn_list_for_each(l, batch)
	{
		struct fn_db_write *one = fn_list_entry(l, struct fn_db_write, link);

		if (one->result < 0)
			continue;
		one->result = -why->code;
		one->err = *why;
	}
}

/* Those that do not wait for the disk are told, the others wait for it. */
static void committed(struct fn_db_writer *w, struct fn_list *batch)
{
	struct fn_list early;

	fn_list_init(&early);
	fn_list_for_each_safe(l, batch)
	{
		if (!fn_list_entry(l, struct fn_db_write, link)->early)
			continue;
		fn_list_remove(l);
		fn_list_push_back(&early, l);
	}
	pthread_mutex_lock(&w->lock);
	if (!w->unsynced)
		w->sync_until_us = fn_clock_mono_us() + FN_DB_LAZY_US;
	w->unsynced = true;
	fn_list_append(&w->committed, batch);
	pthread_mutex_unlock(&w->lock);
	fn_mailbox_post_all(w->outcomes, &early);
}

/* One transaction of what is in `queue`, or of as much of it as there can be: the rest stays there. */
static void transaction(struct fn_db_writer *w, struct fn_list *queue)
{
	struct fn_list batch;
	struct fn_err err;
	int r = statement(w, BEGIN, &err);
	bool whole = true;

	w->room = UNKNOWN;
	fn_list_init(&batch);
	while (!fn_list_empty(queue) && whole) {
		struct fn_db_write *one = fn_list_entry(fn_list_first(queue), struct fn_db_write, link);

		fn_list_remove(&one->link);
		fn_list_push_back(&batch, &one->link);
		one->result = 0;
		if (r == 0)
			whole = run_one(w, one);
		if (!whole) {
			err = one->err;
			r = one->result;
		}
	}
	if (r == 0)
		r = statement(w, COMMIT, &err);
	if (r < 0 && !sqlite3_get_autocommit(w->db)) /* a full disk may have undone it already */
		(void)fn_db_exec(w->db, "ROLLBACK", NULL);
	if (r < 0)
		fail(&batch, &err);
	w->full = w->full || r == -ENOSPC;
	committed(w, &batch);
}

static int on_log(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct fn_db_writer *w = arg;

	(void)db;
	(void)name;
	w->log_pages = pages;
	return SQLITE_OK;
}

bool fn_db_writer_short_of_room(struct fn_db_writer *w)
{
	struct statvfs v;

	if (w->room == UNKNOWN)
		w->room = statvfs(w->path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < (uint64_t)w->log_pages * (uint64_t)w->page_bytes + ROOM_BYTES ? SHORT : ENOUGH;
	return w->room == SHORT;
}

static void look_after_log(struct fn_db_writer *w)
{
	bool full;

	if (w->log_pages < w->asked_at) /* it has begun anew */
		w->asked_at = 0;
	/* of a log that has been copied the place is used again */
	full = w->full || (w->log_pages - w->asked_at >= CHECKPOINT_PAGES_FULL && fn_db_writer_short_of_room(w));
	w->full = false;
	if (w->log_pages - w->asked_at < CHECKPOINT_PAGES && !full)
		return;
	w->asked_at = w->log_pages;
	if (w->log_pages >= CHECKPOINT_PAGES_MOST || full) {
		if (sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
			fn_db_check_sync(w->db);
		return;
	}
	pthread_mutex_lock(&w->lock);
	w->checkpoint_due = true;
	pthread_cond_signal(&w->wake_checkpointer);
	pthread_mutex_unlock(&w->lock);
}

/* A few at a time; true: there are more. */
static bool give_pages_back(struct fn_db_writer *w)
{
	int64_t n = 0;
	char sql[64];

	if (fn_db_number(w->db, "PRAGMA freelist_count", &n, NULL) < 0 || n <= FREE_PAGES)
		return false;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", FREE_PAGES_AT_ONCE);
	if (fn_db_exec(w->db, sql, NULL) == 0)
		return true;
	fn_db_check_sync(w->db);
	return false;
}

/* Locked, as all of these: left and entered so. */
static bool has_to_run(const struct fn_db_writer *w) { return !w->running && !fn_list_empty(&w->queue); }

static bool has_to_sync(const struct fn_db_writer *w)
{
	return !w->syncing && (!fn_list_empty(&w->committed) || (w->unsynced && (w->at_once || w->stop || fn_clock_mono_us() >= w->sync_until_us)));
}

static bool has_to_tidy(const struct fn_db_writer *w) { return w->tidy && !w->running && !w->stop && fn_list_empty(&w->queue) && fn_clock_mono_us() >= w->tidy_at_us; }

/* left: we had the loop, which is for one that rests now. He is woken when there is something for it: what is told early, or when we wait for the disk. One that looks at the clock
 * takes it by himself should that be long in coming; where none does he is woken at once. */
static void run_queue(struct fn_db_writer *w, bool left)
{
	bool at_once = left && !w->watched;
	struct fn_list queue;

	fn_list_take_over(&queue, &w->queue);
	w->running = true;
	pthread_mutex_unlock(&w->lock);
	if (at_once)
		pthread_cond_signal(&w->wake);
	while (!fn_list_empty(&queue))
		transaction(w, &queue);
	if (left && !at_once)
		pthread_cond_signal(&w->wake);
	look_after_log(w);
	pthread_mutex_lock(&w->lock);
	w->running = false;
	w->tidy = true;
	w->tidy_at_us = fn_clock_mono_us() + FN_DB_LAZY_US;
}

static void tell_synced(struct fn_list *told)
{
	unsigned n = 0;

	fn_list_for_each(l, told)
	{
		struct fn_db_write *one = fn_list_entry(l, struct fn_db_write, link);

		n += one->synced && one->result == 0;
	}
	if (n > SYNCED_AT_ONCE)
		return;
	fn_list_for_each(l, told)
	{
		struct fn_db_write *one = fn_list_entry(l, struct fn_db_write, link);

		if (one->synced && one->result == 0)
			one->synced(one);
	}
}

static void sync_log(struct fn_db_writer *w)
{
	struct fn_list told;
	int r;

	fn_list_take_over(&told, &w->committed);
	w->syncing = true;
	w->unsynced = false;
	if (has_to_run(w))
		pthread_cond_signal(&w->wake); /* that is the other one's */
	pthread_mutex_unlock(&w->lock);
	r = w->log->pMethods->xSync(w->log, SQLITE_SYNC_NORMAL);
	if (r != SQLITE_OK)
		fn_db_sync_failed(sqlite3_errstr(r), errno);
	tell_synced(&told);
	fn_mailbox_post_all(w->outcomes, &told);
	pthread_mutex_lock(&w->lock);
	w->syncing = false;
}

static void tidy(struct fn_db_writer *w)
{
	bool more;

	w->running = true;
	pthread_mutex_unlock(&w->lock);
	more = give_pages_back(w);
	pthread_mutex_lock(&w->lock);
	w->running = false;
	w->tidy = more;
}

static bool has_to_loop(const struct fn_db_writer *w) { return w->lends && !w->looping; }

static void run_loop(struct fn_db_writer *w)
{
	int r;

	w->looping = true;
	do {
		pthread_mutex_unlock(&w->lock);
		r = fn_loop_run(w->loop);
		pthread_mutex_lock(&w->lock);
	} while (r == 1 && !(has_to_run(w) && w->resting > 0)); /* else those that have woken by themselves meanwhile look for what is to be written */
	w->looping = false;
	if (r == 1) {
		run_queue(w, true);
		return;
	}
	w->lends = false;
	w->loop_result = r;
	pthread_cond_broadcast(&w->wake);
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Until somebody wakes us, or until something is due that nobody wakes us for: one of us is enough for that. */
static void rest(struct fn_db_writer *w)
{
	uint64_t at_us = UINT64_MAX;
	struct timespec until;

	if (fn_list_empty(&w->queue) && fn_list_empty(&w->committed) && !w->running && !w->syncing && !(w->unsynced && w->at_once))
		pthread_cond_broadcast(&w->idle);
	if (!w->syncing && w->unsynced)
		at_us = earlier(at_us, w->sync_until_us);
	if (!w->running && w->tidy)
		at_us = earlier(at_us, w->tidy_at_us);
	w->resting++;
	if (at_us == UINT64_MAX || w->watched) {
		pthread_cond_wait(&w->wake, &w->lock);
	} else {
		w->watched = true;
		until = (struct timespec){.tv_sec = (time_t)(at_us / 1000000u), .tv_nsec = (long)(at_us % 1000000u) * 1000};
		(void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
		w->watched = false;
	}
	w->resting--;
	if (has_to_loop(w)) /* before all else: whoever has left it relies on that */
		run_loop(w);
}

/* Until this comes true, and there is nothing to be done. */
static void work(struct fn_db_writer *w, bool (*over)(const struct fn_db_writer *w))
{
	pthread_mutex_lock(&w->lock);
	for (;;) {
		if (has_to_sync(w))
			sync_log(w);
		else if (has_to_run(w))
			run_queue(w, false);
		else if (has_to_loop(w))
			run_loop(w);
		else if (over(w)) /* what the others are at they bring to its end themselves */
			break;
		else if (has_to_tidy(w))
			tidy(w);
		else
			rest(w);
	}
	pthread_mutex_unlock(&w->lock);
}

static bool stopped(const struct fn_db_writer *w) { return w->stop; }
static bool loop_ended(const struct fn_db_writer *w) { return !w->lends; }

static void *worker(void *arg)
{
	work(arg, stopped);
	return NULL;
}

/* --- the checkpointer's --- */
static void *checkpointer(void *arg)
{
	struct fn_db_writer *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (!w->checkpoint_due) {
			pthread_cond_wait(&w->wake_checkpointer, &w->lock);
			continue;
		}
		w->checkpoint_due = false;
		pthread_mutex_unlock(&w->lock);
		if (sqlite3_wal_checkpoint_v2(w->checkpoint_db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
			fn_db_check_sync(w->checkpoint_db); /* else the next commit asks again */
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- the loop's --- */
static bool waits(const struct fn_db_write *w) { return !w->lazy && !w->early; }

static void hand_over(void *arg)
{
	struct fn_db_writer *w = arg;
	bool wakes, leaves;

	if (fn_list_empty(&w->given))
		return;
	(void)fn_loop_rearm_timer(w->loop, w->lazy_timer, UINT64_MAX);
	pthread_mutex_lock(&w->lock);
	wakes = !w->running && fn_list_empty(&w->queue); /* whoever runs looks for more */
	leaves = wakes && w->looping && w->resting > 0 && w->waiting == 1; /* where several wait, the loop has more to do than to change hands */
	fn_list_append(&w->queue, &w->given);
	pthread_mutex_unlock(&w->lock);
	if (leaves)
		fn_loop_leave(w->loop);
	else if (wakes)
		pthread_cond_signal(&w->wake);
}

static void on_outcome(void *arg, struct fn_list *message)
{
	struct fn_db_writer *w = arg;
	struct fn_db_write *one = fn_list_entry(message, struct fn_db_write, link);

	w->untold--;
	w->waiting -= waits(one);
	one->done(one, one->result < 0 ? &one->err : NULL);
}

static void stop(struct fn_db_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->wake);
	pthread_cond_signal(&w->wake_checkpointer);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n_workers; i++)
		pthread_join(w->workers[i], NULL);
	if (w->has_checkpointer)
		pthread_join(w->checkpointer, NULL);
}

static void release(struct fn_db_writer *w)
{
	fn_deferred_cancel(&w->hand_over);
	fn_loop_clear(w->loop, &w->lazy_timer);
	fn_mailbox_free(w->outcomes);
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(w->statements[i]);
	sqlite3_close(w->checkpoint_db);
	sqlite3_close(w->db);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->wake_checkpointer);
	pthread_cond_destroy(&w->idle);
	free(w->path);
	free(w);
}

/* With the log open: it is from the first read on. */
static int take_log(struct fn_db_writer *w, struct fn_err *err)
{
	int64_t n;
	int r = fn_db_exec(w->db, "PRAGMA synchronous=NORMAL", err);

	if (r == 0)
		r = fn_db_number(w->db, "SELECT count(*) FROM sqlite_master", &n, err);
	if (r == 0 && (sqlite3_file_control(w->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &w->log) != SQLITE_OK || !w->log || !w->log->pMethods))
		r = fn_err_set(err, EIO, "database", "it has no write-ahead log");
	return r;
}

int fn_db_writer_new(struct fn_loop *loop, const char *path, sqlite3 *db, struct fn_db_writer **ret, struct fn_err *err)
{
	struct fn_db_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t monotonic;
	int r;

	if (!w) {
		sqlite3_close(db);
		return fn_err_set(err, ENOMEM, "database", NULL);
	}
	w->db = db;
	w->loop = loop;
	w->path = strdup(path);
	w->hand_over = (struct fn_deferred){.fn = hand_over, .arg = w};
	fn_list_init(&w->given);
	fn_list_init(&w->queue);
	fn_list_init(&w->committed);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&w->wake_checkpointer, NULL);
	pthread_cond_init(&w->idle, NULL);
	(void)sqlite3_wal_hook(db, on_log, w); /* instead of SQLite's own, which has the writer do the checkpoints */
	r = w->path ? take_log(w, err) : fn_err_set(err, ENOMEM, "database", NULL);
	if (r == 0)
		r = fn_db_number(db, "PRAGMA page_size", &w->page_bytes, err);
	if (r == 0)
		r = sqlite3_open_v2(path, &w->checkpoint_db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK ? 0 : fn_err_set(err, EIO, "database", "%.150s", path);
	if (r == 0)
		r = fn_db_exec(w->checkpoint_db, "PRAGMA synchronous=FULL", err);
	if (r == 0 && (r = fn_mailbox_new(loop, on_outcome, w, &w->outcomes)) < 0)
		fn_err_set(err, r, "database", "the writer");
	if (r == 0 && (r = fn_loop_add_timer(loop, UINT64_MAX, hand_over, w, &w->lazy_timer)) < 0)
		fn_err_set(err, r, "database", "the writer");
	if (r == 0 && !(w->has_checkpointer = fn_thread_start(&w->checkpointer, NULL, checkpointer, w) == 0))
		r = fn_err_set(err, EAGAIN, "database", "the checkpointer's thread");
	for (; r == 0 && w->n_workers < WORKERS; w->n_workers++)
		if (fn_thread_start(&w->workers[w->n_workers], NULL, worker, w) < 0) {
			r = fn_err_set(err, EAGAIN, "database", "the writer's threads");
			break;
		}
	if (r < 0) {
		stop(w);
		release(w);
		return r;
	}
	*ret = w;
	return 0;
}

int fn_db_writer_run_loop(struct fn_db_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->lends = true;
	pthread_mutex_unlock(&w->lock);
	work(w, loop_ended);
	return w->loop_result;
}

void fn_db_write(struct fn_db_writer *w, struct fn_db_write *what)
{
	w->untold++;
	w->waiting += waits(what);
	what->link = (struct fn_list){0};
	if (!what->lazy || (fn_list_empty(&w->given) && fn_loop_rearm_timer(w->loop, w->lazy_timer, fn_loop_now_us(w->loop) + FN_DB_LAZY_US) < 0))
		fn_loop_defer(w->loop, &w->hand_over);
	fn_list_push_back(&w->given, &what->link);
}

bool fn_db_writer_busy(const struct fn_db_writer *w) { return w->untold > 0; }

void fn_db_writer_drain(struct fn_db_writer *w)
{
	do {
		hand_over(w);
		pthread_mutex_lock(&w->lock);
		w->at_once = true;
		pthread_cond_broadcast(&w->wake);
		while (!fn_list_empty(&w->queue) || !fn_list_empty(&w->committed) || w->running || w->syncing || w->unsynced)
			pthread_cond_wait(&w->idle, &w->lock);
		w->at_once = false;
		pthread_mutex_unlock(&w->lock);
		fn_mailbox_deliver(w->outcomes);
	} while (w->untold > 0);
}

void fn_db_writer_free(struct fn_db_writer *w)
{
	if (!w)
		return;
	fn_db_writer_drain(w);
	stop(w);
	release(w);
}
