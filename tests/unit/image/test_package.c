/* Packages on their way in: as bodies bring them, in pieces, many at once, broken off, with a disk that is full. */
#include "image/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "image/blobs.h"
#include "image/digest.h"
#include "unit/main.h"

static struct fn_loop *loop;
static struct fn_jobs *jobs;
static struct fn_packages *packages;
static unsigned n_done, n_drained, n_stored;
static struct fn_err store_err;

static void on_drained(void *arg)
{
	(void)arg;
	n_drained++;
}

static void on_done(void *arg)
{
	(void)arg;
	n_done++;
}

static void on_stored(void *arg, const struct fn_err *err)
{
	(void)arg;
	n_stored++;
	store_err = err ? *err : (struct fn_err){0};
}

static void set_up(void)
{
	char dir[] = "package-XXXXXX"; /* the tests share one */

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir) | mkdir("blobs", 0755), 0);
	ck_assert_int_eq(fn_loop_new(&loop), 0);
	ck_assert_int_eq(fn_jobs_new(loop, 2, &jobs), 0);
	ck_assert_int_eq(fn_packages_new(jobs, ".", &packages), 0);
}

static void tear_down(void)
{
	fn_jobs_free(jobs);
	fn_packages_free(packages);
	fn_loop_free(loop);
}

static void until(const unsigned *n, unsigned want)
{
	while (*n < want)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	ck_assert_uint_eq(*n, want);
}

static unsigned files(void)
{
	DIR *d = opendir("blobs");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static struct fn_package *new_package(uint64_t max)
{
	const struct fn_package_spec spec = {.path = {"Code", "ZipFile"}, .max = max, .body_digest = true, .drained = on_drained};
	struct fn_package *p;

	ck_assert_int_eq(fn_package_new(packages, &spec, &p), 0);
	return p;
}

/* A body with n bytes of package in it; the digest of both. */
static void make_body(struct fn_buf *body, size_t n, char sha[65], char body_sha[65])
{
	char *text, *zip = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		zip[i] = (char)(i * 2654435761u >> 24);
	fn_sha256_hex(zip, n, sha);
	ck_assert_int_eq(fn_base64_encode(zip, n, &text), 0);
	ck_assert_int_eq(fn_buf_addf(body, "{\"FunctionName\":\"f\",\"Code\":{\"ZipFile\":\"%s\"},\"Role\":\"r\"}", text), 0);
	fn_sha256_hex(body->data, body->len, body_sha);
	free(text);
	free(zip);
}

static const struct fn_package_result *bring(struct fn_package *p, const char *body, size_t len, size_t piece)
{
	unsigned done = n_done;

	for (size_t at = 0; at < len; at += piece) {
		unsigned drained = n_drained;

		if (fn_package_add(p, body + at, len - at < piece ? len - at : piece))
			until(&n_drained, drained + 1);
	}
	fn_package_end(p, on_done, NULL);
	ck_assert_uint_eq(n_done, done);
	until(&n_done, done + 1);
	return fn_package_result(p);
}

static const struct fn_package_result *bring_text(struct fn_package *p, const char *body) { return bring(p, body, strlen(body), strlen(body)); }

START_TEST(test_packages)
{
	static const size_t sizes[] = {1, 2, 3, 1000, 65536, 700001}, cuts[] = {65536, 1000, 7};

	set_up();
	for (size_t i = 0; i < 6; i++)
		for (size_t k = 0; k < (i < 4 ? 3 : 2); k++) {
			fn_auto_buf struct fn_buf body = {0};
			struct fn_package *p = new_package(1u << 20);
			const struct fn_package_result *r;
			char sha[65], body_sha[65];
			uint64_t size;
			int fd;

			make_body(&body, sizes[i], sha, body_sha);
			r = bring(p, body.data, body.len, cuts[k]);
			ck_assert_int_eq(r->error, 0);
			ck_assert(r->found && r->valid);
			ck_assert_uint_eq(r->size, sizes[i]);
			ck_assert_str_eq(r->sha256, sha);
			ck_assert_str_eq(r->body_sha256, body_sha);
			ck_assert_str_eq(r->rest, "{\"FunctionName\":\"f\",\"Code\":{\"ZipFile\":\"\"},\"Role\":\"r\"}");
			ck_assert_uint_eq(files(), i + (k > 0)); /* nothing of it is to be seen yet */
			fn_package_store(p, on_stored, NULL);
			until(&n_stored, n_stored + 1);
			ck_assert_int_eq(store_err.code, 0);
			fd = fn_blob_open(".", sha, &size);
			ck_assert_int_ge(fd, 0);
			ck_assert_uint_eq(size, sizes[i]);
			ck_assert_int_eq(fn_sha256_fd_hex(fd, body_sha), 0);
			ck_assert_str_eq(body_sha, sha);
			close(fd);
			fn_package_free(p);
		}
	tear_down();
	ck_assert_uint_eq(files(), 6);
}
END_TEST

START_TEST(test_what_is_wrong_with_them)
{
	static const struct {
		const char *body;
		int error;
		bool found, valid;
		uint64_t size;
	} cases[] = {
		{"{\"Code\":{\"ZipFile\":\"QUJD\"}}", 0, true, true, 3}, {"{\"Code\":{\"ZipFile\":\"\"}}", 0, true, true, 0},
		{"{\"Code\":{\"ZipFile\":\"QUJ\"}}", 0, true, false, 0}, {"{\"Code\":{\"ZipFile\":\"QUJ#QUJD\"}}", 0, true, false, 0},
		{"{\"Code\":{\"ZipFile\":\"QUI=QUJD\"}}", 0, true, false, 2}, {"{\"Code\":{\"ZipFile\":\"QUJDQUJD\"}}", 0, true, true, 6},
		{"{\"Code\":{\"ZipFile\":\"QUJDQUJD\",\"ZipFile\":\"QUI=\"}}", 0, true, true, 2}, {"{\"Code\":{}}", 0, false, false, 0}, {"", 0, false, false, 0},
	};

	set_up();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fn_package *p = new_package(5);
		const struct fn_package_result *r = bring(p, cases[i].body, strlen(cases[i].body), strlen(cases[i].body) + 1);

		ck_assert_msg(r->error == cases[i].error && r->found == cases[i].found && r->valid == cases[i].valid && r->size == cases[i].size,
			      "%s: %d %d %d %llu", cases[i].body, r->error, r->found, r->valid, (unsigned long long)r->size);
		ck_assert((r->sha256[0] != '\0') == (r->found && r->size <= 5)); /* one that is too large has none */
		fn_package_free(p);
	}
	tear_down();
	ck_assert_uint_eq(files(), 0);
}
END_TEST

