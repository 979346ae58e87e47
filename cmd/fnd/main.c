/* main.c - fnd's command line. See fnd(8). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "fnd.h"
#include "sealed.h"

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

int main(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'}, {"state", required_argument, NULL, 's'},
						{"config", required_argument, NULL, 'c'}, {"images", required_argument, NULL, 'i'},
						{"check-config", no_argument, NULL, 'k'}, {"version", no_argument, NULL, 'V'},
						{"help", no_argument, NULL, 'h'},         {"worker", required_argument, NULL, 'w'},
						{"urls", required_argument, NULL, 'u'},
						{NULL, 0, NULL, 0}};
	struct fnd_options o = {NULL};
	const char *worker = NULL;
	struct fnd_config config;
	struct fn_err err = {0};
	bool check = false;
	int c, copy;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			o.listen = optarg;
			break;
		case 's':
			o.state = optarg;
			break;
		case 'c':
			o.file = optarg;
			break;
		case 'i':
			o.images = optarg;
			break;
		case 'w': /* fnd.h */
			worker = optarg;
			break;
		case 'u':
			o.urls = optarg;
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
	if (worker)
		return fnd_worker_enter(&o, worker);
	if (!o.file && access(DEFAULT_CONFIG, F_OK) == 0)
		o.file = DEFAULT_CONFIG;
	copy = o.file ? fnd_sealed_copy(o.file) : -EBADF;
	if (fnd_config_make(&config, &o, copy, &err) < 0)
		return fail(&err);
	if (!check)
		return fnd_supervise(&o, &config, copy);
	if (fnd_config_files(&config, &err) < 0 || (geteuid() == 0 && (copy = fnd_config_fetch(&config, &err)) < 0)) { /* whose files are root's */
		fnd_config_free(&config);
		return fail(&err);
	}
	printf("fnd: the configuration is fine\n");
	fnd_config_free(&config);
	return 0;
}
