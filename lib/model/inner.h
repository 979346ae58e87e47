/* inner.h - the headers of requests between fnd, fn-gateway and fn-events: api/inner.h, api/from_events.h and service/call.h tell what for. */
#ifndef FN_MODEL_INNER_H
#define FN_MODEL_INNER_H

#define FN_INNER_GENERATION "X-Fnd-Generation"
#define FN_INNER_REQUEST_ID "X-Fnd-Request-Id"
#define FN_INNER_STALE "X-Fnd-Stale"
#define FN_INNER_KEY "X-Fnd-Key"             /* of a URL of AuthType AWS_IAM: the access key that the request was signed with, */
#define FN_INNER_TOKEN "X-Fnd-Token"         /* and its session's token */
#define FN_INNER_ADDRESS "X-Fnd-Address"     /* whom the gateway's request is from: aws:SourceIp, */
#define FN_INNER_SECURE "X-Fnd-Secure"       /* and whether it came by TLS; absent = not */
/* GET, with FN_INNER_ADDRESS and FN_INNER_SECURE: 101, then the connection is its client's, to the API */
#define FN_INNER_PASS "/_fnd/pass"
#define FN_INNER_PASSED "aws-api"
#define FN_INNER_FORBIDDEN "X-Fnd-Forbidden" /* an answer: the policies do not allow it; nothing has run */
/* fnd to fn-events */
#define FN_INNER_SERVICE "X-Fnd-Service"     /* in lower case: "lambda", "sqs" */
#define FN_INNER_OPERATION "X-Fnd-Operation" /* "SendMessage" */
#define FN_INNER_PROTOCOL "X-Fnd-Protocol"   /* "rest-json", "json" or "query" */
#define FN_INNER_PRINCIPAL "X-Fnd-Principal" /* an ARN; "" = nobody */
#define FN_INNER_USER_ID "X-Fnd-User-Id"     /* aws:userid: the account's id for root, AIDA.. of a user, AROA..:SESSION */
#define FN_INNER_IDENTITY "X-Fnd-Identity"   /* what the identity's own policies say: fn_iam_identity_word() */
#define FN_INNER_CONTEXT "X-Fnd-Context"     /* what conditions ask of the request: a JSON object of keys in lower case; of root there is none */
#define FN_INNER_HOST "X-Fnd-Host"           /* as the client has called us: name and port */
#define FN_INNER_FUNCTION "X-Fnd-Function"   /* of Invoke: the ARN as it was asked for, with the qualifier if there was one */
#define FN_INNER_FORGET "_Forget"            /* of the service "lambda": {"FunctionName", "Qualifier", "At"}, deleted then; 200 = it is done */
#define FN_INNER_METRICS "_Metrics"
#define FN_INNER_MAPPED "_Mapped"             /* of the service "lambda", by the path of an operation on an event source mapping: 200 {"Function"}: as it is invoked; "" = there is none */
#define FN_INNER_JUDGED "X-Fnd-Judged"         /* of such an operation: that function, by which it was judged; absent = nobody was */
#define FN_INNER_RIGHTS_MAX 4096               /* asked for at once: api/rights.h */
/* fnd's answers to fn-events */
#define FN_INNER_CONCURRENCY "X-Fnd-Concurrency" /* of an invocation: "RESERVED LEFT": of its function, -1 = none; what the account has beyond all reservations */
#define FN_INNER_REFUSAL "X-Fnd-Refusal"     /* of an invocation that did not run: "account", "function", "off" (reserved concurrency 0), "machine", "platform" */
/* In the state directory: fnd's listening socket for fn-gateway, fnd's for fn-events, fn-events' for fnd. */
#define FN_INNER_SOCKET "gateway.sock"
#define FN_INVOKE_SOCKET "invoke.sock"
#define FN_EVENTS_SOCKET "events.sock"
#define FN_HANDOVER_SOCKET "handover.sock" /* fn-events' for fnd, SEQPACKET: service/handover.h */

#endif
