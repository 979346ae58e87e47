/*
 * slots.h - numbers 0..n-1 to hand out: uid ranges, addresses. A number given back is the last to be handed out again, so that
 * what still remembers its last owner (a late file, a peer's cache) has time to forget.
 */
#ifndef FN_BASE_SLOTS_H
#define FN_BASE_SLOTS_H

#include <stdint.h>

struct fn_slots;
int fn_slots_new(uint32_t n, struct fn_slots **ret); /* -ENOMEM, -EINVAL for n = 0 */
void fn_slots_free(struct fn_slots *s);              /* NULL is fine */
void fn_slots_start_at(struct fn_slots *s, uint32_t first); /* before the first is taken: that one (mod n) and what follows it, instead of 0 */
int fn_slots_take(struct fn_slots *s, uint32_t *ret); /* -EAGAIN: all are in use */
void fn_slots_give(struct fn_slots *s, uint32_t slot); /* one that is not in use is ignored */
uint32_t fn_slots_used(const struct fn_slots *s);
uint32_t fn_slots_capacity(const struct fn_slots *s);

#endif
