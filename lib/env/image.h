/* image.h - what is run of a container image, and where: its configuration, as the function's ImageConfig changes it. */
#ifndef FN_ENV_IMAGE_H
#define FN_ENV_IMAGE_H

#include "env/variables.h"
#include "model/function.h"
#include "sandbox/spec.h"

/* argv, the places where its first word may be (with the PATH of env), and the working directory. An image that begins with aws-lambda-rie, which would be
 * a Lambda of its own, begins with what that would start: the program after its options, or the first bootstrap in /var/task, /opt and /var/runtime. One that says nothing begins with /var/runtime/bootstrap, as on Lambda. */
void fn_image_command(const struct fn_function *f, const struct fn_strings *env, struct fn_strings *argv, struct fn_strings *exec, char cwd[FN_SPEC_CWD_SIZE]);
/* _HANDLER: the first word of its command, which the runtime clients take for that. */
void fn_image_handler(struct fn_strings *env, const struct fn_function *f);
/* The first word of what is run, for messages. Returns buf. */
const char *fn_env_image_entry(const struct fn_function *f, char *buf, size_t size);
/* What was to be run, in the words of Lambda's launch errors: "Entrypoint: [a,b]\tCmd: [c]\tWorkingDir: [/d]". Returns buf. */
const char *fn_env_image_told(const struct fn_function *f, char *buf, size_t size);

#endif
