/* config.c - see config.h. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "gateway.h"
#include "image/runtimes.h"
#include "model/arn.h"
#include "os/subnet.h"
#include "web/address.h"
#include "web/json_file.h"

enum kind { TEXT, PATH, NUMBER, LIST };

static const struct key {
	const char *name;
	enum kind kind;
	size_t at;
	int64_t min, max;
} keys[] = {
#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define AT(m) offsetof(struct fnd_config, m)
	{"listen", TEXT, AT(listen), 0, 0},
	{"state_dir", PATH, AT(state_dir), 0, 0},
	{"region", TEXT, AT(region), 0, 0},
	{"account_id", TEXT, AT(account_id), 0, 0},
	{"user", TEXT, AT(user), 0, 0},
	{"control_group", TEXT, AT(control_group), 0, 0},
	{"runtimes", PATH, AT(runtimes), 0, 0},
	{"images_dir", PATH, AT(images_dir), 0, 0},
	{"uid_base", NUMBER, AT(uid_base), 65536, 4000000000},
	{"uid_count", NUMBER, AT(uid_count), 0, 4294967295},
	{"account_concurrency", NUMBER, AT(account_concurrency), 1, 100000},
	{"body_budget_mb", NUMBER, AT(body_budget_mb), 8, 1048576},
	{"upload_budget_mb", NUMBER, AT(upload_budget_mb), 80, 1048576},
	{"package_max_mb", NUMBER, AT(package_max_mb), 50, 250},
	{"peer_percent", NUMBER, AT(peer_percent), 1, 100},
	{"memory_budget_mb", NUMBER, AT(memory_budget_mb), 0, INT32_MAX},
	{"disk_budget_mb", NUMBER, AT(disk_budget_mb), 0, INT32_MAX},
	{"idle_timeout_s", NUMBER, AT(idle_timeout_s), 0, 2592000},
	{"prepared_least", NUMBER, AT(prepared_least), 0, 1000},
	{"prepared_most", NUMBER, AT(prepared_most), 0, 1000},
	{"prestarted_least", NUMBER, AT(prestarted_least), 0, 1000},
	{"prestarted_most", NUMBER, AT(prestarted_most), 0, 1000},
	{"class_archive_ms", NUMBER, AT(class_archive_ms), 0, 600000},
	{"provisioned_scaling_period_s", NUMBER, AT(provisioned_scaling_period_s), 1, 3600},
	{"freeze_grace_ms", NUMBER, AT(freeze_grace_ms), 0, 60000},
	{"init_timeout_s", NUMBER, AT(init_timeout_s), 1, 900},
	{"drain_grace_s", NUMBER, AT(drain_grace_s), 0, 900},
}, net_keys[] = {
	{"bridge", TEXT, AT(bridge), 0, 0},
	{"subnet", TEXT, AT(subnet), 0, 0},
	{"uplink", TEXT, AT(uplink), 0, 0},
	{"resolv_conf", PATH, AT(resolv_conf), 0, 0},
	{"allow_host", LIST, AT(allow_host), 0, 0},
	{"connections_environment", NUMBER, AT(connections_environment), 0, 1000000},
	{"connections_function", NUMBER, AT(connections_function), 0, 16000000},
	{"connections_total", NUMBER, AT(connections_total), 0, 16000000},
}, keep_keys[] = {
	{"bin_s", NUMBER, AT(keep_bin_s), 1, 3600},
	{"head_percent", NUMBER, AT(keep_head), 0, 50},
	{"tail_percent", NUMBER, AT(keep_tail), 50, 100},
	{"margin_percent", NUMBER, AT(keep_margin), 0, 50},
	{"samples", NUMBER, AT(keep_samples), 2, 10000},
}, tmp_keys[] = {
	{"dir", PATH, AT(tmp_dir), 0, 0},
	{"disk_mb", NUMBER, AT(tmp_disk_mb), 0, INT32_MAX},
}, s3_keys[] = {
	{"endpoint", TEXT, AT(s3_endpoint), 0, 0},
	{"region", TEXT, AT(s3_region), 0, 0},
	{"credentials_file", PATH, AT(s3_credentials_file), 0, 0},
	{"ca_file", PATH, AT(s3_ca_file), 0, 0},
	{"timeout_s", NUMBER, AT(s3_timeout_s), 1, 120},
}, log_keys[] = {
	{"max_bytes", NUMBER, AT(log_max_bytes), 4096, INT64_MAX},
	{"files", NUMBER, AT(log_files), 1, 100000},
	{"total_mb", NUMBER, AT(log_total_mb), 1, INT32_MAX},
};
#define UIDS_LEAST (2 * 65537) /* spawn/internal.h */
#define N(a) (sizeof(a) / sizeof((a)[0]))

