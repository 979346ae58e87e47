/* main.c - fnctl's command line: global options, then a command. See fnctl(1). */
#include <ctype.h>
#include <curl/curl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "fnctl.h"

struct globals G;

#define CONTROL_SOCKET "/var/lib/fnd/control.sock" /* of the service */

static char endpoint[512];

#define CONFIGURATION_HELP \
	"  --runtime R         python3.11, provided.al2023, ...; `fnctl runtime list` shows what there is\n" \
	"  --handler H         file.function; what it means is the runtime's affair\n" \
	"  --code DIR|ZIP      a directory is zipped, without .git and __pycache__; s3://BUCKET/KEY: fnd gets it from its S3 server\n" \
	"  --image REFERENCE   in place of code (and of runtime and handler): a container image, by its name here or in its registry\n" \
	"  --role ARN          arn:aws:iam::000000000000:role/fnd\n" \
	"  --memory MB         128 to 10240; a CPU's share goes with it\n" \
	"  --timeout S         1 to 900\n" \
	"  --tmp MB            512 to 10240: the size of /tmp\n" \
	"  --env NAME=VALUE    an environment variable; again for more. An update replaces all of them; none: no more\n" \
	"  --description TEXT\n" \
	"  --layer L           a layer version: an ARN, NAME:N, or NAME for the newest; again for more, later ones'\n" \
	"                      files win. An update replaces all of them; none: no more\n" \
	"  --snap-start on|off versions published from now on begin from a snapshot of their init\n" \
	"  --per-tenant        of a new function: each tenant has environments of its own, for good\n" \
	"  --no-wait           do not wait until the function is ready\n"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args, *help, *options;
} commands[] = {
	{"create", cmd_create, "NAME --runtime R [--handler H] --code DIR|ZIP | NAME --image REFERENCE [options]", "make a function", CONFIGURATION_HELP},
	{"update", cmd_update, "NAME [--code DIR|ZIP | --image REFERENCE] [options]", "change code or configuration", CONFIGURATION_HELP},
	{"deploy", cmd_deploy, "NAME DIR|ZIP [options]", "create it, or update it where it exists", CONFIGURATION_HELP},
	{"list", cmd_list, "", "all functions", ""},
	{"get", cmd_get, "NAME [--qualifier Q]", "one function's configuration", "  --qualifier Q       of a version or an alias\n"},
	{"delete", cmd_delete, "NAME [--qualifier N]", "delete a function, or one version of it",
	 "  --qualifier N       only version N; without it, the function with all versions and aliases\n"},
	{"publish", cmd_publish, "NAME [--description TEXT]", "make a version of the function as it is now",
	 "  --description TEXT\n"
	 "  --code-sha256 SHA   only if the code is still this, as `fnctl get` shows it\n"
	 "  --no-wait           do not wait, neither until the function is ready nor for the snapshot (SnapStart)\n"
	 "\nA version has a number and never changes. Without a change since the last one there is no new one.\n"},
	{"versions", cmd_versions, "NAME", "the versions of a function", ""},
	{"alias", cmd_alias, "create|update|get|list|delete NAME [ALIAS] [options]", "names for versions",
	 "  --version N         the version it stands for (list: only the aliases of version N)\n"
	 "  --weight N=SHARE    version N gets this share of the invocations, 0 to 1; none: no more\n"
	 "  --description TEXT\n"
	 "  --revision-id ID    update only if the alias is still at this revision\n"},
	{"layer", cmd_layer, "publish|import|list|get|delete [LAYER] [DIR|ZIP]", "what functions share, below /opt",
	 "  --description TEXT\n"
	 "  --license TEXT\n"
	 "  --compatible-runtime R       a runtime it says it is for; again for more\n"
	 "  --compatible-architecture A  x86_64 or arm64, likewise\n"
	 "\npublish NAME DIR|ZIP makes its next version. import ARN DIR|ZIP gives another account's layer version, as templates name\n"
	 "it, its content here. get and delete want NAME:N or an ARN; list NAME shows one layer's versions.\n"},
	{"concurrency", cmd_concurrency, "put|get|delete|list NAME [N] [--qualifier Q]", "reserved and provisioned concurrency",
	 "  --qualifier Q       provisioned for this version or alias; without it, reserved for the function\n"
	 "\nput wants the number; 0 reserved stops the function. list shows what is provisioned.\n"},
	{"url", cmd_url, "create|get|list|delete NAME [options]", "an address for a function",
	 "  --qualifier ALIAS   of an alias; without it, of the function as it is\n"
	 "  --iam               only for who signs with a configured key; without it, for everybody\n"
	 "  --stream            what the function sends leaves at once (InvokeMode RESPONSE_STREAM)\n"
	 "  --cors ORIGIN       pages of this origin may use it, * for all; again for more\n"},
	{"queue", cmd_queue, "create|list|send|receive|purge|delete|attributes [NAME] [...]", "SQS queues",
	 "  --group G           send: the message's group (FIFO)\n"
	 "  --dedup ID          send: its deduplication id (FIFO)\n"
	 "  --delay S           send: not before so many seconds\n"
	 "  --max N             receive: so many at most, 1 to 10; 1 without it\n"
	 "  --wait S            receive: wait so long for a first one, up to 20\n"
	 "  --visibility S      receive: hide them so long\n"
	 "  --keep              receive: do not delete them\n"
	 "\ncreate and attributes take NAME=VALUE ... (VisibilityTimeout=60); attributes without any shows all. send takes the body,\n"
	 "@FILE or -; receive prints bodies and deletes the messages. A name that ends in .fifo makes a FIFO queue.\n"},
	{"mapping", cmd_mapping, "create NAME QUEUE|list [NAME]|get|update|delete UUID [options]", "queues that drive functions",
	 "  --batch-size N      messages at once, 10; to 10000 with a window\n"
	 "  --window S          a batch that is not full waits so long for more, 0 to 300\n"
	 "  --concurrency N     batches at once, 2 to 1000; none: as many as there may be\n"
	 "  --filter PATTERN    only messages that match, {\"body\": {\"kind\": [\"new\"]}}; again for more, any of them\n"
	 "                      will do; none: no more\n"
	 "  --report-failures on|off  the function's answer says which messages have failed\n"
	 "  --enable            go on\n"
	 "  --disable           stop, and leave messages in the queue\n"
	 "\nQUEUE is an ARN, or the name of a queue of fnd's own.\n"},
	{"events", cmd_events, "tail [NAME] [--count N]", "what happens without a caller, as it happens",
	 "  --count N           only so many\n"},
	{"invoke", cmd_invoke, "NAME [PAYLOAD|@FILE|-] [options]", "run a function",
	 "  --payload-file F    the event is in a file; - is standard input\n"
	 "  --log               the last 4 KB of its log, on standard error\n"
	 "  --time              how long it took, as seen from here, on standard error\n"
	 "  --qualifier Q       a version or an alias\n"
	 "  --client-context J  JSON for the context object\n"
	 "  --tenant-id T       whose environments it runs in: of a function made --per-tenant\n"
	 "  --dry-run           check only\n"
	 "  --async             do not wait for the result\n"},
	{"async", cmd_async, "status | list|show|replay|purge NAME [ID]", "events that wait for functions, or were given up",
	 "  --failed            those that were given up, instead of those that wait\n"
	 "\nNAME may be NAME:ALIAS. show wants a request id. replay puts back all that was given up.\n"},
	{"logs", cmd_logs, "NAME [-f] [--tail LINES]", "what it printed",
	 "  -f, --follow        go on as more is printed, until interrupted\n"
	 "  --tail LINES        only the last LINES lines of what there is\n"},
	{"disk", cmd_disk, "[--check]", "what holds space on fnd's disk, and for whom",
	 "  --check             compare what is written down with what is there; exit status 1 if they differ\n"},
	{"doctor", cmd_doctor, "[--api[=SERVICE]]", "is this host fit to run functions?",
	 "  --api[=SERVICE]     instead: which operations of lambda (or logs, sqs, iam, sts) work, and which are refused\n"},
	{"images", cmd_images, "[rescan | local | import FILE|REFERENCE [--as NAME] | forget NAME | runtime NAME REFERENCE|none]", "base images (rescan installs new ones), and container images that have names here",
	 "  --as NAME           import: the name; otherwise the one that it has there\n"},
	{"runtime", cmd_runtime, "list | add NAME [--image REFERENCE] | remove NAME", "runtimes: from where, how large, used by how many; one installed, one removed",
	 "  --image REFERENCE   add: a container image of the layout of AWS's base images, in place of a recipe's\n"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (fn_streq(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void usage(FILE *f)
{
	fputs("Usage: fnctl [options] COMMAND ...\n\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-11s %s\n", commands[i].name, commands[i].help);
	fputs("\nOptions, before or after the command:\n"
	      "  --endpoint URL      where fnd is: $FNCTL_ENDPOINT, else its control socket, " CONTROL_SOCKET ",\n"
	      "                      if you may use that, else http://127.0.0.1:3001; unix:PATH is another control socket\n"
	      "  --region R          for signatures: $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1\n"
	      "  --output table|json\n"
	      "  --help, --version   `fnctl COMMAND --help`, or `fnctl help COMMAND`, tells a command's arguments and options\n"
	      "\nWith AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set, requests are signed.\n"
	      "Exit status: 0 fine, 1 the function failed, 2 wrong use, 3 fnd or the way to it failed.\n",
	      f);
}

static void command_usage(FILE *f, const struct command *c)
{
	fprintf(f, "Usage: fnctl %s%s%s\n", c->name, *c->args ? " " : "", c->args);
}

/* Of a command, or of all (NULL), on standard output. */
static void help(const struct command *c)
{
	if (!c) {
		usage(stdout);
		return;
	}
	command_usage(stdout, c);
	printf("\n%c%s%s\n%s%s", toupper((unsigned char)c->help[0]), c->help + 1, fn_str_ends(c->help, "?") ? "" : ".", *c->options ? "\n" : "", c->options);
}

#define TYPED_MAX 16 /* of a word that may have been meant for a command; the longest has 11 */

/* How many letters are to be put in, taken out or changed (Levenshtein), of words of TYPED_MAX at most. */
static size_t distance(const char *a, const char *b)
{
	size_t row[TYPED_MAX + 1], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t other = a[i - 1] == b[j - 1] ? diagonal : diagonal + 1, put = row[j - 1] + 1, taken = row[j] + 1;

			diagonal = row[j];
			row[j] = put < other ? put : other;
			row[j] = taken < row[j] ? taken : row[j];
		}
	}
	return row[n];
}

/* A command's beginning, or a slip: one letter of a short word, two of a longer one. NULL: nothing near. */
static const char *meant(const char *typed)
{
	size_t least = strlen(typed) < 5 ? 2 : 3, d;
	const char *best = NULL;

	if (strlen(typed) > TYPED_MAX || !*typed)
		return NULL;
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (fn_str_starts(commands[i].name, typed))
			return commands[i].name;
		if ((d = distance(typed, commands[i].name)) < least) {
			least = d;
			best = commands[i].name;
		}
	}
	return best;
}

static int no_command(const char *typed)
{
	const char *near = meant(typed);

	fprintf(stderr, "fnctl: there is no command \"%s\"", typed);
	if (near)
		fprintf(stderr, "; did you mean %s?", near);
	fputs("\n`fnctl --help` lists the commands.\n", stderr);
	return EX_BAD_USE;
}

int usage_error(const char *command, const char *fmt, ...)
{
	const struct command *c = find_command(command);
	va_list ap;

	fprintf(stderr, c ? "fnctl: %s: " : "fnctl: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (c)
		command_usage(stderr, c);
	fprintf(stderr, "`fnctl %s%s--help` shows more.\n", c ? c->name : "", c ? " " : "");
	return EX_BAD_USE;
}

static int set_endpoint(const char *url)
{
	if (fn_str_empty(url) || fn_str_format(endpoint, sizeof(endpoint), "%s", url) < 0)
		return usage_error("fnctl", "the endpoint is no URL fnctl can use");
	while (fn_str_ends(endpoint, "/"))
		endpoint[strlen(endpoint) - 1] = '\0';
	G.endpoint = endpoint;
	return EX_FINE;
}

static int bad_option(const char *command, char **argv, int c)
{
	const char *last = argv[optind - 1];

	if (c == ':')
		return usage_error(command, "%s needs a value", last);
	if (optopt == 0 || (fn_str_starts(last, "--") && strchr(last, '=')))
		return usage_error(command, "there is no option %s", last);
	return usage_error(command, "there is no option -%c", isprint(optopt) ? optopt : '?');
}

int other_option(char **argv, int c)
{
	const struct command *command = find_command(argv[0]);

	switch (c) {
	case OPT_ENDPOINT:
		return set_endpoint(optarg);
	case OPT_REGION:
		G.region = optarg;
		return EX_FINE;
	case OPT_OUTPUT:
		if (!fn_streq(optarg, "json") && !fn_streq(optarg, "table"))
			return usage_error(argv[0], "--output is json or table, not \"%s\"", optarg);
		G.json = fn_streq(optarg, "json");
		return EX_FINE;
	case 'h':
		help(command);
		exit(fflush(stdout) == 0 ? EX_FINE : EX_API);
	default:
		return bad_option(command ? argv[0] : "fnctl", argv, c);
	}
}

int global_options(int argc, char **argv)
{
	static const struct option options[] = {GLOBAL_OPTIONS};
	int c, r = EX_FINE;

	while (r == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1)
		r = other_option(argv, c);
	return r;
}

int qualifier_options(int argc, char **argv, const char **ret_qualifier)
{
	static const struct option options[] = {{"qualifier", required_argument, NULL, 'q'}, GLOBAL_OPTIONS};
	int c, r = EX_FINE;

	while (r == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'q')
			*ret_qualifier = optarg;
		else
			r = other_option(argv, c);
	}
	return r;
}

int function_argument(int argc, char **argv, const char **ret_name)
{
	if (optind + 1 != argc || !*argv[optind])
		return usage_error(argv[0], "wants one function's name");
	*ret_name = argv[optind];
	return EX_FINE;
}

int verb_argument(int argc, char **argv, const char *const *verbs, const char *choice, const char **ret_verb)
{
	const char *given = optind < argc ? argv[optind++] : NULL;

	while (*verbs && !fn_streq(*verbs, given))
		verbs++;
	if (!*verbs)
		return given ? usage_error(argv[0], "what is \"%s\"? %s", given, choice) : usage_error(argv[0], "%s?", choice);
	*ret_verb = *verbs;
	return EX_FINE;
}

int verb_arguments(int argc, char **argv, const char *const *verbs, const char *choice, const char **ret_verb, const char **ret_function)
{
	int rc = verb_argument(argc, argv, verbs, choice, ret_verb);

	if (rc != EX_FINE)
		return rc;
	*ret_function = optind < argc ? argv[optind++] : NULL;
	return fn_str_empty(*ret_function) ? usage_error(argv[0], "which function?") : EX_FINE;
}

int number_member(json_t *o, const char *key, const char *command, const char *option, const char *text)
{
	int64_t v;

	if (fn_str_to_i64(text, 0, INT32_MAX, &v) < 0)
		return usage_error(command, "%s wants a whole number, not \"%s\"", option, text);
	json_object_set_new(o, key, json_integer(v));
	return EX_FINE;
}

int text_member(json_t *o, const char *key, const char *command, const char *option, const char *text)
{
	json_t *s = json_string(text);

	return s && json_object_set_new(o, key, s) == 0 ? EX_FINE : usage_error(command, "%s wants UTF-8 text", option);
}

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

/* A result that was not written whole (a full disk) is no result. */
static int flush_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "fnctl: the output could not be written whole\n");
	return status == EX_FINE ? EX_API : status;
}

