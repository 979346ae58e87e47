/* routes.h - Lambda's operations and fnd's own, and who answers them here. */
#ifndef FN_API_ROUTES_H
#define FN_API_ROUTES_H

#include "api/internal.h"

/* NULL = an operation of Lambda's that is not built yet. */
fn_handler fn_route_handler(const struct fn_aws_operation *o);
/* The largest body that a request may have. o NULL = no operation of that name. */
size_t fn_route_body_max(const struct fn_aws_operation *o);
/* Where in its body a code package is: {"Code", "ZipFile"}; NULL = there is none. o as before. */
const char *const *fn_route_package(const struct fn_aws_operation *o);

#endif
