/*
 * writer.h - what the loop hands over, written to the groups it is for. A batch is records of segment.h; their stream's number is one that was defined
 * before, by a record of its own. In the store's thread, but for what makes records.
 */
#ifndef FN_LOGS_WRITER_H
#define FN_LOGS_WRITER_H

#include "logs/store.h"

struct fn_log_writer;
int fn_log_writer_new(struct fn_log_store *s, struct fn_log_writer **ret);
void fn_log_writer_free(struct fn_log_writer *w); /* NULL is fine */
void fn_log_writer_take(struct fn_log_writer *w, const void *records, size_t len, int64_t now_ms);

/* Records: from here on that number is this stream; is nobody's any more. */
int fn_log_writer_define(struct fn_buf *b, uint32_t number, const char *group, const char *stream);
int fn_log_writer_forget(struct fn_buf *b, uint32_t number);

#endif
