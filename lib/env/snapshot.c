/* snapshot.c - see snapshot.h. */
#include "env/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "image/digest.h"
#include "env/internal.h"

#define WRITE_US 30000000u       /* from the end of init to the last byte; and more of it for more memory: */
#define WRITE_US_PER_MB 10000u
#define ENTRIES_MAX 10000u       /* files in /tmp */
#define ARCHIVE_BYTES (256u << 20) /* of classes: some 10 KB each */
#define ARCHIVE_ENTRIES 8u
#define BESIDES_BYTES (64u << 20) /* an image may be that much larger than the function's memory: tables, pages of zeros between others */

/* One snapshot under way: until both its environment and its image are done with. */
struct fn_snapshot {
	struct fn_list link;      /* of the host's */
	struct fn_env *env; /* NULL = gone */
	char tree[FN_TREE_NAME_SIZE];
	char of[128]; /* name:version */
	bool unpacking, told;
	char refused[256]; /* while the image was on its way */
	char died[128];   /* likewise: what is behind an image that is cut short */
	char *loaded; /* NULL = it is not known */
	size_t loaded_len;
	fn_snapshot_fn fn;
	void *arg;
};

static void free_snapshot(struct fn_snapshot *s)
{
	fn_list_remove(&s->link);
	free(s->loaded);
	free(s);
}

void fn_snapshot_release(struct fn_snapshot *s)
{
	if (!s->env && !s->unpacking)
		free_snapshot(s);
}

void fn_snapshots_drop(struct fn_env_host *h)
{
	while (!fn_list_empty(&h->snapshots))
		free_snapshot(fn_list_entry(fn_list_first(&h->snapshots), struct fn_snapshot, link));
}

/* The reason becomes JSON, and may be the function's words, or have been cut in the middle of a letter. */
static void tell(struct fn_snapshot *s, struct fn_snapshot_result *res)
{
	if (s->told)
		return;
	s->told = true;
	if (!fn_utf8_valid(res->reason, strlen(res->reason)))
		for (char *p = res->reason; *p; p++)
			if (*p & 0x80)
				*p = '?';
	s->fn(s->arg, res);
}

static void tell_refused(struct fn_snapshot *s, const char *why)
{
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_REFUSED};

	snprintf(res.reason, sizeof(res.reason), "%s", why);
	tell(s, &res);
}

/* --- taking one --- */
static void note_death(struct fn_snapshot *s, const struct fn_env *e)
{
	char words[64];
	const char *how = e->timed_out ? "it took too long" : fn_env_how_ended(e, words, sizeof(words));

	if (how)
		snprintf(s->died, sizeof(s->died), "the image was not wholly written: %s", how);
}

static void on_unpacked(void *arg, const struct fn_err *err, uint64_t bytes)
{
	struct fn_snapshot *s = arg;
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_TAKEN, .bytes = bytes};
	char text[512];

	s->unpacking = false;
	if (s->env && s->env->timed_out)
		note_death(s, s->env);
	if (err && err->code == ECONNRESET) {
		res.what = FN_SNAPSHOT_LOST;
		tell(s, &res);
	} else if (s->refused[0] || (err && s->died[0])) { /* though it may be there: it is removed as what no version names */
		tell_refused(s, s->refused[0] ? s->refused : s->died);
	} else if (err) {
		snprintf(res.reason, sizeof(res.reason), "the image cannot be kept: %s", fn_err_format(err, text, sizeof(text)));
		tell_refused(s, res.reason);
	} else {
		fn_log_info("%s of %s: %llu KB", fn_str_starts(s->tree, FN_ARCHIVE_PREFIX) ? "class archive" : "snapshot", s->of, (unsigned long long)bytes >> 10);
		tell(s, &res);
	}
	if (s->env)
		fn_env_end(s->env);
	fn_snapshot_release(s);
}

