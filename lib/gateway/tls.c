/* tls.c - see tls.h. */
#include "gateway/tls.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "gateway/args.h"

#define FILE_MAX (1u << 20)
#define CHAIN_MAX 16u

static struct certificate {
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned n_chain;
	gnutls_x509_crt_t leaf; /* for its names */
	gnutls_privkey_t key;
} loaded[FN_GW_CERTIFICATES_MAX];
static size_t n_loaded;

static int read_file(int fd, struct fn_buf *ret)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : fn_buf_read_fd(ret, fd, FILE_MAX);
}

static int fails(struct fn_err *err, size_t i, const char *what, int gnutls)
{
	return fn_err_set(err, EINVAL, "certificates", "number %zu: %s: %.100s", i + 1, what, gnutls_strerror(gnutls));
}

/* Does the key belong to the certificate? */
static int check_pair(const gnutls_datum_t *certificate, const gnutls_datum_t *key)
{
	gnutls_certificate_credentials_t both;
	int r = gnutls_certificate_allocate_credentials(&both);

	if (r < 0)
		return r;
	r = gnutls_certificate_set_x509_key_mem2(both, certificate, key, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_certificate_free_credentials(both);
	return r < 0 ? r : 0;
}

static int load(struct certificate *c, size_t i, int certificate_fd, int key_fd, struct fn_err *err)
{
	fn_auto_buf struct fn_buf pem = {0}, key = {0};
	gnutls_datum_t pem_datum, key_datum;
	int r;

	if (read_file(certificate_fd, &pem) < 0 || read_file(key_fd, &key) < 0)
		return fn_err_set(err, EIO, "certificates", "number %zu cannot be read", i + 1);
	pem_datum = (gnutls_datum_t){(unsigned char *)pem.data, (unsigned)pem.len};
	key_datum = (gnutls_datum_t){(unsigned char *)key.data, (unsigned)key.len};
	r = check_pair(&pem_datum, &key_datum);
	if (r < 0)
		return fails(err, i, "the key is not the certificate's, or one of them is no PEM", r);
	c->n_chain = CHAIN_MAX;
	r = gnutls_pcert_list_import_x509_raw(c->chain, &c->n_chain, &pem_datum, GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		return fails(err, i, "the certificate", r);
	r = gnutls_x509_crt_init(&c->leaf);
	if (r == 0)
		r = gnutls_x509_crt_import(c->leaf, &pem_datum, GNUTLS_X509_FMT_PEM);
	if (r == 0)
		r = gnutls_privkey_init(&c->key);
	if (r == 0)
		r = gnutls_privkey_import_x509_raw(c->key, &key_datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	explicit_bzero(key.data, key.len);
	return r < 0 ? fails(err, i, "the key", r) : 0;
}

int fn_gw_tls_load(const int *fds, size_t n, struct fn_err *err)
{
	for (size_t i = 0; i < n && i < FN_GW_CERTIFICATES_MAX; i++) {
		int r = load(&loaded[i], i, fds[2 * i], fds[2 * i + 1], err);

		if (r < 0)
			return r;
		n_loaded++;
	}
	return 0;
}

void fn_gw_tls_free(void)
{
	for (; n_loaded > 0; n_loaded--) {
		struct certificate *c = &loaded[n_loaded - 1];

		for (unsigned i = 0; i < c->n_chain; i++)
			gnutls_pcert_deinit(&c->chain[i]);
		gnutls_x509_crt_deinit(c->leaf);
		gnutls_privkey_deinit(c->key);
	}
}

int fn_gw_tls_choose(gnutls_session_t session, const gnutls_datum_t *req_ca, int n_ca, const gnutls_pk_algorithm_t *algos, int n_algos, gnutls_pcert_st **ret_certificates,
		     unsigned int *ret_n, gnutls_privkey_t *ret_key)
{
	struct certificate *c = &loaded[0];
	char name[256] = "";
	size_t size = sizeof(name) - 1;
	unsigned type;

	(void)req_ca;
	(void)n_ca;
	(void)algos;
	(void)n_algos;
	if (n_loaded == 0)
		return -1;
	if (gnutls_server_name_get(session, name, &size, &type, 0) == 0 && type == GNUTLS_NAME_DNS)
		for (size_t i = n_loaded; i-- > 0;)
			if (gnutls_x509_crt_check_hostname(loaded[i].leaf, name))
				c = &loaded[i];
	*ret_certificates = c->chain;
	*ret_n = c->n_chain;
	*ret_key = c->key;
	return 0;
}

/* --- the ClientHello --- */
struct reader {
	const unsigned char *at;
	size_t left;
	bool bad;
};

static uint32_t number(struct reader *r, unsigned bytes)
{
	uint32_t n = 0;

	if (r->left < bytes) {
		r->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | r->at[i];
	r->at += bytes;
	r->left -= bytes;
	return n;
}

/* What follows its own length, of so many bytes. */
static struct reader part(struct reader *r, unsigned bytes)
{
	uint32_t len = number(r, bytes);
	struct reader p = {r->at, len, r->bad || len > r->left};

	if (p.bad) {
		r->bad = true;
		return (struct reader){NULL, 0, true};
	}
	r->at += len;
	r->left -= len;
	return p;
}

static int server_name(struct reader list, char *out, size_t size)
{
	while (list.left > 0 && !list.bad) {
		uint32_t type = number(&list, 1);
		struct reader name = part(&list, 2);

		if (list.bad)
			break;
		if (type != 0)
			continue;
		if (name.left >= size || memchr(name.at, 0, name.left))
			return -EBADMSG;
		memcpy(out, name.at, name.left);
		out[name.left] = '\0';
		return 1;
	}
	return list.bad ? -EBADMSG : 1;
}

int fn_gw_hello_name(const unsigned char *data, size_t len, char *out, size_t size)
{
	struct reader r, extensions;

	out[0] = '\0';
	if (len < 1)
		return 0;
	if (data[0] != 22) /* handshake */
		return -EBADMSG;
	if (len < 9)
		return 0;
	if (data[1] != 3 || data[5] != 1) /* client_hello */
		return -EBADMSG;
	r = (struct reader){data + 5, (size_t)data[3] << 8 | data[4], false};
	if (r.left > 16384)
		return -EBADMSG;
	if (r.left > len - 5)
		return 0;
	(void)number(&r, 1);
	r = part(&r, 3); /* a hello in several records is nobody's: it shows as bad */
	(void)number(&r, 2);
	if (r.left < 32)
		return -EBADMSG;
	r.at += 32;
	r.left -= 32;
	(void)part(&r, 1);
	(void)part(&r, 2);
	(void)part(&r, 1);
	if (r.bad)
		return -EBADMSG;
	if (r.left == 0)
		return 1;
	extensions = part(&r, 2);
	while (extensions.left > 0 && !extensions.bad) {
		uint32_t type = number(&extensions, 2);
		struct reader body = part(&extensions, 2);

		if (!extensions.bad && type == 0)
			return body.left ? server_name(part(&body, 2), out, size) : 1;
	}
	return extensions.bad ? -EBADMSG : 1;
}