static int set(char **member, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*member);
	*member = copy;
	return 0;
}

static int init(struct fnd_config *c)
{
	*c = (struct fnd_config){
		.uid_base = 0x70000000, .account_concurrency = 1000, .body_budget_mb = 256, .upload_budget_mb = 2048, .package_max_mb = 50, .peer_percent = 75, .idle_timeout_s = 600, .prepared_least = 4, .prepared_most = 64, .prestarted_least = 2, .prestarted_most = 16, .class_archive_ms = 150,
		.freeze_grace_ms = 100, .init_timeout_s = 10,
		.provisioned_scaling_period_s = 60, .keep_policy = FN_KEEP_HYBRID, .keep_bin_s = 60, .keep_head = 5, .keep_tail = 99, .keep_margin = 10, .keep_samples = 10,
		.drain_grace_s = 30, .s3_timeout_s = 15, .log_max_bytes = 16 << 20, .log_files = 64, .log_total_mb = 10240, .log_level = FN_LOG_INFO, .net = FN_NET_LOOPBACK, .connections_environment = 4096, .platform_endpoint = true,
	};
	return set(&c->listen, "127.0.0.1:3001") < 0 || set(&c->state_dir, "/var/lib/fnd") < 0 || set(&c->region, "us-east-1") < 0 ||
			       set(&c->account_id, "000000000000") < 0 || set(&c->user, "fnd") < 0 || set(&c->bridge, "fnd0") < 0 ||
			       set(&c->subnet, "10.201.0.0/16") < 0 || set(&c->resolv_conf, "/etc/resolv.conf") < 0
		       ? -ENOMEM
		       : 0;
}

void fnd_config_free(struct fnd_config *c)
{
	char *all[] = {c->listen, c->state_dir, c->region, c->account_id, c->user, c->control_group, c->runtimes, c->images_dir, c->bridge, c->subnet, c->uplink, c->resolv_conf, c->allow_host, c->tmp_dir, c->s3_endpoint, c->s3_region, c->s3_credentials_file, c->s3_ca_file, c->registries, c->file};

	for (size_t i = 0; i < N(all); i++)
		free(all[i]);
	for (size_t i = 0; i < c->n_credentials; i++) {
		free(c->credentials[i].access_key_id);
		free(c->credentials[i].secret_access_key);
	}
	free(c->credentials);
	for (size_t i = 0; i < c->n_hosts; i++)
		free(c->hosts[i]);
	free(c->hosts);
	fnd_config_scaling_free(c);
	fnd_config_roles_free(c);
	fnd_config_gateway_free(c);
	fnd_config_events_free(c);
}

static int bad(struct fn_err *err, const char *file, const char *key, const char *what)
{
	return fn_err_set(err, EINVAL, "configuration", "%.100s: \"%.40s\" %.60s", file, key, what);
}

int fnd_config_join(char **member, json_t *list)
{
	fn_auto_buf struct fn_buf b = {0};
	json_t *e;
	size_t i;

	if (!json_is_array(list))
		return -EINVAL;
	json_array_foreach(list, i, e) {
		const char *text = json_string_value(e);

		if (fn_str_empty(text) || strchr(text, ',') || fn_buf_addf(&b, "%s%s", i ? "," : "", text) < 0)
			return -EINVAL;
	}
	return set(member, b.len ? b.data : "");
}

