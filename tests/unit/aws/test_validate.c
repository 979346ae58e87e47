/* Requests as they come, and what is said of them: as recorded from the service where it was. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "aws/validate.h"

#include <pcre2.h>
#include <string.h>

#include "aws/pattern.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "unit/main.h"

#define F "/2015-03-31/functions"
#define ONE "1 validation error detected: "
#define FAILS "' failed to satisfy constraint: "
#define REGION "(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}"
#define RX_ALL "(arn:(aws[a-zA-Z-]*)?:lambda:)?(" REGION ":)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
#define RX_NEW "(arn:(aws[a-zA-Z-]*)?:lambda:)?(" REGION ":)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
#define RX_QUALIFIER "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
#define RX_ROLE "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
#define PATTERN "Member must satisfy regular expression pattern: "
#define LONGER(n) "Member must have length less than or equal to " #n
#define NOT_NULL "Member must not be null"
#define CREATE "\"FunctionName\":\"f\",\"Role\":\"arn:aws:iam::000000000000:role/r\",\"Code\":{}"
#define ACCOUNT "arn:aws:lambda:us-east-1:000000000000:"

#define C10 "xxxxxxxxxx"
#define C50 C10 C10 C10 C10 C10
#define C129 C50 C50 C10 C10 "xxxxxxxxx"
#define C141 C129 C10 "xx"
#define C171 C141 C10 C10 C10

static const char *no_header(void *arg, const char *name)
{
	const char *const *h = arg;

	for (; h && *h; h += 2)
		if (strcasecmp(h[0], name) == 0)
			return h[1];
	return NULL;
}

/* What is said of the request; "" = nothing. *ret_body (may be NULL): the body as it is afterwards. */
static const char *said(const char *method, const char *path, const char *query, const char *body, const char *const *headers, json_t **ret_body)
{
	static struct fn_buf why;
	struct fn_aws_labels labels;
	const struct fn_aws_operation *o = fn_aws_route(method, path, query, &labels);
	json_t *in = body ? json_loads(body, 0, NULL) : NULL;
	struct fn_aws_request r = {.labels = &labels, .query = query, .header = no_header, .arg = (void *)headers, .body = in};
	enum fn_aws_verdict v;

	ck_assert_ptr_nonnull(o);
	ck_assert(!body || in);
	fn_buf_reset(&why);
	v = fn_aws_validate(o, &r, &why);
	ck_assert_int_eq(v == FN_AWS_VALID, why.len == 0);
	ck_assert_int_eq(v == FN_AWS_INVALID, why.len > 0 && strstr(why.data, " detected: ") != NULL);
	if (ret_body)
		*ret_body = in;
	else
		json_decref(in);
	return why.len ? why.data : "";
}