/* The rest of the request is short, or refused; what comes behind is not looked at, and not kept. */
START_TEST(test_much_beside_the_package)
{
	static char much[FN_PACKAGE_REST_MAX + 10];
	const struct fn_package_result *r;
	struct fn_package *p;

	set_up();
	p = new_package(5);
	memset(much, ' ', sizeof(much));
	much[0] = '{';
	r = bring(p, much, sizeof(much), FN_PACKAGE_PIECE_MAX);
	ck_assert_int_eq(r->error, -E2BIG);
	ck_assert_uint_le(r->rest_len, FN_PACKAGE_REST_MAX);
	ck_assert_uint_eq(strlen(r->body_sha256), 64);
	fn_package_free(p);
	tear_down();
}
END_TEST

static void on_freed(void *arg) { fn_package_free(*(struct fn_package **)arg); }

START_TEST(test_broken_off)
{
	fn_auto_buf struct fn_buf body = {0};
	struct fn_package *p[40];
	char sha[65], body_sha[65];

	set_up();
	make_body(&body, 60000, sha, body_sha);
	for (unsigned i = 0; i < 40; i++) { /* at any time */
		p[i] = new_package(1u << 20);
		(void)fn_package_add(p[i], body.data, 65536);
		if (i % 3 == 1)
			(void)fn_package_add(p[i], body.data + 65536, body.len - 65536);
		if (i % 5 == 2)
			fn_package_end(p[i], on_done, NULL);
		if (i % 2)
			ck_assert_int_eq(fn_loop_run_once(loop, 1000), 0);
		if (i % 7 != 3)
			fn_package_free(p[i]);
	}
	for (unsigned i = 3; i < 40; i += 7) { /* by whom it is told */
		if (i % 5 != 2)
			fn_package_end(p[i], on_freed, &p[i]);
		else
			fn_package_free(p[i]);
	}
	tear_down();
	ck_assert_uint_eq(files(), 0);
}
END_TEST

/* Memory is bounded however many come: each is told to wait, and goes on. */
START_TEST(test_many)
{
	enum { N = 100 };
	fn_auto_buf struct fn_buf body = {0};
	struct fn_package *p[N];
	size_t at[N] = {0};
	char sha[65], body_sha[65];
	unsigned whole = 0;

	set_up();
	make_body(&body, 1500000, sha, body_sha);
	for (unsigned i = 0; i < N; i++)
		p[i] = new_package(1u << 21);
	while (whole < N) {
		for (unsigned i = 0; i < N; i++) { /* as connections do: each a piece, unless it is to wait, which here is for the next round */
			size_t n = body.len - at[i] < FN_PACKAGE_PIECE_MAX ? body.len - at[i] : FN_PACKAGE_PIECE_MAX;
			unsigned drained = n_drained;

			if (at[i] == body.len)
				continue;
			if (fn_package_add(p[i], body.data + at[i], n) && i % 10 == 0)
				while (n_drained == drained)
					ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
			at[i] += n;
			if (at[i] == body.len) {
				fn_package_end(p[i], on_done, NULL);
				whole++;
			}
		}
	}
	while (n_done < N)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_str_eq(fn_package_result(p[i])->sha256, sha);
		fn_package_store(p[i], on_stored, NULL);
	}
	while (n_stored < N)
		ck_assert_int_eq(fn_loop_run_once(loop, 10000), 0);
	ck_assert_int_eq(store_err.code, 0);
	ck_assert_uint_eq(files(), 1);
	for (unsigned i = 0; i < N; i++)
		fn_package_free(p[i]);
	tear_down();
}
END_TEST

