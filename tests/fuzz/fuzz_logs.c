/* fuzz_logs.c - what logs are read from: filter patterns, segments as a crash or a rotten disk leaves them, index files.
 * Input: 'f' pattern 0x1e text; 's' a segment's bytes; 'b' texts with 0x1e between, written as blocks and cut after as many bytes as the first byte says;
 * 'i' an index file's bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "logs/filter.h"
#include "logs/index.h"

static void filter(struct fuzz_in *in)
{
	struct fn_log_filter *f = NULL;
	size_t plen, len;
	char *pattern = fuzz_take(in, 0x1e, &plen), *text = fuzz_take(in, 0x1e, &len);
	int r = plen <= 4096 ? fn_log_filter_parse(pattern, &f) : -EINVAL;

	fuzz_check(r == 0 || r == -EINVAL);
	fuzz_check(r == 0 || !f);
	if (r == 0) {
		bool is = fn_log_filter_matches(f, text, len);

		fuzz_check(f || is); /* no pattern takes everything */
		fuzz_check(is == fn_log_filter_matches(f, text, len));
	}
	fn_log_filter_free(f);
	free(pattern);
	free(text);
}

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);

	fuzz_check(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	return fd;
}

/* Whatever is in it: what is sound is found, once, and says of itself what is there. */
static void segment(const void *data, size_t len, struct fn_log_index *x, uint64_t *ret_sound)
{
	int fd = file_of(data, len);

	fn_log_index_init(x);
	fuzz_check(fn_log_index_scan(x, fd, len, ret_sound) == 0);
	fuzz_check(*ret_sound <= len && x->bytes == *ret_sound);
	for (size_t i = 0; i < x->n_streams; i++)
		fuzz_check(fn_log_index_find(x, x->streams[i].name) >= 0);
	close(fd);
}

static void blocks(struct fuzz_in *in)
{
	struct fn_buf b = {0};
	struct fn_log_index x;
	uint64_t sound, events = 0, ends[64] = {0}, whole = 0;
	uint8_t cut = fuzz_byte(in);
	size_t n = 0;

	for (bool named = false; fuzz_more(in) && n < 63; named = true) {
		size_t len, from = b.len;
		char *text = fuzz_take(in, 0x1e, &len);
		struct fn_log_event e = {.time_ms = (int64_t)len, .kind = FN_LOG_FUNCTION, .text = text, .len = len};

		fuzz_check(fn_log_block_begin(&b) == 0);
		if (!named)
			fuzz_check(fn_log_name_add(&b, 0, "stream") == 0);
		fuzz_check(fn_log_record_add(&b, 0, &e) == 0);
		fn_log_block_end(&b, from, 1);
		ends[n++] = b.len;
		free(text);
	}
	if (!b.len)
		return;
	b.len -= cut < b.len ? cut : b.len;
	for (size_t i = 0; i < n; i++)
		if (ends[i] <= b.len) {
			whole = ends[i];
			events = i + 1;
		}
	segment(b.data, b.len, &x, &sound);
	fuzz_check(sound == whole && x.events == events); /* all that was written to its end, and no more */
	fn_log_index_clear(&x);
	fn_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	struct fn_log_index x;
	uint64_t sound;

	switch (fuzz_byte(&in)) {
	case 'f':
		filter(&in);
		break;
	case 's':
		segment(in.p, (size_t)(in.end - in.p), &x, &sound);
		fn_log_index_clear(&x);
		break;
	case 'b':
		blocks(&in);
		break;
	case 'i':
		if (fn_log_index_parse(&x, in.p, (size_t)(in.end - in.p), 1 << 20) == 0)
			fuzz_check(x.bytes <= 1 << 20);
		fn_log_index_clear(&x);
		break;
	}
	return 0;
}
