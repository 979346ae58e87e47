/*
 * origin.h - whom a request without a signature comes from, as far as a browser tells: a page of somebody else's must neither call the API of
 * a developer's own machine, nor read it under a name that it has led to 127.0.0.1 (DNS rebinding).
 * Sources: Fetch standard ("Origin" header), W3C Fetch Metadata Request Headers (Sec-Fetch-Site), RFC 6761 6.3 (localhost).
 *
 * Who signs a request is not judged: a page does not have the key.
 */
#ifndef FN_WEB_ORIGIN_H
#define FN_WEB_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

struct fn_http_req;

/* Is the Host (perhaps with a port; NULL = none was sent) this machine's loopback, or one of `hosts`? Pure. */
bool fn_host_allowed(const char *host, char *const *hosts, size_t n_hosts);
/* Is the Origin this host itself? Pure. */
bool fn_origin_same(const char *origin, const char *host);
/* What a request has to prove. */
enum fn_proof {
	FN_PROOF_NONE,      /* the kernel has told whom it is from: it has come by the control socket */
	FN_PROOF_ORIGIN,    /* fn_origin_fault() */
	FN_PROOF_SIGNATURE, /* there are credentials */
	FN_PROOF_SANDBOX,   /* it has come by a sandbox's platform endpoint: sandbox.h */
};
enum fn_proof fn_proof_wanted(const struct fn_http_req *req, size_t n_credentials);

/* Does it say that it is signed, in whichever way? */
bool fn_request_signed(const struct fn_http_req *req);

/* NULL = the request may come in without a signature; else why not, in words. */
const char *fn_origin_fault(const struct fn_http_req *req, char *const *hosts, size_t n_hosts);

#endif
