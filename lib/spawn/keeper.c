/* keeper.c - see keeper.h. */
#include "spawn/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "os/blankfs.h"
#include "os/loopdev.h"
#include "os/mount.h"
#include "os/sock.h"

#define BLANKS_RESTING 32 /* of sizes that nothing has at the time, about 80 KB each */
#define TRACES_BYTES 65536u /* of inodes that were read, and then gone. More is what was written to files without a name (O_TMPFILE): they change
			    * nothing that the file system tells, and the disk has it still */
#define LINGER_US 10000u     /* a mount of one that has ended is about to go: then once more */
#define CENSUS_US 250000u
#define SPARE_MS 2           /* nothing was asked for so long */
#define SPARE_FILES 64u      /* opened while nothing else is to be done: a new inode can cost more than all the rest (ext4 without a journal looks at each
			      * that has gone within the last minute) */
#define DIRTY_BYTES (32u << 20) /* of one, before its writers wait for the disk */
#define SHOWN "tmp"          /* of every device: sandboxes see by what name it was mounted */

enum use { FREE, READY, GIVEN, LINGERING };

struct blank {
	struct fn_list link; /* the one that was wanted last is the first */
	struct fn_blankfs fs;
	unsigned slots; /* that are of it */
};

struct slot {
	enum use use;
	struct fn_loopdev dev;
	int file, mount; /* mount: ours, at the directory of the slot's number */
	struct blank *blank;
	bool again; /* LINGERING: it is wanted when it is empty */
};

struct keeper {
	int sock, control, dir;
	unsigned devices_before, n, n_given, n_lingering;
	uid_t owner;
	uint64_t disk_bytes, census_us, linger_us;
	struct fn_list blanks;
	struct slot *slots;
	int spare[SPARE_FILES]; /* files, empty, for slots to come */
	unsigned n_spare;
};

/* --- one of them --- */
static const char *place_of(const struct keeper *k, const struct slot *s, char buf[16])
{
	snprintf(buf, 16, "%u", (unsigned)(s - k->slots));
	return buf;
}

