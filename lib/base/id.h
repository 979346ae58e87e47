/* id.h - random identifiers from getrandom(2), buffered. */
#ifndef FN_BASE_ID_H
#define FN_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_UUID_SIZE 37 /* with the NUL */

void fn_id_random(void *out, size_t len);
void fn_id_uuid(char out[FN_UUID_SIZE]);         /* RFC 4122 version 4, lower case */
void fn_id_uuid_bytes(uint8_t out[16]);          /* the same, not written out */
void fn_id_uuid_format(const uint8_t bytes[16], char out[FN_UUID_SIZE]);
int fn_id_uuid_parse(const char *s, uint8_t out[16]); /* its first 32 digits, wherever hyphens are; -EINVAL: there are fewer, or none such */
bool fn_id_is_uuid(const char *s);
void fn_id_hex(char *out, size_t hex_digits);    /* hex_digits + 1 bytes written; hex_digits even */
/* SHA-256 belongs to nettle; callers that need hex digests use image/digest.h */

#endif
