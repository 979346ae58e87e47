/*
 * handover.h - client connections that go from fnd to fn-events with what has been read of them, and back: messages with a descriptor (SCM_RIGHTS) on a SEQPACKET connection
 * between the two, which fnd makes, to FN_HANDOVER_SOCKET. Both ends are here.
 *
 * fnd says first by what requests are judged: whether they must be signed, else under which names it may be asked. Then it gives the connections whose next request fn-events
 * may answer by itself: one of SQS, signed by a key of fnd's configuration (the account's root: there are no policies to be judged), or, where there are no credentials,
 * unsigned and not a strange web page's. With each goes the signing key of that day, region and service, of which no secret can be had back; it is good for that connection alone.
 * What fn-events cannot prove by that goes back, before a byte of its body is read: another service's, another key's or day's, one that has to be refused.
 * All connections end with the fnd that gave them: what it knew of keys and names ended with it. While it drains each has one more answer, as its own have.
 */
#ifndef FN_SERVICE_HANDOVER_H
#define FN_SERVICE_HANDOVER_H

#include "aws/authorization.h"
#include "aws/route.h"
#include "base/loop.h"
#include "web/httpd.h"

struct fn_grant {
	char key_id[132], date[12]; /* "" = where nothing is signed */
	uint8_t key[FN_SIGV4_KEY];
};

/* --- whether a request is one of those --- */
struct fn_direct_rules {
	bool is_signed; /* requests must be */
	char *const *hosts; /* fn_origin_fault()'s */
	size_t n_hosts;
	const char *region;
};
struct fn_direct {
	const struct fn_aws_operation *operation; /* NULL: of the query protocol, whose body tells */
	size_t body_max;
	struct fn_authorization signature;        /* where it must be signed: whose key it is has not been asked */
};
/* From ops->elsewhere: as far as its head tells. */
bool fn_direct_fits(const struct fn_http_req *req, const struct fn_direct_rules *rules, struct fn_direct *ret);

/* --- the messages --- */
struct fn_handover;
struct fn_handover_ops {
	/* The first message that fn-events gets. hosts hold until the call returns. */
	void (*hello)(void *arg, bool is_signed, char *const *hosts, size_t n_hosts);
	/* fd is the owner's. what: stays and grant are 0. */
	void (*came)(void *arg, int fd, const struct fn_http_handed *what, const struct fn_grant *grant);
	/* fnd drains: it gives no more, and those that it has given end with their next answer. May be NULL at fnd's end. */
	void (*last)(void *arg);
	/* The other process has gone. Frees it. */
	void (*lost)(void *arg);
};
/* Takes fd, also on failure. */
int fn_handover_new(struct fn_loop *loop, int fd, const struct fn_handover_ops *ops, void *arg, struct fn_handover **ret);
void fn_handover_free(struct fn_handover *h); /* from any callback too; NULL is fine */
int fn_handover_hello(struct fn_handover *h, bool is_signed, char *const *hosts, size_t n_hosts);
int fn_handover_last(struct fn_handover *h);
/* grant: NULL = back to fnd. -EAGAIN: too much is under way; -EMSGSIZE; -EPIPE. */
int fn_handover_send(struct fn_handover *h, int fd, const struct fn_http_handed *what, const struct fn_grant *grant);

#endif
