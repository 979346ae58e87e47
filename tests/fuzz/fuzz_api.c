/*
 * fuzz_api.c - the control API with everything behind it (store, uploads, invoker, pool, fnd's half of the spawn protocol) on a real HTTP
 * connection; the other end of the spawn socket is played here: archives "unpack", sandboxes fail to start.
 *
 * Byte 0: 1 = signatures are demanded, 2 = and the requests are signed as they should be, 4 = archives are bad. Then requests, parted by
 * 0x1e: "METHOD target\nHeader: value\n...\n\nbody"; Host and Content-Length are added.
 * Every request gets one whole answer; its status is one that HTTP knows, its body JSON; 500 only where a sandbox was asked for.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "invoke/invoker.h"
#include "os/sock.h"
#include "pool/pool.h"
#include "runtime/rtapi.h"
#include "spawn/proto.h"
#include "aws/sigv4.h"

static struct {
	struct fn_loop *loop;
	struct fn_store *store;
	struct fn_runtimes *runtimes;
	struct fn_logs *logs;
	struct fn_h1_server *rt_server;
	struct fn_httpd *httpd[2];
	struct fn_pool *pool;
	struct fn_spawn_client *spawn;
	struct fn_invoker *invoker;
	struct fn_snapshots *snapshots;
	struct fn_images *images;
	struct fn_jobs *jobs;
	struct fn_packages *packages;
	struct fn_disk *disk;
	struct fn_api *api[2]; /* [1] demands signatures */
	int spawnd;
	bool bad_archives;
	char dir[200];
} w;

static char key_id[] = "AKIDEXAMPLE", secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static const struct fn_credential credential = {key_id, secret};

static void on_exit_of(void *arg, uint64_t id, const struct fn_sandbox_exit *e)
{
	(void)arg;
	fn_pool_on_exit(w.pool, id, e);
}

static void on_lost(void *arg)
{
	(void)arg;
	fuzz_check(!"the client lost its peer");
}

static const struct fn_spawn_client_ops spawn_ops = {.on_exit = on_exit_of, .on_lost = on_lost};

static void put_file(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w.dir, name);
	f = fopen(path, "w");
	fuzz_check(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make_state(void)
{
	static const char *const dirs[] = {"images", "db", "blobs", "logs", "roots", "bundles"};
	char path[300];

	snprintf(w.dir, sizeof(w.dir), "%s", fuzz_dir());
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", w.dir, dirs[i]);
		fuzz_check(mkdir(path, 0755) == 0);
	}
	put_file("runtimes.json",
		 "{\"provided.al2023\":{\"image\":\"p\",\"exec\":[\"/var/task/bootstrap\"],\"handler_required\":false,\"version\":\"v\",\"env\":{}},"
		 "\"python3.11\":{\"image\":\"p\",\"exec\":[\"/var/runtime/bootstrap\"],\"handler_required\":true,\"execution_env\":true,"
		 "\"restore\":[\"/var/runtime/fnd-restore\"],\"version\":\"v\",\"env\":{\"PYTHONPATH\":\"/var/runtime\"}},"
		 "\"python3.12\":{\"image\":\"none\",\"exec\":[\"/x\"],\"handler_required\":true,\"version\":\"v\",\"env\":{}}}");
	put_file("images/p.json", "{\"name\":\"p\",\"layers\":[\"img-0000000000000000000000000000000000000000000000000000000000000000\"],\"size\":1}");
	snprintf(path, sizeof(path), "%s/roots/img-0000000000000000000000000000000000000000000000000000000000000000", w.dir);
	fuzz_check(mkdir(path, 0755) == 0);
}

