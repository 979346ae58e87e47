/*
 * runtimes.h - config/runtimes.json: Lambda's runtime names and the base images that serve them.
 *
 *   {"python3.11": {"image": "python3.11",                      // <state>/images/<image>.json
 *                   "exec": ["/var/runtime/bootstrap"],         // first executable one is run
 *                   "handler_required": true,
 *                   "execution_env": true,                      // AWS_EXECUTION_ENV=AWS_Lambda_<runtime>
 *                   "version": "python:3.11.fnd1",               // INIT_START line
 *                   "env": {"PYTHONPATH": "/var/runtime"},
 *                   "prestart_unless": ["PYTHON", "LD_"], // its bootstrap can be started ahead (sandbox/spec.h), but not for a function
 *                                                         // with a variable of such a name
 *                   "prestart_by_memory": false,          // true: it needs AWS_LAMBDA_FUNCTION_MEMORY_SIZE at its start
 *                   "snapshot_hooks": false,              // true: without `restore` it knows SnapStart's contract all the same: its hooks are
 *                                                         // called, and versions start plainly and say so
 *                   "class_archive": false,               // true: a run of a function makes an archive of its classes for later starts (env/archive.h)
 *                   "deprecated": "2025-12-15",           // since when, or from when on, on Lambda
 *                   "import_only": false,                 // true: no recipe of ours makes its image
 *                   "restore": ["/var/runtime/fnd-restore", "/var/snapshot/image"]}, ...}  // the command that goes on from a snapshot
 *                                                         // (SnapStart); without it there is none for this runtime
 *
 * An image is installed when <state>/images/<image>.json exists: {"name", "layers": ["img-<sha256>", ...] uppermost first,
 * "size", "recipe_sha256", "packages": {...}, "about": {"version", "source", "note"}}; its trees are <state>/roots/<layer>.
 *
 * A container image is a runtime, too, where there is <state>/images/oci-<runtime>.json: {"name": "oci-<runtime>", "layers": ["root-<sha256>"], "size",
 * "reference", "runtime": as an entry above}. It goes before an entry of that name, and needs none; it cannot be started ahead and has no snapshots.
 */
#ifndef FN_IMAGE_RUNTIMES_H
#define FN_IMAGE_RUNTIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/function.h"

#define FN_IMAGE_LAYERS_MAX 6

struct fn_runtime {
	char *name;
	char *image;
	char *version;
	char **exec_candidates; /* NULL-terminated */
	char **env;             /* NULL-terminated "K=V" */
	char **prestart_unless; /* NULL-terminated prefixes; NULL = cannot be started ahead */
	char **restore;         /* NULL-terminated; NULL = no SnapStart */
	bool handler_required, execution_env, prestart_by_memory, snapshot_hooks, class_archive, import_only;
	char *deprecated; /* "2025-12-15", a day that may lie ahead; NULL = none is known */
	bool foreign; /* a container image, whose root may lack what a sandbox needs a place for */
	bool installed;
	struct {
		char *version, *source, *note; /* of the interpreter in the image; NULL = its manifest does not tell */
	} about;
	unsigned n_layers;
	char *layers[FN_IMAGE_LAYERS_MAX]; /* tree names, uppermost first */
	char version_id[65];               /* of the base image under this name, for ARNs: fn_runtime_version_arn() */
	int64_t size;                      /* bytes of the layers' archives */
	struct fn_runtime *kept;           /* the same with images that were there before: <state>/images/.kept-<image>-<16 hex>.json. Members as here but for the image's */
	size_t n_kept;
	char *file;                        /* of one that is kept: its manifest */
};

struct fn_runtimes;
/* Is the file one that fn_runtimes_load() takes? */
int fn_runtimes_check(const char *config_file, struct fn_err *err);
int fn_runtimes_load(const char *config_file, const char *state_dir, struct fn_runtimes **ret, struct fn_err *err);
/* Looks at <state>/images again (after `fnctl images` or `make images` added one). */
int fn_runtimes_rescan(struct fn_runtimes *r, struct fn_err *err);
const struct fn_runtime *fn_runtimes_find(const struct fn_runtimes *r, const char *name); /* NULL = unknown */
/* What this version of a function runs on: the newest, or the one that it is to stay with; of a container image's one that has nothing, for the image
 * has it all. NULL: it is not known any more. */
const struct fn_runtime *fn_runtimes_of(const struct fn_runtimes *r, const struct fn_function *f);
/* Of a runtime, by the hex in its ARN; NULL = there is none. */
const struct fn_runtime *fn_runtime_by_version(const struct fn_runtime *r, const char *version_id);
/* Is this file of <state>/images the manifest of an image that was there before by this name? */
bool fn_runtime_is_kept(const char *file, const char *image);
uint64_t fn_runtimes_generation(const struct fn_runtimes *r); /* another after each rescan */
/* "arn:aws:lambda:<region>::runtime:<64 hex>": what RuntimeVersionConfig and INIT_START say. The same for all functions of a runtime, another
 * with another base image. Returns buf. */
const char *fn_runtime_version_arn(const struct fn_runtime *r, const char *region, char *buf, size_t size);
/* The first of a function's environment variables that keeps its runtime from having been started ahead; NULL = none, may be. */
const char *fn_runtime_prestart_obstacle(const struct fn_runtime *r, const struct fn_env_var *env, size_t n);
/* Days since Lambda has deprecated it; -1 = it has not yet. real_us: now. */
int fn_runtime_deprecated_days(const struct fn_runtime *r, uint64_t real_us);
/* That it is not installed, and how it would be: a sentence or two. Returns buf. */
const char *fn_runtime_missing(const struct fn_runtime *r, char *buf, size_t size);
/* "python3.11, provided.al2023": what is installed, for messages; caller frees; NULL on no memory. */
char *fn_runtimes_installed(const struct fn_runtimes *r);
size_t fn_runtimes_count(const struct fn_runtimes *r);
const struct fn_runtime *fn_runtimes_at(const struct fn_runtimes *r, size_t i);
void fn_runtimes_free(struct fn_runtimes *r);

#endif
