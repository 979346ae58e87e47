/* sandboxes.h - what the worker has of the platform endpoints: the server of all sandboxes' connections to the API (env/platform.h), and what their bodies count in. */
#ifndef FND_SANDBOXES_H
#define FND_SANDBOXES_H

#include "config.h"
#include "env/platform.h"

struct fnd_sandboxes {
	struct fn_platform_host platform; /* httpd: NULL = there are none */
	struct fn_bodies *kept, *streamed; /* under way */
	const struct fnd_config *cfg;
};

/* For the environments; NULL: they have no endpoint. */
const struct fn_platform_host *fnd_sandboxes_init(struct fnd_sandboxes *s, const struct fnd_config *cfg);
/* http: as of the public server. */
int fnd_sandboxes_open(struct fnd_sandboxes *s, struct fn_loop *loop, struct fn_httpd_config http, struct fn_err *err);
void fnd_sandboxes_close(struct fnd_sandboxes *s);

#endif
