/*
 * bodies.h - how many bytes of requests' bodies are under way, of each peer (crowd.h) and in all: whoever would have more than that is refused before
 * a byte of his body is read. Pure.
 */
#ifndef FN_WEB_BODIES_H
#define FN_WEB_BODIES_H

#include <stdbool.h>
#include <stdint.h>

struct fn_bodies;

/* most: bytes in all; most_of_peer: of one peer. A body that is larger than that is taken while there is no other of the peer, or none at all. */
int fn_bodies_new(uint64_t most, uint64_t most_of_peer, struct fn_bodies **ret);
void fn_bodies_free(struct fn_bodies *b); /* NULL is fine */
/* May a body of n bytes (not 0) come? Then they count until fn_bodies_give() of as many. */
bool fn_bodies_take(struct fn_bodies *b, uint64_t peer, uint64_t n);
void fn_bodies_give(struct fn_bodies *b, uint64_t peer, uint64_t n);
uint64_t fn_bodies_bytes(const struct fn_bodies *b);

#endif
