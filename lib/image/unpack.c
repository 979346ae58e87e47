/*
 * unpack.c - see unpack.h. libarchive only reads; files are written by our own code, relative to a directory descriptor, through
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): no name in an archive can reach anything but the tree.
 */
#include "image/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/str.h"
#include "image/digest.h"
#include "image/layer_stream.h"

#define DEPTH_MAX 256
#define TAR_END 1024 /* bytes: two blocks of zeros */
#define TAR_ENTRY_MAX 4096u /* of a tar beside its files' content, on the average: headers, names, what fills up */

struct unpacker {
	const struct fn_unpack_limits *limits;
	struct fn_unpack_result *res;
	struct archive *a;
	int root_fd;          /* dest/prefix */
	bool stream;          /* a socket or pipe: a tar, not packed */
	bool package;         /* a function's: a zip, with Lambda's rules */
	bool layer;           /* of a container image */
	int archive_fd;
	struct fn_layer_stream *blob; /* what a layer comes in */
	struct fn_buf zip;     /* a package is read into memory first: what was judged is what is unpacked, and its file is another's to write to */
	struct sha256_ctx sum; /* of what was read, else */
	char block[65536];
	struct fn_map *seen;  /* normalised path -> kind */
};
static char kind_dir[] = "dir", kind_link[] = "link", kind_file[] = "file";

/* It is the archive's fault. */
static int of_archive(struct unpacker *u, int r) { return fn_err_kind(&u->res->err, FN_ERR_PACKAGE, r); }

static int bad(struct unpacker *u, const char *entry, const char *what)
{
	return of_archive(u, fn_err_set(&u->res->err, EINVAL, "unpack", "%.120s: %s", entry, what));
}

/* What a file system says of an entry: of its name, its size or its place among the others is the archive's fault, and would be so wherever it is unpacked. Of
 * itself (ENOSPC, EDQUOT, EIO, ENOMEM and what else there is) it is not. */
static int denied(struct unpacker *u, int code, const char *path, const char *what)
{
	static const int names[] = {ENAMETOOLONG, EILSEQ, EINVAL, EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, ELOOP, EXDEV, EMLINK, EOVERFLOW};

	code = code < 0 ? -code : code;
	if (code == EFBIG) /* for the file system, or for RLIMIT_FSIZE */
		return of_archive(u, fn_err_set(&u->res->err, EFBIG, "unpack", "%.120s: larger than a file may be", path));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (code == names[i])
			return of_archive(u, fn_err_set(&u->res->err, EINVAL, "unpack", "%.120s: %s: %s", path, what, strerrordesc_np(code)));
	return fn_err_set(&u->res->err, code, "unpack", "%.120s: %s", path, what);
}

static int beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
			       .mode = flags & O_CREAT ? mode : 0,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* In a layer, a name that begins so takes another one away: the last of its path, and not "." or "..". */
static bool whiteout_ok(const char *name, size_t len)
{
	return name[len + strspn(name + len, "/")] == '\0' && len > 4 && !(len == 5 && name[4] == '.') && !(len == 6 && name[4] == '.' && name[5] == '.');
}

/* Writes the path without "." and empty components to out; refuses what could climb or mislead. */
static int normalise(struct unpacker *u, const char *name, char *out, size_t size)
{
	size_t n = 0, depth = 0;

	if (!name || !*name)
		return bad(u, "(no name)", "an entry without a name");
	if (*name == '/' && !u->layer)
		return bad(u, name, "an absolute path");
	for (const char *p = name; *p && !u->package && !u->layer; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return bad(u, name, "a name with control characters or a backslash");
	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return bad(u, name, "a path that climbs with '..'");
		if (u->layer && len >= 4 && memcmp(name, ".wh.", 4) == 0 && !whiteout_ok(name, len))
			return bad(u, name, "a whiteout of nothing, or a directory of such a name");
		if (len > NAME_MAX || ++depth > DEPTH_MAX)
			return bad(u, name, "a name too long or too deep");
		if (len > 0 && !(len == 1 && name[0] == '.')) {
			if (n + len + 2 > size)
				return bad(u, name, "a path too long");
			if (n)
				out[n++] = '/';
			memcpy(out + n, name, len);
			n += len;
		}
		name += len;
		name += strspn(name, "/");
	}
	out[n] = '\0';
	return 0;
}

static int open_parent(struct unpacker *u, const char *path, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	*ret_base = slash ? slash + 1 : path;
	return beneath(u->root_fd, parent, O_PATH | O_DIRECTORY, 0);
}

