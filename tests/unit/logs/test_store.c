/* Log groups on the disk: what is written is found, by time, stream and pattern; what goes goes; what a crash leaves is mended. */
#include "logs/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "logs/search.h"
#include "unit/main.h"

#define NOW ((int64_t)1800000000000)
#define DAY ((int64_t)86400000)

static char dir[32];

static struct fn_log_store *open_store(uint64_t segment, uint64_t total, unsigned segments)
{
	const struct fn_log_bounds b = {segment, total, segments};
	struct fn_log_store *s;
	struct fn_err err;

	snprintf(dir, sizeof(dir), "logs-%d", getpid()); /* each test is a process */
	ck_assert_int_eq(fn_log_store_open(dir, &b, &s, &err), 0);
	return s;
}

static struct fn_log_group *group(struct fn_log_store *s, const char *name)
{
	struct fn_log_group *g = fn_log_store_group(s, name);

	if (!g)
		ck_assert_int_eq(fn_log_store_create(s, name, "STANDARD", NULL, false, NOW, &g), 0);
	return g;
}

static void put(struct fn_log_store *s, struct fn_log_group *g, const char *stream, int64_t time_ms, const char *text)
{
	const struct fn_log_event e = {.time_ms = time_ms, .kind = FN_LOG_FUNCTION, .request_id = "0a1b2c3d-0000-4000-8000-0123456789ab", .text = text, .len = strlen(text)};

	ck_assert_int_eq(fn_log_store_add(s, g, stream, &e), 0);
	ck_assert_int_eq(fn_log_store_end(s, g, time_ms), 0);
}

/* The texts that are found, with commas, page by page. */
static const char *find_with(struct fn_log_store *s, struct fn_log_group *g, struct fn_log_query q)
{
	static struct fn_buf b;
	struct fn_log_page p;

	fn_buf_reset(&b);
	(void)fn_buf_add_str(&b, "");
	q.until_ms = q.until_ms ? q.until_ms : INT64_MAX;
	q.limit = q.limit ? q.limit : 1000;
	q.bytes_max = q.bytes_max ? q.bytes_max : 1 << 20;
	q.budget_us = q.budget_us == 1 ? 0 : 1000000;
	q.now_ms = NOW;
	for (bool more = true; more;) {
		ck_assert_int_eq(fn_log_search(s, g, &q, &p), 0);
		for (size_t i = 0; i < p.n; i++) {
			struct fn_log_found *e = &p.events[q.backwards ? p.n - 1 - i : i];

			(void)fn_buf_addf(&b, "%s%.*s", b.len ? "," : "", (int)e->len, e->text);
		}
		more = p.more;
		q.has_after = true;
		q.after = p.next;
		fn_log_page_clear(&p);
	}
	return b.data;
}

static const char *find(struct fn_log_store *s, struct fn_log_group *g) { return find_with(s, g, (struct fn_log_query){0}); }

START_TEST(order_is_time_s_whatever_was_written_when)
{
	struct fn_log_store *s = open_store(1 << 20, 1 << 30, 8);
	struct fn_log_group *g = group(s, "g");
	static const char *const a[] = {"a"};

	put(s, g, "a", NOW + 3, "3");
	put(s, g, "b", NOW + 1, "1");
	put(s, g, "a", NOW + 2, "2");
	put(s, g, "b", NOW + 2, "2'");
	ck_assert_str_eq(find(s, g), "1,2,2',3");
	for (size_t limit = 1; limit < 6; limit++) {
		ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.limit = limit}), "1,2,2',3");
		ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.limit = limit, .backwards = true}), "3,2',2,1");
		ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.bytes_max = limit}), "1,2,2',3");
	}
	ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.budget_us = 1}), "1,2,2',3");
	ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.streams = a, .n_streams = 1}), "2,3");
	ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.prefix = "b"}), "1,2'");
	ck_assert_str_eq(find_with(s, g, (struct fn_log_query){.from_ms = NOW + 2, .until_ms = NOW + 3}), "2,2'");
	fn_log_store_close(s);
}
END_TEST

