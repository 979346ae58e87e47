/* attempts.c - see attempts.h. */
#include "sqs/attempts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define KEPT_US (300u * 1000000ull)
#define KEPT_MOST 1000

struct kept {
	struct fn_list link; /* the oldest first */
	struct fn_sqs_attempt a;
	uint64_t until_us;
	char key[];
};

static void drop(struct fn_sqs *sqs, struct kept *k)
{
	(void)fn_map_remove(sqs->attempts, k->key);
	fn_list_remove(&k->link);
	sqs->n_attempts--;
	json_decref(k->a.answer);
	free(k);
}

static char *key_of(const char *queue, const char *id)
{
	char *key;

	return asprintf(&key, "%s %s", queue, id) < 0 ? NULL : key;
}

static void drop_old(struct fn_sqs *sqs, unsigned most)
{
	uint64_t now_us = fn_clock_mono_us();

	while (!fn_list_empty(&sqs->attempts_list)) {
		struct kept *k = fn_list_entry(fn_list_first(&sqs->attempts_list), struct kept, link);

		if (k->until_us > now_us && sqs->n_attempts <= most)
			return;
		drop(sqs, k);
	}
}

const struct fn_sqs_attempt *fn_sqs_attempt_find(struct fn_sqs *sqs, const char *queue, const char *id)
{
	fn_auto_free char *key = key_of(queue, id);
	struct kept *k;

	drop_old(sqs, KEPT_MOST);
	k = key ? fn_map_get(sqs->attempts, key) : NULL;
	return k ? &k->a : NULL;
}

void fn_sqs_attempt_keep(struct fn_sqs *sqs, const char *queue, const char *id, const struct fn_sqs_attempt *a)
{
	fn_auto_free char *key = key_of(queue, id);
	struct kept *k = key ? fn_map_get(sqs->attempts, key) : NULL;

	if (k)
		drop(sqs, k);
	k = key ? malloc(sizeof(*k) + strlen(key) + 1) : NULL;
	if (!k)
		return; /* it cannot be repeated then */
	k->link = (struct fn_list){0};
	k->a = *a;
	json_incref(k->a.answer);
	k->until_us = fn_clock_mono_us() + KEPT_US;
	strcpy(k->key, key);
	if (fn_map_set(sqs->attempts, k->key, k, NULL) < 0) {
		json_decref(k->a.answer);
		free(k);
		return;
	}
	fn_list_push_back(&sqs->attempts_list, &k->link);
	sqs->n_attempts++;
	drop_old(sqs, KEPT_MOST);
}

void fn_sqs_attempts_free(struct fn_sqs *sqs)
{
	while (!fn_list_empty(&sqs->attempts_list))
		drop(sqs, fn_list_entry(fn_list_first(&sqs->attempts_list), struct kept, link));
}
