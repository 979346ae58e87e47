/* main.c - fnd's command line. See fnd(8). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "fnd.h"

#define DEFAULT_CONFIG "/etc/fnd/fnd.json"

static void usage(FILE *f)
{
	fputs("Usage: fnd [--listen ADDRESS:PORT] [--state DIR] [--config FILE] [--images DIR] [--check-config]\n"
	      "\n"
	      "Runs functions behind AWS Lambda's API. Start it as root: it gives up its privileges but for a small helper, fn-spawnd.\n"
	      "  --listen ADDRESS:PORT  where the API is served (127.0.0.1:3001); anything but loopback needs credentials\n"
	      "  --state DIR            functions, code, logs (/var/lib/fnd)\n"
	      "  --config FILE          configuration, JSON (" DEFAULT_CONFIG " where it exists)\n"
	      "  --images DIR           base image bundles to install at start\n"
	      "  --check-config         check the configuration and exit\n"
	      "  --version, --help\n",
	      f);
}

static int fail(const struct fn_err *err)
{
	char text[512];

	fprintf(stderr, "fnd: %s\n", fn_err_format(err, text, sizeof(text)));
	return 1;
}

static void override(char **member, const char *value)
{
	if (value) {
		free(*member);
		*member = strdup(value);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'}, {"state", required_argument, NULL, 's'},
						{"config", required_argument, NULL, 'c'}, {"images", required_argument, NULL, 'i'},
						{"check-config", no_argument, NULL, 'k'}, {"version", no_argument, NULL, 'V'},
						{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
	const char *listen = NULL, *state = NULL, *file = NULL, *images = NULL;
	struct fnd_config config;
	struct fn_err err = {0};
	bool check = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			listen = optarg;
			break;
		case 's':
			state = optarg;
			break;
		case 'c':
			file = optarg;
			break;
		case 'i':
			images = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'V':
			puts("fnd " FN_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "fnd: what is \"%s\"?\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	if (fnd_config_init(&config) < 0)
		return 1;
	if (!file && access(DEFAULT_CONFIG, F_OK) == 0)
		file = DEFAULT_CONFIG;
	r = file ? fnd_config_load(&config, file, &err) : 0;
	override(&config.listen, listen);
	override(&config.state_dir, state);
	override(&config.images_dir, images);
	if (r == 0)
		r = fnd_config_finish(&config, &err);
	if (r < 0)
		r = fail(&err);
	else if (check)
		printf("fnd: the configuration is fine\n");
	else
		r = fnd_master_run(&config);
	fnd_config_free(&config);
	return r;
}
