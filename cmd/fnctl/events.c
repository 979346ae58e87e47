/* events.c - events tail: what happens without a caller, as it happens. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "fnctl.h"

#define WAIT_S 20

static void print_event(json_t *e)
{
	double at = json_number_value(json_object_get(e, "Time"));
	const char *said = json_string_value(json_object_get(e, "Detail"));
	fn_auto_free char *detail = said ? strdup(said) : NULL;
	time_t s = (time_t)at;
	struct tm tm;
	char text[32];

	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&s, &tm));
	printf("%s.%03d  %-11s %-24s %-11s", text, (int)((at - (double)s) * 1000), json_string_value(json_object_get(e, "Source")), json_string_value(json_object_get(e, "Function")),
	       json_string_value(json_object_get(e, "Outcome")));
	if (json_integer_value(json_object_get(e, "Records")) > 0)
		printf("  %" JSON_INTEGER_FORMAT " records", json_integer_value(json_object_get(e, "Records")));
	if (json_number_value(json_object_get(e, "Duration")) > 0)
		printf("  %.1f ms", json_number_value(json_object_get(e, "Duration")));
	printf("  %s", json_string_value(json_object_get(e, "Id")));
	if (detail)
		plain_text(detail);
	printf("%s%s\n", detail ? "  " : "", detail ? detail : "");
}

static bool is_of(json_t *e, const char *function)
{
	const char *name = json_string_value(json_object_get(e, "Function"));
	size_t n = function ? strlen(function) : 0;

	return !function || (name && strncmp(name, function, n) == 0 && (!name[n] || name[n] == ':'));
}

static int tail(const char *function, int64_t count)
{
	json_int_t next = 0;

	for (int64_t shown = 0; count == 0 || shown < count;) {
		char path[128];
		struct reply r;
		json_t *e;
		size_t i;
		int rc;

		snprintf(path, sizeof(path), "/_fnd/events?After=%" JSON_INTEGER_FORMAT "&Wait=%d", next, WAIT_S);
		rc = request(&r, "events tail", "GET", path, NULL, NULL, 0, WAIT_S + 30);
		if (rc != EX_FINE) {
			reply_free(&r);
			return rc;
		}
		json_array_foreach(json_object_get(r.json, "Events"), i, e) {
			if (!is_of(e, function) || (count > 0 && shown >= count))
				continue;
			shown++;
			if (G.json)
				print_json(e);
			else
				print_event(e);
		}
		next = json_integer_value(json_object_get(r.json, "Next"));
		reply_free(&r);
		if (fflush(stdout) != 0)
			return EX_API;
	}
	return EX_FINE;
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'n'}, GLOBAL_OPTIONS};
	static const char *const verbs[] = {"tail", NULL};
	const char *verb, *function = NULL;
	int64_t count = 0;
	int c, rc = EX_FINE;

	while (rc == EX_FINE && (c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c != 'n')
			rc = other_option(argv, c);
		else if (fn_str_to_i64(optarg, 1, 1000000, &count) < 0)
			rc = usage_error(argv[0], "--count is a number from 1");
	}
	if (rc == EX_FINE)
		rc = verb_argument(argc, argv, verbs, "tail", &verb);
	if (rc == EX_FINE && optind < argc)
		function = argv[optind++];
	if (rc == EX_FINE && optind < argc)
		rc = usage_error(argv[0], "what is \"%s\"?", argv[optind]);
	return rc == EX_FINE ? tail(function, count) : rc;
}