static int make_dir(struct unpacker *u, const char *path)
{
	const char *base;
	fn_auto_fd int dir = open_parent(u, path, &base);

	if (dir < 0)
		return dir;
	return mkdirat(dir, base, 0755) < 0 ? -errno : 0;
}

/* Of entries, and of directories that none names. */
static int count(struct unpacker *u)
{
	if (++u->res->entries > u->limits->max_entries)
		return of_archive(u, fn_err_set(&u->res->err, E2BIG, "unpack", "more than %u entries", u->limits->max_entries));
	return 0;
}

/* Parents that the archive does not name are made; one that is no directory is a conflict. */
static int make_parents(struct unpacker *u, const char *path)
{
	char part[PATH_MAX];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		char *kind;
		int r;

		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		kind = fn_map_get(u->seen, part);
		if (kind == kind_dir)
			continue;
		if (kind)
			return bad(u, path, "lies below something that is no directory");
		r = count(u);
		if (r < 0)
			return r;
		r = make_dir(u, part);
		if (r == 0)
			r = fn_map_set(u->seen, part, kind_dir, NULL);
		if (r < 0)
			return denied(u, r, part, "a directory that cannot be made");
	}
	return 0;
}

static int over(struct unpacker *u, uint64_t more)
{
	uint64_t total = u->res->bytes + more;

	if (total > u->limits->max_bytes)
		return of_archive(u, fn_err_set(&u->res->err, EFBIG, "unpack", "unpacked size exceeds %llu bytes", (unsigned long long)u->limits->max_bytes));
	return 0;
}

static int archive_bad(struct unpacker *u, const char *entry)
{
	const char *text = archive_error_string(u->a);

	return bad(u, entry, text ? text : "damaged archive");
}

/* What is the owner's own to give; the others mean something to a kernel, or to an overlay. */
static void set_attributes(int fd, struct archive_entry *e)
{
	const char *name;
	const void *value;
	size_t size;

	(void)archive_entry_xattr_reset(e);
	while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK)
		if (fn_str_starts(name, "user.") && !fn_str_starts(name, "user.overlay."))
			(void)fsetxattr(fd, name, value, size, 0); /* where the file system has them */
}

