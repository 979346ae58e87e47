/*
 * writer.c - see writer.h. Two threads take turns at two roles: one *runs* closures in a transaction and commits it into the write-ahead log, one *syncs* the log, and both go on
 * at once: while the disk is waited for, what comes meanwhile is run, and one sync is enough for all of it. Whoever has committed syncs himself unless the other one
 * does; there is no hand-over between them where one client waits. With fn_db_writer_run_loop() the loop is a third role, and the thread that runs it a third to take turns: who has read
 * what one client waits for leaves the loop to one that rests and writes it; when there is nothing left to do he rests, or has the loop again. `checkpointer` has a connection that
 * copies the log into the database. With a redo log, whoever has made the record of a batch writes that, and leaves the batch, and then the loop, to one that rests; SQLite's log is
 * synced later, when nobody waits for it, by whoever has time, beside records that are written.
 *
 * SQLite is told synchronous=NORMAL, with which a commit is written and not synced, all else is (the log before it is copied, the database before the log begins anew, the new
 * log's header): a log whose end a power cut has taken is one with fewer commits, each of them whole. The sync that FULL would do at each commit is done here, before
 * anybody is told. A log that began anew between a commit and its sync had been copied, and synced, before.
 */
#include "db/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/thread.h"
#include "db/run.h"

#define WORKERS 2
#define SYNCED_AT_ONCE 2 /* told by the thread that has synced; of more the loop tells, and the next sync begins */

struct fn_db_writer {
	struct fn_db_run run; /* of whoever runs, but for the redo log's parts that are under the lock */
	sqlite3 *checkpoint_db;
	sqlite3_file *log; /* run.db's */
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
	pthread_mutex_t lock;
	pthread_cond_t wake, wake_checkpointer, idle;
	/* under the lock */
	struct fn_list queue, committed; /* to be run; told when the log is synced */
	struct fn_list recorded;	 /* to be run before `queue`: what is in `record`, and what goes with it */
	uint64_t record;
	bool running, syncing, flushing, looping; /* the roles */
	bool lends;      /* the loop is a role, too, and has not ended */
	int loop_result;
	unsigned resting, watching; /* watching: of those that rest, who look at the clock */
	bool stop, checkpoint_due, tidy;
	bool unsynced;                   /* there is something in the log that is not known to be on disk */
	bool log_due;                    /* and somebody of `committed` waits for that: it is in no record */
	uint64_t committed_record, written_record; /* the last one whose batch is in the log; that is on disk, there or as a record */
	bool at_once;                    /* which is to be there now, for all is to end */
	uint64_t sync_until_us, tidy_at_us;
};

/* Those that do not wait for the disk are told, the others wait for it. record: 0 = in none. all: nothing else of the record is still to be run. */
static void committed(struct fn_db_writer *w, struct fn_list *batch, uint64_t record, bool all)
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
	w->log_due = w->log_due || ((!record || w->run.no_records) && !fn_list_empty(batch));
	if (record && all)
		w->committed_record = record;
	fn_list_append(&w->committed, batch);
	pthread_mutex_unlock(&w->lock);
	fn_mailbox_post_all(w->outcomes, &early);
}

/* Locked, as all of these: left and entered so. */
static bool has_to_run(const struct fn_db_writer *w) { return !w->running && (!fn_list_empty(&w->recorded) || !fn_list_empty(&w->queue)); }

/* For those that wait for it, or because all is to end. */
static bool has_to_sync_log(const struct fn_db_writer *w) { return w->log_due || (w->unsynced && (w->at_once || w->stop)); }

/* Nobody waits for it, but it is time: beside records that are written. */
static bool has_to_flush(const struct fn_db_writer *w) { return w->unsynced && !w->log_due && !w->flushing && fn_clock_mono_us() >= w->sync_until_us; }

static bool record_due(const struct fn_db_writer *w) { return w->run.redo && !w->run.no_records && fn_db_redo_due(w->run.redo); }

/* Are there some at the head of `committed` whose record was on disk before they were committed? */
static bool has_to_tell(struct fn_db_writer *w)
{
	struct fn_list *first = fn_list_first(&w->committed);

	return first && fn_list_entry(first, struct fn_db_write, link)->record && fn_list_entry(first, struct fn_db_write, link)->record <= w->written_record;
}

/* The roles: who syncs tells those that wait. */
static bool has_to_sync(struct fn_db_writer *w) { return !w->syncing && (has_to_sync_log(w) || record_due(w) || has_to_tell(w)); }

static bool has_to_tidy(const struct fn_db_writer *w) { return w->tidy && !w->running && !w->stop && fn_list_empty(&w->queue) && fn_list_empty(&w->recorded) && fn_clock_mono_us() >= w->tidy_at_us; }

