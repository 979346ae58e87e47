/* conns.c - see conns.h. */
#include "gateway/conns.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"

#define HEAD_S 20u
#define LAST_HEAD_S 5u /* where the process is about to end */
#define REST_S 75u
#define STALL_S 30u
#define STALL_BYTES 16384u
#define ROOM_WAIT_US 2000u
#define ROOM_WAITS 100

struct fn_gw_conns {
	pthread_mutex_t lock;
	struct fn_list list;
	struct fn_map *peers; /* key -> how many, as a number */
	unsigned n, coming, most, most_of_peer;
	_Atomic bool ending;
	uint64_t ending_us; /* since then */
};

int fn_gw_conns_new(unsigned most, unsigned most_of_peer, struct fn_gw_conns **ret)
{
	struct fn_gw_conns *c = calloc(1, sizeof(*c));

	if (!c || fn_map_new(&c->peers) < 0 || pthread_mutex_init(&c->lock, NULL)) {
		free(c);
		return -ENOMEM;
	}
	fn_list_init(&c->list);
	c->most = most;
	c->most_of_peer = most_of_peer;
	*ret = c;
	return 0;
}

void fn_gw_conns_free(struct fn_gw_conns *c)
{
	if (!c)
		return;
	fn_map_free(c->peers);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Locked, or its own thread: which sees the end of it, and calls fn_gw_conn_end(). */
static void give_way(struct fn_gw_conn *conn) { (void)shutdown(conn->fd, SHUT_RDWR); }

/* Locked. Those that have not begun a request, first the one that has been so the longest. */
static bool crowd_out(struct fn_gw_conns *c)
{
	struct fn_gw_conn *oldest = NULL;

	fn_list_for_each(l, &c->list)
	{
		struct fn_gw_conn *conn = fn_list_entry(l, struct fn_gw_conn, link);

		if ((conn->phase == FN_GW_RESTS || conn->phase == FN_GW_BEGINS) && (!oldest || conn->since_us < oldest->since_us))
			oldest = conn;
	}
	if (!oldest)
		return false;
	oldest->phase = FN_GW_TAKES; /* it is on its way out */
	give_way(oldest);
	return true;
}

bool fn_gw_conns_admit(struct fn_gw_conns *c, const struct fn_gw_peer *peer)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = peer->trusted || (uintptr_t)fn_map_get_u64(c->peers, peer->key) < c->most_of_peer;
	for (int i = 0; ok && c->n >= c->most && i < ROOM_WAITS; i++) {
		if (i == 0)
			ok = crowd_out(c);
		pthread_mutex_unlock(&c->lock);
		usleep(ROOM_WAIT_US);
		pthread_mutex_lock(&c->lock);
	}
	ok = ok && c->n < c->most;
	pthread_mutex_unlock(&c->lock);
	return ok;
}

void fn_gw_conn_coming(struct fn_gw_conns *c)
{
	pthread_mutex_lock(&c->lock);
	c->coming++;
	pthread_mutex_unlock(&c->lock);
}

void fn_gw_conn_arrived(struct fn_gw_conns *c)
{
	pthread_mutex_lock(&c->lock);
	c->coming--;
	pthread_mutex_unlock(&c->lock);
}

struct fn_gw_conn *fn_gw_conn_begin(struct fn_gw_conns *c, int fd, const struct fn_gw_peer *peer)
{
	struct fn_gw_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->all = c;
	conn->fd = fd;
	conn->peer = *peer;
	conn->since_us = fn_clock_mono_us();
	pthread_mutex_lock(&c->lock);
	fn_list_push_back(&c->list, &conn->link);
	c->n++;
	(void)fn_map_set_u64(c->peers, peer->key, (void *)((uintptr_t)fn_map_get_u64(c->peers, peer->key) + 1), NULL);
	pthread_mutex_unlock(&c->lock);
	return conn;
}

void fn_gw_conn_end(struct fn_gw_conn *conn)
{
	struct fn_gw_conns *c = conn->all;
	uintptr_t n;

	pthread_mutex_lock(&c->lock);
	fn_list_remove(&conn->link);
	c->n--;
	n = (uintptr_t)fn_map_get_u64(c->peers, conn->peer.key);
	if (n <= 1)
		(void)fn_map_remove_u64(c->peers, conn->peer.key);
	else
		(void)fn_map_set_u64(c->peers, conn->peer.key, (void *)(n - 1), NULL);
	pthread_mutex_unlock(&c->lock);
	free(conn);
}

void fn_gw_conn_phase(struct fn_gw_conn *conn, enum fn_gw_phase phase)
{
	conn->moved = 0;
	conn->since_us = fn_clock_mono_us();
	conn->phase = phase;
	if (phase == FN_GW_RESTS && conn->all->ending) /* or fn_gw_conns_finish() sees the phase */
		give_way(conn);
}

void fn_gw_conn_moved(struct fn_gw_conn *conn, uint64_t bytes)
{
	if (atomic_fetch_add(&conn->moved, bytes) + bytes < STALL_BYTES)
		return;
	conn->moved = 0;
	conn->since_us = fn_clock_mono_us();
}

void fn_gw_conns_look(struct fn_gw_conns *c)
{
	static const unsigned limit_s[] = {[FN_GW_BEGINS] = HEAD_S, [FN_GW_RESTS] = REST_S, [FN_GW_SENDS] = STALL_S, [FN_GW_TAKES] = STALL_S};
	uint64_t now = fn_clock_mono_us();
	bool last;

	pthread_mutex_lock(&c->lock);
	last = c->ending && now > c->ending_us + LAST_HEAD_S * UINT64_C(1000000);
	fn_list_for_each(l, &c->list)
	{
		struct fn_gw_conn *conn = fn_list_entry(l, struct fn_gw_conn, link);
		enum fn_gw_phase phase = conn->phase;

		if (phase != FN_GW_WAITS && ((last && phase == FN_GW_BEGINS) || conn->since_us + limit_s[phase] * UINT64_C(1000000) < now))
			give_way(conn);
	}
	pthread_mutex_unlock(&c->lock);
}

void fn_gw_conns_finish(struct fn_gw_conns *c)
{
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	c->ending_us = fn_clock_mono_us();
	fn_list_for_each(l, &c->list)
	{
		struct fn_gw_conn *conn = fn_list_entry(l, struct fn_gw_conn, link);

		if (conn->phase == FN_GW_RESTS)
			give_way(conn);
	}
	pthread_mutex_unlock(&c->lock);
}

bool fn_gw_conns_ending(struct fn_gw_conns *c) { return c->ending; }

bool fn_gw_conns_gone(struct fn_gw_conns *c)
{
	bool gone;

	pthread_mutex_lock(&c->lock);
	/* that one was to come and did not is never told where there was no memory for it */
	gone = c->n == 0 && (c->coming == 0 || fn_clock_mono_us() > c->ending_us + LAST_HEAD_S * UINT64_C(1000000));
	pthread_mutex_unlock(&c->lock);
	return gone;
}
