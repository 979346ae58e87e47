/* spec.c - see spec.h. The encoded form is a fixed header, the plain fields, then three vectors of NUL-terminated strings. */
#include "sandbox/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

#define SPEC_MAGIC 0x32435053u /* "SPC2" */

struct wire {
	uint32_t magic, size;
	char name[40];
	uint64_t memory_bytes, tmp_bytes;
	uint32_t cpu_quota_us, cpu_period_us, cpu_init_quota_us, pids_max, nofile;
	uint32_t net, n_lowers, n_argv, n_env, n_candidates;
	char lowers[FN_SPEC_LOWERS_MAX][FN_TREE_NAME_SIZE];
	char cwd[FN_SPEC_CWD_SIZE];
	char kind[32];
	char owner[FN_SPEC_OWNER_SIZE];
	uint32_t prestart, extensions, platform, image;
};

static uint32_t count(char **v)
{
	uint32_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

static int add_strings(struct fn_buf *out, char **v)
{
	int r = 0;

	for (; r == 0 && v && *v; v++)
		r = fn_buf_add(out, *v, strlen(*v) + 1);
	return r;
}

int fn_spec_encode(const struct fn_spec *s, struct fn_buf *out)
{
	struct wire w = {
		.magic = SPEC_MAGIC, .size = sizeof(w), .memory_bytes = s->memory_bytes, .tmp_bytes = s->tmp_bytes,
		.cpu_quota_us = s->cpu_quota_us, .cpu_period_us = s->cpu_period_us, .cpu_init_quota_us = s->cpu_init_quota_us, .pids_max = s->pids_max,
		.nofile = s->nofile, .net = s->net, .n_lowers = s->n_lowers, .prestart = s->prestart, .extensions = s->extensions, .platform = s->platform, .image = s->image,
		.n_argv = count(s->argv), .n_env = count(s->envp), .n_candidates = count(s->exec_candidates),
	};
	int r;

	memcpy(w.name, s->name, sizeof(w.name));
	memcpy(w.lowers, s->lowers, sizeof(w.lowers));
	memcpy(w.cwd, s->cwd, sizeof(w.cwd));
	memcpy(w.kind, s->kind, sizeof(w.kind));
	memcpy(w.owner, s->owner, sizeof(w.owner));
	r = fn_buf_add(out, &w, sizeof(w));
	if (r == 0)
		r = add_strings(out, s->argv);
	if (r == 0)
		r = add_strings(out, s->envp);
	return r == 0 ? add_strings(out, s->exec_candidates) : r;
}

/* Points v at n strings in a row; v gets a NULL at its end. */
static int take_strings(const char **p, const char *end, uint32_t n, char **v)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *nul = memchr(*p, '\0', (size_t)(end - *p));

		if (!nul)
			return -EBADMSG;
		v[i] = (char *)*p;
		*p = nul + 1;
	}
	v[n] = NULL;
	return 0;
}

static bool terminated(const char *s, size_t size) { return memchr(s, '\0', size) != NULL; }

int fn_spec_borrow(const void *data, size_t len, char **vec, struct fn_spec *ret, struct fn_err *err)
{
	const char *p = data, *end = p + len;
	struct fn_spec s = {0};
	struct wire w;
	int r = 0;

	if (len < sizeof(w))
		return fn_err_set(err, EBADMSG, "decode spec", "too short");
	memcpy(&w, data, sizeof(w));
	p += sizeof(w);
	if (w.magic != SPEC_MAGIC || w.size != sizeof(w))
		return fn_err_set(err, EBADMSG, "decode spec", "not a spec of this version");
	if (w.n_lowers > FN_SPEC_LOWERS_MAX || w.n_argv > FN_SPEC_STRINGS_MAX || w.n_env > FN_SPEC_STRINGS_MAX ||
	    w.n_candidates > FN_SPEC_STRINGS_MAX || len - sizeof(w) > FN_SPEC_STRINGS_BYTES || !terminated(w.name, sizeof(w.name)) ||
	    !terminated(w.cwd, sizeof(w.cwd)) || !terminated(w.kind, sizeof(w.kind)) || !terminated(w.owner, sizeof(w.owner)) || w.prestart > 1 || w.extensions > 1 || w.platform > 1 || w.image > 1 || w.net > FN_NET_NAT)
		return fn_err_set(err, EBADMSG, "decode spec", "a field is out of range");
	for (uint32_t i = 0; i < w.n_lowers; i++)
		if (!terminated(w.lowers[i], FN_TREE_NAME_SIZE))
			return fn_err_set(err, EBADMSG, "decode spec", "tree name");
	memcpy(s.name, w.name, sizeof(s.name));
	memcpy(s.lowers, w.lowers, sizeof(s.lowers));
	memcpy(s.cwd, w.cwd, sizeof(s.cwd));
	memcpy(s.kind, w.kind, sizeof(s.kind));
	memcpy(s.owner, w.owner, sizeof(s.owner));
	s.prestart = w.prestart;
	s.extensions = w.extensions;
	s.image = w.image;
	s.platform = w.platform;
	s.memory_bytes = w.memory_bytes;
	s.tmp_bytes = w.tmp_bytes;
	s.cpu_quota_us = w.cpu_quota_us;
	s.cpu_period_us = w.cpu_period_us;
	s.cpu_init_quota_us = w.cpu_init_quota_us;
	s.pids_max = w.pids_max;
	s.nofile = w.nofile;
	s.net = (enum fn_net_mode)w.net;
	s.n_lowers = w.n_lowers;
	s.argv = vec;
	s.envp = s.argv + w.n_argv + 1;
	s.exec_candidates = s.envp + w.n_env + 1;
	r = take_strings(&p, end, w.n_argv, s.argv);
	if (r == 0)
		r = take_strings(&p, end, w.n_env, s.envp);
	if (r == 0)
		r = take_strings(&p, end, w.n_candidates, s.exec_candidates);
	if (r == 0 && p != end)
		r = -EBADMSG;
	if (r < 0)
		return fn_err_set(err, r, "decode spec", "strings");
	r = fn_spec_validate(&s, err);
	if (r == 0)
		*ret = s;
	return r;
}

