/*
 * tls.h - certificates and keys by name (SNI), for libmicrohttpd and for pass.c. They are the process's: loaded once, before there are threads; others take
 * another process (a reload).
 */
#ifndef FN_GATEWAY_TLS_H
#define FN_GATEWAY_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define FN_GW_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* fds: of each certificate its file (PEM, with the chain behind it), then its key's. A key that is not its certificate's is refused. */
int fn_gw_tls_load(const int *fds, size_t n_certificates, struct fn_err *err);
void fn_gw_tls_free(void);
/* gnutls_certificate_retrieve_function2: the first certificate that is good for the name asked for, else the first. */
int fn_gw_tls_choose(gnutls_session_t session, const gnutls_datum_t *req_ca, int n_ca, const gnutls_pk_algorithm_t *algos, int n_algos, gnutls_pcert_st **ret_certificates,
		     unsigned int *ret_n, gnutls_privkey_t *ret_key);

/* The name in a ClientHello (RFC 8446 4.1.2, RFC 6066 3), from the first bytes that a client sends: 1 = it is in out ("" = none is named);
 * 0 = more bytes are needed; -EBADMSG = this is no ClientHello. Pure. */
int fn_gw_hello_name(const unsigned char *data, size_t len, char *out, size_t size);

#endif
