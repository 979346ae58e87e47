/*
 * sqs_load - a closed loop of SendMessage, ReceiveMessage, DeleteMessage over raw keep-alive connections, each with one message of 100 bytes at a time, by the JSON protocol,
 * or, with --query, by the query protocol.
 *
 *   sqs_load --port P --queue-url URL [--query] [--connections 16] [--seconds 5] [--warmup 1]
 *   sqs_load --nats P --stream S ...      the same with NATS JetStream: publish, fetch of the next one, acknowledgement, each answered
 *
 * Prints one JSON object: {"cycles", "seconds", "per_second", "p50_us", "p99_us", "empty": receives that gave nothing}. Another's message that is received counts all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX 256
#define ROOM 8192
#define SAMPLES (4u << 20)

enum step { SEND, RECEIVE, DELETE };

struct conn {
	int fd;
	enum step step;
	uint64_t begun_us;
	size_t have;
	char in[ROOM], receipt[1024], sid[32];
};

static struct conn conns[MAX];
static const char *url, *stream;
static uint32_t *samples;
static uint64_t n_samples, n_empty;
static char body[101];
static int port;
static bool query;

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void die(const char *what)
{
	fprintf(stderr, "sqs_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(struct conn *c, const char *text, size_t len)
{
	if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

static void ask(struct conn *c)
{
	static const char *const target[] = {"SendMessage", "ReceiveMessage", "DeleteMessage"};
	char json[2048], text[4096];
	int n, m;

	if (c->step == SEND)
		n = snprintf(json, sizeof(json), "{\"QueueUrl\":\"%s\",\"MessageBody\":\"%s\"}", url, body);
	else if (c->step == RECEIVE)
		n = snprintf(json, sizeof(json), "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":1}", url);
	else
		n = snprintf(json, sizeof(json), "{\"QueueUrl\":\"%s\",\"ReceiptHandle\":\"%s\"}", url, c->receipt);
	m = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.%s\r\nContent-Length: %d\r\n\r\n%s", port,
		     target[c->step], n, json);
	put(c, text, (size_t)m);
}

static void ask_query(struct conn *c)
{
	const char *path = strchr(strstr(url, "//") + 2, '/');
	char form[2048], text[4096];
	int n, m;

	if (c->step == SEND) {
		n = snprintf(form, sizeof(form), "Action=SendMessage&Version=2012-11-05&QueueUrl=%s&MessageBody=%s", url, body);
	} else if (c->step == RECEIVE) {
		n = snprintf(form, sizeof(form), "Action=ReceiveMessage&Version=2012-11-05&QueueUrl=%s&MaxNumberOfMessages=1", url);
	} else {
		n = snprintf(form, sizeof(form), "Action=DeleteMessage&Version=2012-11-05&QueueUrl=%s&ReceiptHandle=", url);
		for (const char *r = c->receipt; *r && n < (int)sizeof(form) - 4; r++)
			n += snprintf(form + n, sizeof(form) - (size_t)n, strchr("+/=#", *r) ? "%%%02X" : "%c", *r);
	}
	m = snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, port, n, form);
	put(c, text, (size_t)m);
}

static void ask_nats(struct conn *c)
{
	char text[2048];
	int n;

	if (c->step == SEND)
		n = snprintf(text, sizeof(text), "PUB %s.x %s 100\r\n%s\r\n", stream, c->sid, body);
	else if (c->step == RECEIVE)
		n = snprintf(text, sizeof(text), "PUB $JS.API.CONSUMER.MSG.NEXT.%s.c %s 1\r\n1\r\n", stream, c->sid);
	else
		n = snprintf(text, sizeof(text), "PUB %s %s 4\r\n+ACK\r\n", c->receipt, c->sid);
	put(c, text, (size_t)n);
}

static void next(struct conn *c)
{
	if (c->step == SEND)
		c->begun_us = now_us();
	if (stream)
		ask_nats(c);
	else if (query)
		ask_query(c);
	else
		ask(c);
}

static void answered(struct conn *c, bool got)
{
	if (c->step == DELETE || (c->step == RECEIVE && !got)) {
		if (c->step == DELETE && n_samples < SAMPLES)
			samples[n_samples++] = (uint32_t)(now_us() - c->begun_us);
		n_empty += c->step == RECEIVE;
		c->step = SEND;
	} else {
		c->step++;
	}
	next(c);
}

/* One whole answer is in c->in: how long, 0 = not yet. */
static size_t http_answer(struct conn *c, bool *got)
{
	char *end = strstr(c->in, "\r\n\r\n"), *length = end ? strcasestr(c->in, "content-length:") : NULL, *handle;
	size_t len, head;

	if (!end)
		return 0;
	head = (size_t)(end + 4 - c->in);
	len = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
	if (c->have < head + len)
		return 0;
	if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "sqs_load: %.400s\n", c->in);
		exit(1);
	}
	handle = c->step == RECEIVE ? strstr(end, query ? "<ReceiptHandle>" : "\"ReceiptHandle\":\"") : NULL;
	*got = handle != NULL;
	if (handle) {
		handle += query ? strlen("<ReceiptHandle>") : strlen("\"ReceiptHandle\":\"");
		snprintf(c->receipt, sizeof(c->receipt), "%.*s", (int)strcspn(handle, "\"<"), handle);
	}
	return head + len;
}

