/*
 * failing_disk.h - SQLite's own file system behind one that fails when it is told to: disk.sync, disk.write are what xSync and xWrite of a write-ahead log
 * answer (0 = as ever), disk.commits counts its syncs, disk.slow_us makes them last. For databases opened after make_disk().
 */
#ifndef TESTS_UNIT_FAILING_DISK_H
#define TESTS_UNIT_FAILING_DISK_H

#include <check.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

static struct {
	_Atomic int sync, write, commits; /* errors for xSync and xWrite of the log (0 = none); how many syncs of it there were */
	_Atomic int slow_us;
} disk;

struct file {
	sqlite3_file base;
	sqlite3_io_methods methods;
	const sqlite3_io_methods *real;
	bool log;
	sqlite3_file inner[];
};
static sqlite3_vfs failing, *inner_vfs;

static int f_sync(sqlite3_file *f, int flags)
{
	struct file *x = (struct file *)f;

	if (x->log) {
		disk.commits++;
		if (disk.slow_us)
			usleep((useconds_t)disk.slow_us);
	}
	return disk.sync && x->log ? disk.sync : x->real->xSync(x->inner, flags);
}

static int f_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	struct file *x = (struct file *)f;

	return disk.write && x->log ? disk.write : x->real->xWrite(x->inner, data, n, at);
}

#define PASS(ret, name, args, call)                                            \
	static ret f_##name args                                               \
	{                                                                      \
		struct file *x = (struct file *)f;                             \
		return x->real->x##name call;                                  \
	}
PASS(int, Close, (sqlite3_file * f), (x->inner))
PASS(int, Read, (sqlite3_file * f, void *d, int n, sqlite3_int64 at), (x->inner, d, n, at))
PASS(int, Truncate, (sqlite3_file * f, sqlite3_int64 n), (x->inner, n))
PASS(int, FileSize, (sqlite3_file * f, sqlite3_int64 *n), (x->inner, n))
PASS(int, Lock, (sqlite3_file * f, int l), (x->inner, l))
PASS(int, Unlock, (sqlite3_file * f, int l), (x->inner, l))
PASS(int, CheckReservedLock, (sqlite3_file * f, int *r), (x->inner, r))
PASS(int, FileControl, (sqlite3_file * f, int op, void *a), (x->inner, op, a))
PASS(int, SectorSize, (sqlite3_file * f), (x->inner))
PASS(int, DeviceCharacteristics, (sqlite3_file * f), (x->inner))
PASS(int, ShmMap, (sqlite3_file * f, int p, int s, int e, void volatile **r), (x->inner, p, s, e, r))
PASS(int, ShmLock, (sqlite3_file * f, int o, int n, int fl), (x->inner, o, n, fl))
PASS(void, ShmBarrier, (sqlite3_file * f), (x->inner))
PASS(int, ShmUnmap, (sqlite3_file * f, int d), (x->inner, d))

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	static const sqlite3_io_methods ours = {2, f_Close, f_Read, f_write, f_Truncate, f_sync, f_FileSize, f_Lock, f_Unlock, f_CheckReservedLock,
						f_FileControl, f_SectorSize, f_DeviceCharacteristics, f_ShmMap, f_ShmLock, f_ShmBarrier, f_ShmUnmap, NULL, NULL};
	struct file *x = (struct file *)f;
	int r = inner_vfs->xOpen(inner_vfs, name, x->inner, flags, out);

	(void)vfs;
	x->log = flags & SQLITE_OPEN_WAL;
	x->real = x->inner->pMethods;
	f->pMethods = x->real ? &ours : NULL;
	return r;
}

static inline void make_disk(void)
{
	inner_vfs = sqlite3_vfs_find(NULL);
	failing = *inner_vfs;
	failing.szOsFile = (int)sizeof(struct file) + inner_vfs->szOsFile;
	failing.zName = "failing";
	failing.xOpen = v_open;
	ck_assert_int_eq(sqlite3_vfs_register(&failing, 1), SQLITE_OK);
}

#endif
