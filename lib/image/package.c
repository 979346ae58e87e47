/* package.c - see package.h. A package is a job: the loop's thread gives it pieces while it does not run, a thread works them through while it does. */
#include "image/package.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/digest.h"
#include "web/json_pick.h"

#define ONE_MAX (4u * FN_PACKAGE_PIECE_MAX) /* bytes of one that are on their way */
#define ALL_MAX (16u << 20)                 /* of all; beyond that of each the last alone */

struct fn_packages {
	struct fn_jobs *jobs;
	char *state_dir;
	size_t bytes; /* on their way */
};

struct piece {
	struct fn_list link;
	size_t len;
	char data[];
};

struct fn_package {
	struct fn_job job;
	struct fn_packages *all;
	struct fn_package_spec spec;
	/* the loop's */
	struct fn_list waiting; /* pieces that came while the job ran */
	size_t bytes;           /* of them, and of those it has */
	bool running, waits, freed, no_memory;
	void (*done)(void *arg);
	void (*stored)(void *arg, const struct fn_err *err);
	void (*opened)(void *arg, int fd);
	void *done_arg;
	/* the job's while it runs */
	struct fn_list work;
	enum { TAKE, FINISH, OPEN, LOOK, STORE, DROP } step;
	struct fn_json_pick pick;
	struct fn_base64 base64;
	struct sha256_ctx sha, body_sha;
	int fd;
	struct fn_err err;
	struct fn_package_result result;
};

static void job_run(struct fn_job *j);
static void job_done(struct fn_job *j);

int fn_packages_new(struct fn_jobs *jobs, const char *state_dir, struct fn_packages **ret)
{
	struct fn_packages *ps = calloc(1, sizeof(*ps));

	if (!ps || !(ps->state_dir = strdup(state_dir))) {
		free(ps);
		return -ENOMEM;
	}
	ps->jobs = jobs;
	*ret = ps;
	return 0;
}

void fn_packages_free(struct fn_packages *ps)
{
	if (!ps)
		return;
	free(ps->state_dir);
	free(ps);
}

/* --- in a thread --- */
static void failed(struct fn_package *p, int error, const char *what)
{
	if (p->result.error == 0)
		p->result.error = error;
	if (!p->result.what)
		p->result.what = what;
}

/* The string begins; a second one of the name takes the first one's place. */
static void on_begin(void *arg)
{
	struct fn_package *p = arg;

	p->base64 = (struct fn_base64){0};
	sha256_init(&p->sha);
	p->result.size = 0;
	if (p->fd >= 0 && (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0))
		failed(p, -errno, "store code package");
}

static void keep(struct fn_package *p, const uint8_t *data, size_t len)
{
	int r = 0;

	p->result.size += len;
	if (len == 0 || p->result.error || p->result.size > p->spec.max)
		return;
	sha256_update(&p->sha, len, data);
	if (p->fd < 0)
		r = p->fd = fn_blob_begin(p->all->state_dir);
	if (r >= 0)
		r = fn_fd_write_all(p->fd, data, len);
	if (r < 0)
		failed(p, r, "store code package");
}

static void on_text(void *arg, const char *text, size_t len)
{
	uint8_t out[3 * 4096 + 3];

	for (size_t n; len > 0; text += n, len -= n) {
		n = len < 4 * 4096 ? len : 4 * 4096;
		keep(arg, out, fn_base64_feed(&((struct fn_package *)arg)->base64, text, n, out));
	}
}

static void work_through(struct fn_package *p)
{
	struct fn_list *l;
	int r;

	while ((l = fn_list_first(&p->work))) {
		struct piece *one = fn_list_entry(l, struct piece, link);

		fn_list_remove(l);
		if (p->spec.body_digest)
			sha256_update(&p->body_sha, one->len, (const uint8_t *)one->data);
		r = p->result.error ? 0 : fn_json_pick_feed(&p->pick, one->data, one->len);
		if (r < 0)
			failed(p, r, r == -E2BIG ? "the request beside its package" : "out of memory");
		free(one);
	}
}

static void finish(struct fn_package *p)
{
	struct fn_package_result *r = &p->result;

	if (p->spec.body_digest)
		fn_sha256_end(&p->body_sha, r->body_sha256);
	r->found = p->pick.found;
	r->valid = r->found && fn_base64_end(&p->base64) == 0;
	if (r->found && r->size <= p->spec.max)
		fn_sha256_end(&p->sha, r->sha256);
	r->rest = p->pick.rest.data ? p->pick.rest.data : "";
	r->rest_len = p->pick.rest.len;
}

/* What another has written is the package. */
static void look(struct fn_package *p)
{
	int r = fn_sha256_fd_hex(p->fd, p->result.sha256);
	struct stat st = {0};

	if (r == 0 && fstat(p->fd, &st) < 0)
		r = -errno;
	if (r < 0)
		failed(p, r, "read code package");
	p->result.size = (uint64_t)st.st_size;
	p->result.found = p->result.valid = p->result.fetched = true;
}

