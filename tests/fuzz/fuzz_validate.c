/* fuzz_validate.c - a request against the service model: "METHOD path?query", a line for the value of every header that is asked for, the body. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/validate.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

static const char *header(void *arg, const char *name)
{
	(void)name;
	return *(const char *)arg ? arg : NULL;
}

static void once(const struct fn_aws_operation *o, const struct fn_aws_request *r)
{
	fn_auto_buf struct fn_buf why = {0}, again = {0};
	enum fn_aws_verdict v = fn_aws_validate(o, r, &why);

	fuzz_check((v == FN_AWS_VALID) == (why.len == 0));
	fuzz_check(fn_utf8_valid(why.data ? why.data : "", why.len)); /* it becomes JSON */
	fuzz_check(v == fn_aws_validate(o, r, &again)); /* what it makes of a body stays so */
	fuzz_check(why.len == again.len && (why.len == 0 || memcmp(why.data, again.data, why.len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	size_t len;
	char *method = fuzz_take(&in, ' ', &len), *path = fuzz_take(&in, '\n', &len), *value = fuzz_take(&in, '\n', &len), *query = path + strcspn(path, "?");
	struct fn_aws_labels labels;
	const struct fn_aws_operation *o;
	json_t *body = json_loadb((const char *)in.p, (size_t)(in.end - in.p), 0, NULL);
	struct fn_aws_request r = {.labels = &labels, .header = header, .arg = value, .body = json_is_object(body) ? body : NULL};

	if (*query)
		*query++ = '\0';
	r.query = query;
	o = fn_aws_route(method, path, query, &labels);
	if (o) {
		fuzz_check(labels.n <= FN_AWS_LABELS_MAX && strcmp(o->method, method) == 0);
		for (unsigned i = 0; i < labels.n; i++)
			fuzz_check(labels.at[i].len > 0 && labels.at[i].text >= path && labels.at[i].text + labels.at[i].len <= path + strlen(path));
		once(o, &r);
	}
	json_decref(body);
	free(method);
	free(path);
	free(value);
	return 0;
}
