/* limits.h - Lambda's limits (Developer Guide, "Lambda quotas"; API model 2015-03-31). */
#ifndef FN_MODEL_LIMITS_H
#define FN_MODEL_LIMITS_H

#define FN_LIMIT_ZIP_BYTES 52428800          /* direct upload, where package_max_mb does not say otherwise */
#define FN_LIMIT_REQUEST_BYTES 70167211      /* a CreateFunction or UpdateFunctionCode request */
#define FN_LIMIT_UNZIPPED_BYTES 262144000
#define FN_LIMIT_ENTRIES 100000              /* ours: files in one package */
#define FN_LIMIT_CODE_STORAGE_BYTES 80530636800
#define FN_LIMIT_INVOKE_BYTES 6291456        /* event, synchronous */
#define FN_LIMIT_PUT_EVENTS_BYTES 8388608   /* ours: a PutLogEvents request, whose events may have 1 MB, as JSON */
#define FN_LIMIT_SQS_REQUEST_BYTES 4194304   /* ours: a message or batch of 1 MB, as JSON or as a form */
#define FN_LIMIT_IAM_REQUEST_BYTES 1048576   /* ours: a policy document of 128 K characters, as a form */
#define FN_LIMIT_CLIENT_CONTEXT 3583
#define FN_LIMIT_EVENT_BYTES 1048576         /* of an asynchronous invocation */
#define FN_LIMIT_ENV_BYTES 4096
#define FN_LIMIT_MEMORY_MIN 128
#define FN_LIMIT_MEMORY_MAX 10240
#define FN_LIMIT_TIMEOUT_MAX 900
#define FN_LIMIT_TMP_MIN 512
#define FN_LIMIT_TMP_MAX 10240
#define FN_LIMIT_TAGS 50
#define FN_LIMIT_POLICY_BYTES 20480          /* of a resource's policy */
#define FN_LIMIT_LOG_GROUP 512

#endif
