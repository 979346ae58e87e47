/* image.c - see image.h. */
#include "model/image.h"

#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct fn_image *fn_image_new(void)
{
	struct fn_image *i = calloc(1, sizeof(*i));

	if (i)
		atomic_init(&i->refs, 1);
	return i;
}

struct fn_image *fn_image_ref(struct fn_image *i)
{
	atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
	return i;
}

void fn_image_unref(struct fn_image *i)
{
	if (!i || atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) > 1)
		return;
	fn_strs_free(i->entrypoint);
	fn_strs_free(i->cmd);
	fn_strs_free(i->env);
	free(i->workdir);
	free(i->layers);
	free(i);
}

const char *fn_image_layer_tree(const struct fn_image_layer *l, char ret[FN_IMAGE_TREE_SIZE])
{
	snprintf(ret, FN_IMAGE_TREE_SIZE, "oci-%s", l->sha256);
	return ret;
}

static json_t *strings(char **v)
{
	json_t *list = v ? json_array() : NULL;

	for (char **p = v; p && *p; p++)
		json_array_append_new(list, json_string(*p));
	return list;
}

char *fn_image_encode(const struct fn_image *i)
{
	json_t *o = json_pack("{ss,ss,ss*,so*,so*,so*}", "sha256", i->sha256, "root", i->root, "workdir", i->workdir, "entrypoint", strings(i->entrypoint),
			      "cmd", strings(i->cmd), "env", strings(i->env)),
	       *layers = json_array();
	char *text;

	for (size_t k = 0; k < i->n_layers; k++)
		json_array_append_new(layers, json_pack("[sIs]", i->layers[k].sha256, (json_int_t)i->layers[k].size, i->layers[k].diff_id));
	json_object_set_new(o, "layers", layers);
	if (i->snapstart)
		json_object_set_new(o, "snapstart", json_true());
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

static bool is_sha256(const char *text) { return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64; }

static bool take_strings(json_t *list, char ***ret)
{
	size_t n = json_array_size(list);

	if (!list)
		return true;
	*ret = calloc(n + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < n; i++)
		if (!json_is_string(json_array_get(list, i)) || !((*ret)[i] = strdup(json_string_value(json_array_get(list, i)))))
			return false;
	return *ret != NULL;
}

static bool take_layers(json_t *list, struct fn_image *i)
{
	size_t n = json_array_size(list);

	if (n == 0 || n > FN_IMAGE_LAYERS_LIMIT)
		return false;
	i->layers = calloc(n, sizeof(*i->layers));
	for (; i->layers && i->n_layers < n; i->n_layers++) {
		json_t *pair = json_array_get(list, i->n_layers);
		const char *sha256 = json_string_value(json_array_get(pair, 0)), *diff_id = json_string_value(json_array_get(pair, 2));

		if (!is_sha256(sha256))
			return false;
		if (is_sha256(diff_id))
			memcpy(i->layers[i->n_layers].diff_id, diff_id, 65);
		memcpy(i->layers[i->n_layers].sha256, sha256, 65);
		i->layers[i->n_layers].size = json_integer_value(json_array_get(pair, 1));
	}
	return i->layers != NULL;
}

int fn_image_decode(const char *text, struct fn_image **ret)
{
	json_t *o = json_loads(text, 0, NULL);
	struct fn_image *i = fn_image_new();
	const char *sha256 = json_string_value(json_object_get(o, "sha256")), *root = json_string_value(json_object_get(o, "root")),
		   *workdir = json_string_value(json_object_get(o, "workdir"));
	bool ok = i && is_sha256(sha256) && root && fn_str_format(i->root, sizeof(i->root), "%s", root) == 0 && take_layers(json_object_get(o, "layers"), i) &&
		  take_strings(json_object_get(o, "entrypoint"), &i->entrypoint) && take_strings(json_object_get(o, "cmd"), &i->cmd) &&
		  take_strings(json_object_get(o, "env"), &i->env) && (!workdir || (i->workdir = strdup(workdir)));

	if (ok) {
		memcpy(i->sha256, sha256, 65);
		i->snapstart = json_is_true(json_object_get(o, "snapstart"));
	}
	json_decref(o);
	if (!ok) {
		fn_image_unref(i);
		return i ? -EBADMSG : -ENOMEM;
	}
	*ret = i;
	return 0;
}
