/*
 * session.h - temporary credentials: a key, its secret and a token, which says whose they are and until when and is signed, so that nothing of them is kept anywhere
 * and they outlive a restart. Who has the secret that signs has them all; it never leaves the process. Pure.
 */
#ifndef FN_AWS_SESSION_H
#define FN_AWS_SESSION_H

#include <jansson.h>
#include <stdint.h>

#define FN_SESSION_SECRET 32
#define FN_SESSION_KEY_ID_SIZE 21     /* "ASIA" and 16 more, with the NUL */
#define FN_SESSION_SECRET_KEY_SIZE 41
#define FN_SESSION_TOKEN_MAX 16384

/* The token of these claims, whatever they are, for the key of this id (malloc'ed), and the key's secret. -ENOMEM. */
int fn_session_mint(const uint8_t secret[FN_SESSION_SECRET], const char *key_id, const json_t *claims, char **ret_token, char ret_secret_key[FN_SESSION_SECRET_KEY_SIZE]);
/* What was claimed. -EBADMSG: it is no token that was minted for this key; -ENOMEM. */
int fn_session_open(const uint8_t secret[FN_SESSION_SECRET], const char *key_id, const char *token, json_t **ret_claims, char ret_secret_key[FN_SESSION_SECRET_KEY_SIZE]);

#endif
