/* diff_ids.c - see diff_ids.h. */
#include "runtime/diff_ids.h"

#include <errno.h>

#include "base/str.h"
#include "store/trees.h"

/* A layer is what its blob's digest says; an image may say otherwise of what is in it. */
static int judge(const struct fn_store *store, const struct fn_image_layer *l, struct fn_err *err)
{
	char tree[FN_IMAGE_TREE_SIZE];
	const struct fn_tree *t = fn_store_tree(store, fn_image_layer_tree(l, tree));

	if (!t || t->state != FN_TREE_READY || !t->diff_id[0] || !l->diff_id[0] || fn_streq(t->diff_id, l->diff_id))
		return 0;
	return fn_err_set(err, EBADMSG, "image", "the layer sha256:%s unpacks to sha256:%.12s..., its configuration says sha256:%.12s...", l->sha256, t->diff_id, l->diff_id);
}

int fn_diff_ids_judge(const struct fn_store *store, const struct fn_image *image, const char *tree, struct fn_err *err)
{
	char name[FN_IMAGE_TREE_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < image->n_layers; i++)
		if (!tree || fn_streq(fn_image_layer_tree(&image->layers[i], name), tree))
			r = judge(store, &image->layers[i], err);
	return r;
}
