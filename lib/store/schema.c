/* schema.c - see schema.h. The configuration of a function is one JSON column: fields come and go with the API, and only what is searched for has a
 * column of its own. */
#include "store/schema.h"

const char *const fn_store_migrations[FN_STORE_SCHEMA] = {
	"CREATE TABLE functions(name TEXT NOT NULL, version TEXT NOT NULL, code_sha256 TEXT NOT NULL, code_size INTEGER NOT NULL,"
	" config TEXT NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;"
	"CREATE INDEX functions_by_code ON functions(code_sha256);"
	"CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO counters VALUES('generation', 0);",
	/* Versions are rows of functions. published.last outlives the versions: numbers are not given twice. */
	"CREATE TABLE published(function TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE aliases(function TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, description TEXT NOT NULL,"
	" other_version TEXT, other_weight REAL NOT NULL, revision_id TEXT NOT NULL, PRIMARY KEY(function, name)) WITHOUT ROWID;",
	"CREATE TABLE reserved(function TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE provisioned(function TEXT NOT NULL, qualifier TEXT NOT NULL, requested INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
	" PRIMARY KEY(function, qualifier)) WITHOUT ROWID;",
	"CREATE TABLE snapshots(tree TEXT PRIMARY KEY) WITHOUT ROWID;",
	/* trees.h. What there is of functions gets rows; images get theirs at the start. */
	"CREATE TABLE trees(name TEXT PRIMARY KEY, state TEXT NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO trees SELECT 'code-'||code_sha256, 'ready', max(coalesce(json_extract(config, '$.unpacked_size'), 0)) FROM functions"
	" GROUP BY code_sha256;"
	"INSERT INTO trees SELECT 'blob-'||code_sha256, 'ready', max(code_size) FROM functions GROUP BY code_sha256;"
	"INSERT INTO trees SELECT tree, 'ready', 0 FROM snapshots;"
	"DROP TABLE snapshots;",
	/* layers.last outlives the versions. layer_versions.config: what is only shown. */
	"CREATE TABLE layers(name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE layer_versions(layer TEXT NOT NULL, version INTEGER NOT NULL, code_sha256 TEXT NOT NULL, code_size INTEGER NOT NULL,"
	" config TEXT NOT NULL, PRIMARY KEY(layer, version)) WITHOUT ROWID;",
	"CREATE TABLE urls(id TEXT PRIMARY KEY, function TEXT NOT NULL, qualifier TEXT NOT NULL, auth INTEGER NOT NULL, cors TEXT, mode INTEGER NOT NULL,"
	" created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL, UNIQUE(function, qualifier)) WITHOUT ROWID;"
	"CREATE TABLE policies(function TEXT NOT NULL, qualifier TEXT NOT NULL, statements TEXT NOT NULL, PRIMARY KEY(function, qualifier)) WITHOUT ROWID;",
	/* identities.h. What signs sessions is with them: without it none of them would outlive a restart. */
	("CREATE TABLE identities(kind TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;"
	 "CREATE TABLE secrets(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"),
	/* Functions with RecursiveLoop Allow. */
	"CREATE TABLE recursion(function TEXT PRIMARY KEY) WITHOUT ROWID;",
	/* Container images by their manifests' digests, which functions name as their code; and those that have been given names here. */
	"CREATE TABLE images(sha256 TEXT PRIMARY KEY, config TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE image_names(name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, created_us INTEGER NOT NULL) WITHOUT ROWID;",
	/* outbox.h */
	"CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, function TEXT NOT NULL, qualifier TEXT NOT NULL, at_us INTEGER NOT NULL);",
	/* Of container images' layers (trees.h); what an older fnd has unpacked has none. */
	"ALTER TABLE trees ADD COLUMN diff_id TEXT NOT NULL DEFAULT '';",
};
