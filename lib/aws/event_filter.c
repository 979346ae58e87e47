/* event_filter.c - see event_filter.h. */
#include "aws/event_filter.h"

#include <errno.h>
#include <stdlib.h>

#include "aws/event_pattern_internal.h"
#include "base/str.h"
#include "web/json_load.h"

struct fn_event_filter {
	const char *content;
	bool wants_content;
	size_t n;
	struct fn_event_pattern *patterns[FN_EVENT_FILTERS_MAX];
};

/* The fields that ask for the content: outermost ones, and those of an outermost OR. */
static bool mark(struct fn_match_node *n, const char *content)
{
	bool any = false;

	for (size_t i = 0; i < n->n_fields; i++)
		if (fn_streq(n->fields[i].name, content))
			any = n->fields[i].content = true;
	for (size_t i = 0; i < n->n_ors; i++)
		for (size_t k = 0; k < n->ors[i].n; k++)
			any |= mark(&n->ors[i].nodes[k], content);
	return any;
}

int fn_event_filter_compile(const json_t *criteria, const char *content, struct fn_event_filter **ret)
{
	const json_t *list = json_object_get(criteria, "Filters");
	struct fn_event_filter *f;
	int r = 0;

	if (json_array_size(list) == 0) {
		*ret = NULL;
		return 0;
	}
	if (json_array_size(list) > FN_EVENT_FILTERS_MAX)
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->content = content;
	for (size_t i = 0; i < json_array_size(list) && r == 0; i++) {
		const json_t *pattern = json_object_get(json_array_get(list, i), "Pattern");

		r = json_is_string(pattern) ? fn_event_pattern_compile(json_string_value(pattern), json_string_length(pattern), &f->patterns[f->n], NULL) : -EINVAL;
		if (r == 0)
			f->wants_content |= mark(&f->patterns[f->n++]->root, content);
	}
	if (r < 0) {
		fn_event_filter_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void fn_event_filter_free(struct fn_event_filter *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		fn_event_pattern_free(f->patterns[i]);
	free(f);
}

bool fn_event_filter_wants_content(const struct fn_event_filter *f) { return f && f->wants_content; }

bool fn_event_filter_matches(const struct fn_event_filter *f, json_t *record, const char *text, size_t len)
{
	if (!f)
		return true;
	if (f->wants_content) {
		json_t *content = fn_json_load(text, len, 0); /* an object or an array */

		if (!content)
			content = json_stringn(text, len);
		if (!content || json_object_set_new(record, f->content, content) < 0)
			return false;
	}
	for (size_t i = 0; i < f->n; i++)
		if (fn_event_pattern_matches(f->patterns[i], record))
			return true;
	return false;
}
