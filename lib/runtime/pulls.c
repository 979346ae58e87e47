/* pulls.c - see pulls.h. */
#include "runtime/pulls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "image/fetch.h"
#include "runtime/diff_ids.h"
#include "store/images.h"

#define LAYERS_AT_ONCE 4u /* as many as fn-spawnd runs (unpacker.c, fetcher.c) */
#define PIPE_BYTES (1 << 20)

/* A layer on its way. */
struct layer {
	struct fn_list link;
	struct fn_pulls *p;
	char tree[FN_TREE_NAME_SIZE], sha256[65];
	int64_t size;
	struct fn_oci_ref ref;     /* where it is fetched */
	struct fn_layer_import import; /* or who brings it: ready is not NULL */
	struct fn_list waiters;    /* who has brought it, or would have */
	bool begun, fetched;       /* fetched: fn-fetch has ended, or none is needed */
	bool unpacked;
	struct fn_err fetch_err, unpack_err;
	uint64_t bytes;
	char diff_id[65];
};

/* A root that waits for its layers, and then to be put together. */
struct pull {
	struct fn_list link;
	struct fn_pulls *p;
	struct fn_image *image; /* one of those that are to have it */
	struct fn_oci_ref ref;
	bool merging;
	struct fn_list waiters;
};

struct waiter {
	struct fn_list link;
	struct fn_image *image; /* of a pull's: whose layers must be what it says */
	fn_pulled_fn fn;
	void *arg;
};

struct fn_pulls {
	struct fn_loop *loop;
	struct fn_store *store;
	struct fn_disk *disk;
	struct fn_spawn_client *spawn;
	struct fn_list layers, pulls;
	unsigned at_work;
};

static void go_on(struct fn_pulls *p);

int fn_pulls_new(struct fn_loop *loop, struct fn_store *store, struct fn_disk *disk, struct fn_spawn_client *spawn, struct fn_pulls **ret)
{
	struct fn_pulls *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct fn_pulls){.loop = loop, .store = store, .disk = disk, .spawn = spawn};
	fn_list_init(&p->layers);
	fn_list_init(&p->pulls);
	*ret = p;
	return 0;
}

/* As pulls.h has it, whichever program says it. */
static void say(struct fn_err *to, const struct fn_err *from)
{
	*to = *from;
	snprintf(to->stage, sizeof(to->stage), "image");
}

/* --- layers --- */
static struct layer *find_layer(const struct fn_pulls *p, const char *tree)
{
	fn_list_for_each(l, (struct fn_list *)&p->layers)
		if (fn_streq(fn_list_entry(l, struct layer, link)->tree, tree))
			return fn_list_entry(l, struct layer, link);
	return NULL;
}

static bool needs(const struct pull *w, const char *tree)
{
	char name[FN_IMAGE_TREE_SIZE];

	for (size_t i = 0; i < w->image->n_layers; i++)
		if (fn_streq(fn_image_layer_tree(&w->image->layers[i], name), tree))
			return true;
	return false;
}

static bool is_wanted(struct layer *l)
{
	bool wanted = !fn_list_empty(&l->waiters);

	fn_list_for_each(k, &l->p->pulls) wanted |= needs(fn_list_entry(k, struct pull, link), l->tree);
	return wanted;
}

static void wait_for(struct fn_list *waiters, struct fn_image *image, fn_pulled_fn fn, void *arg)
{
	struct waiter *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	x->image = image ? fn_image_ref(image) : NULL;
	x->fn = fn;
	x->arg = arg;
	fn_list_push_back(waiters, &x->link);
}

static void tell_one(struct waiter *x, const struct fn_err *err)
{
	fn_list_remove(&x->link);
	x->fn(x->arg, err);
	fn_image_unref(x->image);
	free(x);
}

static void tell(struct fn_list *waiters, const struct fn_err *err)
{
	while (!fn_list_empty(waiters))
		tell_one(fn_list_entry(fn_list_first(waiters), struct waiter, link), err);
}

static void end_pull(struct pull *w, const struct fn_err *err)
{
	char text[512];

	if (err)
		fn_log_warn("image %.12s...: %s", w->image->sha256, fn_err_format(err, text, sizeof(text)));
	fn_list_remove(&w->link);
	tell(&w->waiters, err);
	fn_image_unref(w->image);
	free(w);
}

/* An image that says otherwise of this layer, which has just come; NULL: none. */
static struct waiter *find_liar(struct fn_pulls *p, const char *tree, struct pull **ret, struct fn_err *err)
{
	fn_list_for_each(k, &p->pulls)
	{
		*ret = fn_list_entry(k, struct pull, link);
		fn_list_for_each(i, &(*ret)->waiters)
			if (fn_diff_ids_judge(p->store, fn_list_entry(i, struct waiter, link)->image, tree, err) < 0)
				return fn_list_entry(i, struct waiter, link);
	}
	return NULL;
}

