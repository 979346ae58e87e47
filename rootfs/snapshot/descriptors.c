/*
 * descriptors.c - see save.h: open files, the directory, the umask. What leads out of the process cannot be kept; what begins and ends in it
 * can, if nothing is on its way: pipes, pairs of sockets, event counters, and the epoll instances that watch them. An event loop that
 * waits for nothing consists of these. Files of /tmp are other files there, copies: one that only reads or only writes does not mind, a
 * database would.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "save.h"

#define FDS_MAX 256
#define WATCHED_MAX 512
#define PATHS_SIZE 65536
#define PATH_SIZE 4096
#define OUT_OF_THE_WAY 900 /* descriptors are made there and then moved to where they were */

enum kind { REGULAR, COPY, PIPE, PAIR, COUNTER, EPOLL };

struct kept_fd {
	enum kind kind;
	int fd, flags, cloexec;
	int mate;        /* PIPE, PAIR: index of the other end; -1 = none found */
	int type;        /* PAIR: SOCK_* */
	int of;          /* COPY: the descriptor that it is a dup() of, a lower one */
	off_t offset;    /* REGULAR */
	unsigned path;   /* REGULAR: in paths */
	uint64_t number; /* REGULAR, PIPE: the inode; COUNTER: what it stands at */
	int semaphore;   /* COUNTER */
	unsigned watched, n_watched; /* EPOLL */
};

static struct {
	struct kept_fd fds[FDS_MAX];
	unsigned n;
	struct {
		int fd;
		struct epoll_event event;
	} watched[WATCHED_MAX];
	unsigned n_watched;
	char paths[PATHS_SIZE];
	unsigned paths_len;
	char cwd[PATH_SIZE];
	mode_t mask;
} kept;

static char text[65536];

static ssize_t read_info(int fd)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	n = save_read(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

/* --- what there is --- */
static int note_file(struct kept_fd *k, const char *target, const struct stat *st, char *why)
{
	size_t len = strlen(target) + 1;

	if (strstr(target, " (deleted)"))
		return save_fail(why, "init has left a deleted file open: %.100s", target);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && strncmp(target, "/dev/", 5) != 0)
		return save_fail(why, "init has left a special file open: %.100s", target);
	if (strncmp(target, "/tmp/", 5) == 0 && S_ISREG(st->st_mode)) {
		if ((k->flags & O_ACCMODE) == O_RDWR)
			return save_fail(why, "init has left a file in /tmp open for reading and writing: %.100s", target);
		if ((k->flags & O_ACCMODE) == O_WRONLY && access(target, W_OK) < 0)
			return save_fail(why, "init has left a file in /tmp open that it may not open again: %.100s", target);
		if (read_info(k->fd) <= 0 || strstr(text, "\nlock:"))
			return save_fail(why, "init has left a file in /tmp locked: %.100s", target);
	}
	if (kept.paths_len + len > sizeof(kept.paths))
		return save_fail(why, "init has left too many files open");
	k->kind = REGULAR;
	k->offset = S_ISREG(st->st_mode) ? lseek(k->fd, 0, SEEK_CUR) : 0;
	k->number = st->st_ino;
	k->path = kept.paths_len;
	memcpy(kept.paths + kept.paths_len, target, len);
	kept.paths_len += (unsigned)len;
	return 0;
}

/* Unnamed, connected, nothing in it: perhaps half of a socketpair(). */
static int note_socket(struct kept_fd *k, char *why)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(int), name = sizeof(a), peer = sizeof(a);
	int domain = 0, waiting = 0;

	if (getsockopt(k->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 || domain != AF_UNIX ||
	    getsockopt(k->fd, SOL_SOCKET, SO_TYPE, &k->type, &len) < 0 || getsockname(k->fd, (struct sockaddr *)&a, &name) < 0 ||
	    name > sizeof(sa_family_t) || getpeername(k->fd, (struct sockaddr *)&a, &peer) < 0 || ioctl(k->fd, FIONREAD, &waiting) < 0)
		return save_fail(why, "init has left a socket open (descriptor %d)", k->fd);
	if (waiting)
		return save_fail(why, "init has left a socket with something in it (descriptor %d)", k->fd);
	k->kind = PAIR;
	return 0;
}

static int note_pipe(struct kept_fd *k, const struct stat *st, char *why)
{
	struct stat out;
	int waiting = 0;

	for (int fd = 1; fd <= 2; fd++)
		if (fstat(fd, &out) == 0 && out.st_ino == st->st_ino && (k->flags & O_ACCMODE) == O_WRONLY) {
			k->kind = COPY;
			k->of = fd;
			return 0;
		}
	if ((k->flags & O_ACCMODE) == O_RDONLY && (ioctl(k->fd, FIONREAD, &waiting) < 0 || waiting))
		return save_fail(why, "init has left a pipe with something in it (descriptor %d)", k->fd);
	k->kind = PIPE;
	k->number = st->st_ino;
	return 0;
}

