/* journal.c - see journal.h. */
#include "events/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"

#define ENTRIES 4096u
#define DETAIL_MAX 200
#define WAITERS_MAX 64u

struct entry {
	uint64_t number, time_us, duration_us;
	unsigned records;
	const char *outcome, *source; /* constants */
	char *what, *function, *detail;
};

struct waiter {
	struct fn_list link;
	struct fn_journal *j;
	uint64_t after, timer;
	unsigned n;
	void (*done)(void *arg, json_t *events);
	void *arg;
};

struct fn_journal {
	struct fn_loop *loop;
	struct entry entries[ENTRIES]; /* by number % ENTRIES */
	uint64_t next;                 /* the number of the one to come; the first is 1 */
	struct fn_list waiters;
	unsigned n_waiters;
	bool draining;
	struct fn_deferred wake;
};

static json_t *page(const struct fn_journal *j, uint64_t after, unsigned n)
{
	uint64_t first = after + 1, oldest = j->next > ENTRIES ? j->next - ENTRIES : 1;
	json_t *list = json_array();

	if (first < oldest)
		first = oldest;
	for (; first < j->next && json_array_size(list) < n; first++) {
		const struct entry *e = &j->entries[first % ENTRIES];
		json_t *o = json_pack("{sI,sf,ss,ss,ss,ss,si,sf}", "Number", (json_int_t)e->number, "Time", (double)e->time_us / 1e6, "Source", e->source, "Id", e->what ? e->what : "",
				      "Function", e->function ? e->function : "", "Outcome", e->outcome, "Records", (int)e->records, "Duration", (double)e->duration_us / 1e3);

		if (o && e->detail)
			json_object_set_new(o, "Detail", json_string(e->detail));
		json_array_append_new(list, o);
	}
	return json_pack("{so,sI}", "Events", list, "Next", (json_int_t)(first - 1));
}

static void answer(struct waiter *w)
{
	json_t *events = page(w->j, w->after, w->n);

	fn_list_remove(&w->link);
	w->j->n_waiters--;
	fn_loop_clear(w->j->loop, &w->timer);
	w->done(w->arg, events);
	free(w);
}

static void on_timer(void *arg) { answer(arg); }

static void wake(void *arg)
{
	struct fn_journal *j = arg;

	fn_list_for_each_safe(l, &j->waiters)
		answer(fn_list_entry(l, struct waiter, link));
}

int fn_journal_new(struct fn_loop *loop, struct fn_journal **ret)
{
	struct fn_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->loop = loop;
	j->next = 1;
	j->wake = (struct fn_deferred){.fn = wake, .arg = j};
	fn_list_init(&j->waiters);
	*ret = j;
	return 0;
}

static void clear(struct entry *e)
{
	free(e->what);
	free(e->function);
	free(e->detail);
}

void fn_journal_drain(struct fn_journal *j)
{
	j->draining = true;
	wake(j);
}

void fn_journal_free(struct fn_journal *j)
{
	if (!j)
		return;
	fn_deferred_cancel(&j->wake);
	for (unsigned i = 0; i < ENTRIES; i++)
		clear(&j->entries[i]);
	free(j);
}

void fn_journal_add(struct fn_journal *j, const char *source, const char *what, const char *function, const char *outcome, unsigned records, uint64_t duration_us, const char *detail)
{
	struct entry *e = &j->entries[j->next % ENTRIES];

	clear(e);
	*e = (struct entry){.number = j->next++, .time_us = fn_clock_real_us(), .duration_us = duration_us, .records = records, .outcome = outcome, .source = source,
			    .what = what ? strdup(what) : NULL, .function = function ? strdup(function) : NULL, .detail = detail ? strndup(detail, DETAIL_MAX) : NULL};
	if (!fn_list_empty(&j->waiters))
		fn_loop_defer(j->loop, &j->wake);
}

void fn_journal_read(struct fn_journal *j, uint64_t after, unsigned n, uint64_t wait_us, void (*done)(void *arg, json_t *events), void *arg)
{
	struct waiter *w = NULL;

	if (after == 0 || after >= j->next)
		after = j->next - 1;
	if (after + 1 == j->next && wait_us > 0 && !j->draining && j->n_waiters < WAITERS_MAX)
		w = calloc(1, sizeof(*w));
	if (!w || fn_loop_add_timer(j->loop, fn_loop_now_us(j->loop) + wait_us, on_timer, w, &w->timer) < 0) {
		free(w);
		done(arg, page(j, after, n));
		return;
	}
	w->j = j;
	w->after = after;
	w->n = n;
	w->done = done;
	w->arg = arg;
	j->n_waiters++;
	fn_list_push_back(&j->waiters, &w->link);
}
