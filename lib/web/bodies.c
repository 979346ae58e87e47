/* bodies.c - see bodies.h. */
#include "web/bodies.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"

struct fn_bodies {
	struct fn_map *peers; /* -> struct share */
	uint64_t most, most_of_peer, bytes;
};

struct share {
	uint64_t bytes;
};

int fn_bodies_new(uint64_t most, uint64_t most_of_peer, struct fn_bodies **ret)
{
	struct fn_bodies *b = calloc(1, sizeof(*b));

	if (!b || fn_map_new(&b->peers) < 0) {
		free(b);
		return -ENOMEM;
	}
	b->most = most;
	b->most_of_peer = most_of_peer;
	*ret = b;
	return 0;
}

void fn_bodies_free(struct fn_bodies *b)
{
	struct share *s;
	size_t it = 0;

	if (!b)
		return;
	while ((s = fn_map_next(b->peers, &it)))
		free(s);
	fn_map_free(b->peers);
	free(b);
}

static bool fits(uint64_t have, uint64_t n, uint64_t most) { return have == 0 || (have <= most && n <= most - have); }

bool fn_bodies_take(struct fn_bodies *b, uint64_t peer, uint64_t n)
{
	struct share *s = fn_map_get_u64(b->peers, peer);

	if (!fits(b->bytes, n, b->most) || (s && !fits(s->bytes, n, b->most_of_peer)))
		return false;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || fn_map_set_u64(b->peers, peer, s, NULL) < 0) {
			free(s);
			return false;
		}
	}
	s->bytes += n;
	b->bytes += n;
	return true;
}

void fn_bodies_give(struct fn_bodies *b, uint64_t peer, uint64_t n)
{
	struct share *s = fn_map_get_u64(b->peers, peer);

	if (!s)
		return;
	b->bytes -= n;
	s->bytes -= n;
	if (s->bytes == 0)
		free(fn_map_remove_u64(b->peers, peer));
}

uint64_t fn_bodies_bytes(const struct fn_bodies *b) { return b->bytes; }
