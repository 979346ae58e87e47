/*
 * ahead.c - what the Java runtime has no means for in Java: of its start ahead of its function (lib/sandbox/spec.h has the protocol) the process's environment, its
 * working directory and its name; its connection to the Runtime API without java.net; and which classes are loaded. Called by rootfs/java/src/fnd/runtime/Ahead.java,
 * RuntimeApi.java and Loaded.java; needs no header of Java's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../libc.h"

static void take(int fd, void *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t r = read(fd, (char *)to + have, n - have);

		if (r <= 0)
			_exit(0); /* never needed */
		have += (size_t)r;
	}
}

static void set_comm(const char *name)
{
	int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, name, strlen(name));
		close(fd);
	}
}

static void get_comm(char *name, size_t size)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, name, size - 1) : 0;

	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The places that /proc/self/cmdline and /proc/self/environ show (proc(5): arg_start and so on). */
static int shown(unsigned long at[4])
{
	char text[1024], *p;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), field = 2;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	while (p && field < 48) {
		p = strchr(p + 1, ' ');
		field++;
	}
	return p && libc_sscanf(p, " %lu %lu %lu %lu", &at[0], &at[1], &at[2], &at[3]) == 4 ? 0 : -1;
}

/* The number of the descriptor is the last of the arguments: it becomes what a start for a function has there. */
static void hide_argument(const unsigned long at[4], int fd)
{
	char number[16];
	size_t n = (size_t)snprintf(number, sizeof(number), "%d", fd) + 1;
	char *last = (char *)at[1] - n;

	if (at[1] - at[0] > n && n == sizeof("no") && memcmp(last, number, n) == 0)
		memcpy(last, "no", n);
}

__attribute__((visibility("default"))) void Java_fnd_runtime_Ahead_await0(void *env, void *class, int fd);
void Java_fnd_runtime_Ahead_await0(void *env, void *class, int fd)
{
	unsigned long at[4] = {0};
	char name[32], *environment;
	const char *directory;
	uint32_t size;

	(void)env, (void)class;
	get_comm(name, sizeof(name));
	if (shown(at) == 0)
		hide_argument(at, fd);
	set_comm("fn-ready");
	if (write(fd, "!", 1) != 1)
		_exit(0);
	take(fd, &size, sizeof(size));
	environment = malloc((size_t)size + 1); /* the process's from now on */
	if (!environment)
		_exit(1);
	take(fd, environment, size);
	environment[size] = '\0';
	close(fd);
	set_comm(name);
	clearenv();
	for (char *e = environment; *e; e += strlen(e) + 1)
		if (putenv(e) != 0)
			_exit(1);
	if (at[2] && size <= at[3] - at[2]) {
		memcpy((char *)at[2], environment, size);
		memset((char *)at[2] + size, 0, at[3] - at[2] - size);
	}
	directory = getenv("LAMBDA_TASK_ROOT");
	if (directory && chdir(directory) != 0)
		_exit(1);
}

/* Functions by their places in the tables of the interfaces: Java Native Interface Specification, chapters 4 and 5; JVM Tool Interface 1.2, where function n is at n - 1. */
enum { JNI_GET_OBJECT_CLASS = 31, JNI_GET_FIELD_ID = 94, JNI_SET_INT_FIELD = 109, JNI_GET_STRING_CHARS = 169, JNI_RELEASE_STRING_CHARS = 170 };
enum { JNI_NEW_BYTE_ARRAY = 176, JNI_SET_BYTE_ARRAY_REGION = 208, JNI_GET_JAVA_VM = 219, VM_GET_ENV = 6 };

static void *function(void *interface, unsigned place) { return (*(void ***)interface)[place]; }

