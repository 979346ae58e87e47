/* schema.h - fnd.db's tables, as numbered migrations (db/db.h). */
#ifndef FN_STORE_SCHEMA_H
#define FN_STORE_SCHEMA_H

#define FN_STORE_SCHEMA 12 /* the newest that this program knows */
extern const char *const fn_store_migrations[FN_STORE_SCHEMA];

#endif
