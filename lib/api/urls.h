/* urls.h - the address of a function URL. */
#ifndef FN_API_URLS_H
#define FN_API_URLS_H

#include "api/internal.h"

/* "http://<id>.lambda-url.<region>.<domain>/" */
void fn_url_address(const struct fn_api_config *cfg, const char *id, char *out, size_t size);

#endif
