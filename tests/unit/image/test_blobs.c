#include "image/blobs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/main.h"

static const char name[] = "0123456789012345678901234567890123456789012345678901234567890123";
static struct fn_err err;

static void holds(const char *what, size_t len)
{
	static char text[300000];
	uint64_t size;
	int fd = fn_blob_open(".", name, &size);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(size, len);
	ck_assert_int_eq(read(fd, text, sizeof(text)), (ssize_t)len);
	ck_assert(memcmp(text, what, len) == 0);
	close(fd);
}

static void damage(off_t at, off_t size)
{
	int fd = open("blobs/0123456789012345678901234567890123456789012345678901234567890123.zip", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, "?", 1, at), 1);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static ino_t inode(void)
{
	struct stat st;

	ck_assert_int_eq(stat("blobs/0123456789012345678901234567890123456789012345678901234567890123.zip", &st), 0);
	return st.st_ino;
}

static int put(const char *data, size_t len)
{
	int fd = fn_blob_begin("."), r;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	r = fn_blob_keep(".", name, fd, len, &err);
	fn_blob_drop(fd);
	return r;
}

/* The same package again: left alone when it is whole, written anew when it is damaged. */
START_TEST(keep_again)
{
	static char data[200000];
	ino_t first;
	int fd;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	ck_assert_int_eq(mkdir("blobs", 0755), 0);
	ck_assert_int_eq(put(data, sizeof(data)), 0);
	holds(data, sizeof(data));
	first = inode();
	ck_assert_int_eq(put(data, sizeof(data)), 0);
	ck_assert_uint_eq(inode(), first);
	for (int i = 0; i < 4; i++) {
		damage(i == 0 ? 0 : i == 1 ? 70000 : i == 2 ? 199999 : 5, i < 3 ? 200000 : 100000);
		ck_assert_int_eq(put(data, sizeof(data)), 0);
		holds(data, sizeof(data));
	}
	ck_assert_int_ge(fd = fn_blob_remove(".", name), 0);
	ck_assert_int_eq(access("blobs/0123456789012345678901234567890123456789012345678901234567890123.zip", F_OK), -1);
	close(fd);
	ck_assert_int_lt(fn_blob_remove(".", name), 0);
}
END_TEST

TEST_MAIN("image/blobs", keep_again)
