/* sandboxes.c - see sandboxes.h. Runs in the worker. */
#include "sandboxes.h"

#include <errno.h>
#include <stddef.h>

#include "api/services.h"

#define CONNECTIONS_MAX 2048 /* of all sandboxes; the longest idle one gives way */
#define KEPT (16u << 20)     /* bytes of one sandbox's bodies under way */
#define STREAMED (128u << 20)

const struct fn_platform_host *fnd_sandboxes_init(struct fnd_sandboxes *s, const struct fnd_config *cfg)
{
	*s = (struct fnd_sandboxes){.cfg = cfg, .platform.services = fn_api_services()};
	fnd_config_platform(cfg, s->platform.address);
	return s->platform.address[0] ? &s->platform : NULL;
}

/* Bodies may be half as much as from outside, and few of each: what one cannot have it asks for again. */
int fnd_sandboxes_open(struct fnd_sandboxes *s, struct fn_loop *loop, struct fn_httpd_config http, struct fn_err *err)
{
	int r;

	if (!s->platform.address[0])
		return 0;
	r = fn_bodies_new((uint64_t)s->cfg->body_budget_mb << 19, KEPT, &s->kept);
	if (r == 0)
		r = fn_bodies_new((uint64_t)s->cfg->upload_budget_mb << 19, STREAMED, &s->streamed);
	if (r < 0)
		return fn_err_set(err, r, "bodies of requests", NULL);
	http.listen_fd = -EBADF;
	http.conn_max = CONNECTIONS_MAX;
	http.role = FN_HTTP_SANDBOX;
	http.kept = s->kept;
	http.streamed = s->streamed;
	return fn_httpd_new(loop, &http, &s->platform.httpd, err);
}

void fnd_sandboxes_close(struct fnd_sandboxes *s)
{
	fn_httpd_free(s->platform.httpd);
	fn_bodies_free(s->kept);
	fn_bodies_free(s->streamed);
	s->platform.httpd = NULL;
	s->kept = s->streamed = NULL;
}
