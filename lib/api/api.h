/*
 * api.h - the Lambda control and invoke API (REST-JSON, 2015-03-31 and later paths) and fnd's own /_fnd/ resources.
 * Sources: botocore's lambda/2015-03-31 service model; messages as recorded from the service.
 */
#ifndef FN_API_API_H
#define FN_API_API_H

#include "env/platform.h"
#include "image/package.h"
#include "image/runtimes.h"
#include "invoke/invoke.h"
#include "invoke/snapshots.h"
#include "logs/logs.h"
#include "runtime/disk.h"
#include "runtime/images.h"
#include "spawn/client.h"
#include "store/functions.h"
#include "web/httpd.h"
#include "web/inner_client.h"

struct fn_credential {
	char *access_key_id, *secret_access_key;
};

struct fn_pulls;
struct fn_resolver;
struct fn_api_config {
	struct fn_loop *loop;
	const char *region, *account_id, *state_dir;
	unsigned account_concurrency;
	uint64_t package_max; /* bytes of a zip that a request may have in it, 0 = FN_LIMIT_ZIP_BYTES, which is the least */
	const struct fn_credential *credentials; /* none = requests need no signature */
	size_t n_credentials;
	char *const *hosts; /* beside the loopback's, the names under which requests without a signature are taken */
	size_t n_hosts;
	const char *url_scheme, *url_domain; /* of function URLs' addresses; the domain with its port; NULL = there is no gateway */
	struct fn_store *store;
	struct fn_runtimes *runtimes;
	bool refuse_deprecated; /* functions with runtimes that Lambda has deprecated */
	struct fn_invoker *invoker;
	struct fn_logs *logs;
	struct fn_spawn_client *spawn;
	const struct fn_platform_host *platform; /* NULL: sandboxes do not reach this API */
	struct fn_images *images;
	struct fn_packages *packages; /* that come in */
	struct fn_jobs *jobs;
	struct fn_disk *disk;
	struct fn_snapshots *snapshots;
	struct fn_pulls *pulls; /* container images */
	struct fn_resolver *resolver;
	const struct json_t *endpoints; /* of other servers, by service: "events": {"endpoints": ...}; borrowed, NULL = none */
	const char *s3_endpoint; /* NULL or "": code in S3 is out of reach */
	int state_fd; /* the state directory, of O_PATH: where fn-events' socket for connections is; -EBADF = none go there */
	struct fn_inner_client *events; /* fn-events; NULL = there is none */
	const char *network_from; /* what says which network functions have: for `doctor` */
};

struct fn_api;
int fn_api_new(const struct fn_api_config *config, struct fn_api **ret, struct fn_err *err);
/* Shutting down: answers those who wait for log lines. */
void fn_api_drain(struct fn_api *api);
/* Uploads under way, whose answers are owed. */
bool fn_api_busy(const struct fn_api *api);
/* The daemon begins: images that were on their way are fetched again, those that nobody has go. After fn_disk_sweep(). */
void fn_api_resume(struct fn_api *api);
void fn_api_free(struct fn_api *api);
/* Who takes connections that fn-gateway passes on: the fn_httpd of the listening socket; borrowed. */
void fn_api_set_public(struct fn_api *api, struct fn_httpd *httpd);
/* For the fn_httpd of the listening socket, with the fn_api as its arg. */
extern const struct fn_httpd_ops fn_api_httpd_ops;

#endif