static char **dup_strings(char **v)
{
	char **copy = calloc((size_t)count(v) + 1, sizeof(*copy));

	for (size_t i = 0; copy && v[i]; i++)
		if (!(copy[i] = strdup(v[i]))) {
			fn_strs_free(copy);
			return NULL;
		}
	return copy;
}

int fn_spec_decode(const void *data, size_t len, struct fn_spec *ret, struct fn_err *err)
{
	char *vec[FN_SPEC_VECTOR_MAX];
	struct fn_spec s;
	int r = fn_spec_borrow(data, len, vec, &s, err);

	if (r < 0)
		return r;
	s.argv = dup_strings(s.argv);
	s.envp = dup_strings(s.envp);
	s.exec_candidates = dup_strings(s.exec_candidates);
	if (!s.argv || !s.envp || !s.exec_candidates) {
		fn_spec_clear(&s);
		return fn_err_set(err, ENOMEM, "decode spec", NULL);
	}
	*ret = s;
	return 0;
}

/* kind: up to six lower-case letters */
bool fn_tree_name_ok(const char *t)
{
	size_t k = strspn(t, "abcdefghijklmnopqrstuvwxyz");

	return k > 0 && k <= 6 && t[k] == '-' && strspn(t + k + 1, "0123456789abcdef") == 64 && t[k + 65] == '\0';
}

int fn_spec_validate(const struct fn_spec *s, struct fn_err *err)
{
	if (!s->name[0] || strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(s->name))
		return fn_err_set(err, EINVAL, "check spec", "name");
	if (!s->owner[0] != s->prestart || strspn(s->owner, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(s->owner))
		return fn_err_set(err, EINVAL, "check spec", "owner");
	if (s->memory_bytes < 1u << 20 || s->memory_bytes > 16ull << 30)
		return fn_err_set(err, EINVAL, "check spec", "memory");
	if (s->tmp_bytes < 1u << 20 || s->tmp_bytes > 16ull << 30)
		return fn_err_set(err, EINVAL, "check spec", "/tmp size");
	if (s->cpu_quota_us < 1000 || s->cpu_init_quota_us < s->cpu_quota_us || s->cpu_period_us < 1000 || s->cpu_period_us > 1000000)
		return fn_err_set(err, EINVAL, "check spec", "cpu quota");
	if (s->pids_max < 4 || s->pids_max > 65536 || s->nofile < 16 || s->nofile > 1048576)
		return fn_err_set(err, EINVAL, "check spec", "process or descriptor limit");
	if (s->n_lowers < 1 || s->n_lowers > FN_SPEC_LOWERS_MAX)
		return fn_err_set(err, EINVAL, "check spec", "number of trees");
	for (unsigned i = 0; i < s->n_lowers; i++)
		if (!fn_tree_name_ok(s->lowers[i]))
			return fn_err_set(err, EINVAL, "check spec", "tree name %.72s", s->lowers[i]);
	if (s->prestart && (!s->kind[0] || s->extensions))
		return fn_err_set(err, EINVAL, "check spec", "kind");
	if (s->cwd[0] != '/')
		return fn_err_set(err, EINVAL, "check spec", "working directory");
	if (!s->argv || !s->argv[0] || !s->exec_candidates || !s->exec_candidates[0] || !s->envp)
		return fn_err_set(err, EINVAL, "check spec", "nothing to run");
	for (char **c = s->exec_candidates; *c; c++)
		if (**c != '/')
			return fn_err_set(err, EINVAL, "check spec", "%s is not absolute", *c);
	return 0;
}

void fn_spec_clear(struct fn_spec *s)
{
	fn_strs_free(s->argv);
	fn_strs_free(s->envp);
	fn_strs_free(s->exec_candidates);
	*s = (struct fn_spec){0};
}

const char *fn_spec_candidate(const struct fn_spec *spec)
{
	for (char **p = spec->exec_candidates; *p; p++) {
		struct stat st;

		if (stat(*p, &st) == 0 ? !S_ISDIR(st.st_mode) : errno != ENOENT && errno != ENOTDIR)
			return *p;
	}
	return NULL;
}

static bool is_runtimes_own(const char *variable)
{
	static const char *const names[] = {"AWS_EXECUTION_ENV=", "AWS_LAMBDA_LOG_GROUP_NAME=", "AWS_LAMBDA_LOG_STREAM_NAME=", "AWS_XRAY_",
					    "LAMBDA_RUNTIME_DIR=", "LAMBDA_TASK_ROOT="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fn_str_starts(variable, names[i]))
			return true;
	return variable[0] == '_';
}

void fn_spec_extension_env(char **envp)
{
	char **to = envp;

	for (char **from = envp; *from; from++)
		if (!is_runtimes_own(*from))
			*to++ = *from;
	*to = NULL;
}
