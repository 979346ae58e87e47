/* package.c - a directory becomes a zip: sorted, with fixed times, so that the same content is the same package. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

#define FIXED_TIME 1672531200 /* zip knows no time before 1980 */
#define PACKAGE_MAX (512u << 20)

static la_ssize_t on_write(struct archive *a, void *arg, const void *data, size_t len)
{
	if (fn_buf_add(arg, data, len) < 0) {
		archive_set_error(a, ENOMEM, "out of memory");
		return -1;
	}
	return (la_ssize_t)len;
}

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static bool skipped(const FTSENT *e)
{
	return fn_streq(e->fts_name, ".git") || fn_streq(e->fts_name, "__pycache__") || fn_streq(e->fts_name, ".DS_Store");
}

static int add_content(struct archive *a, const FTSENT *e)
{
	fn_auto_fd int fd = open(e->fts_accpath, O_RDONLY | O_CLOEXEC);
	static char block[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, block, sizeof(block))) > 0)
		if (archive_write_data(a, block, (size_t)n) < 0)
			return -EIO;
	return n < 0 ? -errno : 0;
}

static int add(struct archive *a, const FTSENT *e, size_t root_len)
{
	struct archive_entry *entry = archive_entry_new();
	const char *name = e->fts_path + root_len;
	int r = 0;

	while (*name == '/')
		name++;
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mtime(entry, FIXED_TIME, 0);
	if (e->fts_info == FTS_D) {
		archive_entry_set_mode(entry, S_IFDIR | 0755);
	} else if (e->fts_info == FTS_SL || e->fts_info == FTS_SLNONE) {
		char target[4096];
		ssize_t n = readlink(e->fts_accpath, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		archive_entry_set_mode(entry, S_IFLNK | 0777);
		archive_entry_set_symlink(entry, target);
	} else {
		archive_entry_set_mode(entry, S_IFREG | (e->fts_statp->st_mode & 0111 ? 0755 : 0644));
		archive_entry_set_size(entry, e->fts_statp->st_size);
	}
	if (archive_write_header(a, entry) != ARCHIVE_OK)
		r = -EIO;
	else if (e->fts_info == FTS_F)
		r = add_content(a, e);
	archive_entry_free(entry);
	return r;
}

static const char *why(struct archive *a, int r)
{
	return r == -EIO && archive_error_string(a) ? archive_error_string(a) : strerror(-r);
}

static int zip_directory(const char *path, struct fn_buf *ret)
{
	char *roots[] = {(char *)path, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	struct archive *a = archive_write_new();
	FTSENT *e;
	int r = 0;

	setlocale(LC_CTYPE, "C.UTF-8");
	archive_write_set_format_zip(a);
	archive_write_set_bytes_per_block(a, 0);
	if (!fts || archive_write_open(a, ret, NULL, on_write, NULL) != ARCHIVE_OK)
		r = -EIO;
	if (r < 0)
		fprintf(stderr, "fnctl: %s: %s\n", path, why(a, r));
	while (r == 0 && (errno = 0, e = fts_read(fts))) {
		if (e->fts_level > 0 && skipped(e)) {
			fts_set(fts, e, FTS_SKIP);
			continue;
		}
		switch (e->fts_info) {
		case FTS_D:
			if (e->fts_level > 0)
				r = add(a, e, strlen(path));
			break;
		case FTS_F:
		case FTS_SL:
		case FTS_SLNONE:
			r = add(a, e, strlen(path));
			break;
		case FTS_DP:
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
			r = -e->fts_errno;
			break;
		default:
			fprintf(stderr, "fnctl: %s is neither file, directory nor link; it is left out\n", e->fts_path);
		}
		if (r < 0)
			fprintf(stderr, "fnctl: %s: %s\n", e->fts_path, why(a, r));
	}
	if (r == 0 && errno != 0) { /* fts_read() came to an end before its time */
		r = -errno;
		fprintf(stderr, "fnctl: %s: %s\n", path, strerror(errno));
	}
	if (archive_write_close(a) != ARCHIVE_OK && r == 0) {
		r = -EIO;
		fprintf(stderr, "fnctl: %s: %s\n", path, why(a, r));
	}
	archive_write_free(a);
	if (fts)
		fts_close(fts);
	return r;
}

/* Says why on stderr and returns -errno. */
static int package_read(const char *path, struct fn_buf *ret)
{
	fn_auto_fd int fd = -EBADF;
	struct stat st;
	int r;

	if (stat(path, &st) < 0) {
		r = -errno;
		fprintf(stderr, "fnctl: %s: %s\n", path, strerror(errno));
		return r;
	}
	if (S_ISDIR(st.st_mode))
		return zip_directory(path, ret);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : fn_buf_read_fd(ret, fd, PACKAGE_MAX);
	if (r == 0 && (ret->len < 4 || memcmp(ret->data, "PK", 2) != 0)) {
		fprintf(stderr, "fnctl: %s is no zip file; a directory is zipped by fnctl itself\n", path);
		return -EINVAL;
	}
	if (r < 0)
		fprintf(stderr, "fnctl: %s: %s\n", path, strerror(-r));
	return r;
}

/* BUCKET/KEY[?versionId=V] */
static int s3_members(json_t *o, const char *text)
{
	const char *key = strchr(text, '/'), *version = key ? strstr(key, "?versionId=") : NULL;
	size_t n = !key ? 0 : version ? (size_t)(version - key) - 1 : strlen(key + 1);

	if (!key || key == text || n == 0) {
		fprintf(stderr, "fnctl: s3://%s is no s3://BUCKET/KEY\n", text);
		return EX_BAD_USE;
	}
	json_object_set_new(o, "S3Bucket", json_stringn(text, (size_t)(key - text)));
	json_object_set_new(o, "S3Key", json_stringn(key + 1, n));
	if (version)
		json_object_set_new(o, "S3ObjectVersion", json_string(version + strlen("?versionId=")));
	return EX_FINE;
}

int package_member(json_t *o, const char *path)
{
	fn_auto_buf struct fn_buf zip = {0};
	fn_auto_free char *text = NULL;

	if (fn_str_starts(path, "s3://"))
		return s3_members(o, path + strlen("s3://"));
	if (package_read(path, &zip) < 0 || fn_base64_encode(zip.data, zip.len, &text) < 0)
		return EX_BAD_USE;
	json_object_set_new(o, "ZipFile", json_string(text));
	return EX_FINE;
}
