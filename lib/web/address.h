/* address.h - where to listen or connect: "127.0.0.1:3001", "[::1]:3001", "localhost:3001". Pure. */
#ifndef FN_WEB_ADDRESS_H
#define FN_WEB_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

/* key: what names it, for err; *ret_loopback: only this machine can reach it. */
int fn_address_parse(const char *text, const char *key, struct sockaddr_storage *ret, socklen_t *ret_len, bool *ret_loopback, struct fn_err *err);
/* Of a socket in a directory, by the directory's descriptor: its path may be longer than an address. It holds as long as that is open. -ENAMETOOLONG: so is this. */
int fn_address_at(int dir_fd, const char *name, struct sockaddr_un *ret);

#endif