/* Against a list that is sorted: many segments, overlapping blocks, all limits and a budget of nothing. */
START_TEST(pages_of_a_mixed_log)
{
	struct fn_log_store *s = open_store(4096, 1 << 30, 1000);
	struct fn_log_group *g = group(s, "g");
	struct fn_buf want = {0};
	char text[40];
	unsigned seed = 1;
	int64_t times[400];

	for (int i = 0; i < 400; i++) {
		times[i] = NOW - (rand_r(&seed) % 1000) * 10;
		snprintf(text, sizeof(text), "%d-%s", i, "xxxxxxxxxxxxxxxxxxxxxx");
		put(s, g, i % 3 ? "a" : "b", times[i], text);
	}
	for (int64_t t = NOW - 10000; t <= NOW; t++)
		for (int i = 0; i < 400; i++)
			if (times[i] == t)
				(void)fn_buf_addf(&want, "%s%d-%s", want.len ? "," : "", i, "xxxxxxxxxxxxxxxxxxxxxx");
	ck_assert_msg(strcmp(find(s, g), want.data) == 0, "%.300s", find(s, g));
	ck_assert_msg(strcmp(find_with(s, g, (struct fn_log_query){.limit = 7}), want.data) == 0, "%.300s", find_with(s, g, (struct fn_log_query){.limit = 7}));
	ck_assert_msg(strcmp(find_with(s, g, (struct fn_log_query){.budget_us = 1}), want.data) == 0, "%.300s", find_with(s, g, (struct fn_log_query){.budget_us = 1}));
	ck_assert_msg(strcmp(find_with(s, g, (struct fn_log_query){.budget_us = 1, .limit = 3}), want.data) == 0, "%.300s", find_with(s, g, (struct fn_log_query){.budget_us = 1, .limit = 3}));
	ck_assert_uint_eq(strlen(find_with(s, g, (struct fn_log_query){.budget_us = 1, .limit = 3, .backwards = true})), want.len);
	fn_log_store_close(s);
	s = open_store(4096, 1 << 30, 1000); /* and as it is on the disk */
	ck_assert_msg(strcmp(find(s, group(s, "g")), want.data) == 0, "%.300s", find(s, group(s, "g")));
	fn_buf_free(&want);
	fn_log_store_close(s);
}
END_TEST

static char *last_file(int id, const char *ending)
{
	static char path[600];
	char group[40];
	struct dirent **e;
	int n;

	snprintf(group, sizeof(group), "%s/@%d", dir, id);
	n = scandir(group, &e, NULL, alphasort);
	path[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (strstr(e[i]->d_name, ending))
			snprintf(path, sizeof(path), "%s/%s", group, e[i]->d_name);
		free(e[i]);
	}
	free(e);
	ck_assert(path[0]);
	return path;
}

START_TEST(a_crash_costs_what_was_not_written_to_its_end)
{
	struct stat st, now;
	off_t whole;

	for (int cut = 1, id = 1; cut < 60; cut += 7, id++) {
		struct fn_log_store *s = open_store(1 << 20, 1 << 30, 8);
		struct fn_log_group *g;

		if (fn_log_store_group(s, "g"))
			ck_assert_int_eq(fn_log_store_delete(s, fn_log_store_group(s, "g")), 0);
		g = group(s, "g");
		put(s, g, "a", NOW, "kept");
		ck_assert_int_eq(stat(last_file(id, ".seg"), &st), 0);
		whole = st.st_size;
		put(s, g, "a", NOW + 1, "torn");
		fn_log_store_close(s);
		if (cut % 2)
			ck_assert_int_eq(unlink(last_file(id, ".idx")), 0);
		ck_assert_int_eq(stat(last_file(id, ".seg"), &st), 0);
		ck_assert_int_eq(truncate(last_file(id, ".seg"), st.st_size - cut), 0);
		s = open_store(1 << 20, 1 << 30, 8);
		g = group(s, "g");
		ck_assert_str_eq(find(s, g), "kept");
		ck_assert_int_eq(stat(last_file(id, ".seg"), &now), 0);
		ck_assert_int_eq(now.st_size, whole);
		put(s, g, "a", NOW + 2, "next");
		ck_assert_str_eq(find(s, g), "kept,next");
		fn_log_store_close(s);
	}
}
END_TEST

START_TEST(an_index_that_lies_is_made_anew)
{
	struct fn_log_store *s = open_store(4096, 1 << 30, 1000);
	struct fn_log_group *g = group(s, "g");
	char text[100], *found;
	int fd;

	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "%d-%s", i, "xxxxxxxxxxxxxxxxxxxxxx");
		put(s, g, "a", NOW + i, text);
	}
	found = strdup(find(s, g));
	fn_log_store_close(s);
	fd = open(last_file(1, ".idx"), O_RDWR);
	ck_assert_int_eq(pwrite(fd, "\xff\xff\xff", 3, 100), 3);
	close(fd);
	snprintf(text, sizeof(text), "%s/@1/%020d.idx", dir, 0);
	ck_assert_int_eq(unlink(text), 0);
	s = open_store(4096, 1 << 30, 1000);
	ck_assert_str_eq(find(s, group(s, "g")), found);
	free(found);
	fn_log_store_close(s);
}
END_TEST