static int write_file(struct unpacker *u, const char *path, struct archive_entry *e, mode_t mode)
{
	fn_auto_fd int fd = beneath(u->root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
	struct timespec times[2] = {{0}};
	uint64_t before = u->res->bytes;
	const void *block;
	struct stat st;
	size_t len;
	int64_t at;
	int r;

	if (fd < 0)
		return denied(u, fd, path, "a file that cannot be made");
	while ((r = archive_read_data_block(u->a, &block, &len, &at)) != ARCHIVE_EOF) {
		if (r != ARCHIVE_OK) /* a warning here is a checksum that does not match */
			return archive_bad(u, path);
		if (over(u, len) < 0)
			return -u->res->err.code;
		u->res->bytes += len;
		if (at < 0 || (uint64_t)at > u->limits->max_bytes || lseek(fd, at, SEEK_SET) < 0)
			return bad(u, path, "a hole too large");
		r = fn_fd_write_all(fd, block, len);
		if (r < 0)
			return denied(u, r, path, "a file that cannot be written");
	}
	if (archive_entry_size_is_set(e)) {
		int64_t size = archive_entry_size(e);

		if (fstat(fd, &st) == 0 && st.st_size != size) {
			if (st.st_size > size)
				return bad(u, path, "longer than its header says");
			if (over(u, (uint64_t)(size - st.st_size)) < 0)
				return -u->res->err.code;
			if (ftruncate(fd, size) < 0)
				return denied(u, errno, path, "a file that cannot be written");
		}
	}
	if (fstat(fd, &st) == 0) /* with its holes: what the tree is said to have is what its files have */
		u->res->bytes = before + (uint64_t)st.st_size;
	times[0].tv_sec = times[1].tv_sec = archive_entry_mtime(e);
	(void)futimens(fd, times);
	if (u->layer)
		set_attributes(fd, e);
	return fchmod(fd, mode) < 0 ? fn_err_set(&u->res->err, errno, "unpack", "chmod %.120s", path) : 0;
}

/* A symlink's target, seen from where the link lies, must stay inside the tree. A package's leads where it likes: nobody but the function
 * follows it, inside its sandbox. */
static int check_target(struct unpacker *u, const char *path, const char *target)
{
	int depth = 0;

	if (!target || !*target)
		return bad(u, path, "a symbolic link without a target");
	if (strlen(target) >= PATH_MAX)
		return bad(u, path, "a symbolic link with too long a target");
	if (u->package || u->layer)
		return 0;
	if (*target == '/')
		return u->limits->trusted_image ? 0 : bad(u, path, "a symbolic link to an absolute path");
	for (const char *p = path; (p = strchr(p, '/')); p++)
		depth++;
	while (*target) {
		size_t len = strcspn(target, "/");

		if (len == 2 && target[0] == '.' && target[1] == '.') {
			if (--depth < 0)
				return bad(u, path, "a symbolic link that leads outside");
		} else if (len > 0 && !(len == 1 && target[0] == '.')) {
			depth++;
		}
		target += len;
		target += strspn(target, "/");
	}
	return 0;
}

static int make_link(struct unpacker *u, const char *path, struct archive_entry *e, char **ret_kind)
{
	const char *base, *hard = archive_entry_hardlink(e);
	fn_auto_fd int dir = open_parent(u, path, &base), to = -EBADF;
	int r;

	if (dir < 0)
		return denied(u, dir, path, "its directory cannot be opened");
	if (hard) {
		char target[PATH_MAX], leads[PATH_MAX];
		const char *to_base;
		ssize_t n;

		r = normalise(u, hard, target, sizeof(target));
		if (r < 0)
			return r;
		*ret_kind = fn_map_get(u->seen, target);
		if (*ret_kind != kind_file && *ret_kind != kind_link)
			return bad(u, path, "a hard link to something that the archive does not hold");
		to = open_parent(u, target, &to_base);
		if (to >= 0 && *ret_kind == kind_link) { /* it means something else here */
			n = readlinkat(to, to_base, leads, sizeof(leads) - 1);
			leads[n < 0 ? 0 : n] = '\0';
			r = check_target(u, path, leads);
			if (r < 0)
				return r;
		}
		r = to < 0 ? to : linkat(to, to_base, dir, base, 0) < 0 ? -errno : 0;
		return r < 0 ? denied(u, r, path, "a hard link that cannot be made") : 0;
	}
	r = check_target(u, path, archive_entry_symlink(e));
	if (r < 0)
		return r;
	*ret_kind = kind_link;
	return symlinkat(archive_entry_symlink(e), dir, base) < 0 ? denied(u, errno, path, "a symbolic link that cannot be made") : 0;
}

/* Something of that name is there. In a package the last one counts, but a directory with something in it stays. */
static int make_way(struct unpacker *u, const char *path, const char *kind)
{
	const char *base;
	fn_auto_fd int dir = -EBADF;
	struct stat st;

	if (!u->package && !u->layer)
		return bad(u, path, "appears twice");
	dir = open_parent(u, path, &base);
	if (dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		u->res->bytes -= (uint64_t)st.st_size;
	if (dir < 0 || unlinkat(dir, base, kind == kind_dir ? AT_REMOVEDIR : 0) < 0)
		return denied(u, dir < 0 ? dir : errno, path, "appears twice");
	(void)fn_map_remove(u->seen, path);
	return 0;
}

/* Others look into a layer's as its own mode says; its owner, nobody's user inside, always. */
static int mode_dir(struct unpacker *u, const char *path, mode_t perm)
{
	const char *base;
	fn_auto_fd int dir = open_parent(u, path, &base);

	if (dir < 0 || fchmodat(dir, base, (perm & 0777) | 0700, 0) < 0)
		return fn_err_set(&u->res->err, dir < 0 ? dir : errno, "unpack", "chmod %.120s", path);
	return 0;
}

static int unpack_dir(struct unpacker *u, const char *path, mode_t perm)
{
	char *kind = fn_map_get(u->seen, path);
	int r;

	if (kind == kind_dir)
		return u->layer ? mode_dir(u, path, perm) : 0;
	r = kind ? make_way(u, path, kind) : 0;
	if (r < 0)
		return r;
	r = make_dir(u, path);
	if (r < 0)
		return denied(u, r, path, "a directory that cannot be made");
	r = fn_map_set(u->seen, path, kind_dir, NULL);
	return r == 0 && u->layer ? mode_dir(u, path, perm) : r;
}

/* Readable by all, as Lambda requires of packages; x as it was; a zip from another system has no mode: 0644. A layer's are as they are. */
static mode_t file_mode(const struct unpacker *u, mode_t perm)
{
	return u->layer ? (perm & 0777) | 0400 : ((perm & 0777) ? (perm & 0777) : 0644) | 0444;
}

static int unpack_entry(struct unpacker *u, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);
	mode_t type = archive_entry_filetype(e), perm = archive_entry_perm(e);
	char path[PATH_MAX], *kind;
	int r;

	r = count(u);
	if (r < 0)
		return r;
	r = normalise(u, name, path, sizeof(path));
	if (r < 0)
		return r;
	if (archive_entry_is_data_encrypted(e) > 0 || archive_entry_is_metadata_encrypted(e) > 0)
		return bad(u, path, "encrypted");
	if ((perm & (S_ISUID | S_ISGID)) && type != AE_IFDIR && u->stream)
		return bad(u, path, "a setuid or setgid bit");
	if (!path[0]) /* "./" itself */
		return type == AE_IFDIR ? 0 : bad(u, name, "no name");
	r = make_parents(u, path);
	if (r < 0)
		return r;
	if (type == AE_IFDIR && u->layer && (strstr(path, "/.wh.") || fn_str_starts(path, ".wh.")))
		return bad(u, path, "a whiteout that is a directory");
	if (type == AE_IFDIR)
		return unpack_dir(u, path, perm);
	kind = fn_map_get(u->seen, path);
	r = kind ? make_way(u, path, kind) : 0;
	if (r < 0)
		return r;
	kind = kind_file;
	if (archive_entry_hardlink(e) || type == AE_IFLNK)
		r = make_link(u, path, e, &kind);
	else if (type == AE_IFREG || type == 0)
		r = write_file(u, path, e, file_mode(u, perm));
	else
		return bad(u, path, "a device, pipe or socket");
	return r < 0 ? r : fn_map_set(u->seen, path, kind, NULL);
}

static int empty(struct unpacker *u) { return of_archive(u, fn_err_set(&u->res->err, ENODATA, "unpack", "the archive is empty")); }

static ssize_t read_block(struct unpacker *u)
{
	ssize_t n;

	do
		n = read(u->archive_fd, u->block, sizeof(u->block));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		sha256_update(&u->sum, (size_t)n, (const uint8_t *)u->block);
	return n;
}

static la_ssize_t on_read(struct archive *a, void *arg, const void **ret)
{
	struct unpacker *u = arg;
	ssize_t n = read_block(u);

	if (n < 0)
		archive_set_error(a, errno, "read");
	*ret = u->block;
	return n;
}

static int judge_sum(struct unpacker *u, const char *have)
{
	return fn_streq(have, u->limits->sha256) ? 0 : fn_err_set(&u->res->err, EBADMSG, "unpack", "the archive is not what its digest says");
}

/* After the last entry: what follows counts too. */
static int check_sum(struct unpacker *u)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char have[2 * sizeof(sum) + 1];
	ssize_t n;

	while ((n = read_block(u)) > 0)
		;
	if (n < 0)
		return fn_err_set(&u->res->err, errno, "unpack", "read");
	sha256_digest(&u->sum, sizeof(sum), sum);
	fn_hex_encode(sum, sizeof(sum), have);
	return judge_sum(u, have);
}