/* fdinfo of an eventfd: "eventfd-count: <hex>", newer kernels "eventfd-semaphore: <0|1>"; proc(5). */
static int note_counter(struct kept_fd *k, char *why)
{
	char *p;

	if (read_info(k->fd) <= 0 || !(p = strstr(text, "eventfd-count:")))
		return save_fail(why, "an eventfd does not tell its count (descriptor %d)", k->fd);
	k->kind = COUNTER;
	k->number = libc_strtoull(p + strlen("eventfd-count:"), NULL, 16);
	p = strstr(text, "eventfd-semaphore:");
	k->semaphore = p && libc_strtol(p + strlen("eventfd-semaphore:"), NULL, 10) == 1;
	return 0;
}

/* "tfd: <fd> events: <hex> data: <hex> ..." a line for each that is watched. */
static int note_epoll(struct kept_fd *k, char *why)
{
	k->kind = EPOLL;
	k->watched = kept.n_watched;
	if (read_info(k->fd) <= 0)
		return save_fail(why, "an epoll instance does not tell what it watches (descriptor %d)", k->fd);
	for (char *p = text; (p = strstr(p, "tfd:")); p++) {
		unsigned long long data;
		unsigned events;
		int fd;

		if (kept.n_watched == WATCHED_MAX || libc_sscanf(p, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3)
			return save_fail(why, "an epoll instance watches too much (descriptor %d)", k->fd);
		kept.watched[kept.n_watched].fd = fd;
		kept.watched[kept.n_watched].event.events = events;
		kept.watched[kept.n_watched++].event.data.u64 = data;
		k->n_watched++;
	}
	return 0;
}

static int note(int fd, char *why)
{
	struct kept_fd *k = &kept.fds[kept.n];
	char link[64], target[PATH_SIZE];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return save_fail(why, "descriptor %d: %s", fd, strerror(errno));
	target[n] = '\0';
	if (fd <= 2) { /* the platform's own */
		if (fd == 0 ? S_ISCHR(st.st_mode) : S_ISFIFO(st.st_mode))
			return 0;
		return save_fail(why, "descriptor %d is not what it was when the runtime began", fd);
	}
	if (kept.n == FDS_MAX || fd >= OUT_OF_THE_WAY)
		return save_fail(why, "init has left more than %d descriptors open", FDS_MAX);
	*k = (struct kept_fd){.fd = fd, .flags = fcntl(fd, F_GETFL), .cloexec = fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0, .mate = -1};
	kept.n++;
	if (target[0] == '/')
		return note_file(k, target, &st, why);
	if (strncmp(target, "pipe:", 5) == 0)
		return note_pipe(k, &st, why);
	if (strncmp(target, "socket:", 7) == 0)
		return note_socket(k, why);
	if (strcmp(target, "anon_inode:[eventfd]") == 0)
		return note_counter(k, why);
	if (strcmp(target, "anon_inode:[eventpoll]") == 0)
		return note_epoll(k, why);
	return save_fail(why, "init has left %.60s open (descriptor %d)", target, fd);
}

/* --- who belongs to whom --- */
/* The ends of a pipe have its inode. Of a pair of sockets one end hears what the other says. */
static int is_mate(const struct kept_fd *a, const struct kept_fd *b)
{
	int waiting = 0;

	if (a == b || a->kind != b->kind || b->mate >= 0)
		return 0;
	if (a->kind == PIPE)
		return a->number == b->number && (a->flags & O_ACCMODE) != (b->flags & O_ACCMODE);
	return ioctl(b->fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static int find_mate(unsigned i, char *why)
{
	struct kept_fd *a = &kept.fds[i];
	char byte = 0;

	if ((a->kind != PIPE && a->kind != PAIR) || a->mate >= 0)
		return 0;
	if (a->kind == PAIR && send(a->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return save_fail(why, "init has left a socket open (descriptor %d)", a->fd);
	for (unsigned k = 0; k < kept.n && a->mate < 0; k++)
		if (is_mate(a, &kept.fds[k])) {
			a->mate = (int)k;
			kept.fds[k].mate = (int)i;
		}
	if (a->mate < 0)
		return save_fail(why, "init has left %s open (descriptor %d)", a->kind == PIPE ? "a pipe" : "a socket", a->fd);
	if (a->kind == PAIR)
		(void)!recv(kept.fds[a->mate].fd, &byte, 1, MSG_DONTWAIT);
	return 0;
}

/* Descriptors of one open file have one position. */
static void find_copies(void)
{
	for (unsigned i = 0; i < kept.n; i++)
		for (unsigned k = i + 1; k < kept.n; k++) {
			struct kept_fd *a = &kept.fds[i], *b = &kept.fds[k];

			if (a->kind != REGULAR || b->kind != REGULAR || a->number != b->number || a->flags != b->flags || a->offset != b->offset ||
			    lseek(a->fd, a->offset + 1, SEEK_SET) < 0)
				continue;
			if (lseek(b->fd, 0, SEEK_CUR) == a->offset + 1) {
				b->kind = COPY;
				b->of = a->fd;
			}
			(void)lseek(a->fd, a->offset, SEEK_SET);
		}
}

/* Two descriptors of one open end would become two ends. */
static int check_copies(char *why)
{
	for (unsigned i = 0; i < kept.n; i++)
		for (unsigned k = i + 1; k < kept.n; k++)
			if (kept.fds[i].kind == PIPE && kept.fds[k].kind == PIPE && kept.fds[i].number == kept.fds[k].number &&
			    (kept.fds[i].flags & O_ACCMODE) == (kept.fds[k].flags & O_ACCMODE))
				return save_fail(why, "init has left an end of a pipe open twice (descriptor %d)", kept.fds[k].fd);
	return 0;
}

static int is_kept(int fd)
{
	for (unsigned i = 0; i < kept.n; i++)
		if (kept.fds[i].fd == fd)
			return 1;
	return fd <= 2;
}

int descriptors_note(int out_fd, char *why)
{
	static char entries[65536];
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	long got;

	kept.n = kept.paths_len = kept.n_watched = 0;
	if (dir < 0 || !getcwd(kept.cwd, sizeof(kept.cwd)))
		return save_fail(why, "/proc/self/fd: %s", strerror(errno));
	while (r == 0 && (got = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0)
		for (long at = 0; r == 0 && at < got;) {
			struct dirent64 *d = (struct dirent64 *)(entries + at);
			int fd = (int)libc_strtol(d->d_name, NULL, 10);

			at += d->d_reclen;
			if (d->d_name[0] != '.' && fd != dir && fd != out_fd)
				r = note(fd, why);
		}
	close(dir);
	if (r == 0)
		r = check_copies(why);
	if (r == 0)
		find_copies();
	for (unsigned i = 0; r == 0 && i < kept.n; i++)
		r = find_mate(i, why);
	for (unsigned i = 0; r == 0 && i < kept.n_watched; i++)
		if (!is_kept(kept.watched[i].fd))
			r = save_fail(why, "an epoll instance watches what is not there any more");
	kept.mask = umask(022);
	umask(kept.mask);
	return r;
}

/* --- and again --- */
static int put(int fd, const struct kept_fd *k)
{
	int r = fd < 0 ? -1 : dup3(fd, k->fd, k->cloexec);

	if (fd >= 0)
		close(fd);
	if (r >= 0 && k->kind != REGULAR && k->flags & O_NONBLOCK)
		(void)fcntl(k->fd, F_SETFL, O_NONBLOCK);
	return r;
}

static int away(int fd)
{
	int r = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);

	if (fd >= 0)
		close(fd);
	return r;
}

static int make_both(const struct kept_fd *a, const struct kept_fd *b)
{
	int p[2], r = a->kind == PIPE ? pipe2(p, O_CLOEXEC) : socketpair(AF_UNIX, a->type | SOCK_CLOEXEC, 0, p);
	int reads = a->kind == PAIR || (a->flags & O_ACCMODE) == O_RDONLY;

	if (r < 0)
		return -1;
	p[0] = away(p[0]);
	p[1] = away(p[1]);
	return put(p[0], reads ? a : b) < 0 || put(p[1], reads ? b : a) < 0 ? -1 : 0;
}

static int make(unsigned i)
{
	const struct kept_fd *k = &kept.fds[i];
	int r = 0;

	switch (k->kind) {
	case REGULAR:
		r = put(away(open(kept.paths + k->path,
				  (k->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY | O_PATH | O_NOATIME)) | O_CLOEXEC)), k);
		if (r >= 0 && k->offset > 0)
			(void)lseek(k->fd, k->offset, SEEK_SET);
		break;
	case COPY:
		r = dup3(k->of, k->fd, k->cloexec);
		break;
	case PIPE:
	case PAIR:
		if (k->mate > (int)i)
			r = make_both(k, &kept.fds[k->mate]);
		break;
	case COUNTER:
		r = put(away(eventfd((unsigned)k->number, EFD_CLOEXEC | (k->semaphore ? EFD_SEMAPHORE : 0))), k);
		break;
	case EPOLL:
		r = put(away(epoll_create1(EPOLL_CLOEXEC)), k);
		break;
	}
	return r;
}

int descriptors_again(char *why)
{
	umask(kept.mask);
	if (chdir(kept.cwd) < 0)
		return save_fail(why, "%.100s: %s", kept.cwd, strerror(errno));
	for (unsigned i = 0; i < kept.n; i++)
		if (make(i) < 0)
			return save_fail(why, "descriptor %d%s%.100s: %s", kept.fds[i].fd, kept.fds[i].kind == REGULAR ? ", " : "",
					 kept.fds[i].kind == REGULAR ? kept.paths + kept.fds[i].path : "", strerror(errno));
	for (unsigned i = 0; i < kept.n; i++)
		for (unsigned w = kept.fds[i].watched; w < kept.fds[i].watched + kept.fds[i].n_watched; w++)
			if (epoll_ctl(kept.fds[i].fd, EPOLL_CTL_ADD, kept.watched[w].fd, &kept.watched[w].event) < 0)
				return save_fail(why, "descriptor %d: epoll: %s", kept.fds[i].fd, strerror(errno));
	return 0;
}
