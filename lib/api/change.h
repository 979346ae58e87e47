/*
 * change.h - requests that change what is stored: each waits until nothing else is being stored about its function, looks at what is then, has the
 * change stored, and is answered when that is on disk. Two that come together are as two that come one after the other.
 */
#ifndef FN_API_CHANGE_H
#define FN_API_CHANGE_H

#include "api/internal.h"

struct fn_upload;

/* function: what is taken, store/store.h. True: it may be looked at and changed now. False: the call waits, and the handler will be called with it. */
bool fn_change_turn(struct fn_call *call, const char *function, fn_handler handler);

/* One on its way to the disk. */
struct fn_change {
	struct fn_call call;
	struct fn_name n; /* the function; the version or alias that it is about */
	/* What `stored` needs, as far as it does; references, and malloc'ed. */
	struct fn_function *f, *version;
	struct fn_layer_version *layer; /* it is about one, and no function */
	char (*codes)[65];
	size_t n_codes;
	int64_t number;
	struct fn_upload *upload;             /* ends with it; NULL = none */
	void (*stored)(struct fn_change *c);  /* it is on disk, and in memory: what follows from it, and the answer */
};

/* NULL: no memory, and the call is answered. */
struct fn_change *fn_change_new(const struct fn_call *call, const char *function, const char *qualifier, void (*stored)(struct fn_change *c));
void fn_change_free(struct fn_change *c);
/* For the store: fn and arg of a write. */
void fn_change_done(void *change, const struct fn_err *err);
/* What the store has said to it at once. When it was not taken, err is the answer. */
void fn_change_begun(struct fn_change *c, int r, const struct fn_err *err);

#endif