static const struct {
	const char *method, *path, *query, *body, *said;
} cases[] = {
	/* names and qualifiers */
	{"GET", F "/f", "", NULL, ""},
	{"GET", F "/" ACCOUNT "function:f:$LATEST.PUBLISHED", "Qualifier=$latest", NULL, ""},
	{"GET", F "/arn:aws:lambda:us-east-1:000000000000:function", "", NULL, ""},
	{"GET", F "/a%20b", "", NULL, ONE "Value 'a b' at 'functionName" FAILS PATTERN RX_ALL},
	{"GET", F "/arn:aws:lambda:invalid-region:000000000000:function:f", "", NULL,
	 ONE "Value 'arn:aws:lambda:invalid-region:000000000000:function:f' at 'functionName" FAILS PATTERN RX_ALL},
	{"GET", F "/f", "Qualifier=" C129, NULL, ONE "Value '" C129 "' at 'qualifier" FAILS LONGER(128)},
	{"GET", F "/a%20b", "Qualifier=a%3A" C129, NULL,
	 "3 validation errors detected: Value 'a b' at 'functionName" FAILS PATTERN RX_ALL "; Value 'a:" C129 "' at 'qualifier" FAILS LONGER(128) "; Value 'a:" C129
	 "' at 'qualifier" FAILS PATTERN RX_QUALIFIER},
	{"GET", F "/f", "Qualifier=", NULL,
	 "2 validation errors detected: Value '' at 'qualifier" FAILS "Member must have length greater than or equal to 1; Value '' at 'qualifier" FAILS PATTERN RX_QUALIFIER},
	{"GET", F "/" C171, "", NULL, ONE "Value '" C171 "' at 'functionName" FAILS LONGER(170)},
	{"POST", F "/" C171 "/invocations", "", NULL, ONE "Value '" C171 "' at 'functionName" FAILS LONGER(170)},
	{"POST", F "/" C141 "/invocations", "", NULL, ""},
	{"DELETE", F "/" C141, "", NULL, ONE "Value '" C141 "' at 'functionName" FAILS LONGER(140)},
	{"GET", F "/%ff", "", NULL, ONE "Value '\xef\xbf\xbd' at 'functionName" FAILS PATTERN RX_ALL},
	{"GET", F "/%zz", "", NULL, ONE "Value '%zz' at 'functionName" FAILS PATTERN RX_ALL},
	{"GET", F "/f%0a", "", NULL, ONE "Value 'f\n' at 'functionName" FAILS PATTERN RX_ALL}, /* '$' would match before it */
	/* CreateFunction */
	{"POST", F, "", "{" CREATE "}", ""},
	{"POST", F "/", "", "{}",
	 "3 validation errors detected: Value null at 'functionName" FAILS NOT_NULL "; Value null at 'role" FAILS NOT_NULL "; Value null at 'code" FAILS NOT_NULL},
	{"POST", F, "", "{\"FunctionName\":\"a.b\",\"Role\":\"r\",\"Code\":{}}",
	 "2 validation errors detected: Value 'a.b' at 'functionName" FAILS PATTERN RX_NEW "; Value 'r' at 'role" FAILS PATTERN RX_ROLE},
	{"POST", F, "", "{" CREATE ",\"MemorySize\":127,\"Timeout\":0}",
	 "2 validation errors detected: Value '0' at 'timeout" FAILS "Member must have value greater than or equal to 1; Value '127' at 'memorySize" FAILS
	 "Member must have value greater than or equal to 128"},
	{"POST", F, "", "{" CREATE ",\"MemorySize\":10241,\"Timeout\":901,\"EphemeralStorage\":{\"Size\":511}}",
	 "3 validation errors detected: Value '901' at 'timeout" FAILS "Member must have value less than or equal to 900; Value '10241' at 'memorySize" FAILS
	 "Member must have value less than or equal to 10240; Value '511' at 'ephemeralStorage.size" FAILS "Member must have value greater than or equal to 512"},
	{"POST", F, "", "{" CREATE ",\"EphemeralStorage\":{}}", ONE "Value null at 'ephemeralStorage.size" FAILS NOT_NULL},
	{"POST", F, "", "{" CREATE ",\"Handler\":\"a b\",\"Runtime\":\"python2\"}", ONE "Value 'a b' at 'handler" FAILS PATTERN "[^\\s]+"}, /* the runtime: by who knows them */
	{"POST", F, "", "{" CREATE ",\"Architectures\":[\"x86_64\",\"arm64\"]}", ONE "Value '[x86_64, arm64]' at 'architectures" FAILS LONGER(1)},
	{"POST", F, "", "{" CREATE ",\"Architectures\":[\"X86_64\"]}",
	 ONE "Value '[X86_64]' at 'architectures" FAILS "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], " NOT_NULL "]"},
	{"POST", F, "", "{" CREATE ",\"Architectures\":[null]}",
	 ONE "Value '[null]' at 'architectures" FAILS "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], " NOT_NULL "]"},
	{"POST", F, "", "{" CREATE ",\"PackageType\":\"Jar\"}", ONE "Value 'Jar' at 'packageType" FAILS "Member must satisfy enum value set: [Image, Zip]"},
	{"POST", F, "", "{" CREATE ",\"Layers\":[\"" ACCOUNT "layer:l\"]}",
	 ONE "Value '[" ACCOUNT "layer:l]' at 'layers" FAILS "Member must satisfy constraint: [" LONGER(2048) ", Member must have length greater than or equal to 1, " PATTERN
	 "(arn:(aws[a-zA-Z-]*)?:lambda:" REGION ":\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+), " NOT_NULL "]"},
	{"POST", F, "", "{" CREATE ",\"VpcConfig\":{\"SubnetIds\":[\"net\"],\"SecurityGroupIds\":[\"sg-1\"]}}",
	 ONE "Value '[net]' at 'vpcConfig.subnetIds" FAILS "Member must satisfy constraint: [" LONGER(1024) ", Member must have length greater than or equal to 0, " PATTERN
	 "subnet-[0-9a-z]*]"},
	{"POST", F, "", "{" CREATE ",\"Environment\":{\"Variables\":{\"A\":\"secret\",\"OK\":\"\"}}}",
	 ONE "Value at 'environment.variables" FAILS "Map keys must satisfy constraint: [" PATTERN "[a-zA-Z]([a-zA-Z0-9_])+]"},
	{"POST", F, "", "{" CREATE ",\"KMSKeyArn\":\"x\"}", ONE "Value 'x' at 'kMSKeyArn" FAILS PATTERN "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"},
	{"POST", F, "", "{" CREATE ",\"KMSKeyArn\":\"\",\"DeadLetterConfig\":null,\"Nonsense\":{\"a\":1}}", ""},
	{"POST", F, "", "{" CREATE ",\"FileSystemConfigs\":[{\"Arn\":\"a\",\"LocalMountPath\":\"/mnt/x\"},{}]}",
	 "4 validation errors detected: Value '[FileSystemConfig(arn=a, localMountPath=/mnt/x, s3FilesConfig=null), FileSystemConfig(arn=null, localMountPath=null, s3FilesConfig=null)]' at 'fileSystemConfigs" FAILS LONGER(1)
	 "; Value 'a' at 'fileSystemConfigs.1.member.arn" FAILS PATTERN "arn:aws[a-zA-Z-]*:elasticfilesystem:" REGION
	 ":\\d{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}"
	 "; Value null at 'fileSystemConfigs.2.member.arn" FAILS NOT_NULL "; Value null at 'fileSystemConfigs.2.member.localMountPath" FAILS NOT_NULL},
	{"PUT", F "/f/configuration", "", "{\"LoggingConfig\":{\"LogFormat\":\"XML\",\"LogGroup\":\"\"},\"SnapStart\":{\"ApplyOn\":\"All\"},\"TracingConfig\":{\"Mode\":\"x\"}}",
	 "5 validation errors detected: Value 'x' at 'tracingConfig.mode" FAILS "Member must satisfy enum value set: [Active, PassThrough]; Value 'All' at 'snapStart.applyOn" FAILS
	 "Member must satisfy enum value set: [PublishedVersions, None]; Value 'XML' at 'loggingConfig.logFormat" FAILS
	 "Member must satisfy enum value set: [JSON, Text]; Value '' at 'loggingConfig.logGroup" FAILS
	 "Member must have length greater than or equal to 1; Value '' at 'loggingConfig.logGroup" FAILS PATTERN "[\\.\\-_/#A-Za-z0-9]+"},
	/* aliases */
	{"POST", F "/f/aliases", "", "{\"Name\":\"17\",\"FunctionVersion\":\"one\"}",
	 "2 validation errors detected: Value '17' at 'name" FAILS PATTERN "(?!^[0-9]+$)([a-zA-Z0-9-_]+); Value 'one' at 'functionVersion" FAILS PATTERN
	 "(\\$LATEST(\\.PUBLISHED)?|[0-9]+)"},
	{"POST", F "/f/aliases", "", "{\"Name\":\"a\",\"FunctionVersion\":\"1\",\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"$LATEST\":0.5}}}",
	 ONE "Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights" FAILS "Map keys must satisfy constraint: [" LONGER(1024)
	 ", Member must have length greater than or equal to 1, " PATTERN "[0-9]+, " NOT_NULL "]"},
	{"PUT", F "/f/aliases/a", "", "{\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"2\":2,\"3\":0.5}}}",
	 ONE "Value '{2=2.0, 3=0.5}' at 'routingConfig.additionalVersionWeights" FAILS
	 "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, " NOT_NULL "]"},
	{"GET", F "/f/aliases/12", "", NULL, ONE "Value '12' at 'name" FAILS PATTERN "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"},
	{"GET", F "/f/aliases", "MaxItems=0&FunctionVersion=x", NULL,
	 "2 validation errors detected: Value 'x' at 'functionVersion" FAILS PATTERN "(\\$LATEST(\\.PUBLISHED)?|[0-9]+); Value '0' at 'maxItems" FAILS
	 "Member must have value greater than or equal to 1"},
	{"GET", F "/f/aliases", "MaxItems=10000", NULL, ""},
	/* concurrency */
	{"PUT", "/2017-10-31/functions/f/concurrency", "", NULL, ONE "Value null at 'reservedConcurrentExecutions" FAILS NOT_NULL},
	{"PUT", "/2017-10-31/functions/f/concurrency", "", "{\"ReservedConcurrentExecutions\":-1}",
	 ONE "Value '-1' at 'reservedConcurrentExecutions" FAILS "Member must have value greater than or equal to 0"},
	{"PUT", "/2019-09-30/functions/f/provisioned-concurrency", "", "{\"ProvisionedConcurrentExecutions\":0}",
	 "2 validation errors detected: Value null at 'qualifier" FAILS NOT_NULL "; Value '0' at 'provisionedConcurrentExecutions" FAILS
	 "Member must have value greater than or equal to 1"},
	{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "List=ALL&MaxItems=51", NULL, ONE "Value '51' at 'maxItems" FAILS "Member must have value less than or equal to 50"},
	{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "MaxItems=51", NULL, ONE "Value null at 'qualifier" FAILS NOT_NULL}, /* another operation */
	{"GET", F, "FunctionVersion=SOME", NULL, ONE "Value 'SOME' at 'functionVersion" FAILS "Member must satisfy enum value set: [ALL]"},
	/* tags */
	{"DELETE", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af", "tagKeys=a&tagKeys=b+c", NULL, ""},
	{"DELETE", "/2017-03-31/tags/" ACCOUNT "function:f", "tagkeys=a", NULL, ONE "Value null at 'tagKeys" FAILS NOT_NULL},
	{"POST", "/2017-03-31/tags/" ACCOUNT "function:f:live", "", "{\"Tags\":{\"\xc3\xa9\":\"1\"}}", ""},
	{"POST", "/2017-03-31/tags/" ACCOUNT "function:f", "", "{\"Tags\":{\"\":\"!\"}}",
	 "2 validation errors detected: Value '{=!}' at 'tags" FAILS "Map keys must satisfy constraint: [" LONGER(128) ", Member must have length greater than or equal to 1, " PATTERN
	 "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*), " NOT_NULL "]; Value '{=!}' at 'tags" FAILS "Map value must satisfy constraint: [" LONGER(256)
	 ", Member must have length greater than or equal to 0, " PATTERN "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*), " NOT_NULL "]"},
	/* what is not built yet is in the tables too */
	{"POST", "/2018-10-31/layers/l/versions", "", "{\"Content\":{},\"CompatibleArchitectures\":[\"invalidarch\",\"x86_64\"]}",
	 ONE "Value '[invalidarch, x86_64]' at 'compatibleArchitectures" FAILS "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], " NOT_NULL "]"},
	{"POST", F "/f/policy", "", "{\"StatementId\":\"example.com\",\"Action\":\"lambda:InvokeFunction\",\"Principal\":\"s3.amazonaws.com\"}",
	 ONE "Value 'example.com' at 'statementId" FAILS PATTERN "([a-zA-Z0-9-_]+)"},
	{"POST", "/2021-10-31/functions/f/url", "Qualifier=$LATEST", "{\"AuthType\":\"NONE\",\"InvokeMode\":\"UNKNOWN\"}",
	 "2 validation errors detected: Value '$LATEST' at 'qualifier" FAILS PATTERN "((?!^\\d+$)^[0-9a-zA-Z-_]+$); Value 'UNKNOWN' at 'invokeMode" FAILS
	 "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"},
	{"PUT", "/2024-08-31/functions/f/recursion-config", "", "{\"RecursiveLoop\":\"x\"}",
	 ONE "Value 'x' at 'recursiveLoop" FAILS "Member must satisfy enum value set: [Terminate, Allow]"},
	{"PUT", "/2019-09-25/functions/f/event-invoke-config", "", "{\"MaximumRetryAttempts\":3,\"DestinationConfig\":{\"OnFailure\":{\"Destination\":\"x\"}}}",
	 "2 validation errors detected: Value '3' at 'maximumRetryAttempts" FAILS "Member must have value less than or equal to 2; Value 'x' at 'destinationConfig.onFailure.destination" FAILS
	 PATTERN "$|kafka://([^.]([a-zA-Z0-9\\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:(" REGION ")?:(\\d{12})?:(.*)"},
	/* types, before all else */
	{"PUT", F "/f/configuration", "", "{\"Timeout\":\"3\",\"MemorySize\":1}", "STRING_VALUE can not be converted to an Integer"},
	{"PUT", F "/a%20b/configuration", "", "{\"Timeout\":true}", "TRUE_VALUE can not be converted to an Integer"},
	{"PUT", F "/f/configuration", "", "{\"Timeout\":[3]}", "Start of list found where not expected"},
	{"PUT", F "/f/configuration", "", "{\"Timeout\":{}}", "Start of structure or map found where not expected."},
	{"PUT", F "/f/configuration", "", "{\"Handler\":1}", "NUMBER_VALUE can not be converted to a String"},
	{"PUT", F "/f/configuration", "", "{\"Layers\":\"x\"}", "Expected list or null"},
	{"PUT", F "/f/configuration", "", "{\"Layers\":{}}", "Start of structure or map found where not expected."},
	{"PUT", F "/f/configuration", "", "{\"Layers\":[false]}", "FALSE_VALUE can not be converted to a String"},
	{"PUT", F "/f/configuration", "", "{\"TracingConfig\":5}", "Expected null"},
	{"PUT", F "/f/configuration", "", "{\"Environment\":[]}", "Start of list found where not expected"},
	{"PUT", F "/f/configuration", "", "{\"Environment\":{\"Variables\":{\"AB\":1}}}", "NUMBER_VALUE can not be converted to a String"},
	{"PUT", F "/f/code", "", "{\"Publish\":\"true\"}", "STRING_VALUE can not be converted to a Boolean"},
	{"PUT", F "/f/aliases/a", "", "{\"RoutingConfig\":{\"AdditionalVersionWeights\":{\"1\":\"0.5\"}}}", "STRING_VALUE can not be converted to a Double"},
	{"GET", F, "MaxItems=ten", NULL, "STRING_VALUE can not be converted to an Integer"},
};

START_TEST(requests)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = said(cases[i].method, cases[i].path, cases[i].query, cases[i].body, NULL, NULL);

		ck_assert_msg(strcmp(got, cases[i].said) == 0, "%s %s?%s %s\n is: %s\nnot: %s", cases[i].method, cases[i].path, cases[i].query,
			      cases[i].body ? cases[i].body : "", got, cases[i].said);
	}
}
END_TEST

