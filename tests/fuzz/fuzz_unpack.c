/*
 * fuzz_unpack.c - archives. Byte 0: 1 = a trusted image, 2 = below "var/task", 4 = the rest is not an archive but a list of entries, of
 * which one is made (so that the fuzzer gets past checksums), 8 = as a zip, else a tar, 16 = from a pipe, as a function sends it, 32 = a layer of
 * a container image.
 * Entry: type byte, mode byte, size byte, name NUL, link target NUL.
 * Whatever happens, nothing may change outside the directory, and nothing inside may be a device, a set-id file or too much.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "fuzz/fuzz.h"
#include "image/unpack.h"

#define MAX_BYTES (1u << 20)
#define MAX_ENTRIES 64
#define NOBODY 65534

static int outer = -1; /* <dir>: holds "sentinel" and, during a run, "dest" */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Headers of tar carry a checksum: mended after each mutation, or nothing behind it would ever be reached. */
static void mend_tar(uint8_t *data, size_t size)
{
	for (size_t at = 1; at + 512 <= size; at += 512) {
		uint8_t *h = data + at;
		unsigned sum = 0;
		char text[8];

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < 512; i++)
			sum += h[i];
		snprintf(text, sizeof(text), "%06o", sum & 0777777);
		memcpy(h + 148, text, 7);
	}
}

#ifdef FUZZ_LIBFUZZER
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t n = LLVMFuzzerMutate(data, size, max_size);

	if (n > 513 && !(data[0] & 4) && seed % 8)
		mend_tar(data, n);
	return n;
}
#else
static void __attribute__((unused)) (*const keep)(uint8_t *, size_t) = mend_tar;
#endif

static void set_up(void)
{
	int fd;

	outer = open(fuzz_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fuzz_check(outer >= 0);
	fd = openat(outer, "sentinel", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	fuzz_check(fd >= 0 && write(fd, "untouched", 9) == 9);
	close(fd);
}

struct totals {
	unsigned entries;
	uint64_t bytes;
	bool trusted, package;
};

static void look_at(int dirfd, const char *name, int depth, struct totals *t);

static void look_below(int fd, int depth, struct totals *t)
{
	DIR *d = fdopendir(dup(fd));
	struct dirent *e;

	fuzz_check(d != NULL);
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			look_at(fd, e->d_name, depth, t);
	closedir(d);
}

/* A relative target must not climb above the tree, wherever its components lead. */
static void check_target(const char *target, int depth)
{
	for (const char *p = target; *p; p += strcspn(p, "/"), p += strspn(p, "/")) {
		if (p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'))
			fuzz_check(--depth >= 0);
		else
			depth++;
	}
}

/* Checks and removes. depth: of the directory that it is in. */
static void look_at(int dirfd, const char *name, int depth, struct totals *t)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	fuzz_check(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	fuzz_check(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode));
	fuzz_check(!(st.st_mode & (S_ISUID | S_ISGID)));
	for (const char *p = name; *p; p++)
		fuzz_check(t->package || ((unsigned char)*p >= 0x20 && *p != '\\'));
	t->entries++;
	if (S_ISREG(st.st_mode) && st.st_nlink == 1) /* of hard links the last name counts */
		t->bytes += (uint64_t)st.st_size;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dirfd, name, target, sizeof(target) - 1);
		fuzz_check(n > 0);
		target[n] = '\0';
		fuzz_check(target[0] != '/' || t->trusted || t->package);
		if (target[0] != '/' && !t->package)
			check_target(target, depth);
	}
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		fuzz_check(fd >= 0);
		look_below(fd, depth + 1, t);
		close(fd);
	}
	fuzz_check(unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0);
}