/* Before more is fetched for them, and before anything is made of it. */
static void refuse_liars(struct fn_pulls *p, const char *tree)
{
	struct waiter *x;
	struct pull *w;
	struct fn_err err;

	while ((x = find_liar(p, tree, &w, &err))) {
		if (fn_list_first(&w->waiters) == fn_list_last(&w->waiters))
			end_pull(w, &err);
		else
			tell_one(x, &err);
	}
}

/* Whoever needs this layer has it, or never will. */
static void end_layer(struct layer *l, const struct fn_err *err)
{
	struct fn_pulls *p = l->p;
	struct fn_list failed;

	fn_list_remove(&l->link);
	if (l->begun)
		p->at_work--;
	fn_list_init(&failed);
	if (err) {
		fn_disk_remove(p->disk, l->tree);
		fn_list_for_each_safe(k, &p->pulls)
		{
			if (!needs(fn_list_entry(k, struct pull, link), l->tree))
				continue;
			fn_list_remove(k);
			fn_list_push_back(&failed, k);
		}
	}
	while (!fn_list_empty(&failed))
		end_pull(fn_list_entry(fn_list_first(&failed), struct pull, link), err);
	if (!err)
		refuse_liars(p, l->tree);
	tell(&l->waiters, err);
	free(l);
	go_on(p);
}

static void on_layer_ready(void *arg, const struct fn_err *err)
{
	struct fn_err said;

	if (err)
		say(&said, err);
	end_layer(arg, err ? &said : NULL);
}

/* Both programs have ended. The one says why the other has failed: who reads nothing more ends who writes, and the other way round. */
static void judge_layer(struct layer *l)
{
	const struct fn_err *err = NULL;
	struct fn_err said;
	bool cut = l->fetch_err.code == EPIPE || l->fetch_err.code == EBADF;

	if (!l->fetched || !l->unpacked)
		return;
	if (!l->unpack_err.code && !l->diff_id[0])
		fn_err_set(&l->unpack_err, EIO, "image", "a tree was there that nobody knew of");
	if (l->unpack_err.code)
		err = l->fetch_err.code && !cut ? &l->fetch_err : &l->unpack_err;
	else if (l->fetch_err.code && !cut)
		err = &l->fetch_err;
	if (!err) {
		(void)fn_disk_made(l->p->disk, l->tree, l->bytes);
		(void)fn_store_identified_tree(l->p->store, l->tree, l->diff_id);
		if (!fn_disk_room(l->p->disk, 0)) {
			fn_err_set(&said, EDQUOT, "image", "beyond disk_budget_mb");
			end_layer(l, &said);
			return;
		}
		if (fn_store_ready_tree(l->p->store, l->tree, on_layer_ready, l, &said) == 0)
			return;
		err = &said;
	}
	say(&said, err);
	end_layer(l, &said);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes, const char *diff_id)
{
	struct layer *l = arg;

	l->unpacked = true;
	l->bytes = bytes;
	if (err)
		l->unpack_err = *err;
	else
		snprintf(l->diff_id, sizeof(l->diff_id), "%s", diff_id);
	judge_layer(l);
}

static void on_fetched(void *arg, const struct fn_err *err, const struct fn_fetch_result *result)
{
	struct layer *l = arg;

	l->fetched = true;
	l->fetch_err = err ? *err : result->err;
	judge_layer(l);
}

static int ask_for_layer(struct layer *l, int write_fd)
{
	struct fn_fetch_order *order = calloc(1, sizeof(*order));
	int r;

	if (!order)
		return -ENOMEM;
	order->kind = FN_FETCH_LAYER;
	snprintf(order->item.registry, sizeof(order->item.registry), "%s", l->ref.registry);
	snprintf(order->item.repository, sizeof(order->item.repository), "%s", l->ref.repository);
	snprintf(order->item.reference, sizeof(order->item.reference), "sha256:%s", l->sha256);
	snprintf(order->item.sha256, sizeof(order->item.sha256), "%s", l->sha256);
	order->item.size = (uint64_t)l->size;
	order->max_bytes = l->size ? (uint64_t)l->size : FN_OCI_BYTES_MAX;
	r = fn_spawn_fetch(l->p->spawn, order, write_fd, on_fetched, l);
	free(order);
	return r;
}

