/*
 * load - a closed-loop HTTP/1.1 load generator with exact percentiles.
 *
 * Each of N keep-alive connections to 127.0.0.1 sends its next request when the last was answered. Several targets are measured in
 * interleaved slices (A B A B ...), so that a disturbance of the machine meets all of them; each slice begins with a warm-up whose
 * requests are not counted. Prints one JSON object: per target what was seen over all slices and slice by slice, and what the
 * watched processes used of the CPU meanwhile.
 *
 *   load [options] --target NAME=PORT/PATH ...
 *     --connections N     1
 *     --slices N          per target, 1
 *     --seconds S         a slice's length without its warm-up, 1 (a fraction is fine)
 *     --warmup S          0.2
 *     --requests N        instead of --seconds: so many requests per slice, no warm-up; %d in PATH counts them
 *     --first N           ... from N, 0
 *     --modulo M          ... modulo M
 *     --gap MS            with one connection: a pause before each request, which is not counted
 *     --body TEXT         POST it ("" = GET)
 *     --header "K: V"     sent with each request, repeatable
 *     --keep NAME         that response header of every answer, in order of arrival
 *     --raw               every latency too, in us
 *     --watch NAME=PID    CPU time and context switches of a process during counted slices, repeatable
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX 16
#define RESPONSE_MAX (64u << 10)

struct conn {
	int fd;
	uint64_t sent_ns;
	size_t have;
	char *in;
};

struct samples {
	uint32_t *ns10; /* tens of nanoseconds: 42 s at most */
	size_t n, cap;
};

struct slice {
	size_t first, n;
	uint64_t ns;
};

struct use {
	uint64_t cpu_ns, switches, forced;
};

struct target {
	const char *name, *path;
	int port;
	struct conn *conns;
	struct samples all;
	struct slice *slices;
	unsigned n_slices;
	uint64_t errors, bytes;
	char error[400];
	struct use used[MAX];
	uint64_t own_ns;
};

struct watch {
	const char *name;
	int pid;
};

static struct target targets[MAX];
static struct watch watches[MAX];
static unsigned n_targets, n_watches, n_conns = 1, n_slices = 1, first, gap_ms, modulo = 1u << 30;
static double seconds = 1, warmup = 0.2;
static uint64_t requests, asked, answered;
static const char *body = "", *keep;
static bool raw;
static char headers[4096];
static char **kept;
static size_t n_kept;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- what processes use --- */
static uint64_t field(const char *text, const char *name)
{
	const char *p = strstr(text, name);

	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

static struct use use_of(int pid)
{
	struct use u = {0};
	char path[64], text[4096];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid); /* nanoseconds, where stat has ticks; one thread per process here */
	f = fopen(path, "re");
	if (f) {
		if (fgets(text, sizeof(text), f))
			u.cpu_ns = strtoull(text, NULL, 10);
		fclose(f);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (f) {
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		u.forced = field(text, "nonvoluntary_ctxt_switches:");
		u.switches = field(text, "\nvoluntary_ctxt_switches:");
		fclose(f);
	}
	return u;
}

static uint64_t own_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- one connection --- */
static void conn_open(const struct target *t, struct conn *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->have = 0;
	if (!c->in && !(c->in = malloc(RESPONSE_MAX)))
		die("memory");
}

static void conn_send(const struct target *t, struct conn *c)
{
	char text[16384], path[1024];
	int n;

	/* the path is the caller's own, as is its one %d */
	const char *d = strstr(t->path, "%d");

	if (d)
		snprintf(path, sizeof(path), "%.*s%llu%s", (int)(d - t->path), t->path, (unsigned long long)((first + asked) % modulo), d + 2);
	else
		snprintf(path, sizeof(path), "%s", t->path);
	asked++;
	n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", body[0] ? "POST" : "GET", path, t->port, headers);
	if (body[0])
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			      strlen(body), body);
	else
		n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	if ((size_t)n >= sizeof(text)) {
		errno = EMSGSIZE;
		die("request");
	}
	if (gap_ms)
		usleep(gap_ms * 1000u);
	c->sent_ns = now_ns();
	if (write(c->fd, text, (size_t)n) != n)
		die("send");
}

static const char *header(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, name, len) == 0 && p[2 + len] == ':')
			return p + 3 + len + strspn(p + 3 + len, " ");
	return NULL;
}

/* Whether a whole response is in; c->in is NUL-terminated. */
static bool complete(const struct conn *c)
{
	char *end = strstr(c->in, "\r\n\r\n");
	const char *len;
	bool whole;

	if (!end)
		return false;
	end[2] = '\0'; /* headers alone */
	len = header(c->in, "Content-Length");
	whole = len ? c->have >= (size_t)(end + 4 - c->in) + strtoul(len, NULL, 10)
		    : header(c->in, "Transfer-Encoding") && c->have >= 5 && memcmp(c->in + c->have - 5, "0\r\n\r\n", 5) == 0;
	end[2] = '\r';
	return whole;
}