static void look_outside(void)
{
	DIR *d = fdopendir(dup(outer));
	char text[16] = "";
	struct dirent *e;
	struct stat st;
	int fd = openat(outer, "sentinel", O_RDONLY | O_CLOEXEC);

	fuzz_check(fd >= 0 && read(fd, text, sizeof(text)) == 9 && memcmp(text, "untouched", 9) == 0);
	fuzz_check(fstat(fd, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600);
	close(fd);
	fuzz_check(d != NULL);
	rewinddir(d);
	while ((e = readdir(d)))
		fuzz_check(e->d_name[0] == '.' ? !e->d_name[1] || !e->d_name[2] : strcmp(e->d_name, "sentinel") == 0);
	closedir(d);
}

static ssize_t to_fd(struct archive *a, void *arg, const void *data, size_t len)
{
	(void)a;
	return write(*(int *)arg, data, len);
}

static void make_archive(struct fuzz_in in, bool zip, int fd)
{
	static const mode_t types[] = {AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFIFO, AE_IFCHR, AE_IFBLK, AE_IFSOCK, 0};
	struct archive *a = archive_write_new();

	if (zip)
		archive_write_set_format_zip(a);
	else
		archive_write_set_format_pax_restricted(a);
	archive_write_set_bytes_per_block(a, 0);
	fuzz_check(archive_write_open(a, &fd, NULL, to_fd, NULL) == ARCHIVE_OK);
	for (int i = 0; i < 100 && fuzz_more(&in); i++) {
		uint8_t type = fuzz_byte(&in), mode = fuzz_byte(&in), size = fuzz_byte(&in), fill[256];
		char *name = fuzz_take(&in, 0, NULL), *target = fuzz_take(&in, 0, NULL);
		struct archive_entry *e = archive_entry_new();

		archive_entry_set_pathname(e, name);
		archive_entry_set_filetype(e, types[type % 8]);
		archive_entry_set_perm(e, (mode_t)mode << 4 | 0400);
		if (types[type % 8] == AE_IFREG && !(type & 0x40))
			archive_entry_set_size(e, type & 0x80 ? (int64_t)size << 16 : size);
		if (types[type % 8] == AE_IFLNK)
			archive_entry_set_symlink(e, target);
		else if (type & 0x20)
			archive_entry_set_hardlink(e, target);
		memset(fill, 'x', sizeof(fill));
		if (archive_write_header(a, e) >= ARCHIVE_WARN && archive_entry_size(e) > 0)
			(void)archive_write_data(a, fill, size);
		archive_entry_free(e);
		free(name);
		free(target);
	}
	archive_write_close(a);
	archive_write_free(a);
}

/* What is in the file, from a pipe: -EBADF when it does not fit. */
static int through_a_pipe(int file)
{
	off_t size = lseek(file, 0, SEEK_END), at = 0;
	int p[2];

	fuzz_check(size >= 0 && pipe2(p, O_CLOEXEC) == 0);
	if (fcntl(p[1], F_SETPIPE_SZ, 1 << 20) < 0 || size > (1 << 19)) {
		close(fn_take_fd(&p[0]));
		at = size;
	}
	while (at < size)
		fuzz_check(sendfile(p[1], file, &at, (size_t)(size - at)) > 0);
	close(p[1]);
	return p[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fn_unpack_limits limits = {.max_bytes = MAX_BYTES, .max_entries = MAX_ENTRIES};
	struct fn_unpack_result res;
	struct totals t = {0};
	struct stat st;
	int archive, dest, r;

	if (outer < 0)
		set_up();
	if (size < 2)
		return 0;
	limits.layer = data[0] & 32;
	t.trusted = data[0] & 1 && !(data[0] & (16 | 32));
	t.package = limits.layer || (!t.trusted && !(data[0] & 16)); /* whose links lead where they like, too */
	limits.trusted_image = t.trusted;
	archive = memfd_create("archive", MFD_CLOEXEC);
	fuzz_check(archive >= 0);
	if (data[0] & 4)
		make_archive((struct fuzz_in){data + 1, data + size}, data[0] & 8, archive);
	else
		fuzz_check(write(archive, data + 1, size - 1) == (ssize_t)(size - 1));
	if (data[0] & 16) {
		dest = through_a_pipe(archive);
		close(archive);
		archive = dest;
		if (archive < 0)
			return 0;
	}
	fuzz_check(mkdirat(outer, "dest", 0755) == 0);
	dest = openat(outer, "dest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fuzz_check(dest >= 0 && (geteuid() != 0 || fchown(dest, NOBODY, NOBODY) == 0));
	if (geteuid() == 0) /* an escape that we have not thought of shall not be root's */
		(void)setfsuid(NOBODY), (void)setfsgid(NOBODY);
	r = fn_unpack_archive(archive, dest, data[0] & 2 ? "var/task" : "", &limits, &res);
	(void)setfsuid(geteuid()), (void)setfsgid(getegid());
	fuzz_check((r < 0) == (res.err.code != 0) && r == -res.err.code);
	fuzz_check(res.bytes <= MAX_BYTES);
	fuzz_check(r < 0 || res.entries <= MAX_ENTRIES);
	if (r < 0 && res.err.code != EINVAL && res.err.code != ENODATA && res.err.code != EFBIG && res.err.code != E2BIG) { /* anything else would be called the platform's fault */
		fprintf(stderr, "%s: %s: %s\n", res.err.stage, res.err.msg, strerror(res.err.code));
		fuzz_check(false);
	}
	look_below(dest, 0, &t);
	fuzz_check(t.bytes <= MAX_BYTES);
	fuzz_check(t.entries <= 2 + MAX_ENTRIES * 65u);
	fuzz_check(fstat(dest, &st) == 0 && (st.st_mode & 07777) == 0755);
	close(dest);
	close(archive);
	fuzz_check(unlinkat(outer, "dest", AT_REMOVEDIR) == 0);
	look_outside();
	return 0;
}