static int apply(struct fnd_config *c, const struct key *k, json_t *v, const char *file, struct fn_err *err)
{
	char path[PATH_MAX], rule[80];
	const char *slash = strrchr(file, '/'), *text = json_string_value(v);

	if (k->kind == NUMBER) {
		if (!json_is_integer(v) || json_integer_value(v) < k->min || json_integer_value(v) > k->max) {
			snprintf(rule, sizeof(rule), "must be a whole number from %lld to %lld", (long long)k->min, (long long)k->max);
			return bad(err, file, k->name, rule);
		}
		*(int64_t *)((char *)c + k->at) = json_integer_value(v);
		return 0;
	}
	if (k->kind == LIST)
		return fnd_config_join((char **)((char *)c + k->at), v) < 0 ? bad(err, file, k->name, "must be a list of texts like \"tcp:5432\"") : 0;
	if (!text || (!*text && k->at != AT(uplink) && k->at != AT(control_group) && k->at != AT(s3_endpoint)))
		return bad(err, file, k->name, "must be a non-empty string");
	if (k->kind == PATH && text[0] != '/' && slash)
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - file), file, text);
	else
		snprintf(path, sizeof(path), "%s", text);
	return set((char **)((char *)c + k->at), path);
}

static const struct key *find(const struct key *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (fn_streq(list[i].name, name))
			return &list[i];
	return NULL;
}

static int take_mode(struct fnd_config *c, const char *text)
{
	if (fn_streq(text, "loopback"))
		c->net = FN_NET_LOOPBACK;
	else if (fn_streq(text, "nat"))
		c->net = FN_NET_NAT;
	else
		return -EINVAL;
	c->net_named = true;
	return 0;
}

static int take_policy(struct fnd_config *c, const char *text) { return fn_keep_policy_parse(text, &c->keep_policy); }
static int take_way(struct fnd_config *c, const char *text) { return fn_tmp_way_parse(text, &c->tmp_way); }
static int take_style(struct fnd_config *c, const char *text) { return fn_s3_style_parse(text, &c->s3_style); }
static int take_level(struct fnd_config *c, const char *text) { return fn_log_level_parse(text, &c->log_level); }

/* Objects within: numbers, texts and paths, and a word that means something. */
static const struct section {
	const char *name;
	const struct key *keys;
	size_t n;
	const char *word, *rule;
	int (*take)(struct fnd_config *c, const char *text);
} sections[] = {
	{"network", net_keys, N(net_keys), "mode", "must be \"loopback\" or \"nat\"", take_mode},
	{"keep_alive", keep_keys, N(keep_keys), "policy", "must be \"fixed\", \"greedy-dual\" or \"hybrid\"", take_policy},
	{"tmp", tmp_keys, N(tmp_keys), "mode", "must be \"auto\", \"loop\" or \"tmpfs\"", take_way},
	{"s3", s3_keys, N(s3_keys), "style", "must be \"auto\", \"path\" or \"virtual\"", take_style},
	{"log", log_keys, N(log_keys), "level", "must be error, warn, info or debug", take_level},
};

static const struct section *find_section(const char *name)
{
	for (size_t i = 0; i < N(sections); i++)
		if (fn_streq(sections[i].name, name))
			return &sections[i];
	return NULL;
}

/* What fnd had once. Accepted for one release, so that a configuration need not change in the moment of an update. */
static bool is_gone(const char *name, const char *file)
{
	if (!fn_streq(name, "loops") && !fn_streq(name, "loops_share_percent"))
		return false;
	fn_log_warn("%s: \"%s\" means nothing any more, and will be an error: fnd has one event loop", file, name);
	return true;
}

