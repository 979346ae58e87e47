/*
 * config_scaling.c - "provisioned_scaling" in fnd's configuration: what Application Auto Scaling would be told of scalable targets, target
 * tracking policies and scheduled actions.
 *
 *   [{"function": "f", "qualifier": "live", "min": 1, "max": 20, "target": 0.7,
 *     "schedule": [{"when": "cron(0 8 ? * MON-FRI *)", "min": 10}, {"when": "cron(0 18 ? * MON-FRI *)", "min": 1}]}]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "config.h"

#define MOST 100000

static int bad(struct fn_err *err, const char *file, const char *what)
{
	return fn_err_set(err, EINVAL, "configuration", "%.100s: \"provisioned_scaling\" %.90s", file, what);
}

/* least..MOST; absent: as it is. */
static bool number(json_t *o, const char *key, int64_t least, int64_t *to)
{
	json_t *v = json_object_get(o, key);

	if (!v)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > MOST)
		return false;
	*to = json_integer_value(v);
	return true;
}

static bool known(json_t *o, const char *const *keys)
{
	const char *name;
	json_t *v;

	json_object_foreach(o, name, v) {
		size_t i = 0;

		while (keys[i] && !fn_streq(keys[i], name))
			i++;
		if (!keys[i])
			return false;
	}
	return json_is_object(o);
}

static int load_action(struct fn_schedule *s, json_t *o, const char *file, struct fn_err *err)
{
	static const char *const keys[] = {"when", "min", "max", NULL};
	const char *when = json_string_value(json_object_get(o, "when"));

	*s = (struct fn_schedule){.min = -1, .max = -1};
	if (!known(o, keys) || !when || !number(o, "min", 0, &s->min) || !number(o, "max", 0, &s->max) || (s->min < 0 && s->max < 0) ||
	    (s->min >= 0 && s->max >= 0 && s->min > s->max))
		return bad(err, file, "needs in each of \"schedule\": when, and min or max or both");
	if (fn_schedule_parse(when, s) < 0)
		return bad(err, file, "has a \"when\" that is neither cron(m h dom mon dow y) nor at(yyyy-mm-ddThh:mm:ss)");
	return 0;
}

static int load_target(struct fn_scaler_target *t, json_t *o, const char *file, struct fn_err *err)
{
	static const char *const keys[] = {"function", "qualifier", "min", "max", "target", "schedule", NULL};
	json_t *target = json_object_get(o, "target"), *schedule = json_object_get(o, "schedule"), *e;
	const char *function = json_string_value(json_object_get(o, "function")), *qualifier = json_string_value(json_object_get(o, "qualifier"));
	size_t i;

	t->scaling.max = -1;
	if (!known(o, keys) || fn_str_empty(function) || fn_str_empty(qualifier) || !number(o, "min", 0, &t->scaling.min) ||
	    !number(o, "max", 1, &t->scaling.max) || t->scaling.max < t->scaling.min)
		return bad(err, file, "needs function, qualifier and max in each entry, min at most max, and no keys but target and schedule beside them");
	if (target && (!json_is_number(target) || json_number_value(target) < 0.1 || json_number_value(target) > 0.9))
		return bad(err, file, "has a \"target\" that is no utilisation from 0.1 to 0.9");
	if (schedule && !json_is_array(schedule))
		return bad(err, file, "has a \"schedule\" that is no list");
	t->function = strdup(function);
	t->qualifier = strdup(qualifier);
	t->scaling.target = json_number_value(target);
	t->scaling.schedule = calloc(json_array_size(schedule) + 1, sizeof(*t->scaling.schedule));
	if (!t->function || !t->qualifier || !t->scaling.schedule)
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	json_array_foreach(schedule, i, e) {
		int r = load_action(&t->scaling.schedule[t->scaling.n_schedule++], e, file, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int fnd_config_scaling(struct fnd_config *c, json_t *list, const char *file, struct fn_err *err)
{
	json_t *e;
	size_t i;

	if (!json_is_array(list))
		return bad(err, file, "must be a list");
	fnd_config_scaling_free(c);
	c->scaling = calloc(json_array_size(list) + 1, sizeof(*c->scaling));
	if (!c->scaling)
		return fn_err_set(err, ENOMEM, "configuration", NULL);
	json_array_foreach(list, i, e) {
		int r = load_target(&c->scaling[c->n_scaling++], e, file, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void fnd_config_scaling_free(struct fnd_config *c)
{
	for (size_t i = 0; i < c->n_scaling; i++) {
		free(c->scaling[i].function);
		free(c->scaling[i].qualifier);
		free(c->scaling[i].scaling.schedule);
	}
	free(c->scaling);
	c->scaling = NULL;
	c->n_scaling = 0;
}