/* A disk that is full, and a directory that has gone. */
START_TEST(test_disks)
{
	const struct rlimit some = {200000, 200000};
	fn_auto_buf struct fn_buf body = {0};
	struct fn_package *p;
	const struct fn_package_result *r;
	char sha[65], body_sha[65];

	signal(SIGXFSZ, SIG_IGN);
	set_up();
	make_body(&body, 500000, sha, body_sha);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &some), 0);
	p = new_package(1u << 20);
	r = bring(p, body.data, body.len, FN_PACKAGE_PIECE_MAX);
	ck_assert_int_eq(r->error, -EFBIG);
	ck_assert_str_eq(r->what, "store code package");
	ck_assert_str_eq(r->body_sha256, body_sha);
	fn_package_free(p);
	p = new_package(1u << 20);
	r = bring_text(p, "{\"Code\":{\"ZipFile\":\"QUJD\"}}");
	ck_assert_int_eq(rename("blobs", "elsewhere"), 0);
	fn_package_store(p, on_stored, NULL);
	until(&n_stored, 1);
	ck_assert_int_eq(store_err.code, ENOENT);
	fn_package_free(p);
	p = new_package(1u << 20);
	ck_assert_int_eq(bring_text(p, "{\"Code\":{\"ZipFile\":\"QUJD\"}}")->error, -ENOENT);
	fn_package_free(p);
	ck_assert_int_eq(rename("elsewhere", "blobs"), 0);
	tear_down();
	ck_assert_uint_eq(files(), 0);
}
END_TEST

static int opened = -EBADF;
static unsigned n_opened;

static void on_opened(void *arg, int fd)
{
	(void)arg;
	opened = fd;
	n_opened++;
}

/* What somebody else writes is taken as it is when it is looked at, whatever the offset of their descriptor. */
START_TEST(test_written_by_another)
{
	static const size_t sizes[] = {0, 1, 65536, 700001};

	set_up();
	for (size_t i = 0; i < 4; i++) {
		struct fn_package *p = new_package(5); /* the bound is the writer's */
		const struct fn_package_result *r = bring_text(p, "{\"Code\":{\"S3Bucket\":\"b\"}}");
		char *data = calloc(1, sizes[i] + 1), sha[65];

		ck_assert(!r->found && !r->fetched);
		fn_package_open(p, on_opened, NULL);
		until(&n_opened, n_opened + 1);
		ck_assert_int_ge(opened, 0);
		ck_assert_int_eq(write(opened, data, sizes[i]), (ssize_t)sizes[i]);
		fn_package_look(p, on_done, NULL);
		until(&n_done, n_done + 1);
		fn_sha256_hex(data, sizes[i], sha);
		ck_assert(r->error == 0 && r->found && r->valid && r->fetched);
		ck_assert_uint_eq(r->size, sizes[i]);
		ck_assert_str_eq(r->sha256, sha);
		ck_assert_str_eq(r->rest, "{\"Code\":{\"S3Bucket\":\"b\"}}");
		fn_package_store(p, on_stored, NULL);
		until(&n_stored, n_stored + 1);
		ck_assert_int_eq(store_err.code, 0);
		ck_assert_uint_eq(files(), i + 1);
		fn_package_free(p);
		free(data);
	}
	tear_down();
}
END_TEST

START_TEST(test_nobody_writes_it)
{
	struct fn_package *p;

	set_up();
	p = new_package(5);
	(void)bring_text(p, "{}");
	fn_package_open(p, on_opened, NULL);
	fn_package_free(p); /* while it is opened: nobody hears of it */
	p = new_package(5);
	(void)bring_text(p, "{}");
	ck_assert_int_eq(rename("blobs", "elsewhere"), 0);
	fn_package_open(p, on_opened, NULL);
	until(&n_opened, 1);
	ck_assert_int_eq(opened, -ENOENT);
	fn_package_free(p);
	ck_assert_int_eq(rename("elsewhere", "blobs"), 0);
	tear_down();
	ck_assert_uint_eq(files(), 0);
}
END_TEST

TEST_MAIN("image/package", test_written_by_another, test_nobody_writes_it, test_packages, test_what_is_wrong_with_them, test_much_beside_the_package, test_broken_off, test_many, test_disks)
