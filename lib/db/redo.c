/* redo.c - see redo.h. */
#include "db/redo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define FILE_BYTES (1u << 20)
#define MAGIC UINT64_C(0x316f646572006e66)
/* Between the numbers of one process's life and those of the next: a record that a power cut has left behind one that it took never follows one of ours. */
#define LIFE (UINT64_C(1) << 32)

/* Followed by `len` bytes: entries, each behind its length (uint32_t). All in the order of the machine. */
struct record {
	uint64_t magic, number;
	uint32_t len, crc; /* crc: of the number, len and what follows */
};

struct buffer {
	char *data;
	size_t len, cap;
};

struct fn_db_redo {
	int fd;
	bool opened; /* what was in it is done */
	struct buffer made, given, taken;
	uint64_t number;	   /* of the last that was given */
	uint64_t taken_number;
	size_t end, given_at, taken_at; /* end: where in the file the next one goes */
};

static uint32_t check(const struct record *r, const void *data)
{
	uint32_t crc = fn_crc32(0, &r->number, sizeof(r->number));

	crc = fn_crc32(crc, &r->len, sizeof(r->len));
	return fn_crc32(crc, data, r->len);
}

static bool no_room(int r) { return r == -ENOSPC || r == -EDQUOT; }

/* --- at the start --- */
struct reading {
	const char *data; /* of the whole file */
	size_t len, at;
	uint64_t last; /* number of the record that was read last */
	bool any;
};

/* False: there is none, or what follows is torn or older. */
static bool next_record(struct reading *f, struct record *r)
{
	if (f->len - f->at < sizeof(*r))
		return false;
	memcpy(r, f->data + f->at, sizeof(*r));
	if (r->magic != MAGIC || r->len > f->len - f->at - sizeof(*r) || (f->any && r->number != f->last + 1) || r->crc != check(r, f->data + f->at + sizeof(*r)))
		return false;
	f->any = true;
	f->last = r->number;
	return true;
}

static int replay_record(const char *data, const struct record *rec, fn_db_replay_fn *replay, void *arg, sqlite3 *db, unsigned *n, struct fn_err *err)
{
	uint32_t size;
	int r = 0;

	for (size_t at = 0; r == 0 && rec->len - at >= sizeof(size); at += size) {
		memcpy(&size, data + at, sizeof(size));
		at += sizeof(size);
		if (size > rec->len - at)
			return fn_err_set(err, EBADMSG, "redo log", "an entry is longer than its record");
		r = replay(arg, db, rec->number, data + at, size, err);
		if (r < 0)
			return r;
		*n += (unsigned)r;
		r = 0;
	}
	return r;
}

