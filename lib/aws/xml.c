/* xml.c - see xml.h. */
#include "aws/xml.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

static void add_text(struct fn_buf *b, const char *text, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		const char *as = NULL;

		switch (text[i]) {
		case '&':
			as = "&amp;";
			break;
		case '<':
			as = "&lt;";
			break;
		case '>':
			as = "&gt;";
			break;
		case '"':
			as = "&quot;";
			break;
		case '\r':
			as = "&#xD;";
			break;
		default:
			if ((unsigned char)text[i] < 0x20 && text[i] != '\t' && text[i] != '\n')
				as = "\xef\xbf\xbd"; /* XML 1.0 has no way to say it */
		}
		if (!as)
			continue;
		(void)fn_buf_add(b, text + from, i - from);
		(void)fn_buf_add_str(b, as);
		from = i + 1;
	}
	(void)fn_buf_add(b, text + from, len - from);
}

static void add_timestamp(struct fn_buf *b, double at)
{
	time_t seconds = (time_t)at;
	struct tm tm;
	char text[32];

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	(void)fn_buf_add_str(b, text);
}

static void add_value(struct fn_buf *b, const json_t *v, const struct fn_aws_shape *s);

static void add_element(struct fn_buf *b, const char *name, const json_t *v, const struct fn_aws_shape *s)
{
	(void)fn_buf_addf(b, "<%s>", name);
	add_value(b, v, s);
	(void)fn_buf_addf(b, "</%s>", name);
}

static void add_list(struct fn_buf *b, const char *entry, const json_t *v, const struct fn_aws_shape *s)
{
	json_t *e;
	size_t i;

	json_array_foreach(v, i, e)
		add_element(b, entry, e, s->value);
}

static void add_map(struct fn_buf *b, const char *entry, const json_t *v, const struct fn_aws_shape *s)
{
	const char *k;
	json_t *e;

	json_object_foreach((json_t *)v, k, e) {
		(void)fn_buf_addf(b, "<%s><%s>", entry, s->key_wire ? s->key_wire : "key");
		add_text(b, k, strlen(k));
		(void)fn_buf_addf(b, "</%s>", s->key_wire ? s->key_wire : "key");
		add_element(b, s->value_wire ? s->value_wire : "value", e, s->value);
		(void)fn_buf_addf(b, "</%s>", entry);
	}
}

static void add_members(struct fn_buf *b, const json_t *v, const struct fn_aws_shape *s)
{
	for (unsigned i = 0; i < s->n_members; i++) {
		const struct fn_aws_member *m = &s->members[i];
		const json_t *e = json_object_get(v, m->name);
		const char *name = m->wire ? m->wire : m->name;

		if (!e || json_is_null(e))
			continue;
		if (m->shape->flattened && m->shape->type == FN_AWS_LIST)
			add_list(b, m->shape->value_wire ? m->shape->value_wire : name, e, m->shape);
		else if (m->shape->flattened && m->shape->type == FN_AWS_MAP)
			add_map(b, name, e, m->shape);
		else
			add_element(b, name, e, m->shape);
	}
}

static void add_value(struct fn_buf *b, const json_t *v, const struct fn_aws_shape *s)
{
	switch (s->type) {
	case FN_AWS_STRUCTURE:
		add_members(b, v, s);
		break;
	case FN_AWS_LIST:
		add_list(b, s->value_wire ? s->value_wire : "member", v, s);
		break;
	case FN_AWS_MAP:
		add_map(b, "entry", v, s);
		break;
	case FN_AWS_TIMESTAMP:
		if (json_is_number(v)) {
			add_timestamp(b, json_number_value(v));
			break;
		}
		__attribute__((fallthrough));
	default:
		if (json_is_string(v))
			add_text(b, json_string_value(v), json_string_length(v));
		else if (json_is_integer(v))
			(void)fn_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		else if (json_is_real(v))
			(void)fn_buf_addf(b, "%.15g", json_real_value(v));
		else if (json_is_boolean(v))
			(void)fn_buf_add_str(b, json_is_true(v) ? "true" : "false");
	}
}

static void add_declaration(struct fn_buf *b, enum fn_aws_service s)
{
	if (s == FN_AWS_SQS) /* which alone has it */
		(void)fn_buf_add_str(b, "<?xml version=\"1.0\"?>");
}

int fn_aws_xml_response(struct fn_buf *b, const struct fn_aws_operation *o, const json_t *out, const char *request_id)
{
	add_declaration(b, o->service);
	(void)fn_buf_addf(b, "<%sResponse xmlns=\"%s\">", o->name, fn_aws_service(o->service)->xmlns);
	if (o->out) {
		(void)fn_buf_addf(b, "<%sResult>", o->name);
		add_members(b, out, o->out);
		(void)fn_buf_addf(b, "</%sResult>", o->name);
	}
	return fn_buf_addf(b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", request_id, o->name);
}

int fn_aws_xml_error(struct fn_buf *b, enum fn_aws_service s, bool sender, const char *code, const char *message, const char *request_id)
{
	const char *xmlns = s < FN_AWS_SERVICES ? fn_aws_service(s)->xmlns : NULL;

	add_declaration(b, s);
	(void)fn_buf_addf(b, "<ErrorResponse%s%s%s><Error><Type>%s</Type><Code>%s</Code><Message>", xmlns ? " xmlns=\"" : "", xmlns ? xmlns : "", xmlns ? "\"" : "",
			  sender ? "Sender" : "Receiver", code);
	add_text(b, message, strlen(message));
	return fn_buf_addf(b, "</Message>%s</Error><RequestId>%s</RequestId></ErrorResponse>", s == FN_AWS_SQS ? "<Detail/>" : "", request_id);
}
