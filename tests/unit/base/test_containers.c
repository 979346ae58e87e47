#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "unit/main.h"

START_TEST(buffer)
{
	struct fn_buf b = {0};
	size_t len;
	char *text;

	ck_assert_int_eq(fn_buf_addf(&b, "%s-%d", "x", 7), 0);
	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(fn_buf_add(&b, "ab", 2), 0);
	ck_assert_uint_eq(b.len, 3 + 20000);
	ck_assert_int_eq(b.data[b.len], 0);
	fn_buf_consume(&b, 3);
	ck_assert_mem_eq(b.data, "abab", 4);
	text = fn_buf_take(&b, &len);
	ck_assert_uint_eq(len, 20000);
	ck_assert_ptr_null(b.data);
	free(text);
	text = fn_buf_take(&b, &len);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(buffer_read_has_a_bound)
{
	struct fn_buf b = {0};
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "0123456789", 10), 10);
	close(p[1]);
	ck_assert_int_eq(fn_buf_read_fd(&b, p[0], 9), -EFBIG);
	close(p[0]);
	fn_buf_free(&b);
}
END_TEST

START_TEST(map_holds_many)
{
	static int values[5000];
	struct fn_map *m;
	char key[32];
	size_t it = 0, n = 0;
	void *old;

	ck_assert_int_eq(fn_map_new(&m), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		ck_assert_int_eq(fn_map_set(m, key, &values[i], NULL), 0);
		ck_assert_int_eq(fn_map_set_u64(m, (uint64_t)i, &values[i], NULL), 0);
	}
	ck_assert_uint_eq(fn_map_count(m), 10000);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		ck_assert_ptr_eq(fn_map_get(m, key), &values[i]);
		ck_assert_ptr_eq(fn_map_get_u64(m, (uint64_t)i), &values[i]);
		if (i % 2)
			ck_assert_ptr_eq(fn_map_remove(m, key), &values[i]);
	}
	ck_assert_uint_eq(fn_map_count(m), 7500);
	ck_assert_ptr_null(fn_map_get(m, "key 1"));
	ck_assert_ptr_null(fn_map_remove(m, "key 1"));
	ck_assert_int_eq(fn_map_set(m, "key 2", &values[0], &old), 0);
	ck_assert_ptr_eq(old, &values[2]);
	while (fn_map_next(m, &it))
		n++;
	ck_assert_uint_eq(n, 7500);
	fn_map_free(m);
	fn_map_free(NULL);
}
END_TEST

START_TEST(map_survives_removal_while_walking)
{
	static int values[1000];
	struct fn_map *m;
	size_t it = 0, seen = 0;
	int *v;

	ck_assert_int_eq(fn_map_new(&m), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(fn_map_set_u64(m, (uint64_t)i, &values[i], NULL), 0);
	while ((v = fn_map_next(m, &it))) {
		seen++;
		ck_assert_ptr_eq(fn_map_remove_u64(m, (uint64_t)(v - values)), v);
	}
	ck_assert_uint_eq(seen, 1000);
	ck_assert_uint_eq(fn_map_count(m), 0);
	fn_map_free(m);
}
END_TEST

struct item {
	int n;
	struct fn_list link;
};

START_TEST(list)
{
	struct fn_list head;
	struct item items[4] = {{.n = 0}, {.n = 1}, {.n = 2}, {.n = 3}};
	int sum = 0;

	fn_list_init(&head);
	ck_assert_ptr_null(fn_list_first(&head));
	for (int i = 0; i < 4; i++)
		fn_list_push_back(&head, &items[i].link);
	fn_list_remove(&items[1].link);
	fn_list_remove(&items[1].link); /* harmless */
	ck_assert(!fn_list_linked(&items[1].link));
	fn_list_push_front(&head, &items[1].link);
	ck_assert_int_eq(fn_list_entry(fn_list_first(&head), struct item, link)->n, 1);
	ck_assert_int_eq(fn_list_entry(fn_list_last(&head), struct item, link)->n, 3);
	fn_list_for_each_safe(l, &head)
	{
		sum += fn_list_entry(l, struct item, link)->n;
		fn_list_remove(l);
	}
	ck_assert_int_eq(sum, 6);
	ck_assert(fn_list_empty(&head));
}
END_TEST

START_TEST(errors)
{
	struct fn_err err;
	char text[300];

	ck_assert_int_eq(fn_err_set(&err, ENOSPC, "mount overlay", "%s", "/var/task"), -ENOSPC);
	ck_assert_str_eq(fn_err_format(&err, text, sizeof(text)), "mount overlay: /var/task: ENOSPC (No space left on device)");
	ck_assert_int_eq(fn_err_set(&err, -EPERM, "clone3", NULL), -EPERM);
	ck_assert_int_eq(err.code, EPERM);
	ck_assert_str_eq(fn_errno_name(-ENOENT), "ENOENT");
	ck_assert_str_eq(fn_errno_name(99999), "E?");
	ck_assert_int_eq(fn_err_set(NULL, 0, "x", NULL), -EIO);
	ck_assert_uint_eq(strlen(fn_err_format(&err, text, 10)), 9);
}
END_TEST

START_TEST(percent_coding)
{
	fn_auto_buf struct fn_buf b = {0};

	ck_assert_int_eq(fn_buf_add_url(&b, "aZ09-._~/: +%\xc3\0", 15, ":"), 0);
	ck_assert_str_eq(b.data, "aZ09-._~%2F:%20%2B%25%C3%00");
}
END_TEST

START_TEST(ids)
{
	char a[FN_UUID_SIZE], b[FN_UUID_SIZE], hex[33];
	uint8_t bytes[16];

	for (int i = 0; i < 1000; i++) {
		fn_id_uuid(a);
		fn_id_uuid(b);
		ck_assert(fn_id_is_uuid(a));
		ck_assert_str_ne(a, b);
		ck_assert_int_eq(a[14], '4');
	}
	fn_id_hex(hex, 32);
	ck_assert_uint_eq(strspn(hex, "0123456789abcdef"), 32);
	fn_id_uuid(a);
	ck_assert_int_eq(fn_id_uuid_parse(a, bytes), 0);
	fn_id_uuid_format(bytes, b);
	ck_assert_str_eq(a, b);
	ck_assert_int_eq(fn_id_uuid_parse("0000000000004000800000000000000", bytes), -EINVAL);
	ck_assert_int_eq(fn_id_uuid_parse("00000000-0000-4000-8000-00000000000g", bytes), -EINVAL);
	ck_assert(!fn_id_is_uuid("x"));
	ck_assert(!fn_id_is_uuid("00000000-0000-4000-8000-00000000000"));
	ck_assert(!fn_id_is_uuid("00000000-0000-4000-8000-00000000000g"));
}
END_TEST

TEST_MAIN("base/containers", buffer, buffer_read_has_a_bound, map_holds_many, map_survives_removal_while_walking, list, errors, percent_coding, ids)