static int load_section(struct fnd_config *c, const struct section *s, json_t *o, const char *file, struct fn_err *err)
{
	const char *name;
	char rule[64];
	json_t *v;

	if (!json_is_object(o))
		return bad(err, file, s->name, "must be an object");
	json_object_foreach(o, name, v) {
		const struct key *k = find(s->keys, s->n, name);
		int r = 0;

		if (k) {
			r = apply(c, k, v, file, err);
		} else if (!fn_streq(name, s->word)) {
			snprintf(rule, sizeof(rule), "is no key of \"%s\"", s->name);
			r = bad(err, file, name, rule);
		} else if (s->take(c, json_string_value(v)) < 0) {
			r = bad(err, file, name, s->rule);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_platform(struct fnd_config *c, json_t *v, const char *file, struct fn_err *err)
{
	if (!json_is_boolean(v))
		return bad(err, file, "platform_endpoint", "must be true or false");
	c->platform_endpoint = json_is_true(v);
	return 0;
}

void fnd_config_platform(const struct fnd_config *c, char ret[FND_PLATFORM_SIZE])
{
	struct sockaddr_storage a;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a;
	char host[INET_ADDRSTRLEN] = "127.0.0.1";
	socklen_t len;
	bool loopback;
	unsigned port;
	struct fn_err err;

	ret[0] = '\0';
	if (!c->platform_endpoint || fn_address_parse(c->listen, "listen", &a, &len, &loopback, &err) < 0)
		return;
	port = ntohs(a.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a)->sin6_port : v4->sin_port);
	if (a.ss_family == AF_INET && loopback)
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	if (port == FN_RTAPI_PORT) /* which is another's inside */
		fn_log_warn("\"listen\": port %u is the Runtime API's in sandboxes: functions do not reach the platform", port);
	else
		snprintf(ret, FND_PLATFORM_SIZE, "%s:%u", host, port);
}

static int load_credentials(struct fnd_config *c, json_t *list, const char *file, struct fn_err *err)
{
	json_t *e;
	size_t i;

	if (!json_is_array(list))
		return bad(err, file, "credentials", "must be a list");
	c->credentials = calloc(json_array_size(list) + 1, sizeof(*c->credentials));
	json_array_foreach(list, i, e) {
		const char *id = json_string_value(json_object_get(e, "access_key_id")), *key = json_string_value(json_object_get(e, "secret_access_key"));

		for (size_t k = 0; k < c->n_credentials; k++)
			if (fn_streq(c->credentials[k].access_key_id, id))
				return fn_err_set(err, EINVAL, "configuration", "%.100s: \"credentials\" has \"%.40s\" twice", file, id);
		if (!c->credentials || fn_str_empty(id) || fn_str_empty(key) || json_object_size(e) != 2 || strlen(key) > 128)
			return bad(err, file, "credentials", "needs access_key_id and secret_access_key in each entry");
		c->credentials[i].access_key_id = strdup(id);
		c->credentials[i].secret_access_key = strdup(key);
		c->n_credentials++;
		if (!c->credentials[i].access_key_id || !c->credentials[i].secret_access_key)
			return fn_err_set(err, ENOMEM, "configuration", NULL);
	}
	return 0;
}

static int load_deprecated(struct fnd_config *c, json_t *v, const char *file, struct fn_err *err)
{
	const char *what = json_string_value(v);

	if (!fn_streq(what, "allow") && !fn_streq(what, "refuse"))
		return bad(err, file, "deprecated_runtimes", "must be \"allow\" or \"refuse\"");
	c->refuse_deprecated = fn_streq(what, "refuse");
	return 0;
}

static int load_hosts(struct fnd_config *c, json_t *list, const char *file, struct fn_err *err)
{
	json_t *e;
	size_t i;

	if (!json_is_array(list))
		return bad(err, file, "hosts", "must be a list");
	c->hosts = calloc(json_array_size(list) + 1, sizeof(*c->hosts));
	json_array_foreach(list, i, e) {
		const char *name = json_string_value(e);

		if (!c->hosts || fn_str_empty(name) || strlen(name) > 253 || strspn(name, HOST_CHARS) != strlen(name))
			return bad(err, file, "hosts", "needs names or addresses, without ports");
		c->hosts[i] = strdup(name);
		if (!c->hosts[i])
			return fn_err_set(err, ENOMEM, "configuration", NULL);
		c->n_hosts++;
	}
	return 0;
}

static int load(struct fnd_config *c, const char *file, int copy_fd, struct fn_err *err)
{
	json_t *root, *v;
	const char *name;
	int r = set(&c->file, file);

	if (r < 0)
		return fn_err_set(err, r, "configuration", NULL);
	r = fn_json_file_object(file, copy_fd, "configuration", &root, err);
	if (r < 0)
		return r;
	json_object_foreach(root, name, v) {
		const struct key *k = find(keys, N(keys), name);
		const struct section *s = find_section(name);

		if (k)
			r = apply(c, k, v, file, err);
		else if (s)
			r = load_section(c, s, v, file, err);
		else if (fn_streq(name, "platform_endpoint"))
			r = load_platform(c, v, file, err);
		else if (fn_streq(name, "provisioned_scaling"))
			r = fnd_config_scaling(c, v, file, err);
		else if (fn_streq(name, "deprecated_runtimes"))
			r = load_deprecated(c, v, file, err);
		else if (fn_streq(name, "roles"))
			r = fnd_config_roles(c, v, file, err);
		else if (fn_streq(name, "registries"))
			r = fnd_config_registries(c, v, file, err);
		else if (fn_streq(name, "gateway"))
			r = fnd_config_gateway(c, v, file, err);
		else if (fn_streq(name, "events"))
			r = fnd_config_events(c, v, file, err);
		else if (fn_streq(name, "credentials"))
			r = load_credentials(c, v, file, err);
		else if (fn_streq(name, "hosts"))
			r = load_hosts(c, v, file, err);
		else if (!is_gone(name, file))
			r = bad(err, file, name, "is no key fnd knows");
		if (r < 0)
			break;
	}
	json_decref(root);
	return r;
}

/* In a build tree, or where `make install` puts it (wherever that was moved). */
static int find_near(char **member, const char *in_tree, const char *installed)
{
	const char *const places[] = {in_tree, installed, NULL};
	char path[PATH_MAX];
	fn_auto_free char *real = NULL;

	if (*member)
		return 0;
	if (fn_path_beside(places, F_OK, path, sizeof(path)) == 0 && (real = realpath(path, NULL)))
		return set(member, real);
	snprintf(path, sizeof(path), FN_PREFIX "/%s", installed + strlen("../"));
	return set(member, path);
}

/* What can be told without a look at the host's network; fn-spawnd does that. */
static int check_network(const struct fnd_config *c, struct fn_err *err)
{
	struct fn_host_services services;
	struct fn_subnet subnet;
	int r = fn_subnet_parse(c->subnet, &subnet, err);

	if (r == 0 && (r = fn_host_services_parse(c->allow_host ? c->allow_host : "", &subnet, &services, err)) < 0 && err)
		snprintf(err->stage, sizeof(err->stage), "network.allow_host");

	if (r == 0)
		r = fn_ifname_check(c->bridge, err);
	if (r == 0 && !fn_str_empty(c->uplink))
		r = fn_ifname_check(c->uplink, err);
	if (r == 0 && c->net == FN_NET_NAT && access(c->resolv_conf, R_OK) < 0)
		r = fn_err_set(err, errno, "resolv_conf", "%.120s", c->resolv_conf);
	return r;
}

/* Functions that may reach the API (allow_host) do so under the bridge's address: it is one of its names. */
static int add_bridge_to_hosts(struct fnd_config *c, const struct sockaddr_storage *listen, struct fn_err *err)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)listen;
	struct fn_host_services services;
	struct fn_subnet subnet;
	char name[FN_IP4_TEXT], **more;
	bool may = false;
	int r = fn_subnet_parse(c->subnet, &subnet, err);

	if (r == 0)
		r = fn_host_services_parse(c->allow_host ? c->allow_host : "", &subnet, &services, err);
	if (r < 0 || c->net != FN_NET_NAT || v4->sin_family != AF_INET)
		return r;
	for (unsigned i = 0; i < services.n; i++)
		may = may || (!services.list[i].udp && services.list[i].port == ntohs(v4->sin_port) && services.list[i].addr == ntohl(v4->sin_addr.s_addr));
	if (!may)
		return 0;
	more = realloc(c->hosts, (c->n_hosts + 1) * sizeof(*more));
	if (more)
		c->hosts = more;
	if (!more || !(more[c->n_hosts] = strdup(fn_ip4_format(subnet.base + 1, name))))
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	c->n_hosts++;
	return 0;
}