static void set_up(void)
{
	struct fn_httpd_config http = {.listen_fd = -EBADF, .body_max = 1u << 20, .conn_max = 16, .ops = &fn_api_httpd_ops};
	struct fn_pool_config pool = {.env = {.region = "us-east-1", .freeze_grace_us = 1000, .init_timeout_us = 10000000}, .keep = {.policy = FN_KEEP_FIXED, .idle_us = 1000000}};
	struct fn_api_config api = {.region = "us-east-1", .account_id = "000000000000", .account_concurrency = 10};
	const struct fn_log_bounds bounds = {1u << 20, 4u << 20, 2};
	char path[300], db[300];
	struct fn_err err;
	int pair[2];

	fn_log_init("fuzz", FN_LOG_ERROR);
	(void)signal(SIGPIPE, SIG_IGN); /* as the server wants it */
	make_state();
	snprintf(path, sizeof(path), "%s/runtimes.json", w.dir);
	snprintf(db, sizeof(db), "%s/db", w.dir);
	fuzz_check(fn_loop_new(&w.loop) == 0 && fn_store_open(db, w.loop, &w.store, &err) == 0);
	fuzz_check(fn_runtimes_load(path, w.dir, &w.runtimes, &err) == 0);
	snprintf(path, sizeof(path), "%s/logs", w.dir);
	fuzz_check(fn_logs_new(w.loop, path, &bounds, &w.logs, &err) == 0 && fn_h1_server_new(w.loop, &w.rt_server) == 0);
	pool.env.loop = w.loop;
	pool.env.rt_server = w.rt_server;
	pool.env.runtimes = w.runtimes;
	pool.env.logs = w.logs;
	fuzz_check(fn_pool_new(&pool, &w.pool, &err) == 0 && fn_sock_pair(SOCK_SEQPACKET, pair) == 0);
	w.spawnd = pair[1];
	fuzz_check(fn_fd_set_nonblock(w.spawnd, true) == 0);
	fuzz_check(fn_spawn_client_new(w.loop, pair[0], &spawn_ops, NULL, &w.spawn, &err) == 0);
	fn_pool_set_spawn(w.pool, w.spawn);
	fuzz_check(fn_invoker_new(fn_pool_backend(w.pool), 10, &w.invoker) == 0);
	fuzz_check(fn_jobs_new(w.loop, 1, &w.jobs) == 0 && fn_disk_new(&(struct fn_disk_config){w.jobs, w.store, w.spawn, w.dir, 0}, &w.disk) == 0);
	fuzz_check(fn_snapshots_new(&(struct fn_snapshots_config){w.loop, w.store, fn_pool_backend(w.pool), w.disk, 0}, &w.snapshots) == 0);
	snprintf(path, sizeof(path), "%s/bundles", w.dir);
	fuzz_check(fn_images_new(w.dir, path, w.runtimes, w.spawn, w.store, w.disk, w.jobs, &w.images) == 0);
	api.loop = w.loop;
	api.state_dir = w.dir;
	api.store = w.store;
	api.runtimes = w.runtimes;
	api.invoker = w.invoker;
	api.logs = w.logs;
	api.spawn = w.spawn;
	api.images = w.images;
	fuzz_check(fn_packages_new(w.jobs, w.dir, &w.packages) == 0);
	api.packages = w.packages;
	api.jobs = w.jobs;
	api.disk = w.disk;
	api.snapshots = w.snapshots;
	for (int i = 0; i < 2; i++) {
		api.credentials = &credential;
		api.n_credentials = (size_t)i;
		fuzz_check(fn_api_new(&api, &w.api[i], &err) == 0);
		http.arg = w.api[i];
		fuzz_check(fn_httpd_new(w.loop, &http, &w.httpd[i], &err) == 0);
	}
}

/* fn-spawnd's part. */
static void play_spawnd(void)
{
	static char buf[FN_PROTO_MAX];
	int fds[FN_SOCK_FDS_MAX];
	size_t n_fds;
	ssize_t n;

	while ((n = fn_sock_recv(w.spawnd, buf, sizeof(buf), fds, &n_fds)) > 0) {
		struct fn_proto_header h;
		struct fn_err e = {0};
		struct fn_spec spec;
		struct fn_proto_unpacked unpacked = {.bytes = 1000};
		struct iovec iov[2] = {{&h, sizeof(h)}, {&e, sizeof(e)}};

		fuzz_check((size_t)n >= sizeof(h));
		memcpy(&h, buf, sizeof(h));
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		if (h.type == FN_PROTO_SPAWN) { /* whatever the API accepted must make a spec that fn-spawnd accepts */
			fuzz_check(fn_spec_decode(buf + sizeof(h), (size_t)n - sizeof(h), &spec, &e) == 0);
			fn_spec_clear(&spec);
			h.type = FN_PROTO_FAILED;
			fn_err_set(&e, EIO, "start sandbox", "not in here");
		} else if (h.type == FN_PROTO_UNPACK && w.bad_archives) {
			h.type = FN_PROTO_FAILED;
			(void)fn_err_kind(&e, FN_ERR_PACKAGE, fn_err_set(&e, EINVAL, "unpack", "\"quoted\": bad"));
		} else if (h.type == FN_PROTO_UNPACK) {
			h.type = FN_PROTO_UNPACKED;
			iov[1] = (struct iovec){&unpacked, sizeof(unpacked)};
		} else if (h.type == FN_PROTO_REMOVE && h.request) {
			h.type = FN_PROTO_REMOVED;
		} else if (h.type == FN_PROTO_DESCRIBE) {
			h.type = FN_PROTO_TEXT;
			iov[1] = (struct iovec){"{\"cgroups\":\"x\",\"sandboxes\":0}", 30};
		} else {
			continue;
		}
		fuzz_check(fn_sock_send(w.spawnd, iov, 2, NULL, 0) == 0);
	}
}

/* wait_us: for the threads that take packages in. */
static void turn(uint64_t wait_us)
{
	for (int i = 0; i < 3; i++) {
		fn_store_drain(w.store);
		fuzz_check(fn_loop_run_once(w.loop, wait_us) == 0);
		fn_logs_drain(w.logs);
		play_spawnd();
	}
}

struct wanted {
	const char *host, *date, *sha;
};

static const char *header_of(void *arg, const char *name, unsigned nth)
{
	const struct wanted *v = arg;

	return nth > 0 ? NULL : strcmp(name, "host") == 0 ? v->host : strcmp(name, "x-amz-date") == 0 ? v->date : NULL;
}

