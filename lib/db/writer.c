/* writer.c - see writer.h. Two threads: `writer` has the connection that writes, `checkpointer` one that copies the log into the database. */
#include "db/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/thread.h"

/* Pages of the write-ahead log. The checkpointer copies what there is beside a writer that goes on, so that the log begins anew only when that rests
 * for a moment; where it never does, the writer copies the remainder itself. */
#define CHECKPOINT_PAGES 1000
#define CHECKPOINT_PAGES_MOST 8000
/* Free pages that may stay in the file, and how many are given back at a time, while nothing is to be written. */
#define FREE_PAGES 256
#define FREE_PAGES_AT_ONCE 64

struct fn_db_writer {
	sqlite3 *db, *checkpoint_db;
	pthread_t writer, checkpointer;
	struct fn_mailbox *outcomes;
	unsigned untold; /* the loop's */
	int log_pages, asked_at; /* the writer's: pages of the log, now and when a checkpoint was last asked for */
	pthread_mutex_t lock;
	pthread_cond_t wake, wake_checkpointer, idle;
	/* under the lock */
	struct fn_list queue;
	bool at_work, stop, checkpoint_due;
	bool urgent;          /* somebody waits for one that is in the queue */
	uint64_t lazy_until_us; /* when it is done in any case */
};

/* --- the writer's thread --- */
/* False: with it all of the transaction is undone, as SQLite does when the disk is full in the midst of a statement. */
static bool run_one(struct fn_db_writer *w, struct fn_db_write *one)
{
	one->result = fn_db_exec(w->db, "SAVEPOINT one", &one->err);
	if (one->result == 0)
		one->result = one->run(one, w->db, &one->err);
	if (one->result == 0)
		one->result = fn_db_exec(w->db, "RELEASE one", &one->err);
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

static void tell(struct fn_db_writer *w, struct fn_list *batch)
{
	while (!fn_list_empty(batch)) {
		struct fn_list *l = fn_list_first(batch);

		fn_list_remove(l);
		fn_mailbox_post(w->outcomes, l);
	}
}

/* One transaction of what is in `queue`, or of as much of it as there can be: the rest stays there. */
static void transaction(struct fn_db_writer *w, struct fn_list *queue)
{
	struct fn_list batch;
	struct fn_err err;
	int r = fn_db_exec(w->db, "BEGIN IMMEDIATE", &err);
	bool whole = true;

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
		r = fn_db_end(w->db, 0, &err);
	if (r < 0)
		fail(&batch, &err);
	tell(w, &batch);
}

static int on_log(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct fn_db_writer *w = arg;

	(void)db;
	(void)name;
	w->log_pages = pages;
	return SQLITE_OK;
}

static void look_after_log(struct fn_db_writer *w)
{
	if (w->log_pages < w->asked_at) /* it has begun anew */
		w->asked_at = 0;
	if (w->log_pages - w->asked_at < CHECKPOINT_PAGES)
		return;
	w->asked_at = w->log_pages;
	if (w->log_pages >= CHECKPOINT_PAGES_MOST) {
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

/* Locked. Until there is something to do: it is due now, or somebody waits for it. */
static void wait_for_work(struct fn_db_writer *w, bool tidy)
{
	while (!w->urgent && !w->stop && !tidy) {
		struct timespec until = {.tv_sec = (time_t)(w->lazy_until_us / 1000000u), .tv_nsec = (long)(w->lazy_until_us % 1000000u) * 1000};

		if (fn_list_empty(&w->queue)) {
			pthread_cond_signal(&w->idle);
			pthread_cond_wait(&w->wake, &w->lock);
		} else if (fn_clock_mono_us() >= w->lazy_until_us) {
			return;
		} else {
			(void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
		}
	}
}

static void *writer(void *arg)
{
	struct fn_db_writer *w = arg;
	struct fn_list queue;
	bool tidy = false;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		w->at_work = false;
		wait_for_work(w, tidy);
		if (fn_list_empty(&w->queue) && w->stop) {
			pthread_mutex_unlock(&w->lock);
			return NULL;
		}
		fn_list_take_over(&queue, &w->queue);
		w->urgent = false;
		w->at_work = !fn_list_empty(&queue);
		pthread_mutex_unlock(&w->lock);
		if (fn_list_empty(&queue)) {
			tidy = give_pages_back(w);
			continue;
		}
		while (!fn_list_empty(&queue))
			transaction(w, &queue);
		look_after_log(w);
		tidy = true;
	}
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
static void on_outcome(void *arg, struct fn_list *message)
{
	struct fn_db_writer *w = arg;
	struct fn_db_write *one = fn_list_entry(message, struct fn_db_write, link);

	w->untold--;
	one->done(one, one->result < 0 ? &one->err : NULL);
}

static void stop(struct fn_db_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_cond_signal(&w->wake_checkpointer);
	pthread_mutex_unlock(&w->lock);
}

static void release(struct fn_db_writer *w)
{
	fn_mailbox_free(w->outcomes);
	sqlite3_close(w->checkpoint_db);
	sqlite3_close(w->db);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->wake_checkpointer);
	pthread_cond_destroy(&w->idle);
	free(w);
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
	fn_list_init(&w->queue);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&w->wake_checkpointer, NULL);
	pthread_cond_init(&w->idle, NULL);
	(void)sqlite3_wal_hook(db, on_log, w); /* instead of SQLite's own, which has the writer do the checkpoints */
	r = sqlite3_open_v2(path, &w->checkpoint_db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK ? 0 : -EIO;
	if (r == 0)
		r = fn_db_exec(w->checkpoint_db, "PRAGMA synchronous=FULL", NULL);
	if (r == 0)
		r = fn_mailbox_new(loop, on_outcome, w, &w->outcomes);
	if (r == 0)
		r = fn_thread_start(&w->checkpointer, NULL, checkpointer, w);
	if (r < 0) {
		release(w);
		return fn_err_set(err, r, "database", "the writer");
	}
	r = fn_thread_start(&w->writer, NULL, writer, w);
	if (r < 0) {
		stop(w);
		pthread_join(w->checkpointer, NULL);
		release(w);
		return fn_err_set(err, r, "database", "the writer's thread");
	}
	*ret = w;
	return 0;
}

void fn_db_write(struct fn_db_writer *w, struct fn_db_write *what)
{
	bool first, wakes;

	w->untold++;
	what->link = (struct fn_list){0};
	pthread_mutex_lock(&w->lock);
	first = fn_list_empty(&w->queue);
	fn_list_push_back(&w->queue, &what->link);
	wakes = first || (!what->lazy && !w->urgent);
	if (first)
		w->lazy_until_us = fn_clock_mono_us() + FN_DB_LAZY_US;
	w->urgent = w->urgent || !what->lazy;
	if (wakes)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool fn_db_writer_busy(const struct fn_db_writer *w) { return w->untold > 0; }

void fn_db_writer_drain(struct fn_db_writer *w)
{
	while (w->untold > 0) {
		pthread_mutex_lock(&w->lock);
		w->urgent = !fn_list_empty(&w->queue);
		pthread_cond_signal(&w->wake);
		while (!fn_list_empty(&w->queue) || w->at_work)
			pthread_cond_wait(&w->idle, &w->lock);
		pthread_mutex_unlock(&w->lock);
		fn_mailbox_deliver(w->outcomes);
	}
}

void fn_db_writer_free(struct fn_db_writer *w)
{
	if (!w)
		return;
	fn_db_writer_drain(w);
	stop(w);
	pthread_join(w->writer, NULL);
	pthread_join(w->checkpointer, NULL);
	release(w);
}
