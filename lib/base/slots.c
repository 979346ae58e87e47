/* slots.c - see slots.h. A ring of free numbers: taken at its head, given back at its tail; a byte each tells what is in use. */
#include "base/slots.h"

#include <errno.h>
#include <stdlib.h>

struct fn_slots {
	uint32_t n, used, head; /* the free ones are ring[head] ... n - used of them */
	uint32_t *ring;
	uint8_t *in_use;
};

int fn_slots_new(uint32_t n, struct fn_slots **ret)
{
	struct fn_slots *s = n ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return n ? -ENOMEM : -EINVAL;
	s->n = n;
	s->ring = malloc(n * sizeof(*s->ring));
	s->in_use = calloc(n, 1);
	if (!s->ring || !s->in_use) {
		fn_slots_free(s);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		s->ring[i] = i;
	*ret = s;
	return 0;
}

void fn_slots_start_at(struct fn_slots *s, uint32_t first)
{
	for (uint32_t i = 0; i < s->n; i++)
		s->ring[i] = (uint32_t)(((uint64_t)first + i) % s->n);
}

void fn_slots_free(struct fn_slots *s)
{
	if (!s)
		return;
	free(s->ring);
	free(s->in_use);
	free(s);
}

int fn_slots_take(struct fn_slots *s, uint32_t *ret)
{
	uint32_t slot;

	if (s->used == s->n)
		return -EAGAIN;
	slot = s->ring[s->head];
	s->head = (s->head + 1) % s->n;
	s->used++;
	s->in_use[slot] = 1;
	*ret = slot;
	return 0;
}

void fn_slots_give(struct fn_slots *s, uint32_t slot)
{
	if (slot >= s->n || !s->in_use[slot])
		return;
	s->in_use[slot] = 0;
	s->ring[(uint32_t)(((uint64_t)s->head + s->n - s->used) % s->n)] = slot;
	s->used--;
}

uint32_t fn_slots_used(const struct fn_slots *s) { return s->used; }

uint32_t fn_slots_capacity(const struct fn_slots *s) { return s->n; }