static int run(const struct command *command, int argc, char **argv)
{
	int r;

	optind = 0; /* getopt anew */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	r = command->run(argc, argv);
	curl_global_cleanup();
	return flush_stdout(r);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'V'}, GLOBAL_OPTIONS};
	const struct command *command;
	int c, r;

	G.region = env_or("AWS_REGION", env_or("AWS_DEFAULT_REGION", "us-east-1"));
	G.key_id = env_or("AWS_ACCESS_KEY_ID", NULL);
	G.secret = env_or("AWS_SECRET_ACCESS_KEY", NULL);
	r = set_endpoint(env_or("FNCTL_ENDPOINT", access(CONTROL_SOCKET, R_OK | W_OK) == 0 ? "unix:" CONTROL_SOCKET : "http://127.0.0.1:3001"));
	while (r == EX_FINE && (c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'V') {
			puts("fnctl " FN_VERSION);
			return flush_stdout(EX_FINE);
		}
		r = other_option(argv, c);
	}
	if (r != EX_FINE)
		return r;
	if (optind == argc) {
		usage(stderr);
		return EX_BAD_USE;
	}
	command = find_command(argv[optind]);
	if (command)
		return run(command, argc - optind, argv + optind);
	if (!fn_streq(argv[optind], "help") || optind + 2 < argc)
		return no_command(argv[optind]);
	if (optind + 1 < argc && !(command = find_command(argv[optind + 1])))
		return no_command(argv[optind + 1]);
	help(command);
	return flush_stdout(EX_FINE);
}