/* Locked, as all of these but for the making. True: there is a record, which we write, and one that rests runs the batch; false: we run it ourselves. */
static bool share(struct fn_db_writer *w, struct fn_list *queue, uint64_t *ret_record)
{
	bool made;

	pthread_mutex_unlock(&w->lock);
	made = fn_db_run_record(&w->run, queue);
	pthread_mutex_lock(&w->lock);
	*ret_record = made ? fn_db_redo_give(w->run.redo) : 0;
	if (*ret_record == 0 || w->syncing || w->resting == 0)
		return false;
	fn_list_append(&w->recorded, queue);
	w->record = *ret_record;
	return true;
}

static bool has_to_loop(const struct fn_db_writer *w) { return w->lends && !w->looping; }

/* left: we had the loop, which is for one that rests now. He is woken when there is something for it: what is told early, or when we wait for the disk. One that looks at the clock
 * takes it by himself should that be long in coming; where none does he is woken at once. Who runs a batch whose record another one writes has the loop after it himself. */
static void run_queue(struct fn_db_writer *w, bool left)
{
	bool recorded = !fn_list_empty(&w->recorded), at_once;
	struct fn_list queue, batch;
	uint64_t record = w->record;
	bool checkpoint;

	fn_list_take_over(&queue, recorded ? &w->recorded : &w->queue);
	w->running = true;
	if (!recorded && share(w, &queue, &record)) {
		w->running = false;
		return; /* to the record, at which one is woken for the batch */
	}
	at_once = (left || (recorded && has_to_loop(w))) && w->watching == 0 && w->resting > 0;
	pthread_mutex_unlock(&w->lock);
	if (at_once)
		pthread_cond_signal(&w->wake);
	while (!fn_list_empty(&queue)) {
		fn_db_run_transaction(&w->run, &queue, record, &batch);
		committed(w, &batch, record, fn_list_empty(&queue));
	}
	if (left && !at_once)
		pthread_cond_signal(&w->wake);
	checkpoint = fn_db_run_look_after_log(&w->run);
	pthread_mutex_lock(&w->lock);
	if (checkpoint) {
		w->checkpoint_due = true;
		pthread_cond_signal(&w->wake_checkpointer);
	}
	w->running = false;
	w->tidy = true;
	w->tidy_at_us = fn_clock_mono_us() + FN_DB_LAZY_US;
	if (recorded && !at_once && w->resting > 0 && (w->watching == 0 || (has_to_loop(w) && has_to_sync(w) && !has_to_tell(w))))
		pthread_cond_signal(&w->wake); /* nobody looks at the clock while we loop, or the loop is not ours yet */
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

/* Those at the head of `committed` whose record is on disk. */
static void take_written(struct fn_db_writer *w, struct fn_list *told)
{
	while (has_to_tell(w)) {
		struct fn_list *first = fn_list_first(&w->committed);

		fn_list_remove(first);
		fn_list_push_back(told, first);
	}
}

/* record: the last whose batch is in the log. */
static void sync_log(struct fn_db_writer *w, uint64_t record)
{
	int r = w->log->pMethods->xSync(w->log, SQLITE_SYNC_NORMAL);

	if (r != SQLITE_OK)
		fn_db_sync_failed(sqlite3_errstr(r), errno);
	if (!w->run.redo)
		return;
	pthread_mutex_lock(&w->lock);
	fn_db_redo_covered(w->run.redo, record);
	if (record > w->written_record) /* it may not have been written, and is not any more */
		w->written_record = record;
	pthread_mutex_unlock(&w->lock);
}

static void flush(struct fn_db_writer *w)
{
	uint64_t in_log = w->committed_record;

	w->flushing = true;
	w->unsynced = false;
	pthread_mutex_unlock(&w->lock);
	sync_log(w, in_log);
	pthread_mutex_lock(&w->lock);
	w->flushing = false;
}

/* False: there is no room for it (a file system that does not write in place). What was to be in it, and all that comes, waits for SQLite's log, which has it. */
static bool write_record(struct fn_db_writer *w)
{
	int r = fn_db_redo_write(w->run.redo);

	if (r == 0)
		return true;
	if (r != -ENOSPC)
		fn_db_sync_failed("the redo log", -r);
	pthread_mutex_lock(&w->lock);
	w->run.no_records = true;
	w->log_due = w->log_due || !fn_list_empty(&w->committed);
	pthread_mutex_unlock(&w->lock);
	return false;
}

/* SQLite's log where somebody waits for that, else records. */
static void sync_disk(struct fn_db_writer *w)
{
	bool log = has_to_sync_log(w), record = !log && record_due(w);
	uint64_t in_log = w->committed_record;
	struct fn_list told;

	fn_list_init(&told);
	w->syncing = true;
	if (log) {
		fn_list_append(&told, &w->committed);
		w->unsynced = false;
		w->log_due = false;
	} else if (record) {
		fn_db_redo_take(w->run.redo);
	}
	if (has_to_run(w))
		pthread_cond_signal(&w->wake); /* that is the other one's */
	pthread_mutex_unlock(&w->lock);
	if (log)
		sync_log(w, in_log);
	else if (record)
		record = write_record(w);
	if (!log) {
		pthread_mutex_lock(&w->lock);
		if (record && fn_db_redo_written(w->run.redo) > w->written_record)
			w->written_record = fn_db_redo_written(w->run.redo);
		take_written(w, &told);
		pthread_mutex_unlock(&w->lock);
	}
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
	more = fn_db_run_give_pages_back(&w->run);
	pthread_mutex_lock(&w->lock);
	w->running = false;
	w->tidy = more;
}

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

/* Until somebody wakes us, or until something is due that nobody wakes us for. */
static void rest(struct fn_db_writer *w)
{
	uint64_t at_us = UINT64_MAX;
	struct timespec until;

	if (fn_list_empty(&w->queue) && fn_list_empty(&w->recorded) && fn_list_empty(&w->committed) && !w->running && !w->syncing && !w->flushing && !(w->unsynced && w->at_once))
		pthread_cond_broadcast(&w->idle);
	if (w->unsynced && !w->log_due && !w->flushing)
		at_us = earlier(at_us, w->sync_until_us);
	if (!w->running && w->tidy)
		at_us = earlier(at_us, w->tidy_at_us);
	w->resting++;
	if (at_us == UINT64_MAX) {
		pthread_cond_wait(&w->wake, &w->lock);
	} else {
		w->watching++;
		until = (struct timespec){.tv_sec = (time_t)(at_us / 1000000u), .tv_nsec = (long)(at_us % 1000000u) * 1000};
		(void)pthread_cond_timedwait(&w->wake, &w->lock, &until);
		w->watching--;
	}
	w->resting--;
	if (has_to_loop(w) && (fn_list_empty(&w->recorded) || w->running)) /* before all else but what another one writes the record of: whoever has left it relies on that */
		run_loop(w);
}

/* Until this comes true, and there is nothing to be done. */
static void work(struct fn_db_writer *w, bool (*over)(const struct fn_db_writer *w))
{
	pthread_mutex_lock(&w->lock);
	for (;;) {
		if (has_to_sync(w))
			sync_disk(w);
		else if (has_to_run(w))
			run_queue(w, false);
		else if (has_to_flush(w))
			flush(w);
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
	wakes = !w->running && fn_list_empty(&w->queue) && fn_list_empty(&w->recorded); /* whoever runs looks for more */
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
	sqlite3_close(w->checkpoint_db);
	fn_db_run_close(&w->run);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->wake_checkpointer);
	pthread_cond_destroy(&w->idle);
	free(w);
}

/* Of the connection, which has it open. */
static int take_log(struct fn_db_writer *w, struct fn_err *err)
{
	if (sqlite3_file_control(w->run.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &w->log) != SQLITE_OK || !w->log || !w->log->pMethods)
		return fn_err_set(err, EIO, "database", "it has no write-ahead log");
	return 0;
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
	w->loop = loop;
	w->hand_over = (struct fn_deferred){.fn = hand_over, .arg = w};
	fn_list_init(&w->given);
	fn_list_init(&w->queue);
	fn_list_init(&w->recorded);
	fn_list_init(&w->committed);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&w->wake_checkpointer, NULL);
	pthread_cond_init(&w->idle, NULL);
	r = fn_db_run_open(&w->run, path, db, err);
	if (r == 0)
		r = take_log(w, err);
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

int fn_db_writer_use_redo(struct fn_db_writer *w, sqlite3 *db, uint64_t last, fn_db_replay_fn *replay, void *arg, struct fn_err *err)
{
	struct fn_db_redo *redo;
	int r = fn_db_redo_open(w->run.path, db, last, replay, arg, &redo, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&w->lock);
	w->run.redo = redo;
	pthread_mutex_unlock(&w->lock);
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

bool fn_db_writer_short_of_room(struct fn_db_writer *w) { return fn_db_run_short_of_room(&w->run); }

bool fn_db_writer_busy(const struct fn_db_writer *w) { return w->untold > 0; }

void fn_db_writer_drain(struct fn_db_writer *w)
{
	do {
		hand_over(w);
		pthread_mutex_lock(&w->lock);
		w->at_once = true;
		pthread_cond_broadcast(&w->wake);
		while (!fn_list_empty(&w->queue) || !fn_list_empty(&w->recorded) || !fn_list_empty(&w->committed) || w->running || w->syncing || w->flushing || w->unsynced)
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
