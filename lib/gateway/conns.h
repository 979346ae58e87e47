/*
 * conns.h - the connections of fn-gateway's clients: how many there may be, in all and of one address, and that each gets on. Any thread.
 *
 * A connection has HEAD_S seconds for a whole head after it is made, REST_S between requests, and STALL_S for each 16 KiB of a body it sends or an answer
 * it takes. Where all may be had, the one that has rested the longest gives way to a new one; of one address the new one is refused.
 */
#ifndef FN_GATEWAY_CONNS_H
#define FN_GATEWAY_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "gateway/proxies.h"

struct fn_gw_conns;

enum fn_gw_phase { FN_GW_BEGINS, FN_GW_RESTS, FN_GW_SENDS /* a body */, FN_GW_WAITS /* for us */, FN_GW_TAKES /* an answer */ };

struct fn_gw_conn {
	struct fn_list link;
	struct fn_gw_conns *all;
	int fd;
	struct fn_gw_peer peer;
	/* changed by its own thread, without a lock */
	_Atomic enum fn_gw_phase phase;
	_Atomic uint64_t since_us, moved;
};

int fn_gw_conns_new(unsigned most, unsigned most_of_peer, struct fn_gw_conns **ret);
void fn_gw_conns_free(struct fn_gw_conns *c);

/* May another of this peer come? Waits a moment for one that gives way; false = refuse it. */
bool fn_gw_conns_admit(struct fn_gw_conns *c, const struct fn_gw_peer *peer);
/* One that was admitted is on its way to who begins it: it is waited for (fn_gw_conns_gone()), as one that is there. fn_gw_conn_arrived() when it is there, or has come to nothing. */
void fn_gw_conn_coming(struct fn_gw_conns *c);
void fn_gw_conn_arrived(struct fn_gw_conns *c);
/* It is there; NULL on no memory. fd is borrowed until fn_gw_conn_end(). */
struct fn_gw_conn *fn_gw_conn_begin(struct fn_gw_conns *c, int fd, const struct fn_gw_peer *peer);
void fn_gw_conn_end(struct fn_gw_conn *conn);
/* What it does from now on; moved: bytes that it has sent or taken in doing so. */
void fn_gw_conn_phase(struct fn_gw_conn *conn, enum fn_gw_phase phase);
void fn_gw_conn_moved(struct fn_gw_conn *conn, uint64_t bytes);

/* Once a second: ends those that do not get on. */
void fn_gw_conns_look(struct fn_gw_conns *c);
/* Those that rest end now, the others after their answer: fn_gw_conns_ending(). One that has just been made, and may be in the midst of a handshake, has
 * LAST_HEAD_S from now on for its request. */
void fn_gw_conns_finish(struct fn_gw_conns *c);
bool fn_gw_conns_ending(struct fn_gw_conns *c);
bool fn_gw_conns_gone(struct fn_gw_conns *c); /* after fn_gw_conns_finish(): all of them, so that the process may end */

#endif
