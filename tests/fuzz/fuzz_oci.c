/* fuzz_oci.c - names of images, manifests, configurations and challenges: 'm' a manifest that is its own configuration, 'c' a challenge, any other a name. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "image/oci.h"
#include "image/registry.h"

static void fuzz_manifest(const char *text, size_t len)
{
	struct fn_oci_manifest m;
	struct fn_image *i;
	struct fn_err err;

	if (fn_oci_manifest_parse(text, len, "amd64", &m, &err) < 0)
		return;
	if (!m.index && fn_oci_image(m.config.sha256, &m, text, len, &i, &err) == 0) {
		char *kept = fn_image_encode(i);
		struct fn_image *again;

		if (kept && fn_image_decode(kept, &again) == 0)
			fn_image_unref(again);
		else
			abort(); /* what was taken can be kept */
		free(kept);
		fn_image_unref(i);
	}
	fn_oci_manifest_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fn_registry_challenge c;
	struct fn_oci_ref ref, again;
	char *text, name[1024];

	if (size == 0 || !(text = strndup((const char *)data + 1, size - 1)))
		return 0;
	if (data[0] == 'm') {
		fuzz_manifest((const char *)data + 1, size - 1);
	} else if (data[0] == 'c') {
		(void)fn_registry_challenge_parse(text, &c);
	} else if (fn_oci_ref_parse(text, &ref) == 0) {
		fn_oci_ref_name(&ref, name, sizeof(name));
		if (fn_oci_ref_parse(name, &again) < 0 || strcmp(ref.registry, again.registry) != 0 || strcmp(ref.repository, again.repository) != 0 || strcmp(ref.tag, again.tag) != 0)
			abort(); /* the name that it has here means the same */
	}
	free(text);
	return 0;
}