/* Its row is on disk. */
static void on_layer_noted(void *arg, const struct fn_err *failed)
{
	struct layer *l = arg;
	struct fn_unpack_request req = {.max_bytes = FN_OCI_BYTES_MAX, .max_entries = FN_OCI_ENTRIES_MAX};
	fn_auto_fd int read_fd = -EBADF, write_fd = -EBADF;
	struct fn_err err;
	int p[2], r = 0;

	if (failed) {
		say(&err, failed);
		end_layer(l, &err);
		return;
	}
	if (pipe2(p, O_CLOEXEC) < 0) {
		fn_err_set(&err, errno, "image", "pipe");
		end_layer(l, &err);
		return;
	}
	read_fd = p[0];
	write_fd = p[1];
	(void)fcntl(write_fd, F_SETPIPE_SZ, PIPE_BYTES); /* less is only slower */
	snprintf(req.tree, sizeof(req.tree), "%s", l->tree);
	req.fd = read_fd;
	l->fetched = l->import.ready != NULL;
	r = fn_spawn_unpack_layer(l->p->spawn, &req, on_unpacked, l);
	if (r < 0) {
		fn_err_set(&err, r, "image", "ask fn-spawnd");
		end_layer(l, &err);
		return;
	}
	if (l->import.ready) {
		l->import.ready(l->import.arg, fn_take_fd(&write_fd));
		return;
	}
	r = ask_for_layer(l, write_fd);
	if (r < 0) { /* fn-unpack sees the end of its pipe */
		fn_err_set(&l->fetch_err, r, "image", "ask fn-spawnd");
		l->fetched = true;
	}
}

static void begin_layer(struct layer *l)
{
	struct fn_err err, said;

	l->begun = true;
	l->p->at_work++;
	if (!fn_disk_room(l->p->disk, (uint64_t)l->size))
		fn_err_set(&err, EDQUOT, "image", "beyond disk_budget_mb");
	else if (fn_disk_make(l->p->disk, &(struct fn_disk_new){l->tree, 0}, 1, on_layer_noted, l, &err) == 0)
		return;
	say(&said, &err);
	end_layer(l, &said);
}

static struct layer *new_layer(struct fn_pulls *p, const char *sha256)
{
	struct layer *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->p = p;
	snprintf(l->sha256, sizeof(l->sha256), "%s", sha256);
	snprintf(l->tree, sizeof(l->tree), "oci-%s", sha256);
	fn_list_init(&l->waiters);
	fn_list_push_back(&p->layers, &l->link);
	return l;
}

/* --- images --- */
static void on_root_ready(void *arg, const struct fn_err *err)
{
	struct pull *w = arg;
	struct fn_err said;

	if (err)
		say(&said, err);
	end_pull(w, err ? &said : NULL);
}

static void on_merged(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct pull *w = arg;
	struct fn_err said;

	if (!err) {
		(void)fn_disk_made(w->p->disk, w->image->root, bytes);
		if (fn_store_ready_tree(w->p->store, w->image->root, on_root_ready, w, &said) == 0)
			return;
		err = &said;
	} else {
		fn_disk_remove(w->p->disk, w->image->root);
	}
	on_root_ready(w, err);
}

static void on_root_noted(void *arg, const struct fn_err *failed)
{
	struct pull *w = arg;
	const struct fn_image *i = w->image;
	struct fn_merge_request req = {.tree = i->root, .n_layers = (unsigned)i->n_layers, .max_bytes = FN_OCI_BYTES_MAX, .max_entries = FN_OCI_ENTRIES_MAX};
	struct fn_err err;
	int r = 0;

	if (failed) {
		on_root_ready(w, failed);
		return;
	}
	req.layers = calloc(i->n_layers, sizeof(*req.layers));
	for (size_t k = 0; req.layers && k < i->n_layers; k++)
		fn_image_layer_tree(&i->layers[k], req.layers[k]);
	r = req.layers ? fn_spawn_merge(w->p->spawn, &req, on_merged, w) : -ENOMEM;
	free(req.layers);
	if (r < 0) {
		fn_err_set(&err, r, "image", "ask fn-spawnd");
		on_root_ready(w, &err);
	}
}

static bool has_layers(const struct pull *w)
{
	char tree[FN_IMAGE_TREE_SIZE];

	for (size_t i = 0; i < w->image->n_layers; i++)
		if (!fn_store_tree_ready(w->p->store, fn_image_layer_tree(&w->image->layers[i], tree)))
			return false;
	return true;
}

/* Of those that have their layers; false: one has ended, and the list may be another by now. */
static bool begin_merges(struct fn_pulls *p)
{
	struct fn_err err;

	fn_list_for_each_safe(k, &p->pulls)
	{
		struct pull *w = fn_list_entry(k, struct pull, link);

		if (w->merging || !has_layers(w))
			continue;
		w->merging = true;
		if (fn_disk_make(p->disk, &(struct fn_disk_new){w->image->root, 0}, 1, on_root_noted, w, &err) < 0) {
			on_root_ready(w, &err);
			return false;
		}
	}
	return true;
}

