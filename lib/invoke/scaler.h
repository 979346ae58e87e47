/*
 * scaler.h - applies invoke/scaling.h: measures the use of what is provisioned, once a period sets what is to be provisioned.
 *
 * Runs in fnd on its loop. A target is a version or an alias of a function; while there is none of that name, nothing is done. It changes
 * the stored configuration, as Application Auto Scaling does with PutProvisionedConcurrencyConfig, and makes it when there is none.
 */
#ifndef FN_INVOKE_SCALER_H
#define FN_INVOKE_SCALER_H

#include "base/loop.h"
#include "invoke/invoke.h"
#include "invoke/scaling.h"
#include "store/functions.h"

struct fn_scaler_target {
	char *function, *qualifier;
	struct fn_scaling scaling;
};
struct fn_scaler_config {
	struct fn_loop *loop;
	struct fn_store *store;
	struct fn_invoker *invoker;
	unsigned account_concurrency;
	uint64_t period_us;
	struct fn_scaler_target *targets; /* borrowed, and changed */
	size_t n_targets;
};
struct fn_scaler;
int fn_scaler_new(const struct fn_scaler_config *config, struct fn_scaler **ret);
void fn_scaler_free(struct fn_scaler *s);

#endif