START_TEST(headers)
{
	const char *const bad[] = {"x-amz-invocation-type", "Later", "x-amz-log-type", "Head", NULL}, *const good[] = {"X-Amz-Invocation-Type", "Event", NULL};

	ck_assert_str_eq(said("POST", F "/f/invocations", "", NULL, good, NULL), "");
	ck_assert_str_eq(said("POST", F "/f/invocations", "", NULL, bad, NULL),
			 "2 validation errors detected: Value 'Later' at 'invocationType" FAILS
			 "Member must satisfy enum value set: [Event, RequestResponse, DryRun]; Value 'Head' at 'logType" FAILS "Member must satisfy enum value set: [None, Tail]");
}
END_TEST

START_TEST(lengths_are_of_characters)
{
	for (int n = 256; n <= 257; n++) {
		fn_auto_buf struct fn_buf b = {0};
		const char *got;

		(void)fn_buf_add_str(&b, "{\"Description\":\"");
		for (int i = 0; i < n; i++)
			(void)fn_buf_add_str(&b, "\xf0\x9d\x84\x9e");
		(void)fn_buf_add_str(&b, "\"}");
		got = said("PUT", F "/f/configuration", "", b.data, NULL, NULL);
		ck_assert_int_eq(n > 256, fn_str_ends(got, "at 'description" FAILS LONGER(256)));
		ck_assert_int_eq(n > 256, *got != '\0');
	}
}
END_TEST

