/*
 * env.h - whose an environment variable is: the function's, or the platform's. Lambda Developer Guide, "configuration-envvars".
 */
#ifndef FN_MODEL_ENV_H
#define FN_MODEL_ENV_H

enum fn_env_rule {
	FN_ENV_FREE,    /* the function's value holds, also over one that the platform or the runtime has for it */
	FN_ENV_FIXED,   /* a function may name it; where the platform has a value, that holds (a shell on the way to the runtime would set it) */
	FN_ENV_RESERVED /* a function that names it is refused */
};
enum fn_env_rule fn_env_rule(const char *name);

/* What an image's ENV, "NAME=value", sets: the value, within entry, and its name. NULL: nothing; it has no name, or one that is reserved, or too long. */
#define FN_ENV_NAME_SIZE 256
const char *fn_env_of_image(const char *entry, char ret_name[FN_ENV_NAME_SIZE]);

#endif