/* --- the Runtime API --- */
static int connected(const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd, one = 1;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Has a java.io.FileDescriptor be that of a connection; returns 0 or errno. */
__attribute__((visibility("default"))) int Java_fnd_runtime_RuntimeApi_connect0(void *env, void *class, void *descriptor, void *address, int port);
int Java_fnd_runtime_RuntimeApi_connect0(void *env, void *class, void *descriptor, void *address, int port)
{
	void *(*class_of)(void *, void *) = function(env, JNI_GET_OBJECT_CLASS);
	void *(*field_of)(void *, void *, const char *, const char *) = function(env, JNI_GET_FIELD_ID);
	void (*set)(void *, void *, void *, int) = function(env, JNI_SET_INT_FIELD);
	const char *(*chars_of)(void *, void *, unsigned char *) = function(env, JNI_GET_STRING_CHARS);
	void (*release)(void *, void *, const char *) = function(env, JNI_RELEASE_STRING_CHARS);
	void *field = field_of(env, class_of(env, descriptor), "fd", "I");
	const char *text = field ? chars_of(env, address, NULL) : NULL;
	int fd, why;

	(void)class;
	if (!text)
		return ENOMEM; /* and an exception waits */
	fd = connected(text, port);
	why = errno;
	release(env, address, text);
	if (fd < 0)
		return why;
	set(env, descriptor, field, fd);
	return 0;
}

/* --- which classes are loaded --- */
enum { TI_DEALLOCATE = 46, TI_GET_CLASS_SIGNATURE = 47, TI_GET_LOADED_CLASSES = 77, TI_DISPOSE = 126 };
#define TI_VERSION 0x30010200
#define NAMES_MAX (1u << 20) /* FN_LOADED_MAX of lib/runtime/rtapi.h */

struct names {
	char *data;
	size_t n, size;
};

static void add(struct names *to, const char *prefix, const char *name, size_t n)
{
	size_t before = strlen(prefix);

	if (to->n + before + n + 1 > to->size)
		return;
	memcpy(to->data + to->n, prefix, before);
	memcpy(to->data + to->n + before, name, n);
	to->n += before + n;
	to->data[to->n++] = '\n';
}

/* "Ljava/lang/String;"; of a hidden class "LC$$Lambda$14.0x0000000800c03000;", in which C has a lambda. Arrays are nothing of their own. */
static void add_class(struct names *to, const char *signature)
{
	size_t n = strlen(signature);
	const char *lambda = strstr(signature, "$$Lambda");

	if (signature[0] != 'L' || n < 3)
		return;
	if (!memchr(signature, '.', n))
		add(to, "", signature + 1, n - 2);
	else if (lambda)
		add(to, "&", signature + 1, (size_t)(lambda - signature - 1));
}

static void collect(void *ti, struct names *to)
{
	int (*loaded)(void *, int *, void ***) = function(ti, TI_GET_LOADED_CLASSES);
	int (*signature_of)(void *, void *, char **, char **) = function(ti, TI_GET_CLASS_SIGNATURE);
	int (*deallocate)(void *, unsigned char *) = function(ti, TI_DEALLOCATE);
	void **classes;
	int n;

	if (loaded(ti, &n, &classes) != 0)
		return;
	for (int i = 0; i < n; i++) {
		char *signature;

		if (signature_of(ti, classes[i], &signature, NULL) != 0)
			continue;
		add_class(to, signature);
		deallocate(ti, (unsigned char *)signature);
	}
	deallocate(ti, (unsigned char *)classes);
}

/* byte[]; NULL: they cannot be had */
__attribute__((visibility("default"))) void *Java_fnd_runtime_Loaded_names0(void *env, void *class);
void *Java_fnd_runtime_Loaded_names0(void *env, void *class)
{
	int (*vm_of)(void *, void **) = function(env, JNI_GET_JAVA_VM);
	void *(*new_array)(void *, int) = function(env, JNI_NEW_BYTE_ARRAY);
	void (*set)(void *, void *, int, int, const signed char *) = function(env, JNI_SET_BYTE_ARRAY_REGION);
	struct names names = {.data = malloc(NAMES_MAX), .size = NAMES_MAX};
	void *vm = NULL, *ti = NULL, *array = NULL;

	(void)class;
	if (names.data && vm_of(env, &vm) == 0) {
		int (*get)(void *, void **, int) = function(vm, VM_GET_ENV);

		if (get(vm, &ti, TI_VERSION) == 0) {
			int (*dispose)(void *) = function(ti, TI_DISPOSE);

			collect(ti, &names);
			dispose(ti);
			array = new_array(env, (int)names.n);
			if (array)
				set(env, array, 0, (int)names.n, (const signed char *)names.data);
		}
	}
	free(names.data);
	return array;
}