static void sample(struct samples *s, uint64_t ns)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 65536;
		s->ns10 = realloc(s->ns10, s->cap * sizeof(*s->ns10));
		if (!s->ns10)
			die("memory");
	}
	s->ns10[s->n++] = ns / 10 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 10);
}

static void keep_header(struct conn *c)
{
	const char *v = header(c->in, keep);

	kept = realloc(kept, (n_kept + 1) * sizeof(*kept));
	if (!kept)
		die("memory");
	kept[n_kept++] = v ? strndup(v, strcspn(v, "\r")) : NULL;
}

/* The first wrong answer: status and the beginning of the body, fit for a JSON string. */
static void keep_error(struct target *t, const struct conn *c)
{
	snprintf(t->error, sizeof(t->error), "%.*s: %s", (int)strcspn(c->in, "\r"), c->in, strstr(c->in, "\r\n\r\n") + 4);
	for (char *p = t->error; *p; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20)
			*p = '\'';
}

/* Returns whether an answer has been taken. */
static bool conn_read(struct target *t, struct conn *c, bool count)
{
	ssize_t n = read(c->fd, c->in + c->have, RESPONSE_MAX - 1 - c->have);

	if (n <= 0) {
		errno = n < 0 ? errno : ECONNRESET;
		die(t->name);
	}
	c->have += (size_t)n;
	c->in[c->have] = '\0';
	if (!complete(c))
		return false;
	answered++;
	if (strncmp(c->in, "HTTP/1.1 2", 10) != 0 || header(c->in, "X-Amz-Function-Error")) {
		if (t->errors++ == 0)
			keep_error(t, c);
	} else if (count) {
		sample(&t->all, now_ns() - c->sent_ns);
		t->bytes += c->have;
		if (keep)
			keep_header(c);
	}
	c->have = 0;
	return true;
}

/* --- a slice --- */
static void drive(struct target *t, int ep, uint64_t until_ns, uint64_t until_n, bool count)
{
	struct epoll_event ev[256];
	unsigned busy = 0;

	asked = answered = 0;
	for (unsigned i = 0; i < n_conns && asked < until_n; i++, busy++)
		conn_send(t, &t->conns[i]);
	while (busy > 0) {
		int n = epoll_wait(ep, ev, 256, 120000);

		if (n == 0) {
			errno = ETIMEDOUT;
			die(t->name);
		}
		for (int k = 0; k < n; k++) {
			struct conn *c = &t->conns[ev[k].data.u32];

			if (!conn_read(t, c, count))
				continue;
			if (asked < until_n && now_ns() < until_ns)
				conn_send(t, c);
			else
				busy--;
		}
	}
}

static void slice(struct target *t)
{
	struct slice *s = &t->slices[t->n_slices++];
	struct use before[MAX];
	uint64_t from, own;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < n_conns; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = i};

		conn_open(t, &t->conns[i]);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, t->conns[i].fd, &ev) < 0)
			die("epoll");
	}
	if (!requests && warmup > 0)
		drive(t, ep, now_ns() + (uint64_t)(warmup * 1e9), UINT64_MAX, false);
	for (unsigned i = 0; i < n_watches; i++)
		before[i] = use_of(watches[i].pid);
	own = own_ns();
	from = now_ns();
	s->first = t->all.n;
	drive(t, ep, requests ? UINT64_MAX : from + (uint64_t)(seconds * 1e9), requests ? requests : UINT64_MAX, true);
	s->ns = now_ns() - from;
	s->n = t->all.n - s->first;
	t->own_ns += own_ns() - own;
	for (unsigned i = 0; i < n_watches; i++) {
		struct use u = use_of(watches[i].pid);

		t->used[i].cpu_ns += u.cpu_ns - before[i].cpu_ns;
		t->used[i].switches += u.switches - before[i].switches;
		t->used[i].forced += u.forced - before[i].forced;
	}
	for (unsigned i = 0; i < n_conns; i++)
		close(t->conns[i].fd);
	close(ep);
}

/* --- the report --- */
static int cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double at(const uint32_t *v, size_t n, double q)
{
	size_t i = (size_t)(q * (double)n);

	return n ? v[i < n ? i : n - 1] / 100.0 : 0;
}

static void print_stats(uint32_t *v, size_t n, double s)
{
	qsort(v, n, sizeof(*v), cmp);
	printf("\"n\":%zu,\"rps\":%.1f,\"p10_us\":%.2f,\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f", n,
	       s > 0 ? (double)n / s : 0, at(v, n, .1), at(v, n, .5), at(v, n, .9), at(v, n, .99), at(v, n, .999), n ? v[n - 1] / 100.0 : 0);
}

