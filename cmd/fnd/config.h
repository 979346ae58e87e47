/* config.h - fnd's configuration: a strict JSON file (an unknown key is an error), then the command line. Keys: fnd(8), README. */
#ifndef FND_CONFIG_H
#define FND_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/api.h"
#include "base/err.h"
#include "base/log.h"
#include "image/s3.h"
#include "invoke/scaler.h"
#include "env/credentials.h"
#include "pool/keepalive.h"
#include "sandbox/spec.h"
#include "spawn/tmps.h"

/* fn-gateway's. */
struct fnd_gateway_config {
	char *listen, *tls_listen; /* ADDRESS:PORT; "" = not at all */
	char *public_url;          /* under which it is reached: scheme, domain, port; NULL: as it listens, under localhost */
	char *api_host;            /* the name under which the AWS API is passed to fnd through TLS; NULL: none */
	char *user;
	char *trusted;             /* proxies whose X-Forwarded-* count: addresses and networks, with commas between; NULL: none */
	int64_t connections, peer_connections; /* at once: in all, of one address */
	struct fnd_certificate {
		char *certificate, *key; /* files, PEM */
	} *certificates;
	size_t n_certificates;
	bool named;                /* "listen" is in the file */
	char *url_scheme, *url_domain; /* of function URLs: what public_url comes to; the domain with its port. NULL: there is no gateway */
};

struct fnd_config {
	char *listen;      /* "127.0.0.1:3001", "[::1]:3001" */
	char *state_dir;   /* absolute once the supervisor has made it */
	char *region, *account_id, *user;
	char *control_group; /* who may use the control socket beside root; NULL: nobody */
	char *runtimes;    /* path of runtimes.json */
	bool refuse_deprecated; /* "deprecated_runtimes": "refuse" */
	char *images_dir;  /* where `make images` puts bundles */
	struct fn_credential *credentials;
	size_t n_credentials;
	struct fn_role *roles; /* env/credentials.h */
	size_t n_roles;
	char **hosts; /* names of this machine beside its loopback's: web/origin.h */
	size_t n_hosts;
	int64_t uid_base, uid_count, account_concurrency, memory_budget_mb, disk_budget_mb, package_max_mb;
	int64_t body_budget_mb, upload_budget_mb, peer_percent; /* of bodies under way: web/bodies.h */
	int64_t prepared_least, prepared_most;     /* sandboxes made ahead: spawn/stock.h */
	int64_t class_archive_ms; /* an init of a Java function that takes so long is followed by an archive of its classes; 0 = none is */
	int64_t prestarted_least, prestarted_most; /* the same with a runtime in them, for each */
	int64_t idle_timeout_s, freeze_grace_ms, init_timeout_s, drain_grace_s;
	enum fn_keep_policy keep_policy;        /* pool/keepalive.h */
	struct fn_scaler_target *scaling;       /* "provisioned_scaling" */
	size_t n_scaling;
	int64_t provisioned_scaling_period_s;
	int64_t keep_bin_s, keep_head, keep_tail, keep_margin, keep_samples;
	int64_t log_max_bytes, log_files, log_total_mb;
	enum fn_log_level log_level;
	bool platform_endpoint; /* sandboxes reach this API */
	enum fn_net_mode net;
	bool net_named;    /* "network.mode" is in the file */
	char *bridge, *subnet, *uplink, *resolv_conf; /* nat; no uplink: the default routes' interfaces */
	char *allow_host;  /* services of this host, with commas between: os/subnet.h */
	int64_t connections_environment, connections_function, connections_total; /* 0: see spawn/nat.h */
	enum fn_tmp_way tmp_way; /* spawn/tmps.h */
	char *tmp_dir;     /* NULL: the state directory */
	int64_t tmp_disk_mb; /* 0: half of what is free */
	struct fnd_gateway_config gateway;
	json_t *events;    /* "events", with what is not in the file as it is by default */
	char *s3_endpoint; /* NULL: there is none, and no code comes from S3 */
	char *s3_region;   /* NULL: `region` */
	char *s3_credentials_file, *s3_ca_file;
	enum fn_s3_style s3_style;
	int64_t s3_timeout_s;
	char *registries;  /* "registries", an object's text; NULL: there is none. config_registries.c */
	char *file;        /* that was loaded last; NULL: none */
};

/* What the command line says. NULL: nothing. */
struct fnd_options {
	const char *file; /* the configuration */
	const char *listen, *state, *images;
	const char *urls; /* the worker's: "http://localhost:3002", what the supervisor has of function URLs; "none://" */
};

/* Built-in values, over them the file's (relative paths in it are relative to its directory), over them the command line's; then what was not set
 * (the runtimes file, the images directory) is looked for near the program. copy_fd: a copy of the file, which is read instead; -EBADF = none.
 * On failure there is nothing to free. */
int fnd_config_make(struct fnd_config *c, const struct fnd_options *options, int copy_fd, struct fn_err *err);
void fnd_config_free(struct fnd_config *c);
/* Are the files that it names what they must be? Those of fn-fetch are looked at where they are opened. */
int fnd_config_files(const struct fnd_config *c, struct fn_err *err);
/* -1: there is none. */
gid_t fnd_config_control_group(const struct fnd_config *c);

/* Where sandboxes reach the API, as it listens: "127.0.0.1:3001"; "" = nowhere. 127.0.0.1 where it listens on another address than one of 127.0.0.0/8. */
#define FND_PLATFORM_SIZE 24
void fnd_config_platform(const struct fnd_config *c, char ret[FND_PLATFORM_SIZE]);

/* A list of texts, kept with commas between. -EINVAL. */
int fnd_config_join(char **member, json_t *list);

/* config_scaling.c: the list at "provisioned_scaling". */
int fnd_config_scaling(struct fnd_config *c, json_t *list, const char *file, struct fn_err *err);
void fnd_config_scaling_free(struct fnd_config *c);
/* config_roles.c: the object at "roles". */
int fnd_config_roles(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err);
void fnd_config_roles_free(struct fnd_config *c);

/* config_gateway.c: the object at "gateway"; what it comes to, with the ports that were had (again after each change of them); is there one? */
int fnd_config_gateway_init(struct fnd_config *c);
int fnd_config_gateway(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err);
int fnd_config_gateway_check(const struct fnd_config *c, struct fn_err *err);
int fnd_config_gateway_urls(struct fnd_gateway_config *g);
bool fnd_config_gateway_on(const struct fnd_gateway_config *g);
void fnd_config_gateway_free(struct fnd_config *c);

/* config_events.c: the object at "events". */
int fnd_config_events_init(struct fnd_config *c);
int fnd_config_events(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err);
void fnd_config_events_free(struct fnd_config *c);
const char *fnd_config_events_user(const struct fnd_config *c);
double fnd_config_async_share(const struct fnd_config *c); /* of the account's concurrency, that asynchronous invocations may have */
int fnd_config_events_text(const struct fnd_config *c, struct fn_err *err); /* what fn-events is given, in a file in memory; -errno */

/* config_s3.c: what fn-fetch is given (image/fetch.h), in a file in memory that nothing changes any more, with the credentials and certificates that the
 * configuration names. For root: the worker never sees it. */
int fnd_config_fetch(const struct fnd_config *c, struct fn_err *err);
/* config_registries.c. The object is as it was in the file. */
int fnd_config_registries(struct fnd_config *c, json_t *o, const char *file, struct fn_err *err);
json_t *fnd_config_registries_settings(const struct fnd_config *c, struct fn_err *err); /* image/registry.h; NULL with err */
#define FND_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

#endif
