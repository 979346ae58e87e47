/* output.c - tables for people, JSON for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fnctl.h"

void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

void plain_text(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f) {
			*p = ' ';
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) { /* the other control characters, in UTF-8 */
			p[0] = ' ';
			*++p = ' ';
		}
}

void brief_text(char *text, size_t most)
{
	size_t n = most;

	plain_text(text);
	if (strlen(text) <= most)
		return;
	for (n -= 3; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;) /* not within a character */
		n--;
	strcpy(text + n, "...");
}

/* As text; for arrays the members joined. */
static void joined(json_t *v, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *e;

	out[0] = '\0';
	if (json_is_string(v))
		snprintf(out, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(out, size, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
	else if (json_is_array(v))
		json_array_foreach(v, i, e) {
			char one[256];

			joined(e, one, sizeof(one));
			n += (size_t)snprintf(out + n, n < size ? size - n : 0, "%s%s", i ? ", " : "", one);
			if (n >= size)
				return;
		}
}

static void cell(json_t *v, char *out, size_t size)
{
	joined(v, out, size);
	plain_text(out);
}

void print_table(json_t *rows, const struct column *columns, size_t n)
{
	size_t width[16] = {0}, i;
	char text[1024];
	json_t *row;

	for (size_t c = 0; c < n && c < 16; c++)
		width[c] = strlen(columns[c].title);
	json_array_foreach(rows, i, row)
		for (size_t c = 0; c < n && c < 16; c++) {
			cell(json_object_get(row, columns[c].key), text, sizeof(text));
			if (strlen(text) > width[c])
				width[c] = strlen(text);
		}
	for (size_t c = 0; c < n; c++)
		printf("%-*s%s", c + 1 < n ? (int)width[c] : 0, columns[c].title, c + 1 < n ? "  " : "\n");
	json_array_foreach(rows, i, row)
		for (size_t c = 0; c < n; c++) {
			cell(json_object_get(row, columns[c].key), text, sizeof(text));
			printf("%-*s%s", c + 1 < n ? (int)width[c] : 0, text, c + 1 < n ? "  " : "\n");
		}
}

void print_functions(json_t *rows, const struct column *columns, size_t n)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (fn_streq(json_string_value(json_object_get(row, "PackageType")), "Image"))
			json_object_set_new(row, "Runtime", json_string("an image"));
	print_table(rows, columns, n);
}

void print_function(json_t *f)
{
	static const struct column members[] = {{"Name", "FunctionName"}, {"ARN", "FunctionArn"},   {"Version", "Version"},   {"Runtime", "Runtime"},       {"Handler", "Handler"},
						{"State", "State"},       {"Reason", "StateReason"}, {"Update", "LastUpdateStatus"}, {"Update reason", "LastUpdateStatusReason"}, {"Memory MB", "MemorySize"},
						{"Timeout s", "Timeout"}, {"Code bytes", "CodeSize"}, {"Code SHA-256", "CodeSha256"}, {"Modified", "LastModified"},
						{"Description", "Description"}};
	json_t *vars = json_object_get(json_object_get(f, "Environment"), "Variables"), *v;
	json_t *snap = json_object_get(f, "SnapStart");
	json_t *layer;
	size_t n;
	const char *k, *version = json_string_value(json_object_get(f, "Version")), *status = json_string_value(json_object_get(snap, "OptimizationStatus"));
	bool plainly = json_object_get(f, "StateReason") != NULL; /* it says how much sooner they are */

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[1024];

		cell(json_object_get(f, members[i].key), text, sizeof(text));
		if (text[0])
			printf("%-13s %s\n", members[i].title, text);
	}
	if (fn_streq(json_string_value(json_object_get(snap, "ApplyOn")), "PublishedVersions"))
		printf("%-13s %s\n", "SnapStart", fn_streq(version, "$LATEST") ? "for versions" : !fn_streq(status, "On") ? "off" : plainly ? "on, by plain starts" : "on");
	json_array_foreach(json_object_get(f, "Layers"), n, layer)
		printf("%-13s %s\n", "Layer", json_string_value(json_object_get(layer, "Arn")));
	json_object_foreach(vars, k, v) {
		char text[5120];

		cell(v, text, sizeof(text));
		printf("%-13s %s=%s\n", "Environment", k, text);
	}
}