static void print_target(struct target *t)
{
	double total = 0;

	printf("\"%s\":{\"slices\":[", t->name);
	for (unsigned i = 0; i < t->n_slices; i++) {
		struct slice *s = &t->slices[i];

		printf("%s{", i ? "," : "");
		print_stats(t->all.ns10 + s->first, s->n, (double)s->ns / 1e9); /* sorts within the slice: none is read twice */
		if (raw) {
			printf(",\"us\":[");
			for (size_t k = 0; k < s->n; k++)
				printf("%s%.1f", k ? "," : "", t->all.ns10[s->first + k] / 100.0);
			printf("]");
		}
		printf("}");
		total += (double)s->ns / 1e9;
	}
	printf("],");
	print_stats(t->all.ns10, t->all.n, total);
	printf(",\"errors\":%llu,\"error\":\"%s\",\"bytes\":%llu,\"load_cpu_us\":%.2f,\"processes\":{", (unsigned long long)t->errors, t->error,
	       (unsigned long long)t->bytes, t->all.n ? (double)t->own_ns / 1e3 / (double)t->all.n : 0);
	for (unsigned i = 0; i < n_watches; i++) {
		double n = t->all.n ? (double)t->all.n : 1;

		printf("%s\"%s\":{\"cpu_us\":%.2f,\"switches\":%.3f,\"forced\":%.3f}", i ? "," : "", watches[i].name,
		       (double)t->used[i].cpu_ns / 1e3 / n, (double)t->used[i].switches / n, (double)t->used[i].forced / n);
	}
	printf("}}");
}

static void add_target(char *text)
{
	struct target *t = &targets[n_targets++];
	char *eq = strchr(text, '='), *slash = eq ? strchr(eq, '/') : NULL;

	if (!slash || n_targets > MAX) {
		errno = EINVAL;
		die(text);
	}
	*eq = '\0';
	t->name = text;
	t->port = atoi(eq + 1);
	t->path = slash;
}

static void add_watch(char *text)
{
	char *eq = strchr(text, '=');

	if (!eq || n_watches == MAX) {
		errno = EINVAL;
		die(text);
	}
	*eq = '\0';
	watches[n_watches++] = (struct watch){text, atoi(eq + 1)};
}

static int option(int key, char *value)
{
	size_t used = strlen(headers);

	switch (key) {
	case 'c':
		n_conns = (unsigned)atoi(value);
		break;
	case 'n':
		n_slices = (unsigned)atoi(value);
		break;
	case 's':
		seconds = atof(value);
		break;
	case 'w':
		warmup = atof(value);
		break;
	case 'r':
		requests = strtoull(value, NULL, 10);
		break;
	case 'f':
		first = (unsigned)atoi(value);
		break;
	case 'm':
		modulo = (unsigned)atoi(value);
		break;
	case 'g':
		gap_ms = (unsigned)atoi(value);
		break;
	case 'b':
		body = value;
		break;
	case 'h':
		snprintf(headers + used, sizeof(headers) - used, "%s\r\n", value);
		break;
	case 'k':
		keep = value;
		break;
	case 'R':
		raw = true;
		break;
	case 'p':
		add_watch(value);
		break;
	case 't':
		add_target(value);
		break;
	default:
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"connections", 1, NULL, 'c'}, {"slices", 1, NULL, 'n'}, {"seconds", 1, NULL, 's'}, {"warmup", 1, NULL, 'w'},
		{"requests", 1, NULL, 'r'},    {"first", 1, NULL, 'f'},  {"modulo", 1, NULL, 'm'},  {"gap", 1, NULL, 'g'},     {"body", 1, NULL, 'b'},   {"header", 1, NULL, 'h'},
		{"keep", 1, NULL, 'k'},        {"raw", 0, NULL, 'R'},    {"watch", 1, NULL, 'p'},  {"target", 1, NULL, 't'},  {NULL, 0, NULL, 0}};
	int key;

	while ((key = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option(key, optarg) != 0)
			return 2;
	if (n_targets == 0 || n_conns == 0 || n_slices == 0)
		return 2;
	for (unsigned i = 0; i < n_targets; i++) {
		targets[i].conns = calloc(n_conns, sizeof(struct conn));
		targets[i].slices = calloc(n_slices, sizeof(struct slice));
		if (!targets[i].conns || !targets[i].slices)
			die("memory");
	}
	for (unsigned k = 0; k < n_slices; k++)
		for (unsigned i = 0; i < n_targets; i++)
			slice(&targets[i]);
	printf("{\"connections\":%u,\"targets\":{", n_conns);
	for (unsigned i = 0; i < n_targets; i++) {
		printf("%s", i ? "," : "");
		print_target(&targets[i]);
	}
	printf("},\"kept\":[");
	for (size_t i = 0; i < n_kept; i++)
		printf("%s\"%s\"", i ? "," : "", kept[i] ? kept[i] : "");
	printf("]}\n");
	return 0;
}
