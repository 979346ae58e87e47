/* invoke.c - invoke and logs. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"
#include "model/limits.h"

#define INVOKE_TIMEOUT_S 930 /* 15 minutes and what comes around them */
#define PAYLOAD_MAX (64u << 20)

/* --- invoke --- */
static int read_payload(const char *source, struct fn_buf *ret)
{
	fn_auto_fd int fd = -EBADF;
	int r;

	if (fn_streq(source, "-")) {
		r = fn_buf_read_fd(ret, STDIN_FILENO, PAYLOAD_MAX);
	} else if (fn_streq(source, "@-")) { /* --payload-file - */
		r = fn_buf_read_fd(ret, STDIN_FILENO, PAYLOAD_MAX);
	} else if (source[0] == '@') {
		fd = open(source + 1, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : fn_buf_read_fd(ret, fd, PAYLOAD_MAX);
	} else {
		return fn_buf_add_str(ret, source) < 0 ? EX_API : EX_FINE;
	}
	if (r < 0)
		fprintf(stderr, "fnctl: payload %s: %s\n", source, strerror(-r));
	return r < 0 ? EX_BAD_USE : EX_FINE;
}

struct invocation {
	const char *name, *qualifier, *type;
	char *payload_source;
	bool log, time;
	char context[sizeof("X-Amz-Client-Context: ") + FN_LIMIT_CLIENT_CONTEXT];
	char tenant[sizeof("X-Amz-Tenant-Id: ") + 1024]; /* of 256 characters at most, fnd says */
};

static int parse(int argc, char **argv, struct invocation *v)
{
	static const struct option options[] = {{"payload-file", required_argument, NULL, 'p'}, {"log", no_argument, NULL, 'l'},
						{"time", no_argument, NULL, 't'},               {"qualifier", required_argument, NULL, 'q'},
						{"client-context", required_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'd'},
						{"async", no_argument, NULL, 'a'},              {"tenant-id", required_argument, NULL, 'T'}, GLOBAL_OPTIONS};
	char *b64;
	int c, r;

	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			free(v->payload_source);
			if (asprintf(&v->payload_source, "@%s", optarg) < 0) {
				v->payload_source = NULL;
				return EX_API;
			}
			break;
		case 'l':
			v->log = true;
			break;
		case 't':
			v->time = true;
			break;
		case 'q':
			v->qualifier = optarg;
			break;
		case 'c':
			if (fn_base64_encode(optarg, strlen(optarg), &b64) < 0)
				return EX_API;
			r = fn_str_format(v->context, sizeof(v->context), "X-Amz-Client-Context: %s", b64);
			free(b64);
			if (r < 0)
				return usage_error(argv[0], "--client-context is too long: %d bytes in base64 at most",
						   FN_LIMIT_CLIENT_CONTEXT);
			break;
		case 'T':
			if (!*optarg || strpbrk(optarg, "\r\n") || fn_str_format(v->tenant, sizeof(v->tenant), "X-Amz-Tenant-Id: %s", optarg) < 0)
				return usage_error(argv[0], "--tenant-id wants 1 to 256 characters");
			break;
		case 'd':
		case 'a':
			if (v->type)
				return usage_error(argv[0], "it has --dry-run or --async, once");
			v->type = c == 'd' ? "X-Amz-Invocation-Type: DryRun" : "X-Amz-Invocation-Type: Event";
			break;
		default:
			r = other_option(argv, c);
			if (r != EX_FINE)
				return r;
		}
	}
	if (optind < argc)
		v->name = argv[optind++];
	if (optind < argc && !v->payload_source)
		v->payload_source = strdup(argv[optind++]);
	if (fn_str_empty(v->name))
		return usage_error(argv[0], "which function?");
	if (optind < argc)
		return usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	if (v->log && v->type)
		return usage_error(argv[0], "--log is of an invocation that is waited for, not with --async or --dry-run");
	return EX_FINE;
}

/* An event may have lines within it, parted by carriage returns as Lambda's runtimes do it: on a terminal each would hide the one before. */
static void print_log(char *text, size_t len, FILE *to)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '\r' && text[i + 1] != '\n')
			text[i] = '\n';
	fwrite(text, 1, len, to);
}

static void show(const struct invocation *v, const struct reply *r)
{
	uint8_t *log;
	size_t len;

	if (v->log && r->log_result && fn_base64_decode(r->log_result, strlen(r->log_result), &log, &len) == 0) {
		print_log((char *)log, len, stderr);
		free(log);
	}
	if (r->body.len) {
		fwrite(r->body.data, 1, r->body.len, stdout);
		if (isatty(STDOUT_FILENO))
			putchar('\n');
	}
	fflush(stdout);
	if (v->time)
		fprintf(stderr, "%.2f ms\n", r->ms);
	if (r->function_error[0])
		fprintf(stderr, "fnctl: the function failed (%s); `fnctl logs %s` shows what it printed\n", r->function_error, v->name);
}

