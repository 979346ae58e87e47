/*
 * sec.h - giving up privilege: capabilities, no_new_privs, seccomp; limits of what works for strangers.
 *
 * Filters are compiled once (libseccomp) and exported as BPF, so that a child between clone3 and exec only installs one.
 */
#ifndef FN_OS_SEC_H
#define FN_OS_SEC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct fn_seccomp; /* a compiled filter */

/* For function code: an allow-list that runs the Lambda runtimes' languages. What is left out answers EPERM; clone3 answers ENOSYS so
 * that libc falls back to clone, whose namespace flags are refused; calls of another architecture kill the process. */
int fn_seccomp_for_functions(struct fn_seccomp **ret, struct fn_err *err);
/* For fn-unpack: reading one archive, writing files. Anything else kills. */
int fn_seccomp_for_unpack(struct fn_seccomp **ret, struct fn_err *err);
/* For fn-fetch: connections to IPv4 and IPv6 addresses, threads that resolve names, writing one file. Anything else answers EPERM: which calls a C
 * library's resolver tries differs from one to the next. */
int fn_seccomp_for_fetch(struct fn_seccomp **ret, struct fn_err *err);
void fn_seccomp_free(struct fn_seccomp *s);
/* Needs no_new_privs. Async-signal-safe. */
int fn_seccomp_install(const struct fn_seccomp *s);

/* For a sandbox's init once the runtime is about to run: it waits, reports and exits. Short: installing a filter costs what it is long. */
int fn_seccomp_for_init(struct fn_seccomp **ret, struct fn_err *err);
/* Drops the bounding and ambient sets: nothing that is executed or created can regain a capability. What the process has it keeps for now.
 * Remembered over fork(), so that fn_sec_drop() need not do it again. Async-signal-safe. */
int fn_sec_drop_bounding(struct fn_err *err);
/* Drops the bounding and ambient sets, then sets ids (setgroups to none, setresgid, setresuid), then all capabilities, then
 * no_new_privs; verifies that nothing is left. Async-signal-safe. */
int fn_sec_drop(uid_t uid, gid_t gid, struct fn_err *err);
/* For a program that has to do with one archive or object from a stranger: little of anything. file_bytes: one more may be written, so that too much is
 * noticed; processes: how many of its user, threads counted, there may be when it makes another; cpu_s: seconds of CPU. */
int fn_sec_limit(uint64_t memory_bytes, uint64_t file_bytes, unsigned processes, unsigned cpu_s, struct fn_err *err);

#endif
