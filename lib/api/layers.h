/* layers.h - what the files about layers share: which layer a call is about, and how a version is shown. Handlers: internal.h. */
#ifndef FN_API_LAYERS_H
#define FN_API_LAYERS_H

#include "api/internal.h"
#include "store/layers.h"

/* The layer in the path, as it is called here. Replies and returns false when it cannot be one. */
bool fn_call_layer_name(struct fn_call *call, struct fn_layer_name *ret);
/* And the version in the path behind it, which need not be there. */
bool fn_call_layer_number(struct fn_call *call, struct fn_layer_name *ret, int64_t *ret_version);
/* As GetLayerVersion shows it; listed: without what lists leave out. */
json_t *fn_layer_json(struct fn_call *call, const struct fn_layer_version *v, bool listed);

/* Its policy; NULL = it has none. layer_policy.c */
json_t *fn_layer_policy(struct fn_api *api, const struct fn_layer_version *v);

/* Layers of CreateFunction or UpdateFunctionConfiguration, in the order and words that the service refuses them in. Replies and returns false. */
bool fn_function_layers_apply(struct fn_call *call, struct fn_function *f);
/* Are code and layers together no larger than may be? What is unpacked knows its size. Replies and returns false when not. */
bool fn_function_layers_fit(struct fn_call *call, const struct fn_function *f);

#endif