static int replay_all(struct reading *f, sqlite3 *db, fn_db_replay_fn *replay, void *arg, struct fn_err *err)
{
	struct record rec;
	unsigned n = 0;
	int r = fn_db_exec(db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", err);

	if (r < 0)
		return r;
	for (; r == 0 && next_record(f, &rec); f->at += sizeof(rec) + rec.len)
		r = replay_record(f->data + f->at + sizeof(rec), &rec, replay, arg, db, &n, err);
	r = fn_db_end(db, r, err);
	if (r == 0 && n > 0)
		fn_log_info("database: %u changes that were acknowledged are done again from the redo log", n);
	return r;
}

/* A file whose blocks have all been written: a sync has no more to write than what it is for. The descriptor is at its end. */
static int fill(int fd, size_t from)
{
	static const char zeros[65536];
	int r = 0;

	for (size_t n; from < FILE_BYTES && r == 0; from += n) {
		n = FILE_BYTES - from < sizeof(zeros) ? FILE_BYTES - from : sizeof(zeros);
		r = fn_fd_write_all(fd, zeros, n);
	}
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

static int sync_folder(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	fn_auto_fd int fd = -EBADF;

	if (fn_str_format(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") < 0)
		return -ENAMETOOLONG;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int fn_db_redo_open(const char *path, sqlite3 *db, uint64_t last, fn_db_replay_fn *replay, void *arg, struct fn_db_redo **ret, struct fn_err *err)
{
	struct fn_db_redo *redo = calloc(1, sizeof(*redo));
	struct reading f = {0};
	char file[PATH_MAX], *data = malloc(FILE_BYTES);
	ssize_t len;
	bool full;
	int r;

	*ret = NULL;
	if (!redo || !data || fn_str_format(file, sizeof(file), "%s-redo", path) < 0) {
		r = fn_err_set(err, redo && data ? ENAMETOOLONG : ENOMEM, "redo log", NULL);
		free(redo);
		free(data);
		return r;
	}
	redo->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	full = redo->fd < 0 && no_room(-errno);
	len = redo->fd < 0 ? -errno : fn_fd_read_all(redo->fd, data, FILE_BYTES);
	r = len < 0 ? fn_err_set(err, (int)len, "redo log", "%.150s", file) : 0;
	f.data = data;
	f.len = len < 0 ? 0 : (size_t)len;
	if (r == 0)
		r = replay_all(&f, db, replay, arg, err);
	free(data);
	redo->number = (f.any && f.last > last ? f.last : last) + LIFE;
	if (r == 0 && ((r = fill(redo->fd, f.len)) < 0 || (r = sync_folder(file)) < 0)) {
		full = no_room(r);
		fn_err_set(err, r, "redo log", "%.150s", file);
	}
	if (r == 0) {
		redo->opened = true;
		*ret = redo;
		return 0;
	}
	fn_db_redo_free(redo);
	if (!full)
		return r;
	fn_log_warn("redo log: %s: no room; until the next start each change waits for the database's log", file);
	return 0;
}

void fn_db_redo_free(struct fn_db_redo *r)
{
	static const uint64_t none;

	if (!r)
		return;
	if (r->opened && r->end == 0)
		(void)!pwrite(r->fd, &none, sizeof(none), 0);
	if (r->fd >= 0)
		close(r->fd);
	free(r->made.data);
	free(r->given.data);
	free(r->taken.data);
	free(r);
}

/* --- records --- */
static bool append(struct buffer *b, const void *data, size_t len)
{
	if (len > FN_DB_REDO_BATCH_MAX - b->len)
		return false;
	if (b->len + len > b->cap) {
		size_t cap = b->cap ? b->cap : 4096;
		char *p;

		while (cap < b->len + len)
			cap *= 2;
		if (!(p = realloc(b->data, cap)))
			return false;
		b->data = p;
		b->cap = cap;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	return true;
}

void fn_db_redo_begin(struct fn_db_redo *r)
{
	r->made.len = 0;
	(void)append(&r->made, &(struct record){0}, sizeof(struct record));
}

bool fn_db_redo_add(struct fn_db_redo *r, const struct iovec *v, int n)
{
	size_t len = 0;
	bool ok = r->made.len >= sizeof(struct record);

	for (int i = 0; i < n; i++)
		len += v[i].iov_len;
	ok = ok && len <= FN_DB_REDO_BATCH_MAX && append(&r->made, &(uint32_t){(uint32_t)len}, sizeof(uint32_t));
	for (int i = 0; ok && i < n; i++)
		ok = append(&r->made, v[i].iov_base, v[i].iov_len);
	return ok;
}

static void swap(struct buffer *a, struct buffer *b)
{
	struct buffer t = *a;

	*a = *b;
	*b = t;
}

uint64_t fn_db_redo_give(struct fn_db_redo *r)
{
	struct record rec = {.magic = MAGIC, .number = r->number + 1, .len = (uint32_t)(r->made.len - sizeof(rec))};

	if (r->made.len > FILE_BYTES - r->end)
		return 0;
	rec.crc = check(&rec, r->made.data + sizeof(rec));
	memcpy(r->made.data, &rec, sizeof(rec));
	if (r->given.len == 0) {
		swap(&r->given, &r->made);
		r->given_at = r->end;
	} else if (!append(&r->given, r->made.data, r->made.len)) {
		return 0;
	} else {
		r->made.len = 0;
	}
	r->end = r->given_at + r->given.len;
	r->number++;
	return r->number;
}

bool fn_db_redo_due(const struct fn_db_redo *r) { return r->given.len > 0; }

void fn_db_redo_take(struct fn_db_redo *r)
{
	swap(&r->taken, &r->given);
	r->given.len = 0;
	r->taken_at = r->given_at;
	r->taken_number = r->number;
}

uint64_t fn_db_redo_written(const struct fn_db_redo *r) { return r->taken_number; }

static int failed(int r) { return no_room(r) ? -ENOSPC : r; }

int fn_db_redo_write(struct fn_db_redo *r)
{
	for (size_t done = 0; done < r->taken.len;) {
		ssize_t n = pwrite(r->fd, r->taken.data + done, r->taken.len - done, (off_t)(r->taken_at + done));

		if (n < 0 && errno != EINTR)
			return failed(-errno);
		done += n > 0 ? (size_t)n : 0;
	}
	return fdatasync(r->fd) < 0 ? failed(-errno) : 0;
}

void fn_db_redo_covered(struct fn_db_redo *r, uint64_t number)
{
	if (number != r->number)
		return;
	r->given.len = 0;
	r->end = 0;
}