/* Of the disk, deleted files of it or not. */
static uint64_t disk_bytes_of(const struct slot *s)
{
	struct stat st;

	return fstat(s->file, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static int mount_it(struct keeper *k, struct slot *s, struct fn_err *err)
{
	char place[16];
	int r;

	(void)unlink(SHOWN);
	if (symlink(s->dev.path, SHOWN) < 0)
		return fn_err_set(err, errno, "mount /tmp", "symlink");
	r = s->mount = fn_blankfs_mount(SHOWN, err);
	if (r < 0)
		return r;
	if (mkdir(place_of(k, s, place), 0700) < 0 && errno != EEXIST)
		return fn_err_set(err, errno, "mount /tmp", "mkdir");
	return fn_mount_attach(s->mount, AT_FDCWD, place, "mount /tmp", err); /* only of one that is attached are there copies (Linux < 6.15) */
}

static void unmount_it(struct keeper *k, struct slot *s)
{
	char place[16];

	if (s->mount < 0)
		return;
	(void)umount2(place_of(k, s, place), MNT_DETACH);
	(void)rmdir(place);
	fn_close(fn_take_fd(&s->mount));
}

static int new_file(const struct keeper *k)
{
	int fd = openat(k->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[48];

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	/* not every file system has files without a name */
	snprintf(name, sizeof(name), ".fnd-tmp-%d-%llu", (int)getpid(), (unsigned long long)fn_clock_mono_us());
	fd = openat(k->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(k->dir, name, 0);
	return fd;
}

static int open_file(struct keeper *k, uint64_t bytes, struct fn_err *err)
{
	fn_auto_fd int fd = k->n_spare ? k->spare[--k->n_spare] : new_file(k);

	if (fd < 0)
		return fn_err_set(err, fd, "file for /tmp", NULL);
	if (ftruncate(fd, (off_t)bytes) < 0)
		return fn_err_set(err, errno, "file for /tmp", "size");
	return fn_take_fd(&fd);
}

/* One more; false: they are as many as they should be, or cannot be had now. */
static bool add_spare(struct keeper *k)
{
	int fd = k->n_spare < SPARE_FILES ? new_file(k) : -EAGAIN;

	if (fd >= 0)
		k->spare[k->n_spare++] = fd;
	return fd >= 0;
}

static void free_it(struct keeper *k, struct slot *s)
{
	unmount_it(k, s);
	fn_loopdev_release(k->control, &s->dev, s->dev.number >= k->devices_before);
	fn_close(fn_take_fd(&s->file));
	s->blank->slots--;
	s->use = FREE;
}

static struct blank *blank_at(struct fn_list *l) { return fn_list_entry(l, struct blank, link); }

/* There may be as many sizes as functions. */
static void forget_blanks(struct keeper *k)
{
	unsigned resting = 0;

	fn_list_for_each_safe(l, &k->blanks)
	{
		struct blank *b = blank_at(l);

		if (b->slots > 0 || ++resting <= BLANKS_RESTING)
			continue;
		fn_list_remove(l);
		fn_blankfs_free(&b->fs);
		free(b);
	}
}

static struct blank *find_blank(struct keeper *k, uint64_t bytes)
{
	fn_list_for_each(l, &k->blanks)
		if (blank_at(l)->fs.room == bytes)
			return blank_at(l);
	return NULL;
}

static struct blank *blank_of(struct keeper *k, uint64_t bytes, struct fn_err *err)
{
	struct blank *b = find_blank(k, bytes);

	if (b) {
		fn_list_remove(&b->link);
	} else {
		b = calloc(1, sizeof(*b));
		if (!b) {
			fn_err_set(err, ENOMEM, "blank file system", NULL);
			return NULL;
		}
		if (fn_blankfs_make(k->control, bytes, k->owner, &b->fs, err) < 0) {
			free(b);
			return NULL;
		}
	}
	fn_list_push_front(&k->blanks, &b->link);
	forget_blanks(k);
	return b;
}

static struct slot *free_slot(struct keeper *k)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->slots[i].use == FREE)
			return &k->slots[i];
	return k->n < FN_KEEPER_SLOTS ? &k->slots[k->n++] : NULL;
}

static struct slot *make(struct keeper *k, uint64_t bytes, struct fn_err *err)
{
	struct blank *blank = blank_of(k, bytes, err);
	struct slot *s = blank ? free_slot(k) : NULL;
	int r;

	if (!s) {
		if (blank)
			fn_err_set(err, EAGAIN, "file for /tmp", "%u are in use", FN_KEEPER_SLOTS);
		return NULL;
	}
	*s = (struct slot){.use = READY, .dev = {.fd = -EBADF}, .file = -EBADF, .mount = -EBADF, .blank = blank};
	blank->slots++;
	r = s->file = open_file(k, blank->fs.bytes, err);
	if (r >= 0)
		r = fn_loopdev_bind(k->control, s->file, &s->dev, err);
	if (r >= 0) {
		fn_loopdev_limit_dirty(&s->dev, DIRTY_BYTES);
		r = fn_blankfs_write(&blank->fs, s->dev.fd);
		if (r < 0)
			fn_err_set(err, r, "file for /tmp", "write");
	}
	if (r >= 0)
		r = mount_it(k, s, err);
	if (r >= 0)
		return s;
	free_it(k, s);
	return NULL;
}

/* As new. -EBUSY: somebody has a mount of it still. */
static int empty(struct keeper *k, struct slot *s, struct fn_err *err)
{
	fn_auto_fd int claim = -EBADF;
	int r;

	if (s->mount >= 0 && fn_blankfs_untouched(&s->blank->fs, s->mount) && disk_bytes_of(s) <= s->blank->fs.n * FN_BLANKFS_BLOCK + TRACES_BYTES)
		return 0;
	unmount_it(k, s);
	r = claim = fn_loopdev_claim(&s->dev);
	if (r == -EBUSY)
		return r;
	if (r >= 0)
		r = fn_loopdev_discard(claim, s->blank->fs.bytes);
	if (r >= 0)
		r = fn_blankfs_write(&s->blank->fs, claim);
	if (r < 0)
		return fn_err_set(err, r, "empty /tmp", NULL);
	fn_close(fn_take_fd(&claim));
	return mount_it(k, s, err);
}

/* --- and fn-spawnd --- */
static void answer(const struct keeper *k, const struct fn_keeper_answer *a, int fd)
{
	struct iovec iov = {(void *)a, sizeof(*a)};

	if (fn_sock_send(k->sock, &iov, 1, &fd, fd >= 0) < 0)
		_exit(1); /* blocking: fn-spawnd has gone, or will start another */
}

static void answer_failed(const struct keeper *k, uint64_t bytes, const struct fn_err *err)
{
	answer(k, &(struct fn_keeper_answer){.what = FN_KEEPER_FAILED, .bytes = bytes, .err = *err}, -EBADF);
}

static void hand_out(struct keeper *k, struct slot *s)
{
	struct fn_err err = {0};
	char place[16];
	fn_auto_fd int copy = fn_mount_copy(AT_FDCWD, place_of(k, s, place), 0, &err);

	if (copy < 0) {
		answer_failed(k, s->blank->fs.room, &err);
		free_it(k, s);
		return;
	}
	s->use = GIVEN;
	k->n_given++;
	answer(k, &(struct fn_keeper_answer){.what = FN_KEEPER_READY, .slot = (uint32_t)(s - k->slots), .bytes = s->blank->fs.room}, copy);
}

static void settle(struct keeper *k, struct slot *s)
{
	struct fn_err err = {0};
	bool lingered = s->use == LINGERING;
	int r;

	if (s->again) {
		r = empty(k, s, &err);
	} else { /* the device goes when the last mount has gone */
		unmount_it(k, s);
		r = fn_loopdev_claim(&s->dev);
		if (r >= 0)
			fn_close(r);
	}
	if (r == -EBUSY) {
		s->use = LINGERING;
		k->n_lingering += !lingered;
		return;
	}
	k->n_lingering -= lingered;
	s->use = READY;
	if (r < 0 && s->again)
		answer_failed(k, s->blank->fs.room, &err);
	if (r < 0 || !s->again)
		free_it(k, s);
	else
		hand_out(k, s);
}

static void on_ask(struct keeper *k, const struct fn_keeper_ask *a)
{
	struct slot *s = a->slot < k->n ? &k->slots[a->slot] : NULL;
	struct fn_err err = {0};

	if (a->verb == FN_KEEPER_MAKE) {
		s = make(k, a->bytes, &err);
		if (s)
			hand_out(k, s);
		else
			answer_failed(k, a->bytes, &err);
	} else if (s && s->use == GIVEN) {
		s->again = a->verb == FN_KEEPER_EMPTY;
		k->n_given--;
		settle(k, s);
	}
}

static void look_at_lingering(struct keeper *k)
{
	for (unsigned i = 0; k->n_lingering && i < k->n; i++)
		if (k->slots[i].use == LINGERING)
			settle(k, &k->slots[i]);
}

static void take_census(struct keeper *k)
{
	struct fn_keeper_answer a = {.what = FN_KEEPER_LARGEST};
	uint64_t all = 0;

	for (unsigned i = 0; i < k->n; i++) {
		struct slot *s = &k->slots[i];
		uint64_t bytes = s->use != FREE ? disk_bytes_of(s) : 0;

		all += bytes;
		if (s->use == GIVEN && bytes > a.bytes) {
			a.bytes = bytes;
			a.slot = i;
		}
	}
	if (all > k->disk_bytes && a.bytes > 0)
		answer(k, &a, -EBADF);
}

/* fn-spawnd has gone, and all sandboxes with it. */
static _Noreturn void end(struct keeper *k)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->slots[i].use != FREE)
			free_it(k, &k->slots[i]);
	_exit(0);
}

