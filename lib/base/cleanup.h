/*
 * cleanup.h - scope-bound destruction and visible transfer of ownership.
 *
 * A variable marked fn_auto_* is released when it leaves scope; fn_take_fd() and
 * fn_take_ptr() move its value out, which leaves -EBADF / NULL behind. Initialise
 * descriptors to -EBADF and pointers to NULL.
 */
#ifndef FN_BASE_CLEANUP_H
#define FN_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* close() is not retried: on Linux the descriptor is gone even after EINTR. */
static inline void fn_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		(void)close(fd);
		errno = saved;
	}
}

static inline void fn_auto_close_fn(int *fd) { fn_close(*fd); }
static inline void fn_auto_free_fn(void *p) { free(*(void **)p); }

#define fn_auto_fd __attribute__((cleanup(fn_auto_close_fn)))
#define fn_auto_free __attribute__((cleanup(fn_auto_free_fn)))
/* fn_auto(free_fn_taking_pointer_to_variable) for other types */
#define fn_auto(fn) __attribute__((cleanup(fn)))

static inline int fn_take_fd(int *fd)
{
	int v = *fd;
	*fd = -EBADF;
	return v;
}

#define fn_take_ptr(p) \
	({                 \
		__typeof__(p) fn_taken_ = (p); \
		(p) = NULL;    \
		fn_taken_;     \
	})

/* DEFINE_FN_AUTO(struct fn_x *, fn_x_free) makes fn_x_free_auto, for fn_auto(). */
#define DEFINE_FN_AUTO(type, func) \
	static inline void func##_auto(type *p) { func(*p); }

#endif
