/*
 * subscription.h - what an extension asks for by the Telemetry API 2022-07-01 or the Logs API 2020-08-15: its request's body, taken apart. Pure.
 *
 * Contract: AWS Lambda Developer Guide "telemetry-api-reference", "runtimes-logs-api"; bounds of buffering as in the schema of AWS's emulator (its pages
 * disagree). The body is a function's: nothing in it is trusted.
 */
#ifndef FN_RUNTIME_SUBSCRIPTION_H
#define FN_RUNTIME_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fn_telemetry_api { FN_API_TELEMETRY, FN_API_LOGS };
enum fn_telemetry_schema { /* how events are told; those of the Logs API first */
	FN_SCHEMA_2020_08_15, FN_SCHEMA_2021_03_18, FN_SCHEMA_2022_07_01, FN_SCHEMA_2022_12_13, FN_SCHEMA_2025_01_29,
};
enum fn_telemetry_kind { FN_TELEMETRY_PLATFORM = 1, FN_TELEMETRY_FUNCTION = 2, FN_TELEMETRY_EXTENSION = 4 };

#define FN_SUBSCRIPTION_BODY_MAX 65536u
#define FN_SUBSCRIPTION_PATH_MAX 2048u

struct fn_subscription {
	enum fn_telemetry_api api;
	enum fn_telemetry_schema schema;
	unsigned kinds;             /* of enum fn_telemetry_kind */
	uint32_t max_items, max_bytes;
	uint64_t timeout_us;        /* after its first event a batch goes out */
	bool tcp, put;              /* put: instead of POST */
	uint16_t port;              /* on 127.0.0.1 in the sandbox */
	char host[24];              /* as it was named */
	char path[FN_SUBSCRIPTION_PATH_MAX]; /* with the query; no byte in it ends a request line */
};

/* -EINVAL: why is a sentence for the extension, plain ASCII. */
int fn_subscription_parse(enum fn_telemetry_api api, const char *body, size_t len, struct fn_subscription *ret, char *why, size_t size);
/* "platform", "function", "extension" */
const char *fn_telemetry_kind_name(enum fn_telemetry_kind kind);

#endif