/* What a layer is called by, and what is in it. */
static int end_layer(struct unpacker *u)
{
	char have[FN_SHA256_HEX];
	const char *why;
	int r = fn_layer_stream_end(u->blob, have, u->res->diff_id, &why);

	if (r == -EINVAL)
		return bad(u, "archive", why);
	if (r < 0)
		return fn_err_set(&u->res->err, r, "unpack", "%s", r == -EFBIG ? why : "read");
	return u->limits->sha256 ? judge_sum(u, have) : 0;
}

static int take_package(struct unpacker *u, off_t size)
{
	char have[FN_SHA256_HEX];
	int r = lseek(u->archive_fd, 0, SEEK_SET) < 0 ? -errno : fn_buf_reserve(&u->zip, (size_t)size + 4096);

	if (r == 0)
		r = fn_buf_read_fd(&u->zip, u->archive_fd, (size_t)size);
	if (r < 0)
		return fn_err_set(&u->res->err, r, "unpack", "read");
	if (!u->limits->sha256)
		return 0;
	fn_sha256_hex(u->zip.data, u->zip.len, have);
	return judge_sum(u, have);
}

static int open_archive(struct unpacker *u)
{
	if (u->layer)
		return fn_layer_stream_open(u->blob, u->a);
	if (u->package)
		return archive_read_open_memory(u->a, u->zip.data, u->zip.len);
	if (!u->stream && lseek(u->archive_fd, 0, SEEK_SET) < 0)
		return ARCHIVE_FATAL;
	if (!u->limits->sha256)
		return archive_read_open_fd(u->a, u->archive_fd, sizeof(u->block));
	sha256_init(&u->sum);
	return archive_read_open(u->a, u, NULL, on_read, NULL); /* which cannot skip or seek: all is read, once */
}

