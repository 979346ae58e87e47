/* spec.h - what the sandboxes of a runtime have in common. */
#ifndef FN_ENV_SPEC_H
#define FN_ENV_SPEC_H

#include "env/env.h"
#include "env/variables.h"

#define FN_SPEC_CPU_PERIOD_US 20000u /* short: a small function's quota comes in small helpings instead of 90 ms pauses */
#define FN_SPEC_CPU_INIT_US (2 * FN_SPEC_CPU_PERIOD_US) /* two CPUs: with one, a virtual machine that compiles beside what it runs waits for itself */

/* cpu.max for a memory size: 1,769 MB is one CPU (Lambda Developer Guide, "Configuring memory"). */
uint32_t fn_spec_cpu_quota_us(int memory_mb, uint32_t period_us);
/* Named after the image too: with another one it is another kind. */
void fn_spec_name_kind(struct fn_spec *s, const struct fn_runtime *rt, int memory_mb, bool restore);
/* What all sandboxes of a runtime have in common; lowers: its base image. */
void fn_spec_basics(struct fn_spec *s, const struct fn_env_config *cfg, const struct fn_runtime *rt);
void fn_spec_command(const struct fn_runtime *rt, bool restore, struct fn_strings *argv, struct fn_strings *exec);
/* Whose it is, and on top of what it has already its layers, the snapshot or archive of classes that it begins from (NULL = none), and its code; an image's
 * layers. */
void fn_spec_trees(struct fn_spec *s, const struct fn_function *f, const char *from);
/* It has a snapshot, of this host and base image. */
bool fn_spec_restores(const struct fn_env_config *cfg, const struct fn_function *f, const struct fn_runtime *rt);

#endif
