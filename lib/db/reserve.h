/*
 * reserve.h - room on the disk that is kept back for a database: a file <path>-reserve beside it. SQLite cannot even open one, to read it, where the
 * disk has no room for the files beside it; without, whoever filled the disk would keep fnd from starting.
 */
#ifndef FN_DB_RESERVE_H
#define FN_DB_RESERVE_H

#include <stdbool.h>

/* Where there is none, and the disk has much more room than it takes. */
void fn_db_reserve_keep(const char *path);
/* The disk is full, and has this room from now on. False: it is not, or there was none. */
bool fn_db_reserve_give(const char *path);

#endif
