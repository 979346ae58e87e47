/*
 * party.h - connections of httpd.h's server that belong together and were accepted elsewhere: those of one sandbox. Runs on the loop's thread.
 *
 * Its owner embeds it and says when it goes; it is freed by release() when the owner, the last connection and the last request have let go of it. While it
 * is held nothing of it is handed to handlers: requests wait until it is let go on.
 */
#ifndef FN_WEB_PARTY_H
#define FN_WEB_PARTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct fn_httpd;

struct fn_http_party {
	unsigned refs, n_conns;
	uint64_t peer;         /* what its bodies count for, and by which it gives way: another for each party (bodies.h, crowd.h) */
	bool holds;
	struct fn_list conns;  /* of struct fn_http_req */
	struct fn_list held;
	void (*left)(struct fn_http_party *p);    /* one of its connections has gone */
	void (*release)(struct fn_http_party *p);
};

void fn_http_party_init(struct fn_http_party *p, uint64_t peer, void (*left)(struct fn_http_party *p), void (*release)(struct fn_http_party *p)); /* refs: 1 */
void fn_http_party_unref(struct fn_http_party *p); /* NULL is fine */
/* Serves a connected, non-blocking stream socket of its (takes fd, also on failure). -ENOBUFS: there are too many of all parties', and none that rests. */
int fn_httpd_add_party(struct fn_httpd *h, int fd, struct fn_http_party *p);
/* Ends the connection of its that has rested the longest. False: none rests. */
bool fn_http_party_make_room(struct fn_http_party *p);
void fn_http_party_hold(struct fn_http_party *p);
void fn_http_party_go_on(struct fn_http_party *p);
/* Its owner goes: all its connections end, what waited is dropped, and that of it which handlers have is answered to nobody. Takes the owner's reference. */
void fn_http_party_end(struct fn_http_party *p);

#endif
