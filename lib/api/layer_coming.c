/* layer_coming.c - see layer_coming.h. */
#include "api/layer_coming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "runtime/pulls.h"

struct fn_layer_coming {
	struct fn_api *api;
	void (*drained)(void *arg);
	void *arg;
	void (*done)(void *arg);
	void *done_arg;
	int fd;
	uint64_t io;
	struct fn_buf kept; /* what the pipe has no room for */
	bool begun, dropped, ended, waits, judged, freed;
	struct fn_err err;
};

/* --- a layer --- */
static void close_pipe(struct fn_layer_coming *c)
{
	fn_loop_clear(c->api->cfg.loop, &c->io);
	fn_close(fn_take_fd(&c->fd));
}

static void settle(struct fn_layer_coming *c)
{
	if (c->judged && c->ended && c->done)
		fn_take_ptr(c->done)(c->done_arg);
}

/* As much as there is room for. */
static void flush(struct fn_layer_coming *c)
{
	while (c->fd >= 0 && c->kept.len > 0) {
		ssize_t n = write(c->fd, c->kept.data, c->kept.len);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* fn-unpack has seen enough, and says why */
			close_pipe(c);
			break;
		}
		fn_buf_consume(&c->kept, (size_t)n);
	}
	if (c->begun && c->fd < 0)
		fn_buf_reset(&c->kept);
	if (c->fd >= 0 && c->ended)
		close_pipe(c);
}

static void go_on(struct fn_layer_coming *c)
{
	flush(c);
	if (c->io)
		(void)fn_loop_mod_io(c->api->cfg.loop, c->io, c->kept.len > 0 ? EPOLLOUT : 0);
	if (c->waits && c->kept.len == 0 && c->begun) {
		c->waits = false;
		c->drained(c->arg);
	}
}

static void on_room(void *arg, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	go_on(arg);
}

static void on_ready(void *arg, int fd)
{
	struct fn_layer_coming *c = arg;

	c->begun = true;
	c->fd = fd;
	if (fd >= 0 && (c->freed || fn_fd_set_nonblock(fd, true) < 0 || fn_loop_add_io(c->api->cfg.loop, fd, 0, on_room, c, &c->io) < 0))
		close_pipe(c);
	if (!c->freed)
		go_on(c);
}

static void on_done(void *arg, const struct fn_err *err)
{
	struct fn_layer_coming *c = arg;

	close_pipe(c);
	c->judged = c->begun = true;
	if (err)
		c->err = *err;
	if (c->freed) {
		fn_buf_free(&c->kept);
		free(c);
		return;
	}
	go_on(c);
	settle(c);
}

struct fn_layer_coming *fn_layer_coming_new(struct fn_api *api, const char *sha256, void (*drained)(void *arg), void *arg)
{
	struct fn_layer_coming *c = calloc(1, sizeof(*c));
	const struct fn_layer_import import = {on_ready, on_done, c};

	if (!c)
		return NULL;
	*c = (struct fn_layer_coming){.api = api, .drained = drained, .arg = arg, .fd = -EBADF};
	if (strlen(sha256) == 64 && strspn(sha256, "0123456789abcdef") == 64 && fn_pulls_import(api->cfg.pulls, sha256, &import) == 0)
		return c;
	free(c);
	return NULL;
}

bool fn_layer_coming_add(struct fn_layer_coming *c, const void *data, size_t len)
{
	if (c->begun && c->fd < 0) /* nobody wants it any more */
		return false;
	if (fn_buf_add(&c->kept, data, len) < 0) {
		close_pipe(c);
		c->begun = true;
		return false;
	}
	if (c->begun)
		flush(c);
	c->waits = c->kept.len > 0;
	if (c->io)
		(void)fn_loop_mod_io(c->api->cfg.loop, c->io, c->waits ? EPOLLOUT : 0);
	return c->waits;
}

void fn_layer_coming_end(struct fn_layer_coming *c, void (*done)(void *arg), void *arg)
{
	c->ended = true;
	c->done = done;
	c->done_arg = arg;
	if (c->begun)
		flush(c);
	settle(c);
}

const struct fn_err *fn_layer_coming_error(const struct fn_layer_coming *c) { return c->err.code ? &c->err : NULL; }

void fn_layer_coming_free(struct fn_layer_coming *c)
{
	if (!c)
		return;
	close_pipe(c);
	if (c->judged) {
		fn_buf_free(&c->kept);
		free(c);
	} else { /* on_done() follows */
		c->freed = true;
	}
}