static void sign(struct fn_buf *out, const char *method, char *target, const char *body, size_t len)
{
	char date[20], sha[65], signature[65], *query = strchr(target, '?');
	time_t now = time(NULL);
	struct wanted v = {"localhost", date, sha};
	struct fn_sigv4 s = {.method = method, .signed_headers = "host;x-amz-date", .payload_sha256 = sha, .amz_date = date, .region = "us-east-1",
			     .service = "lambda", .encode_path = true, .header = header_of, .arg = &v};
	struct tm tm;

	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	fn_sigv4_sha256(body, len, sha);
	if (query)
		*query = '\0';
	s.path = target;
	s.query = query ? query + 1 : "";
	fuzz_check(fn_sigv4_signature(&s, secret, signature) == 0);
	if (query)
		*query = '?';
	(void)fn_buf_addf(out,
			  "X-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/lambda/aws4_request, "
			  "SignedHeaders=host;x-amz-date, Signature=%s\r\n",
			  date, key_id, date, signature);
}

static void make_request(struct fn_buf *out, char *text, size_t len, bool sign_it, bool *ret_head)
{
	char *body = memmem(text, len, "\n\n", 2), *line, *save = NULL;
	size_t body_len = body ? len - (size_t)(body + 2 - text) : 0;
	char *method, *target;

	if (body) {
		*body = '\0';
		body += 2;
	}
	line = strtok_r(text, "\n", &save);
	method = line ? line : text;
	target = strchr(method, ' ');
	*ret_head = strncmp(method, "HEAD", 4) == 0;
	if (target)
		*target++ = '\0';
	(void)fn_buf_addf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n", method, target ? target : "/", body_len);
	if (sign_it && target)
		sign(out, method, target, body ? body : "", body_len);
	while ((line = strtok_r(NULL, "\n", &save)))
		(void)fn_buf_addf(out, "%s\r\n", line);
	(void)fn_buf_addf(out, "\r\n");
	(void)fn_buf_add(out, body ? body : "", body_len);
}

static void check_reply(const struct fn_buf *in, bool head)
{
	const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL, *cl, *type;
	unsigned status = 0;
	size_t n;

	if (!end) /* a request that is not whole waits */
		return;
	fuzz_check(sscanf(in->data, "HTTP/1.%*d %u", &status) == 1 && status >= 200 && status < 600);
	cl = strcasestr(in->data, "\r\nContent-Length: ");
	type = strcasestr(in->data, "\r\nContent-Type: application/json");
	if (!cl || cl > end || head || status == 204)
		return;
	n = strtoul(cl + 18, NULL, 10);
	fuzz_check((size_t)(in->data + in->len - (end + 4)) >= n);
	if (type && type < end && n > 0) {
		json_t *j = json_loadb(end + 4, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		fuzz_check(j != NULL);
		if (status == 500 && !strstr(end, "not in here") && fprintf(stderr, "%.*s\n", (int)n, end + 4))
			fuzz_check(!"an answer 500 without a cause");
		json_decref(j);
	}
}

static void request(char *text, size_t len, int which, bool sign_it)
{
	fn_auto_buf struct fn_buf out = {0}, in = {0};
	char chunk[8192];
	bool head, closed = false;
	int pair[2];
	ssize_t n;

	make_request(&out, text, len, sign_it, &head);
	fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fuzz_check(fn_httpd_add_conn(w.httpd[which], pair[0]) == 0);
	fuzz_check(send(pair[1], out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len);
	for (int i = 0; i < 400 && !closed; i++) {
		turn(i > 1 ? 1000 : 0);
		while ((n = recv(pair[1], chunk, sizeof(chunk), 0)) > 0)
			fuzz_check(fn_buf_add(&in, chunk, (size_t)n) == 0);
		closed = n == 0 || (in.len && fn_httpd_active(w.httpd[which]) == 0);
		if (!closed && i > 4)
			fn_api_drain(w.api[which]); /* waits for log lines end */
	}
	fuzz_check(fn_httpd_active(w.httpd[which]) == 0); /* it has been answered */
	check_reply(&in, head);
	close(pair[1]);
	turn(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	struct fn_function *f;
	struct fn_err err;
	uint8_t flags = fuzz_byte(&in);

	if (!w.loop)
		set_up();
	w.bad_archives = flags & 4;
	for (int i = 0; i < 8 && fuzz_more(&in); i++) {
		size_t len;
		char *text = fuzz_take(&in, 0x1e, &len);

		request(text, len, flags & 1, (flags & 3) == 3);
		free(text);
	}
	while (fn_store_list(w.store, NULL, &f, 1) == 1) { /* the next input finds what this one found */
		char name[200];

		snprintf(name, sizeof(name), "%s", f->name);
		fuzz_check(fn_store_delete(w.store, name, NULL, NULL, &err) == 0);
		fn_store_drain(w.store);
		fn_invoker_retire(w.invoker, name, NULL, 0);
	}
	turn(0);
	fuzz_check(fn_invoker_running(w.invoker) == 0);
	return 0;
}