static _Noreturn void work(struct keeper *k)
{
	for (;;) {
		struct pollfd p = {.fd = k->sock, .events = POLLIN};
		struct fn_keeper_ask a;
		int idle = k->n_lingering ? (int)(LINGER_US / 1000) : k->n_given ? (int)(CENSUS_US / 1000) : -1;
		bool lacks = k->n_spare < SPARE_FILES;
		int n = poll(&p, 1, lacks ? SPARE_MS : idle);

		if (n == 0 && lacks && !add_spare(k))
			n = poll(&p, 1, idle);
		ssize_t len = n > 0 ? recv(k->sock, &a, sizeof(a), 0) : -1;
		uint64_t now = fn_clock_mono_us();

		if (n > 0 && (len == 0 || (len < 0 && errno != EINTR)))
			end(k);
		if (len == (ssize_t)sizeof(a))
			on_ask(k, &a);
		if (now >= k->linger_us + LINGER_US) {
			k->linger_us = now;
			look_at_lingering(k);
		}
		if (now >= k->census_us + CENSUS_US) {
			k->census_us = now;
			take_census(k);
		}
	}
}

/* --- its beginning --- */
/* A directory of its own, where nodes and mounts have their names. What the host unmounts goes here too. */
static int enter(struct keeper *k, const struct fn_keeper_config *c, struct fn_err *err)
{
	static const char *const options[] = {"mode", "0700", "size", "1m", NULL, NULL};
	fn_auto_fd int own = -EBADF, host = c->host_ns_fd;

	if (setns(host, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return fn_err_set(err, errno, "enter namespace", NULL);
	k->dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir < 0)
		return fn_err_set(err, errno, "directory for /tmp", "%.150s", c->dir);
	own = fn_mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
	if (own < 0 || fn_mount_attach(own, AT_FDCWD, c->dir, "mount tmpfs", err) < 0)
		return -err->code;
	return chdir(c->dir) < 0 ? fn_err_set(err, errno, "enter namespace", "chdir") : 0;
}

static int begin(struct keeper *k, const struct fn_keeper_config *c, struct fn_err *err)
{
	struct statvfs vfs;
	int r = enter(k, c, err);

	if (r < 0)
		return r;
	k->devices_before = fn_loopdev_count();
	r = k->control = fn_loopdev_control(err);
	if (r < 0)
		return r;
	k->slots = calloc(FN_KEEPER_SLOTS, sizeof(*k->slots));
	if (!k->slots || fstatvfs(k->dir, &vfs) < 0)
		return fn_err_set(err, errno, "directory for /tmp", "%.150s", c->dir);
	k->owner = c->owner;
	k->disk_bytes = c->disk_bytes ? c->disk_bytes : (uint64_t)vfs.f_bavail * vfs.f_frsize / 2;
	return 0;
}

/* What it cannot begin with it says instead of an answer. */
static _Noreturn void run(int sock, const struct fn_keeper_config *c)
{
	static struct keeper k;
	int keep[] = {sock, STDERR_FILENO, c->host_ns_fd};
	const struct rlimit nofile = {3 * FN_KEEPER_SLOTS + SPARE_FILES + 64, 3 * FN_KEEPER_SLOTS + SPARE_FILES + 64};
	struct fn_err err = {0};

	/* what fn-spawnd holds (the master's lock above all) is not held on to */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || fn_fd_close_except(keep, 3) < 0)
		_exit(1);
	(void)setrlimit(RLIMIT_NOFILE, &nofile);
	(void)prctl(PR_SET_NAME, "fn-keeper", 0, 0, 0);
	umask(077);
	k.sock = sock;
	fn_list_init(&k.blanks);
	if (begin(&k, c, &err) < 0) {
		answer_failed(&k, 0, &err);
		_exit(1);
	}
	work(&k);
}

int fn_keeper_start(const struct fn_keeper_config *config, pid_t *ret_pid, struct fn_err *err)
{
	int pair[2], r = fn_sock_pair(SOCK_SEQPACKET, pair);
	pid_t pid;

	if (r < 0)
		return fn_err_set(err, r, "keeper of /tmp", "socket");
	pid = fork();
	if (pid == 0)
		run(pair[1], config);
	fn_close(pair[1]);
	if (pid < 0 || fn_fd_set_nonblock(pair[0], true) < 0) {
		r = fn_err_set(err, errno, "keeper of /tmp", "fork");
		fn_close(pair[0]);
		return r;
	}
	*ret_pid = pid;
	return pair[0];
}
