/* fuzz_query.c - a request of the query protocol: "METHOD path?query", the Credential of its signature, the form; what it asks for, and that as XML. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/query.h"
#include "aws/validate.h"
#include "aws/xml.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

static const char *no_header(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static void members(const struct fn_aws_operation *o, const struct fn_aws_head *h, const char *body, size_t len)
{
	fn_auto_buf struct fn_buf why = {0}, xml = {0}, error = {0};
	struct fn_aws_labels labels = {0};
	json_t *in = fn_aws_query_members(o, h, body, len, &why);
	struct fn_aws_request r = {.labels = &labels, .query = "", .header = no_header, .body = in};

	fuzz_check((in == NULL) == (why.len > 0));
	fuzz_check(fn_utf8_valid(why.data ? why.data : "", why.len));
	if (!in)
		return;
	fn_buf_reset(&why);
	fuzz_check(fn_aws_validate(o, &r, &why) != FN_AWS_UNREADABLE); /* each is of its type */
	fuzz_check(fn_aws_xml_response(&xml, o, in, "id") == 0 && fn_utf8_valid(xml.data, xml.len));
	fuzz_check(fn_aws_xml_error(&error, o->service, true, "Code", why.data ? why.data : "", "id") == 0 && fn_utf8_valid(error.data, error.len));
	json_decref(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, data + size};
	size_t len;
	char *method = fuzz_take(&in, ' ', &len), *path = fuzz_take(&in, '\n', &len), *credential = fuzz_take(&in, '\n', &len), *query = path + strcspn(path, "?");
	struct fn_aws_head h = {.method = method, .path = path, .content_type = "application/x-www-form-urlencoded; charset=utf-8", .authorization = *credential ? credential : NULL};
	const struct fn_aws_operation *o;
	enum fn_aws_service s;
	char action[32];

	if (*query)
		*query++ = '\0';
	h.query = query;
	o = fn_aws_query_operation(&h, (const char *)in.p, (size_t)(in.end - in.p), &s, action, sizeof(action));
	fuzz_check(!o || (o->service == s && strcmp(o->name, action) == 0));
	(void)fn_aws_protocol_of(&h);
	if (o)
		members(o, &h, (const char *)in.p, (size_t)(in.end - in.p));
	free(method);
	free(path);
	free(credential);
	return 0;
}
