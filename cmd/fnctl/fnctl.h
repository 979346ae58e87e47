/* fnctl.h - shared by the files of fnctl: options of the whole program, HTTP, output, archives. */
#ifndef FNCTL_FNCTL_H
#define FNCTL_FNCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum exit_status { EX_FINE = 0, EX_FUNCTION = 1, EX_BAD_USE = 2, EX_API = 3 };

struct globals {
	const char *endpoint; /* without a trailing slash */
	const char *region;
	const char *key_id, *secret; /* NULL = requests are not signed */
	bool json;
};
extern struct globals G;

/* --- http.c --- */
struct reply {
	long status;
	struct fn_buf body;
	json_t *json;            /* NULL when the body is none */
	char error_type[80];     /* x-amzn-ErrorType */
	char function_error[32]; /* X-Amz-Function-Error */
	char *log_result;        /* X-Amz-Log-Result, base64 */
	char version[40];        /* X-Amz-Executed-Version */
	double ms;               /* as the client saw it */
};

/* headers: NULL-terminated "Name: value". body NULL = none. Returns EX_FINE for any answer below 300; else says on stderr what went
 * wrong, with what to do about it, and returns EX_API. The caller frees with reply_free() either way. */
int request(struct reply *r, const char *operation, const char *method, const char *path, const char *const *headers, const void *body, size_t len,
	    long timeout_s);
void reply_free(struct reply *r);
/* The same, quiet about a 404. */
int request_may_miss(struct reply *r, const char *operation, const char *method, const char *path, bool *ret_missing);
/* With a JSON body, or none (NULL). */
int request_json(struct reply *r, const char *operation, const char *method, const char *path, json_t *body);
/* All pages of GET path, whose rows are the answer's member `key`, into `rows`. */
int request_pages(const char *operation, const char *path, const char *key, json_t *rows);
/* "/2015-03-31/functions/<name><rest>", name percent-encoded; static buffer. */
const char *function_path(const char *name, const char *rest);
/* The same with another of the API's versions. */
const char *function_path_since(const char *version, const char *name, const char *rest);
/* Adds "?key=value" ("&" after the first) to a path, value percent-encoded; false when it does not fit. */
bool add_query(char *path, size_t size, const char *key, const char *value);
/* Adds "/text", percent-encoded. */
bool add_segment(char *path, size_t size, const char *text);

/* --- main.c --- */
/* What every command's getopt table ends with; short options are ":h" and the command's own (the colon: main.c words the errors). */
#define GLOBAL_OPTIONS \
	{"endpoint", required_argument, NULL, OPT_ENDPOINT}, {"region", required_argument, NULL, OPT_REGION}, \
	{"output", required_argument, NULL, OPT_OUTPUT}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}
enum { OPT_ENDPOINT = 1000, OPT_REGION, OPT_OUTPUT };
/* For what getopt_long() returned and the command does not know: a global option is set (EX_FINE), --help prints and exits, all else is
 * an error, said on stderr. */
int other_option(char **argv, int c);
/* The options of a command that has none of its own; optind is then at its first argument. */
int global_options(int argc, char **argv);
/* The same, and --qualifier Q; *ret_qualifier is left alone when it is not given. */
int qualifier_options(int argc, char **argv, const char **ret_qualifier);
/* argv[optind], which must be the last argument and not empty: the function's name. */
int function_argument(int argc, char **argv, const char **ret_name);
/* VERB at argv[optind]: one of `verbs` (NULL-terminated); choice: the same in words. */
int verb_argument(int argc, char **argv, const char *const *verbs, const char *choice, const char **ret_verb);
/* VERB FUNCTION, likewise. */
int verb_arguments(int argc, char **argv, const char *const *verbs, const char *choice, const char **ret_verb, const char **ret_function);
/* An option's value as a member of a request. */
int number_member(json_t *o, const char *key, const char *command, const char *option, const char *text);
int text_member(json_t *o, const char *key, const char *command, const char *option, const char *text);
/* Says what is wrong and how the command is used; returns EX_BAD_USE. */
int usage_error(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- output.c --- */
struct column {
	const char *title, *key; /* key: member of each row */
};
void print_json(json_t *o);
/* Text of others, functions and their owners, for a terminal, which follows what is in it: control characters become spaces. */
void plain_text(char *text);
/* And it is at most so many bytes long, from 3; "..." ends what was longer. */
void brief_text(char *text, size_t most);
void print_table(json_t *rows, const struct column *columns, size_t n);
void print_functions(json_t *rows, const struct column *columns, size_t n); /* the same of functions; of the rows, those of images get a word in Runtime */
/* "Key   value" lines of a function's configuration. */
void print_function(json_t *configuration);

/* --- functions.c --- */
/* Until a function, or a version of it (NULL = $LATEST), is settled, or not, without wait; prints the configuration if `show`. A failed one
 * is EX_API, and why is said on stderr. */
int wait_settled(const char *name, const char *qualifier, bool wait, bool show);

/* --- package.c --- */
/* A directory zipped (the same bytes for the same content), or a zip file as it is, as ZipFile, in base64; of s3://BUCKET/KEY[?versionId=V], where it
 * is. Says on stderr why not. */
int package_member(json_t *o, const char *path);

/* --- layers.c --- */
/* Adds to Layers what --layer says: an ARN, NAME:VERSION, NAME for its newest, or none. */
int layer_member(json_t *o, const char *command, const char *text);

/* --- commands; argv[0] is the command --- */
int cmd_create(int argc, char **argv);
int cmd_update(int argc, char **argv);
int cmd_deploy(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_delete(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_versions(int argc, char **argv);
int cmd_alias(int argc, char **argv);
int cmd_layer(int argc, char **argv);
int cmd_concurrency(int argc, char **argv);
int cmd_url(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_mapping(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_invoke(int argc, char **argv);
int cmd_async(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_disk(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_images(int argc, char **argv);
int cmd_runtime(int argc, char **argv);
/* images.c: a container image becomes a runtime. */
int runtime_of_image(const char *command, const char *name, const char *reference); /* command: as errors name it */

#endif
