/*
 * stream.c - an environment's log stream, named as Lambda names them: after the day, the version and something random; in a group that is not the function's own, and may
 * be shared, after the function too (Lambda Developer Guide, "monitoring-cloudwatchlogs-loggroups").
 */
#include <stdio.h>
#include <time.h>

#include "base/id.h"
#include "base/str.h"
#include "env/internal.h"

void fn_env_name_log_stream(struct fn_env *e)
{
	const struct fn_function *f = e->version->function;
	char own[FN_NAME_MAX + 16];
	time_t t = time(NULL);
	char hex[33];
	struct tm tm;

	gmtime_r(&t, &tm);
	fn_id_hex(hex, 32);
	snprintf(own, sizeof(own), "/aws/lambda/%s", f->name);
	snprintf(e->log_stream, sizeof(e->log_stream), "%04d/%02d/%02d/%s[%s]%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, fn_streq(f->log_group, own) ? "" : f->name,
		 f->version, hex);
}

void fn_env_open_log(struct fn_env *e)
{
	if (!e->log_stream[0])
		fn_env_name_log_stream(e);
	e->log = fn_log_stream_open(e->host->cfg.logs, e->version->function->log_group, e->log_stream);
}
