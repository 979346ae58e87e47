/*
 * survey.h - which trees there are, and how large they are: fn-spawnd's answer, by a child of its own, since a walk through them takes as long as
 * the disk does. What is still being unpacked or removed is left out.
 *
 * The answer is a file in memory, a line "<name> <bytes>" for each tree in no order; bytes as fn-unpack counts them (the files' sizes, those of
 * several names once), 0 unless they were asked for.
 */
#ifndef FN_SPAWN_SURVEY_H
#define FN_SPAWN_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"

#define FN_SURVEY_NAME_SIZE 72 /* as FN_TREE_NAME_SIZE, sandbox/spec.h */
/* In fnd: takes the next line of an answer; false = there is none. */
bool fn_survey_next(const char **at, char name[FN_SURVEY_NAME_SIZE], uint64_t *ret_bytes);

/* fd is the survey's again when this returns. */
typedef void (*fn_surveyed_fn)(void *arg, uint64_t request, const struct fn_err *err, int fd);
/* fn is called once, perhaps at once, unless it is ended before. surveys: those under way, the caller's list. */
void fn_survey_start(struct fn_list *surveys, struct fn_loop *loop, const char *trees_dir, bool measure, fn_surveyed_fn fn, void *arg, uint64_t request);
/* Ends those that are under way; nobody is told. */
void fn_surveys_end(struct fn_list *surveys);

#endif