void fn_env_on_snapshot(void *arg, int fd)
{
	struct fn_env *e = arg;
	struct fn_snapshot *s = e->snapshot;
	const struct fn_function *f = e->version->function;
	fn_auto_fd int own = fd;
	struct fn_unpack_request req = {.fd = own, .prefix = "var/snapshot", .max_entries = ENTRIES_MAX,
					.max_bytes = ((uint64_t)(unsigned)(f->memory_mb + f->ephemeral_mb) << 20) + BESIDES_BYTES};

	if (!s || e->reason == FN_ENV_FOR_TRIAL || e->state != FN_ENV_INIT) {
		fn_env_end(e);
		return;
	}
	if (fn_ext_count(fn_rt_extensions(e->rt)) > 0) {
		fn_env_on_snapshot_refused(e, "it has an extension, whose registration is not part of an image");
		return;
	}
	e->ready_us = fn_clock_mono_us();
	fn_report_init(e, e->ready_us - e->spawned_us, &fn_status_success);
	if (e->makes_archive) {
		snprintf(req.prefix, sizeof(req.prefix), "var/archive");
		req.max_entries = ARCHIVE_ENTRIES;
		req.max_bytes = ARCHIVE_BYTES;
	}
	memcpy(req.tree, s->tree, sizeof(req.tree));
	fn_env_arm(e, fn_env_now_us(e) + WRITE_US + (uint64_t)(unsigned)f->memory_mb * WRITE_US_PER_MB);
	s->unpacking = true;
	if (fn_spawn_unpack(e->host->spawn, &req, on_unpacked, s) < 0) {
		const struct fn_err lost = {.code = ECONNRESET, .stage = "fn-spawnd", .msg = ""};

		on_unpacked(s, &lost, 0);
	}
}

void fn_env_on_snapshot_refused(void *arg, const char *why)
{
	struct fn_env *e = arg;

	if (e->restored && e->state == FN_ENV_INIT) /* a process that was made from the image and lacks something */
		snprintf(e->version->snapshot_broken, sizeof(e->version->snapshot_broken), "%s", why);
	else if (e->snapshot && e->snapshot->unpacking) /* whose tree is then no job's any more: told when it is known what becomes of it */
		snprintf(e->snapshot->refused, sizeof(e->snapshot->refused), "%s", why);
	else if (e->snapshot)
		tell_refused(e->snapshot, why);
	if (e->state == FN_ENV_INIT)
		fn_env_end(e);
}

/* It has done what its hooks want before; what they want after a restore it does at once, and hears then that it is not kept. */
bool fn_env_on_restore_next(void *arg)
{
	struct fn_env *e = arg;

	if (e->reason != FN_ENV_FOR_SNAPSHOT || e->makes_archive)
		return false;
	e->knows_snapstart = true;
	return true;
}

void fn_env_not_kept(struct fn_env *e)
{
	const struct fn_image *image = e->version->function->image;
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_FAILED, .code = "FunctionError.RuntimeInitError"};

	if (e->snapshot && image && !image->snapstart && !e->knows_snapstart) {
		snprintf(res.reason, sizeof(res.reason), "SnapStart: the image's runtime has not asked for GET /runtime/restore/next, and the image has no label " FN_IMAGE_SNAPSTART "=\"Allow\"");
		tell(e->snapshot, &res);
		fn_env_end(e);
		return;
	}
	fn_env_on_snapshot_refused(e, image ? "the processes of container images are not kept" : "the runtime takes no snapshots");
}

void fn_env_snapshot_dead(struct fn_env *e, const struct fn_err *err)
{
	struct fn_snapshot_result res = {.what = FN_SNAPSHOT_FAILED, .code = "FunctionError.RuntimeInitError"};
	char words[64], text[512];
	const char *how;

	if (!e->snapshot)
		return;
	if (e->snapshot->unpacking) {
		note_death(e->snapshot, e);
		return;
	}
	if ((err && err->code == ECONNRESET) || e->host->shutdown || (!err && fn_env_lost(e))) {
		res.what = FN_SNAPSHOT_LOST;
	} else if (e->fault.type[0]) {
		snprintf(res.code, sizeof(res.code), e->fault.of >= FN_FAULT_EXTENSION ? "FunctionError.ExtensionInitError" : "FunctionError.InvalidEntryPoint");
		snprintf(res.reason, sizeof(res.reason), "%s", e->fault.message);
	} else if (err) {
		snprintf(res.code, sizeof(res.code), "InternalError");
		snprintf(res.reason, sizeof(res.reason), "%s", fn_err_format(err, text, sizeof(text)));
	} else if (e->init_error) {
		snprintf(res.reason, sizeof(res.reason), "init failed: %s; its log tells more", e->error_type);
	} else if (e->timed_out) {
		snprintf(res.code, sizeof(res.code), "FunctionError.InitTimeout");
		snprintf(res.reason, sizeof(res.reason), "init did not end in time");
	} else if (e->exit.oom) {
		snprintf(res.reason, sizeof(res.reason), "init ran out of memory");
	} else {
		how = fn_exit_words(e->exit.wait_status, words, sizeof(words));
		snprintf(res.reason, sizeof(res.reason), "the runtime ended during init: %s", how ? how : "exit status 0");
	}
	tell(e->snapshot, &res);
}

