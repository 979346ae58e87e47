/*
 * sync.h - the handshake between fn-spawnd and a sandbox's init, over a SEQPACKET socketpair.
 *
 *   parent                      init (PID 1 of the sandbox)
 *   clone3 ------------------>  waits
 *   id maps, v1 groups
 *   FN_SYNC_GO --------------->  steps of the plan
 *                  <-----------  FN_SYNC_LISTENER  (+ the Runtime API listener)
 *                  <-----------  FN_SYNC_RUNNING   the runtime's execve succeeded; or FN_SYNC_FAILED + err
 *                  <-----------  FN_SYNC_EXIT      the runtime's wait status; init then exits
 */
#ifndef FN_SANDBOX_SYNC_H
#define FN_SANDBOX_SYNC_H

#include <stdint.h>

#include "base/err.h"

enum fn_sync_type { FN_SYNC_GO = 1, FN_SYNC_LISTENER, FN_SYNC_RUNNING, FN_SYNC_FAILED, FN_SYNC_EXIT };

struct fn_sync_msg {
	uint32_t type;
	int32_t wait_status;
	uint32_t net_us, mounts_us, exec_us; /* FN_SYNC_RUNNING */
	struct fn_err err;                   /* FN_SYNC_FAILED */
};

#endif