int cmd_invoke(int argc, char **argv)
{
	struct invocation v = {0};
	fn_auto_buf struct fn_buf payload = {0};
	const char *headers[6] = {"Content-Type: application/json"};
	char path[2048];
	size_t n = 1;
	struct reply r;
	int rc = parse(argc, argv, &v);

	if (rc == EX_FINE && v.payload_source)
		rc = read_payload(v.payload_source, &payload);
	free(v.payload_source);
	if (rc != EX_FINE)
		return rc;
	if (v.log)
		headers[n++] = "X-Amz-Log-Type: Tail";
	if (v.type)
		headers[n++] = v.type;
	if (v.context[0])
		headers[n++] = v.context;
	if (v.tenant[0])
		headers[n++] = v.tenant;
	snprintf(path, sizeof(path), "%s", function_path(v.name, "/invocations"));
	if (v.qualifier && !add_query(path, sizeof(path), "Qualifier", v.qualifier))
		return usage_error(argv[0], "the qualifier is too long");
	rc = request(&r, "invoke", "POST", path, headers, payload.data, payload.len, INVOKE_TIMEOUT_S);
	if (rc == EX_FINE) {
		show(&v, &r);
		if (r.function_error[0])
			rc = EX_FUNCTION;
	}
	reply_free(&r);
	return rc;
}

/* --- logs --- */
static void on_interrupt(int signo)
{
	(void)signo;
	_exit(EX_FINE);
}

/* Where the last n lines begin. */
static const char *last_lines(const char *text, size_t len, long n)
{
	const char *p = text + len;

	if (p > text && p[-1] == '\n')
		p--;
	while (p > text)
		if (*--p == '\n' && --n == 0)
			return p + 1;
	return text;
}

static int fetch(const char *name, const char *cursor, int wait_s, struct fn_buf *text, char *ret_cursor, size_t size)
{
	char path[1600], *slash;
	struct reply r;
	json_t *t;
	int rc;

	snprintf(path, sizeof(path), "%s", function_path(name, ""));
	slash = strrchr(path, '/'); /* the name, encoded */
	{
		char own[1600];

		snprintf(own, sizeof(own), "/_fnd/logs%s?cursor=%s&wait=%d", slash, cursor, wait_s);
		rc = request(&r, "logs", "GET", own, NULL, NULL, 0, wait_s + 30);
	}
	t = json_object_get(r.json, "Text");
	if (rc == EX_FINE) {
		(void)fn_buf_add(text, json_string_value(t) ? json_string_value(t) : "", json_string_length(t));
		snprintf(ret_cursor, size, "%lld", (long long)json_integer_value(json_object_get(r.json, "Cursor")));
	}
	reply_free(&r);
	return rc;
}

int cmd_logs(int argc, char **argv)
{
	static const struct option options[] = {
		{"follow", no_argument, NULL, 'f'}, {"tail", required_argument, NULL, 't'}, GLOBAL_OPTIONS};
	fn_auto_buf struct fn_buf text = {0};
	char cursor[32] = "oldest";
	bool follow = false;
	int64_t tail = 0;
	const char *name;
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":hf", options, NULL)) != -1) {
		if (c == 'f')
			follow = true;
		else if (c != 't')
			rc = other_option(argv, c);
		else if (fn_str_to_i64(optarg, 1, INT32_MAX, &tail) < 0)
			rc = usage_error(argv[0], "--tail wants a number of lines, not \"%s\"", optarg);
	}
	if (rc == EX_FINE)
		rc = function_argument(argc, argv, &name);
	if (rc == EX_FINE && G.json)
		rc = usage_error(argv[0], "what a function printed is text; `aws logs filter-log-events` has it as JSON, with each event's time");
	if (rc != EX_FINE)
		return rc;
	signal(SIGINT, on_interrupt);
	for (;;) { /* all there is */
		size_t before = text.len;
		const char *from;

		rc = fetch(name, cursor, 0, &text, cursor, sizeof(cursor));
		if (rc != EX_FINE)
			return rc;
		if (text.len > before && (tail > 0 || text.len < (64u << 20)))
			continue;
		if (text.len > 0) {
			from = tail > 0 ? last_lines(text.data, text.len, tail) : text.data;
			print_log(text.data + (from - text.data), (size_t)(text.data + text.len - from), stdout);
		}
		if (text.len == before)
			break;
		fn_buf_reset(&text);
	}
	fflush(stdout);
	while (follow && !ferror(stdout)) {
		fn_buf_reset(&text);
		rc = fetch(name, cursor, 20, &text, cursor, sizeof(cursor));
		if (rc != EX_FINE)
			return rc;
		if (text.len)
			print_log(text.data, text.len, stdout);
		fflush(stdout);
	}
	return EX_FINE;
}
