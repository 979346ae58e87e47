/* stream.c - an environment's log stream, named as Lambda names them: after the day, the version and something random. */
#include <stdio.h>
#include <time.h>

#include "base/id.h"
#include "env/internal.h"

void fn_env_name_log_stream(struct fn_env *e)
{
	time_t t = time(NULL);
	char hex[33];
	struct tm tm;

	gmtime_r(&t, &tm);
	fn_id_hex(hex, 32);
	snprintf(e->log_stream, sizeof(e->log_stream), "%04d/%02d/%02d/[%s]%s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 e->version->function->version, hex);
}

void fn_env_open_log(struct fn_env *e)
{
	if (!e->log_stream[0])
		fn_env_name_log_stream(e);
	e->log = fn_log_stream_open(e->host->cfg.logs, e->version->function->log_group, e->log_stream);
}