/* Whatever can be done now. */
static void go_on(struct fn_pulls *p)
{
	while (!begin_merges(p))
		;
	while (p->at_work < LAYERS_AT_ONCE) {
		struct layer *next = NULL;

		fn_list_for_each_safe(k, &p->layers)
		{
			struct layer *l = fn_list_entry(k, struct layer, link);

			if (l->begun || next)
				continue;
			if (is_wanted(l)) {
				next = l;
			} else { /* another one of the image has failed */
				fn_list_remove(k);
				free(l);
			}
		}
		if (!next)
			return;
		begin_layer(next);
	}
}

static struct pull *find_pull(const struct fn_pulls *p, const struct fn_image *image)
{
	fn_list_for_each(k, (struct fn_list *)&p->pulls)
		if (fn_streq(fn_list_entry(k, struct pull, link)->image->root, image->root))
			return fn_list_entry(k, struct pull, link);
	return NULL;
}

bool fn_pulls_busy(const struct fn_pulls *p, const struct fn_image *image)
{
	char tree[FN_IMAGE_TREE_SIZE];
	bool busy = find_pull(p, image) != NULL;

	for (size_t i = 0; !busy && i < image->n_layers; i++) { /* one may still be made when another's failure has ended the pull */
		const struct layer *l = find_layer(p, fn_image_layer_tree(&image->layers[i], tree));

		busy = l && l->begun;
	}
	return busy;
}

bool fn_pulls_idle(const struct fn_pulls *p) { return fn_list_empty((struct fn_list *)&p->pulls); }

/* Those of its layers that nobody fetches yet. */
static void want_layers(struct pull *w)
{
	char tree[FN_IMAGE_TREE_SIZE];

	for (size_t i = 0; i < w->image->n_layers; i++) {
		struct layer *l;

		fn_image_layer_tree(&w->image->layers[i], tree);
		if (fn_store_tree_ready(w->p->store, tree) || find_layer(w->p, tree))
			continue;
		l = new_layer(w->p, w->image->layers[i].sha256);
		l->size = w->image->layers[i].size;
		l->ref = w->ref;
	}
}

void fn_pulls_get(struct fn_pulls *p, struct fn_image *image, const struct fn_oci_ref *ref, fn_pulled_fn fn, void *arg)
{
	struct pull *w = find_pull(p, image);
	struct fn_err err;

	if (fn_diff_ids_judge(p->store, image, NULL, &err) < 0) {
		fn(arg, &err);
		return;
	}
	if (!w && fn_store_image_whole(p->store, image)) {
		fn(arg, NULL);
		return;
	}
	if (w) {
		wait_for(&w->waiters, image, fn, arg);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->p = p;
	w->image = fn_image_ref(image);
	fn_list_init(&w->waiters);
	wait_for(&w->waiters, image, fn, arg);
	fn_list_push_back(&p->pulls, &w->link);
	if (ref) {
		w->ref = *ref;
		want_layers(w);
	} else if (!has_layers(w)) {
		fn_err_set(&err, ENOENT, "image", "some of its layers are not here: import it again");
		end_pull(w, &err);
		return;
	}
	go_on(p);
}

/* --- what is brought --- */
int fn_pulls_import(struct fn_pulls *p, const char *sha256, const struct fn_layer_import *import)
{
	char tree[FN_TREE_NAME_SIZE];
	struct layer *l;

	snprintf(tree, sizeof(tree), "oci-%s", sha256);
	if (fn_store_tree_ready(p->store, tree)) {
		import->ready(import->arg, -EBADF);
		import->done(import->arg, NULL);
		return 0;
	}
	l = find_layer(p, tree);
	if (l) {
		wait_for(&l->waiters, NULL, import->done, import->arg);
		import->ready(import->arg, -EBADF);
		return 0;
	}
	if (p->at_work >= LAYERS_AT_ONCE)
		return -EAGAIN;
	l = new_layer(p, sha256);
	l->import = *import;
	wait_for(&l->waiters, NULL, import->done, import->arg);
	begin_layer(l);
	return 0;
}

static void drop(struct fn_list *waiters)
{
	fn_list_for_each_safe(k, waiters)
	{
		fn_image_unref(fn_list_entry(k, struct waiter, link)->image);
		free(fn_list_entry(k, struct waiter, link));
	}
}

void fn_pulls_free(struct fn_pulls *p)
{
	if (!p)
		return;
	fn_list_for_each_safe(k, &p->layers)
	{
		struct layer *l = fn_list_entry(k, struct layer, link);

		drop(&l->waiters);
		free(l);
	}
	fn_list_for_each_safe(k, &p->pulls)
	{
		struct pull *w = fn_list_entry(k, struct pull, link);

		drop(&w->waiters);
		fn_image_unref(w->image);
		free(w);
	}
	free(p);
}
