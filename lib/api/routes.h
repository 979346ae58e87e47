/* routes.h - Lambda's operations and fnd's own, and who answers them here. */
#ifndef FN_API_ROUTES_H
#define FN_API_ROUTES_H

#include "api/internal.h"

/* The process that answers it. FN_EVENTS: those whose handler is fn_h_proxy. */
enum fn_server { FN_FND, FN_EVENTS };
enum fn_server fn_route_served_by(const struct fn_aws_operation *o);
const char *fn_server_name(enum fn_server s);
#define FN_NOT_IMPLEMENTED "fnd does not implement %s yet" /* the answer of one that is not built */
/* Of one that works: the members and values of them that are refused yet, with commas between; NULL = none is. */
const char *fn_route_lacks(const struct fn_aws_operation *o);
/* NULL = an operation of Lambda's that is not built yet. */
fn_handler fn_route_handler(const struct fn_aws_operation *o);
/* The largest body that a request may have. o NULL = no operation of that name. */
size_t fn_route_body_max(const struct fn_aws_operation *o);
/* Where in its body a code package is: {"Code", "ZipFile"}; NULL = there is none. o as before. */
const char *const *fn_route_package(const struct fn_aws_operation *o);

#endif
