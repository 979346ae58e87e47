/* diff_ids.h - whether layers are what an image's configuration says that they unpack to (rootfs.diff_ids: image/layer_stream.h). */
#ifndef FN_RUNTIME_DIFF_IDS_H
#define FN_RUNTIME_DIFF_IDS_H

#include "model/image.h"
#include "store/store.h"

/* Of the layer with this tree ("oci-..."), NULL = of all; those that are not here, and those that an older fnd has unpacked, are not judged. -EBADMSG, and err says it: one is not. */
int fn_diff_ids_judge(const struct fn_store *store, const struct fn_image *image, const char *tree, struct fn_err *err);

#endif
