/*
 * config_endpoints.h - "events": {"endpoints": ...}: AWS-compatible servers, by service, that fn-events sends to and receives from.
 *
 *   {"sqs": {"url": "https://sqs.example:9324", "region": "eu-west-1", "credentials_file": "/etc/fnd/sqs.json", "ca_file": "/etc/fnd/ca.pem"}}
 */
#ifndef FND_CONFIG_ENDPOINTS_H
#define FND_CONFIG_ENDPOINTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

bool fnd_endpoints_fit(json_t *o);
int fnd_endpoints_place(json_t *o, const char *file); /* relative paths in it are relative to the configuration's file. -ENOMEM */
/* Puts what is in the credentials' files in their place, as "credentials". Waits for the disk; root's. */
int fnd_endpoints_resolve(json_t *o, struct fn_err *err);

#endif
