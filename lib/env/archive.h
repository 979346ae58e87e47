/*
 * archive.h - archives of a function's own classes, which virtual machines begin from beside that of their base image (Java: CDS, the AOT cache).
 *
 * Made by a run of the function in a sandbox of its own: it initialises, its runtime writes what it has loaded (rootfs/java/files/var/runtime/train), and that
 * comes out as a snapshot does (snapshot.h) and becomes a tree, "java-<digest>". The digest is of all that it holds on: the function's name, so that no function
 * begins from what another has made, its package and layers, its handler, its memory and variables, the base image: a version
 * neither begins from what its code has made under another's variables, nor loses its own by what fails under those. So nothing has to be written down: whose
 * digest it is has it, versions that are the same share it, and one that nobody's digest is goes. The virtual machine itself compares what it is of once more.
 */
#ifndef FN_ENV_ARCHIVE_H
#define FN_ENV_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/runtimes.h"
#include "model/function.h"
#include "sandbox/spec.h"
#include "store/trees.h" /* FN_ARCHIVE_PREFIX */

#define FN_ARCHIVE_TRAIN "_FND_ARCHIVE" /* the variable by which a runtime is told to make one */

/* The shortest inits of a version's environments; 0 = none is known. */
struct fn_archive_starts {
	uint64_t ahead_us; /* of runtimes that had been started ahead */
	uint64_t own_us;   /* of those that began from the version's archive */
	unsigned own;      /* how many were */
};

/* Its name, if its runtime makes any. */
bool fn_archive_name(const struct fn_runtimes *runtimes, const struct fn_function *f, char ret[FN_TREE_NAME_SIZE]);
/* Is a start from it the sooner one, as far as is known? One that has been started ahead has no archive of its function's, which is not known when it starts. */
bool fn_archive_sooner(const struct fn_archive_starts *s);

/* There is none for what this function is now, or it is not to be used, for the next ten minutes: in words for its log. What has failed once may have been an
 * accident; what fails again rests twice as long each time, a day at most. */
struct fn_env_host;
void fn_archive_off(struct fn_env_host *h, const struct fn_function *f, const char *why);
void fn_archive_tree_off(struct fn_env_host *h, const char *tree, uint64_t now_us, const char *why); /* the same by its name; of the loop's clock */
const char *fn_archive_why_off(const struct fn_env_host *h, const char *tree, uint64_t now_us); /* NULL = it is not off */
void fn_archive_clear(struct fn_env_host *h); /* forgets all of that */

#endif