static void job_run(struct fn_job *j)
{
	struct fn_package *p = fn_list_entry(j, struct fn_package, job);

	work_through(p);
	switch (p->step) {
	case TAKE:
		break;
	case FINISH:
		finish(p);
		break;
	case OPEN:
		if (p->fd < 0)
			p->fd = fn_blob_begin(p->all->state_dir);
		break;
	case LOOK:
		look(p);
		break;
	case STORE:
		(void)fn_blob_keep(p->all->state_dir, p->result.sha256, p->fd, p->result.size, &p->err);
		break;
	case DROP:
		fn_blob_drop(fn_take_fd(&p->fd)); /* what a disk has to forget takes time too */
		break;
	}
}

/* --- on the loop --- */
int fn_package_new(struct fn_packages *ps, const struct fn_package_spec *spec, struct fn_package **ret)
{
	struct fn_package *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->job = (struct fn_job){.run = job_run, .done = job_done};
	p->all = ps;
	p->spec = *spec;
	p->fd = -EBADF;
	p->pick = (struct fn_json_pick){.path = {spec->path[0], spec->path[1], NULL}, .rest_max = FN_PACKAGE_REST_MAX, .begin = on_begin, .add = on_text, .arg = p};
	sha256_init(&p->sha);
	sha256_init(&p->body_sha);
	fn_list_init(&p->waiting);
	fn_list_init(&p->work);
	*ret = p;
	return 0;
}

static void drop_waiting(struct fn_package *p)
{
	struct fn_list *l;

	while ((l = fn_list_first(&p->waiting))) {
		struct piece *one = fn_list_entry(l, struct piece, link);

		fn_list_remove(l);
		p->bytes -= one->len;
		p->all->bytes -= one->len;
		free(one);
	}
}

static void run(struct fn_package *p)
{
	fn_list_remove(&p->work);
	fn_list_take_over(&p->work, &p->waiting);
	p->running = true;
	fn_jobs_post(p->all->jobs, &p->job);
}

void fn_package_free(struct fn_package *p)
{
	if (!p)
		return;
	drop_waiting(p);
	p->freed = true;
	if (p->running) /* job_done() goes on from here */
		return;
	if (p->fd >= 0) {
		p->step = DROP;
		run(p);
		return;
	}
	p->all->bytes -= p->bytes;
	fn_json_pick_free(&p->pick);
	free(p);
}

bool fn_package_add(struct fn_package *p, const void *data, size_t len)
{
	struct piece *one = malloc(sizeof(*one) + len);

	if (!one) {
		p->no_memory = true;
		return false;
	}
	one->len = len;
	memcpy(one->data, data, len);
	one->link = (struct fn_list){0};
	fn_list_push_back(&p->waiting, &one->link);
	p->bytes += len;
	p->all->bytes += len;
	if (!p->running)
		run(p);
	p->waits = p->bytes >= ONE_MAX || p->all->bytes >= ALL_MAX;
	return p->waits;
}

void fn_package_end(struct fn_package *p, void (*done)(void *arg), void *arg)
{
	p->done = done;
	p->done_arg = arg;
	if (p->running)
		return;
	p->step = FINISH;
	run(p);
}

void fn_package_store(struct fn_package *p, void (*fn)(void *arg, const struct fn_err *err), void *arg)
{
	p->step = STORE;
	p->stored = fn;
	p->done_arg = arg;
	run(p);
}

void fn_package_open(struct fn_package *p, void (*opened)(void *arg, int fd), void *arg)
{
	p->step = OPEN;
	p->opened = opened;
	p->done_arg = arg;
	run(p);
}

void fn_package_look(struct fn_package *p, void (*done)(void *arg), void *arg)
{
	p->step = LOOK;
	p->done = done;
	p->done_arg = arg;
	run(p);
}

static void tell(struct fn_package *p)
{
	void (*opened)(void *arg, int fd) = fn_take_ptr(p->opened);
	void (*done)(void *arg) = fn_take_ptr(p->done);
	void (*stored)(void *arg, const struct fn_err *err) = fn_take_ptr(p->stored);

	if (p->no_memory)
		failed(p, -ENOMEM, "out of memory");
	if (opened)
		opened(p->done_arg, p->fd);
	else if (done)
		done(p->done_arg);
	else if (stored)
		stored(p->done_arg, p->err.code ? &p->err : NULL);
}

static void job_done(struct fn_job *j)
{
	struct fn_package *p = fn_list_entry(j, struct fn_package, job);
	size_t left = 0;

	p->running = false;
	fn_list_for_each(l, &p->waiting)
		left += fn_list_entry(l, struct piece, link)->len;
	p->all->bytes -= p->bytes - left;
	p->bytes = left;
	if (p->freed) {
		fn_package_free(p);
		return;
	}
	if (p->step != TAKE) {
		tell(p);
		return;
	}
	if (left > 0 || p->done) {
		p->step = p->done ? FINISH : TAKE;
		run(p);
	}
	if (p->waits && p->bytes < ONE_MAX) {
		p->waits = false;
		p->spec.drained(p->spec.arg);
	}
}

const struct fn_package_result *fn_package_result(const struct fn_package *p) { return &p->result; }
