/*
 * fuzz.h - what the fuzz targets share. A target checks more than that nothing crashes: fuzz_check() states what must hold.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define fuzz_check(cond) ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))

/* The input, taken from the front. */
struct fuzz_in {
	const uint8_t *p, *end;
};
uint8_t fuzz_byte(struct fuzz_in *in); /* 0 at the end */
/* Up to the next `separator` (or the end), which is skipped: a malloc'ed copy, NUL-terminated, exactly as long as the text. */
char *fuzz_take(struct fuzz_in *in, uint8_t separator, size_t *ret_len);
static inline bool fuzz_more(const struct fuzz_in *in) { return in->p < in->end; }

/* A valid spec as lib/sandbox/spec encodes it today, edited as the input says: 'R' text NUL text NUL (over the first text, where it stands, comes
 * the second), 'O' 16-bit offset, byte, 'T' n (n bytes fewer), 'A' text NUL (more at the end). malloc'ed, exactly as long as it is. Seeds made of
 * edits stay good when the format changes. */
uint8_t *fuzz_spec(struct fuzz_in *in, size_t *ret_len);

/* A directory on a tmpfs that vanishes with the process, in a mount namespace of its own where we are root; made once. */
const char *fuzz_dir(void);

#endif
