/*
 * function.h - a function version's configuration: an immutable, refcounted snapshot.
 *
 * The store makes a new snapshot for every change; invocations and workers hold a reference to the one they started with, in any thread.
 * Fields are those of FunctionConfiguration (Lambda API 2015-03-31), in the units of that API.
 */
#ifndef FN_MODEL_FUNCTION_H
#define FN_MODEL_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/image.h"

enum fn_state { FN_STATE_PENDING, FN_STATE_ACTIVE, FN_STATE_INACTIVE, FN_STATE_FAILED };
enum fn_update_status { FN_UPDATE_NONE, FN_UPDATE_SUCCESSFUL, FN_UPDATE_IN_PROGRESS, FN_UPDATE_FAILED };

enum fn_runtime_updates { FN_RUNTIME_AUTO, FN_RUNTIME_ON_UPDATE, FN_RUNTIME_MANUAL };

struct fn_env_var {
	char *name;
	char *value;
};

/* A layer version as a function has it, from when it was given to the function: that the version is deleted changes nothing. */
struct fn_function_layer {
	char *arn;
	char sha256[65];          /* hex, of the zip */
	int64_t code_size, unpacked_size;
};
#define FN_LAYERS_MAX 5       /* of a function */

struct fn_function {
	_Atomic unsigned refs;
	char *name;
	char *version;            /* "$LATEST", or the number of a published version, which never changes */
	char *runtime;            /* "python3.11"; NULL for images */
	char *role;
	char *handler;            /* NULL only where the runtime needs none */
	char *description;        /* "" when not given */
	char *latest_description; /* published versions: what $LATEST's was, PublishVersion may give another */
	char *architecture;       /* "x86_64" */
	char *tracing_mode;       /* "PassThrough" | "Active" */
	bool json_log;            /* LogFormat: JSON, else Text */
	char *app_log_level;      /* NULL with Text */
	char *system_log_level;   /* NULL with Text */
	char *log_group;          /* "/aws/lambda/<name>" by default */
	char *dead_letter_arn;    /* of a queue or topic for events that were given up; NULL = none */
	char *tags_json;          /* object text or NULL */
	/* PackageType Image. runtime, handler and layers have nothing then. */
	struct fn_image *image;   /* owned; NULL: a Zip */
	char *image_uri;          /* as it was given */
	char *image_config;       /* ImageConfig, an object's text; NULL: none */
	/* While an update to another image is InProgress: what it was before, which serves until then, and again if it cannot be fetched. */
	struct fn_image *image_before;
	char *image_uri_before;
	char code_sha256[65];     /* hex; the API shows it in base64 */
	int64_t code_size;        /* bytes of the zip */
	int64_t unpacked_size;
	int memory_mb, timeout_s, ephemeral_mb;
	struct fn_env_var *env;
	size_t n_env;
	struct fn_function_layer *layers; /* where two have the same file, the later one's is seen */
	size_t n_layers;
	bool has_env;             /* Environment was given, perhaps empty */
	uint64_t last_modified_us; /* real time */
	char revision_id[37];
	enum fn_state state;
	char *state_reason, *state_reason_code; /* NULL = none */
	enum fn_update_status update_status;
	char *update_reason, *update_reason_code;
	/* SnapStart. Of a published version: the tree that holds its snapshot (NULL = none), what host and base image it was made on, and with
	 * none why not, though it is wanted. */
	bool snap_start;          /* ApplyOn: PublishedVersions */
	/* When its base image is another: at once (Auto), when its code or configuration changes (FunctionUpdate), never (Manual). */
	enum fn_runtime_updates runtime_updates;
	char *runtime_version;    /* hex, of an ARN of a runtime's version: what it runs on; NULL = the newest (Auto) */
	bool per_tenant;          /* TenancyConfig: its environments serve one tenant each; as it was created, for good */
	char *snapshot_tree, *snapshot_host, *snapshot_off;
	char *snapshot_plain;     /* why it starts plainly, with its hooks, though a snapshot of it can be made: that takes longer. NULL = it does not */
	/* What environments are keyed on: changes whenever code, layers, or configuration that a running environment sees changes. */
	uint64_t generation;
};

struct fn_function *fn_function_new(void); /* refs = 1, everything else empty; NULL on no memory */
struct fn_function *fn_function_ref(struct fn_function *f);
void fn_function_unref(struct fn_function *f); /* NULL is fine */
/* A deep copy with refs = 1, to change and store. */
struct fn_function *fn_function_clone(const struct fn_function *f);
/* Takes no layers any more, and those of `from` instead; -ENOMEM leaves it without any. */
int fn_function_set_layers(struct fn_function *f, const struct fn_function_layer *from, size_t n);
void fn_function_set_image(struct fn_image **member, struct fn_image *image); /* takes a reference of its own; NULL is fine */
/* Is this package its code, or one of its layers? */
bool fn_function_needs(const struct fn_function *f, const char *sha256);
/* Of code and layers, unpacked. */
int64_t fn_function_unpacked(const struct fn_function *f);
/* Has $LATEST the code and configuration that this published version was made from? */
bool fn_function_unchanged(const struct fn_function *latest, const struct fn_function *version);

/* It has been stored and is not in force yet: a Pending function or version, an update InProgress. Not one that waits for its snapshot (SnapStart). */
bool fn_function_settling(const struct fn_function *f);
void fn_function_settle(struct fn_function *f); /* now it is: Active, and its update Successful */
void fn_function_unsettle(struct fn_function *f, bool created); /* Pending (created), or its update InProgress */

/* The image that it was an update to is not to be: it is what it was before, with the same settings. Its states stay as they are. */
void fn_function_revert(struct fn_function *f);
/* What it was to be it is not, for this reason: Failed, or, where it was something before, that, and its update Failed. */
void fn_function_fail(struct fn_function *f, const char *code, const char *reason);

/* 0 for "$LATEST", n for "n"; UINT64_MAX for what is no version. */
uint64_t fn_version_number(const char *version);

#endif
