/* schema.h - events.db: what all services of fn-events keep. */
#ifndef FN_SERVICE_SCHEMA_H
#define FN_SERVICE_SCHEMA_H

#include "db/db.h"

/* Opens or makes it, migrated to the current schema. Waits for the disk. */
int fn_events_db_open(const char *path, sqlite3 **ret, struct fn_err *err);

#endif