/* What the three of them are for: to be nobody who could do anything to the host. */
static int check_users(const struct fnd_config *c, struct fn_err *err)
{
	const struct {
		const char *key, *name;
	} users[] = {{"user", c->user}, {"gateway.user", c->gateway.user}, {"events.user", fnd_config_events_user(c)}};

	for (size_t i = 0; i < N(users); i++) {
		const struct passwd *pw = getpwnam(users[i].name);

		if (pw && (pw->pw_uid == 0 || pw->pw_gid == 0))
			return fn_err_set(err, EINVAL, "configuration", "\"%s\": %.60s is root, or of its group: it must be a user without rights", users[i].key, users[i].name);
	}
	return 0;
}

/* Finds what was not set (the runtimes file, the images directory) near the program; checks that everything fits together. */
static int finish(struct fnd_config *c, struct fn_err *err)
{
	struct sockaddr_storage addr;
	socklen_t len;
	bool loopback;
	int r;

	if (find_near(&c->runtimes, "../config/runtimes.json", "../share/fnd/runtimes.json") < 0 ||
	    find_near(&c->images_dir, "images", "../share/fnd/images") < 0)
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	r = check_network(c, err);
	if (r == 0)
		r = fnd_config_gateway_check(c, err);
	if (r < 0)
		return r;
	if (!fn_str_empty(c->s3_endpoint) && fn_s3_endpoint_check(c->s3_endpoint) < 0)
		return fn_err_set(err, EINVAL, "configuration", "\"s3.endpoint\": \"%.100s\" is no address like https://s3.us-east-1.amazonaws.com", c->s3_endpoint);
	if (!fn_str_empty(c->control_group) && !getgrnam(c->control_group))
		return fn_err_set(err, EINVAL, "configuration", "\"control_group\": there is no group \"%.60s\"", c->control_group);
	if (c->uid_count && c->uid_count < UIDS_LEAST)
		return fn_err_set(err, EINVAL, "configuration", "\"uid_count\" must be 0 or at least %d: the files' owners and one sandbox", UIDS_LEAST);
	if (strlen(c->account_id) != 12 || strspn(c->account_id, "0123456789") != 12)
		return fn_err_set(err, EINVAL, "configuration", "\"account_id\" must have 12 digits");
	r = check_users(c, err);
	if (r < 0)
		return r;
	if (!fn_region_valid(c->region)) /* the API would not take its own ARNs */
		return fn_err_set(err, EINVAL, "configuration", "\"region\": \"%.40s\" has not the form of a region, as us-east-1 has it", c->region);
	r = fn_address_parse(c->listen, "listen", &addr, &len, &loopback, err);
	if (r == 0)
		r = add_bridge_to_hosts(c, &addr, err);
	if (r < 0)
		return r;
	if (!loopback && c->n_credentials == 0)
		return fn_err_set(err, EACCES, "listen",
				  "%.60s is reachable from other machines and no \"credentials\" are configured: whoever reaches it could run "
				  "code. Configure credentials, or listen on 127.0.0.1",
				  c->listen);
	return 0;
}

