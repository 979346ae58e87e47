/* main.c - fnctl's command line: global options, then a command. See fnctl(1). */
#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fnctl.h"

struct globals G;

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"create", cmd_create, "NAME --runtime R [--handler H] --code DIR|ZIP [options]   make a function"},
	{"update", cmd_update, "NAME [--code DIR|ZIP] [options]                           change code or configuration"},
	{"deploy", cmd_deploy, "NAME DIR|ZIP [options]                                    create it, or update it where it exists"},
	{"list", cmd_list, "                                                          all functions"},
	{"get", cmd_get, "NAME                                                      one function's configuration"},
	{"delete", cmd_delete, "NAME                                                      delete a function"},
	{"invoke", cmd_invoke, "NAME [PAYLOAD|@FILE|-] [--log] [--time] [options]         run a function"},
	{"logs", cmd_logs, "NAME [-f] [--tail LINES]                                  what it printed"},
	{"doctor", cmd_doctor, "                                                          is this host fit to run functions?"},
	{"images", cmd_images, "[rescan]                                                  base images and their runtimes"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
	fputs("Usage: fnctl [--endpoint URL] [--region R] [--output table|json] COMMAND ...\n\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-7s %s\n", commands[i].name, commands[i].help);
	fputs("\nOptions of create, update, deploy: --runtime R --handler H --code PATH --role ARN --memory MB --timeout S --tmp MB\n"
	      "  --env K=V (again for more) --description TEXT --no-wait\n"
	      "Options of invoke: --payload-file F --log --time --qualifier Q --client-context JSON --dry-run --async\n"
	      "\nThe endpoint is --endpoint, $FNCTL_ENDPOINT or http://127.0.0.1:3001. With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set,\n"
	      "requests are signed. Exit status: 0 fine, 1 the function failed, 2 wrong use, 3 fnd or the way to it failed.\n",
	      f);
}

static const char *env_or(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"endpoint", required_argument, NULL, 'e'}, {"region", required_argument, NULL, 'r'},
						{"output", required_argument, NULL, 'o'},   {"version", no_argument, NULL, 'V'},
						{"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
	static char endpoint[512];
	int c, r;

	G.endpoint = env_or("FNCTL_ENDPOINT", "http://127.0.0.1:3001");
	G.region = env_or("AWS_REGION", env_or("AWS_DEFAULT_REGION", "us-east-1"));
	G.key_id = env_or("AWS_ACCESS_KEY_ID", NULL);
	G.secret = env_or("AWS_SECRET_ACCESS_KEY", NULL);
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			G.endpoint = optarg;
			break;
		case 'r':
			G.region = optarg;
			break;
		case 'o':
			if (!fn_streq(optarg, "json") && !fn_streq(optarg, "table"))
				return usage_error("fnctl", "--output is json or table");
			G.json = fn_streq(optarg, "json");
			break;
		case 'V':
			puts("fnctl " FN_VERSION);
			return EX_FINE;
		case 'h':
			usage(stdout);
			return EX_FINE;
		default:
			return EX_BAD_USE;
		}
	}
	snprintf(endpoint, sizeof(endpoint), "%s", G.endpoint);
	while (fn_str_ends(endpoint, "/"))
		endpoint[strlen(endpoint) - 1] = '\0';
	G.endpoint = endpoint;
	if (optind == argc) {
		usage(stderr);
		return EX_BAD_USE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!fn_streq(commands[i].name, argv[optind]))
			continue;
		argc -= optind;
		argv += optind;
		for (int k = 1; k < argc; k++)
			if (fn_streq(argv[k], "--help") || fn_streq(argv[k], "-h")) {
				printf("Usage: fnctl %s %s\n", commands[i].name, commands[i].help);
				return EX_FINE;
			}
		optind = 0; /* getopt anew */
		curl_global_init(CURL_GLOBAL_DEFAULT);
		r = commands[i].run(argc, argv);
		curl_global_cleanup();
		return r;
	}
	fprintf(stderr, "fnctl: there is no command \"%s\"\n\n", argv[optind]);
	usage(stderr);
	return EX_BAD_USE;
}
