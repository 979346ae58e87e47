/* layer_stream.c - see layer_stream.h. libarchive's filters unpack it as one file without a format ("raw"): so the tar's reader and the digest see the same bytes. */
#include "image/layer_stream.h"

#include <archive_entry.h>
#include <errno.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct fn_layer_stream {
	struct archive *packed;
	struct sha256_ctx blob, diff;
	uint64_t bytes, max_bytes; /* unpacked */
	int fd, error;             /* error: errno of a read */
	bool begun, ended;
	char block[65536];
};

int fn_layer_stream_new(int fd, uint64_t max_bytes, struct fn_layer_stream **ret)
{
	struct fn_layer_stream *s = calloc(1, sizeof(*s));

	if (!s || !(s->packed = archive_read_new())) {
		free(s);
		return -ENOMEM;
	}
	s->fd = fd;
	s->max_bytes = max_bytes;
	sha256_init(&s->blob);
	sha256_init(&s->diff);
	*ret = s;
	return 0;
}

void fn_layer_stream_free(struct fn_layer_stream *s)
{
	if (!s)
		return;
	archive_read_free(s->packed);
	free(s);
}

/* --- the blob --- */
static ssize_t read_blob(struct fn_layer_stream *s)
{
	ssize_t n;

	do
		n = read(s->fd, s->block, sizeof(s->block));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		sha256_update(&s->blob, (size_t)n, (const uint8_t *)s->block);
	if (n < 0)
		s->error = errno;
	return n;
}

static la_ssize_t on_blob(struct archive *a, void *arg, const void **ret)
{
	struct fn_layer_stream *s = arg;
	ssize_t n = read_blob(s);

	if (n < 0)
		archive_set_error(a, errno, "read");
	*ret = s->block;
	return n;
}

/* --- what is in it --- */
static int begin(struct fn_layer_stream *s)
{
	struct archive_entry *e;
	int r;

	s->begun = true;
	archive_read_support_filter_gzip(s->packed);
	archive_read_support_filter_zstd(s->packed);
	archive_read_support_format_raw(s->packed);
	archive_read_support_format_empty(s->packed);
	r = archive_read_open(s->packed, s, NULL, on_blob, NULL);
	if (r == ARCHIVE_OK)
		r = archive_read_next_header(s->packed, &e);
	s->ended = r == ARCHIVE_EOF;
	return r;
}

/* The next piece: its length, 0 at the end, -EINVAL or -EFBIG. */
static ssize_t read_tar(struct fn_layer_stream *s, const void **ret)
{
	int r = s->begun ? ARCHIVE_OK : begin(s);
	size_t len = 0;
	int64_t at;

	while ((r == ARCHIVE_OK || r == ARCHIVE_WARN) && !s->ended && len == 0) {
		r = archive_read_data_block(s->packed, ret, &len, &at);
		s->ended = r == ARCHIVE_EOF;
	}
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return -EINVAL;
	s->bytes += len;
	if (s->bytes > s->max_bytes) {
		archive_set_error(s->packed, EFBIG, "larger than an image may be, unpacked");
		return -EFBIG;
	}
	sha256_update(&s->diff, len, *ret);
	return (ssize_t)len;
}

static const char *why(const struct fn_layer_stream *s)
{
	const char *text = archive_error_string(s->packed);

	return text ? text : "damaged";
}

static la_ssize_t on_tar(struct archive *tar, void *arg, const void **ret)
{
	struct fn_layer_stream *s = arg;
	ssize_t n = read_tar(s, ret);

	if (n < 0)
		archive_set_error(tar, (int)-n, "%s", why(s));
	return n < 0 ? -1 : n;
}

int fn_layer_stream_open(struct fn_layer_stream *s, struct archive *tar) { return archive_read_open(tar, s, NULL, on_tar, NULL); }

int fn_layer_stream_end(struct fn_layer_stream *s, char ret_blob[FN_SHA256_HEX], char ret_diff_id[FN_SHA256_HEX], const char **ret_why)
{
	const void *piece = "";
	ssize_t n;

	while ((n = read_tar(s, &piece)) > 0)
		;
	if (n < 0 && s->error)
		return -s->error;
	*ret_why = why(s);
	if (n < 0)
		return (int)n;
	while ((n = read_blob(s)) > 0) /* behind the last frame */
		;
	if (n < 0)
		return -s->error;
	fn_sha256_end(&s->blob, ret_blob);
	fn_sha256_end(&s->diff, ret_diff_id);
	return 0;
}