int fnd_config_make(struct fnd_config *c, const struct fnd_options *o, int copy_fd, struct fn_err *err)
{
	int r = init(c);

	if (r == 0)
		r = fnd_config_gateway_init(c);
	if (r == 0)
		r = fnd_config_events_init(c);

	if (r == 0 && o->file)
		r = load(c, o->file, copy_fd, err);
	else if (r < 0)
		fn_err_set(err, r, "configuration", NULL);
	if (r == 0 && ((o->listen && set(&c->listen, o->listen) < 0) || (o->state && set(&c->state_dir, o->state) < 0) ||
		       (o->images && set(&c->images_dir, o->images) < 0)))
		r = fn_err_set(err, ENOMEM, "configuration", NULL);
	if (r == 0)
		r = finish(c, err);
	if (r < 0)
		fnd_config_free(c);
	return r;
}

int fnd_config_files(const struct fnd_config *c, struct fn_err *err)
{
	int r = fn_runtimes_check(c->runtimes, err), events;
	struct stat st;

	if (r < 0 || geteuid() != 0) /* the files of credentials are root's */
		return r;
	r = fnd_gateway_check(c, err);
	if (r < 0)
		return r;
	events = fnd_config_events_text(c, err);
	fn_close(events);
	if (events < 0)
		return events;
	if (c->tmp_way == FN_TMP_LOOP && c->tmp_dir && (stat(c->tmp_dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		return fn_err_set(err, ENOTDIR, "configuration", "\"tmp.dir\": %.120s is no directory", c->tmp_dir);
	return 0;
}

gid_t fnd_config_control_group(const struct fnd_config *c)
{
	const struct group *g = fn_str_empty(c->control_group) ? NULL : getgrnam(c->control_group);

	return g ? g->gr_gid : (gid_t)-1;
}