/* Nulls are absent, a fraction is cut off. */
START_TEST(the_body_is_made_fit)
{
	json_t *in, *want = json_loads("{\"Timeout\":1,\"Environment\":{},\"Layers\":[],\"Other\":1.5}", 0, NULL);

	ck_assert_str_eq(said("PUT", F "/f/configuration", "", "{\"Timeout\":1.9,\"Handler\":null,\"Environment\":{\"Variables\":null},\"Layers\":[],\"Other\":1.5}", NULL, &in), "");
	ck_assert(json_equal(in, want));
	json_decref(in);
	json_decref(want);
	ck_assert_str_eq(said("PUT", F "/f/configuration", "", "{\"Timeout\":1e300}", NULL, NULL),
			 ONE "Value '9223372036854775807' at 'timeout" FAILS "Member must have value less than or equal to 900");
}
END_TEST

START_TEST(routes)
{
	struct fn_aws_labels l;

	for (int i = 0; i < FN_AWS_LOGS_FIRST; i++) { /* each is found at its own URI */
		const struct fn_aws_operation *o = &fn_aws_operations[i];
		char path[300], *query = strcpy(path, o->uri);

		query += strcspn(query, "?");
		if (*query)
			*query++ = '\0';
		ck_assert_msg(fn_aws_route(o->method, path, query, &l) == o, "%s", o->name);
		for (unsigned k = 0; k < l.n; k++)
			ck_assert_int_eq(l.at[k].text[0], '{');
	}
	ck_assert_ptr_eq(fn_aws_route("GET", "//2015-03-31/functions/a%2Fb/", "", &l), &fn_aws_operations[FN_AWS_GetFunction]);
	ck_assert(l.n == 1 && l.at[0].len == 5 && memcmp(l.at[0].text, "a%2Fb", 5) == 0);
	ck_assert_ptr_eq(fn_aws_route("GET", "/2018-10-31/layers", "a=b&find=Layer%56ersion", NULL), &fn_aws_operations[FN_AWS_GetLayerVersionByArn]);
	ck_assert_ptr_eq(fn_aws_route("GET", "/2018-10-31/layers", "find=Other", NULL), &fn_aws_operations[FN_AWS_ListLayers]);
	ck_assert_ptr_null(fn_aws_route("PATCH", F "/f", "", NULL));
	ck_assert_ptr_null(fn_aws_route("GET", "/2019-01-01/functions", "", NULL));
	ck_assert_ptr_null(fn_aws_route("GET", F "/f/nosuch", "", NULL));
}
END_TEST

START_TEST(patterns)
{
	fn_auto_free char *long_text = malloc(300001);
	PCRE2_SIZE at;
	int error;

	memset(long_text, 'a', 300000);
	long_text[300000] = '\0';
	for (unsigned i = 1; i <= FN_AWS_PATTERNS; i++) {
		pcre2_code *code = pcre2_compile((PCRE2_SPTR)fn_aws_patterns[i - 1], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ALT_BSUX, &error, &at, NULL);

		ck_assert_msg(code != NULL, "%s: error %d at %zu", fn_aws_patterns[i - 1], error, at);
		pcre2_code_free(code);
		(void)fn_aws_pattern_matches(i, long_text, 300000); /* each comes to an end */
	}
}
END_TEST

TEST_MAIN("aws/validate", requests, headers, lengths_are_of_characters, the_body_is_made_fit, routes, patterns)
