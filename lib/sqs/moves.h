/* moves.h - message move tasks: they go on after a restart. */
#ifndef FN_SQS_MOVES_H
#define FN_SQS_MOVES_H

#include "sqs/internal.h"

int fn_sqs_moves_load(struct fn_sqs *sqs, sqlite3 *db, struct fn_err *err);
void fn_sqs_moves_free(struct fn_sqs *sqs);
/* The queue whose messages the task of this handle moves; NULL: there is no such task. */
const char *fn_sqs_move_source(struct fn_sqs *sqs, const char *handle);

#endif
