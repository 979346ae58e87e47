/* function_layers.c - the layers that a function is given: looked up now, and the function's from then on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/layers.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "model/limits.h"

/* Is there such a version? Replies and returns NULL when not. */
static const struct fn_layer_version *version_of(struct fn_call *call, const char *arn, struct fn_layer_name *n)
{
	const struct fn_api_config *cfg = &call->api->cfg;
	const struct fn_layer_version *v;
	bool ours;

	if (fn_layer_name_parse(arn, n) < 0) { /* one of the platform's own, arn:aws:lambda:::awslayer:... */
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Layer version %s does not exist.", arn);
		return NULL;
	}
	if (!fn_streq(n->region, cfg->region)) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Layers are not in the same region as the function. Layers are expected to be in region %s.", cfg->region);
		return NULL;
	}
	ours = fn_layer_name_key(n, cfg->region, cfg->account_id);
	v = fn_store_layer_version(cfg->store, n->key, n->version);
	if (!v && ours)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Layer version %s does not exist.", arn);
	else if (!v)
		fn_reply_error(call, &FN_E_INVALID_PARAMETER,
			       "Layer version %s does not exist. It is another account's; to give it its content here: fnctl layer import %s FILE.zip", arn, arn);
	return v;
}

bool fn_function_layers_apply(struct fn_call *call, struct fn_function *f)
{
	json_t *list = json_object_get(call->in, "Layers"), *e;
	struct fn_function_layer layers[FN_LAYERS_MAX];
	struct fn_layer_name names[FN_LAYERS_MAX];
	size_t i;

	if (!list)
		return true;
	if (json_array_size(list) > FN_LAYERS_MAX) {
		fn_reply_error(call, &FN_E_INVALID_PARAMETER, "Cannot reference more than %d layers.", FN_LAYERS_MAX);
		return false;
	}
	json_array_foreach(list, i, e) {
		const char *arn = json_string_value(e);
		const struct fn_layer_version *v = version_of(call, arn, &names[i]);

		if (!v)
			return false;
		for (size_t k = 0; k < i; k++)
			if (strcmp(names[k].key, names[i].key) == 0) {
				fn_reply_error(call, &FN_E_INVALID_PARAMETER,
					       "Two different versions of the same layer are not allowed to be referenced in the same function. %s and %s are "
					       "versions of the same layer.",
					       layers[k].arn, arn);
				return false;
			}
		layers[i] = (struct fn_function_layer){.arn = (char *)arn, .code_size = v->code_size, .unpacked_size = v->unpacked_size};
		memcpy(layers[i].sha256, v->code_sha256, sizeof(layers[i].sha256));
	}
	if (fn_function_set_layers(f, layers, json_array_size(list)) == 0)
		return true;
	fn_reply_error(call, &FN_E_SERVICE, "out of memory");
	return false;
}

bool fn_function_layers_fit(struct fn_call *call, const struct fn_function *f)
{
	int64_t bytes = fn_function_unpacked(f);

	if (f->n_layers == 0 || bytes <= FN_LIMIT_UNZIPPED_BYTES)
		return true;
	fn_reply_error(call, &FN_E_INVALID_PARAMETER,
		       "Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %lld bytes.",
		       FN_LIMIT_UNZIPPED_BYTES, (long long)bytes);
	return false;
}