START_TEST(what_is_bounded)
{
	struct fn_log_store *s = open_store(4096, 40000, 4);
	char name[10], text[1001] = {0};
	uint64_t total = 0, position = 0, before = 0;
	size_t n;
	struct fn_log_group **all;

	memset(text, 'x', 1000);
	for (int g = 0; g < 12; g++) {
		snprintf(name, sizeof(name), "g%02d", g);
		for (int i = 0; i < 30; i++) {
			put(s, group(s, name), "a", NOW + g * 1000 + i, text);
			ck_assert_int_eq(fn_log_store_end_position(s, group(s, name), &position), 0);
			ck_assert(i == 0 || position > before);
			before = position;
		}
		ck_assert_uint_le(group(s, name)->bytes, 4 * (4096 + 1200));
	}
	all = fn_log_store_groups(s, &n);
	for (size_t i = 0; i < n; i++)
		total += all[i]->bytes;
	ck_assert_uint_le(total, 40000);
	ck_assert_uint_eq(all[0]->bytes, 0); /* the oldest have gone */
	ck_assert_uint_gt(all[11]->bytes, 4096);
	free(all);
	put(s, group(s, "g00"), "a", NOW + 99999, "again");
	ck_assert_str_eq(find(s, group(s, "g00")), "again");
	fn_log_store_close(s);
}
END_TEST

START_TEST(retention)
{
	struct fn_log_store *s = open_store(4096, 1 << 30, 8);
	struct fn_log_group *g = group(s, "g");
	uint64_t bytes;

	put(s, g, "a", NOW - 3 * DAY, "old");
	put(s, g, "a", NOW - DAY / 2, "young");
	ck_assert_int_eq(fn_log_store_set_retention(s, g, 1), 0);
	ck_assert_str_eq(find(s, g), "young");
	bytes = g->bytes;
	while (fn_log_store_tidy(s, NOW))
		continue;
	ck_assert_uint_eq(g->bytes, bytes); /* what is young is in the same file */
	while (fn_log_store_tidy(s, NOW + DAY))
		continue;
	ck_assert_uint_eq(g->bytes, 0);
	fn_log_store_close(s);
}
END_TEST

START_TEST(streams)
{
	struct fn_log_store *s = open_store(1 << 20, 1 << 30, 8);
	struct fn_log_group *g = group(s, "g");
	const struct fn_log_stream_info *i;

	ck_assert_ptr_null(fn_log_store_stream(s, g, "made"));
	ck_assert_int_eq(fn_log_store_create_stream(s, g, "made", NOW), 0);
	ck_assert_int_eq(fn_log_store_create_stream(s, g, "made", NOW), -EEXIST);
	put(s, g, "made", NOW + 1, "1");
	put(s, g, "come", NOW + 2, "2");
	ck_assert_int_eq(fn_log_store_delete_stream(s, g, "made"), 0);
	ck_assert_int_eq(fn_log_store_delete_stream(s, g, "made"), -ENOENT);
	ck_assert_str_eq(find(s, g), "2");
	put(s, g, "made", NOW + 3, "3"); /* by one that writes to it still */
	ck_assert_int_eq(fn_log_store_delete_stream(s, g, "come"), 0);
	ck_assert_str_eq(find(s, g), "3");
	fn_log_store_close(s);
	s = open_store(1 << 20, 1 << 30, 8);
	g = group(s, "g");
	ck_assert_ptr_null(fn_log_store_stream(s, g, "come"));
	i = fn_log_store_stream(s, g, "made");
	ck_assert(i && i->last_ms == NOW + 3);
	ck_assert_str_eq(find(s, g), "3");
	ck_assert_int_eq(fn_log_store_delete(s, g), 0);
	ck_assert_ptr_null(fn_log_store_group(s, "g"));
	fn_log_store_close(s);
	s = open_store(1 << 20, 1 << 30, 8);
	ck_assert_ptr_null(fn_log_store_group(s, "g"));
	fn_log_store_close(s);
}
END_TEST

START_TEST(more_groups_than_are_in_use_at_once)
{
	struct fn_log_store *s = open_store(1 << 20, 1 << 30, 8);
	char name[16];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "g%d", i);
			put(s, group(s, name), "a", NOW + round, round ? "two" : "one");
		}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		ck_assert_str_eq(find(s, group(s, name)), "one,two");
	}
	fn_log_store_close(s);
}
END_TEST

TEST_MAIN("logs/store", order_is_time_s_whatever_was_written_when, pages_of_a_mixed_log, a_crash_costs_what_was_not_written_to_its_end,
	  an_index_that_lies_is_made_anew, what_is_bounded, retention, streams, more_groups_than_are_in_use_at_once)