void fn_snapshot_attach(struct fn_snapshot *s, struct fn_env *e)
{
	s->env = e;
	e->snapshot = s;
	e->makes_archive = fn_str_starts(s->tree, FN_ARCHIVE_PREFIX);
}

/* One that had to make a sandbox, or to start a runtime, shows what that takes. */
void fn_env_trial_done(struct fn_env *e, uint64_t took_us)
{
	tell(e->snapshot, &(struct fn_snapshot_result){.what = FN_SNAPSHOT_TAKEN, .us = e->timing.prepared == FN_PREPARED_RUNTIME ? took_us : 0});
}

void fn_env_snapshot_forget(struct fn_env *e)
{
	struct fn_snapshot *s = fn_take_ptr(e->snapshot);

	if (!s)
		return;
	s->env = NULL;
	fn_snapshot_release(s);
}

struct fn_snapshot *fn_snapshot_new(struct fn_env_host *h, const struct fn_function *f, const char *tree, fn_snapshot_fn fn, void *arg)
{
	struct fn_snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct fn_snapshot){.fn = fn, .arg = arg};
	snprintf(s->tree, sizeof(s->tree), "%s", tree);
	snprintf(s->of, sizeof(s->of), "%s:%s", f->name, f->version);
	fn_list_push_back(&h->snapshots, &s->link);
	return s;
}

int fn_snapshot_expect_loaded(struct fn_snapshot *s, const char *names, size_t len)
{
	s->loaded = malloc(len);
	if (!s->loaded)
		return -ENOMEM;
	memcpy(s->loaded, names, len);
	s->loaded_len = len;
	return 0;
}

const char *fn_env_loaded(void *arg, size_t *ret_len)
{
	const struct fn_snapshot *s = ((struct fn_env *)arg)->snapshot;

	*ret_len = s ? s->loaded_len : 0;
	return s ? s->loaded : NULL;
}

/* --- what it holds on --- */
/* The image has chosen code for this processor, and knows where this kernel's vDSO lies and what is in it. */
static const char *machine(void)
{
	static char text[8192];
	char line[4096];
	struct utsname u;
	FILE *f;

	if (text[0])
		return text;
	uname(&u);
	snprintf(text, sizeof(text), "%s %s %s\n", u.release, u.version, u.machine);
	f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f) && line[0] != '\n') /* the first processor */
		if (fn_str_starts(line, "model name") || fn_str_starts(line, "flags") || fn_str_starts(line, "Features"))
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", line);
	if (f)
		fclose(f);
	return text;
}

void fn_snapshot_host(const struct fn_runtimes *runtimes, const struct fn_function *f, char ret[FN_SNAPSHOT_HOST_SIZE])
{
	const struct fn_runtime *rt = fn_runtimes_of(runtimes, f);
	fn_auto_buf struct fn_buf b = {0};

	(void)fn_buf_add_str(&b, machine());
	for (unsigned i = 0; rt && i < rt->n_layers; i++)
		(void)fn_buf_addf(&b, "%s\n", rt->layers[i]);
	fn_sha256_hex(b.data, b.len, ret);
}

void fn_snapshot_broken(const struct fn_env_version *v, const char *what)
{
	fn_log_warn("%s:%s starts without its snapshot from now on: %s: %s", v->function->name, v->function->version, what, v->snapshot_broken);
}
