/* services.h - which AWS services there are here, by the ids that AWS's SDKs know them by (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"). */
#ifndef FN_API_SERVICES_H
#define FN_API_SERVICES_H

/* Those of which an operation is built: "LAMBDA", "CLOUDWATCH_LOGS"; NULL at the end. */
const char *const *fn_api_services(void);

#endif