static int run(struct unpacker *u)
{
	struct archive_entry *e;
	int r, n;

	if (u->package)
		archive_read_support_format_zip_seekable(u->a);
	else
		archive_read_support_format_tar(u->a);
	if (u->limits->trusted_image) {
		archive_read_support_filter_gzip(u->a);
		archive_read_support_filter_zstd(u->a);
		archive_read_support_filter_xz(u->a);
	}
	if (open_archive(u) != ARCHIVE_OK)
		return archive_bad(u, "archive");
	while ((n = archive_read_next_header(u->a, &e)) != ARCHIVE_EOF) {
		if (n != ARCHIVE_OK && n != ARCHIVE_WARN)
			return archive_bad(u, "archive");
		r = unpack_entry(u, e);
		if (r < 0)
			return r;
	}
	if (u->res->entries == 0 && !u->layer) /* that a layer changes nothing may be */
		return empty(u);
	/* whoever writes a stream may die between two entries: only the two blocks behind the last one tell that it is all */
	if (u->stream && archive_filter_bytes(u->a, 0) - archive_read_header_position(u->a) < TAR_END)
		return bad(u, "archive", "it is cut short");
	if (u->layer)
		return end_layer(u);
	return u->limits->sha256 && !u->package ? check_sum(u) : 0;
}

/* A zip holds its end record: libarchive would guess, we do not. Where it begins does not matter (programs that unpack themselves). */
static int check_zip_end(struct unpacker *u)
{
	static const unsigned char nothing[8]; /* no entries, in a directory of no bytes: libarchive takes it for no zip */
	const char *end = u->zip.data + u->zip.len;

	for (size_t n = 22; n <= u->zip.len && n <= 22 + 65535; n++)
		if (memcmp(end - n, "PK\5\6", 4) == 0)
			return memcmp(end - n + 8, nothing, sizeof(nothing)) == 0 ? empty(u) : 0;
	return bad(u, "archive", "no zip, or truncated: the end record is missing");
}

int fn_unpack_archive(int archive_fd, int dest_fd, const char *prefix, const struct fn_unpack_limits *limits,
		      struct fn_unpack_result *ret)
{
	struct unpacker u = {.limits = limits, .res = ret, .root_fd = -EBADF, .archive_fd = archive_fd};
	struct stat st;
	int r = 0;

	*ret = (struct fn_unpack_result){0};
	if (fstat(archive_fd, &st) < 0)
		return fn_err_set(&ret->err, errno, "unpack", "archive");
	u.layer = limits->layer;
	u.stream = !S_ISREG(st.st_mode) && !u.layer;
	u.package = S_ISREG(st.st_mode) && !limits->trusted_image && !u.layer;
	u.a = archive_read_new();
	if (!u.a || fn_map_new(&u.seen) < 0)
		return fn_err_set(&ret->err, ENOMEM, "unpack", NULL);
	for (const char *p = prefix; r == 0 && *p;) { /* ours, not the archive's */
		size_t len = strcspn(p, "/");
		char part[PATH_MAX];

		snprintf(part, sizeof(part), "%.*s", (int)(p - prefix + (ptrdiff_t)len), prefix);
		if (mkdirat(dest_fd, part, 0755) < 0 && errno != EEXIST)
			r = fn_err_set(&ret->err, errno, "unpack", "mkdir %s", part);
		p += len + (p[len] == '/');
	}
	if (r == 0) {
		u.root_fd = beneath(dest_fd, *prefix ? prefix : ".", O_RDONLY | O_DIRECTORY, 0);
		if (u.root_fd < 0)
			r = fn_err_set(&ret->err, u.root_fd, "unpack", "open %s", prefix);
	}
	if (r == 0 && u.layer && fn_layer_stream_new(archive_fd, limits->max_bytes + (uint64_t)limits->max_entries * TAR_ENTRY_MAX, &u.blob) < 0)
		r = fn_err_set(&ret->err, ENOMEM, "unpack", NULL);
	if (r == 0 && u.package)
		r = take_package(&u, st.st_size);
	if (r == 0 && u.package)
		r = check_zip_end(&u);
	if (r == 0)
		r = run(&u);
	if (r < 0 && ret->err.code == 0)
		fn_err_set(&ret->err, r, "unpack", NULL);
	for (char *p = ret->err.msg; *p; p++) /* names are shown in logs */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	archive_read_free(u.a);
	fn_layer_stream_free(u.blob);
	fn_map_free(u.seen);
	fn_buf_free(&u.zip);
	fn_close(u.root_fd);
	return r;
}
