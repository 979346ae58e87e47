/*
 * crowd.h - who gives way when there are more connections than there may be: those that wait for nothing, of the peer that has most of them first,
 * and of its own the one that has rested longest. Pure.
 */
#ifndef FN_WEB_CROWD_H
#define FN_WEB_CROWD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct fn_crowd_one {
	uint64_t peer;     /* fn_crowd_peer() */
	uint64_t since_us; /* it rests */
	void *who;
	unsigned rank;     /* of fn_crowd_sort() */
};

/* Sorts: who gives way first comes first. Once the first n have gone, no peer had more than another of those that went, beyond what it had more. */
void fn_crowd_sort(struct fn_crowd_one *v, size_t n);
/* What counts as one peer: an IPv4 address, an IPv6 network of 64 bits; whatever else, together. */
uint64_t fn_crowd_peer(const struct sockaddr_storage *address);

#endif
