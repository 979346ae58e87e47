/*
 * cleaner.h - forgets addresses of a `nat` network: the elements of sets that name them, and the connections that the kernel still tracks for
 * them. A process of its own, forked at fn-spawnd's start and nice to all others, since looking for connections takes 10 to 200 ms
 * (os/flows.h) and fn-spawnd has one thread. It ends with fn-spawnd.
 */
#ifndef FN_SPAWN_CLEANER_H
#define FN_SPAWN_CLEANER_H

#include "os/net.h"

#define FN_CLEANER_MOST 4096u /* slots in one request */

struct fn_cleaner;
/* The child has its own copy of net. */
int fn_cleaner_open(struct fn_net *net, const struct fn_subnet *subnet, struct fn_cleaner **ret, struct fn_err *err);
void fn_cleaner_close(struct fn_cleaner *c); /* NULL is fine */
int fn_cleaner_fd(const struct fn_cleaner *c); /* readable: there is an answer */
/* One request at a time: these slots' addresses, whose ports have gone. */
int fn_cleaner_ask(struct fn_cleaner *c, const uint32_t *slots, size_t n);
/* 0: done; else -errno (-EPIPE: the child has died), and the addresses may not be given again. */
int fn_cleaner_answer(struct fn_cleaner *c, struct fn_err *err);

#endif
