/*
 * registry.h - one manifest or blob from a registry of container images, by libcurl. Runs in fn-fetch only.
 *
 * HTTPS with TLS 1.2 or newer and the certificate verified, HTTP where the settings say so; asks for a token where the registry wants one; follows redirects
 * of blobs to anywhere, without what proves who asks; goes on where a transfer was cut, as often as something comes.
 * Sources: OCI distribution-spec v1.1 ("Pulling manifests", "Pulling blobs"); Docker "Token Authentication Specification", RFC 6750, RFC 7617.
 */
#ifndef FN_IMAGE_REGISTRY_H
#define FN_IMAGE_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* What an administrator has set about one registry. Texts are owned; NULL = not given. */
struct fn_registry_settings {
	bool plain;          /* HTTP */
	unsigned timeout_s;
	char *username, *password;
	char *identity_token; /* instead of both: an OAuth2 refresh token */
	char *ca;            /* PEM */
};
/* settings: {"timeout_s": 15, "ca": "PEM of the system's", "hosts": {"HOST:PORT": {"plain": true, "username": ..., "password": ..., "identity_token": ...,
 * "ca": "PEM"}}}. Anything that is missing is as if it were not given. */
int fn_registry_settings_load(json_t *o, const char *registry, struct fn_registry_settings *ret);
void fn_registry_settings_clear(struct fn_registry_settings *s);

struct fn_registry_item {
	char registry[256], repository[256]; /* oci.h */
	char reference[136];  /* a manifest's tag or "sha256:<hex>"; a blob's digest */
	char sha256[65];      /* what it must have; "" = whatever (a tag) */
	uint64_t size;        /* bytes that it must have; 0 = not known */
};

/* WWW-Authenticate of a 401: which scheme, and for Bearer where a token is had and for what. -EINVAL: no such challenge. */
struct fn_registry_challenge {
	bool bearer; /* else Basic */
	char realm[1024], service[256], scope[512];
};
int fn_registry_challenge_parse(const char *value, struct fn_registry_challenge *ret);

struct fn_fetch_order;
struct fn_fetch_result;
int fn_registry_fetch(const struct fn_registry_settings *s, const struct fn_fetch_order *order, int fd, struct fn_fetch_result *ret);

#endif