/* "MSG subject sid [reply] bytes", or "HMSG ..." with a status: no message. */
static size_t nats_answer(struct conn *c, bool *got)
{
	char *line = strstr(c->in, "\r\n"), subject[256], sid[32], a[512], b[32], d[32];
	size_t head, len;
	int n;

	if (!line)
		return 0;
	head = (size_t)(line + 2 - c->in);
	if (strncmp(c->in, "PING", 4) == 0) {
		put(c, "PONG\r\n", 6);
		*got = false;
		return head | (size_t)1 << 63;
	}
	if (strncmp(c->in, "MSG ", 4) != 0 && strncmp(c->in, "HMSG ", 5) != 0)
		return head | (size_t)1 << 63; /* INFO, +OK, PONG */
	*line = '\0';
	n = sscanf(c->in[0] == 'M' ? c->in + 4 : c->in + 5, "%255s %31s %511s %31s %31s", subject, sid, a, b, d);
	len = strtoul(c->in[0] == 'M' ? (n == 4 ? b : a) : (n == 5 ? d : b), NULL, 10);
	*line = '\r';
	if (c->have < head + len + 2)
		return 0;
	*got = c->in[0] == 'M' && n == 4;
	if (c->step == RECEIVE && *got)
		snprintf(c->receipt, sizeof(c->receipt), "%s", a);
	return head + len + 2;
}

static void readable(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->have, ROOM - 1 - c->have, 0);

	if (n <= 0)
		die("recv");
	c->have += (size_t)n;
	c->in[c->have] = '\0';
	for (;;) {
		bool got = false, skip;
		size_t used = stream ? nats_answer(c, &got) : http_answer(c, &got);

		if (used == 0)
			return;
		skip = used >> 63;
		used &= ~((size_t)1 << 63);
		memmove(c->in, c->in + used, c->have - used + 1);
		c->have -= used;
		if (!skip)
			answered(c, got);
	}
}

static void open_conn(struct conn *c, int i)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char text[128];
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (stream) {
		snprintf(c->sid, sizeof(c->sid), "_INBOX.%d", i);
		snprintf(text, sizeof(text), "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB %s 1\r\n", c->sid);
		put(c, text, strlen(text));
	}
	next(c);
}

static int by_value(const void *a, const void *b) { return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b); }

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", 1, NULL, 'p'}, {"nats", 1, NULL, 'n'}, {"queue-url", 1, NULL, 'q'}, {"stream", 1, NULL, 's'}, {"connections", 1, NULL, 'c'},
						{"seconds", 1, NULL, 't'}, {"warmup", 1, NULL, 'w'}, {"query", 0, NULL, 'Q'}, {NULL, 0, NULL, 0}};
	double seconds = 5, warmup = 1;
	struct pollfd fds[MAX];
	uint64_t from, until, began;
	int n = 16, o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'p': case 'n': port = atoi(optarg); break;
		case 'q': url = optarg; break;
		case 's': stream = optarg; break;
		case 'c': n = atoi(optarg); break;
		case 't': seconds = atof(optarg); break;
		case 'w': warmup = atof(optarg); break;
		case 'Q': query = true; break;
		default: return 2;
		}
	if (n < 1 || n > MAX || !port || (!url && !stream) || !(samples = malloc(SAMPLES * sizeof(*samples))))
		return 2;
	memset(body, 'x', 100);
	began = now_us();
	from = began + (uint64_t)(warmup * 1e6);
	until = from + (uint64_t)(seconds * 1e6);
	for (int i = 0; i < n; i++) {
		open_conn(&conns[i], i);
		fds[i] = (struct pollfd){.fd = conns[i].fd, .events = POLLIN};
	}
	for (uint64_t now = began; now < until; now = now_us()) {
		if (poll(fds, (nfds_t)n, 1000) < 0)
			die("poll");
		for (int i = 0; i < n; i++)
			if (fds[i].revents)
				readable(&conns[i]);
		if (began < from && now_us() >= from) {
			began = from = now_us();
			n_samples = n_empty = 0;
		}
	}
	seconds = (double)(now_us() - from) / 1e6;
	qsort(samples, n_samples, sizeof(*samples), by_value);
	printf("{\"cycles\": %llu, \"seconds\": %.3f, \"per_second\": %.1f, \"p50_us\": %u, \"p99_us\": %u, \"empty\": %llu}\n", (unsigned long long)n_samples, seconds,
	       (double)n_samples / seconds, n_samples ? samples[n_samples / 2] : 0, n_samples ? samples[n_samples * 99 / 100] : 0, (unsigned long long)n_empty);
	return 0;
}
