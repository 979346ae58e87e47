/* source.c - see source.h: what both kinds share. */
#include "events/source.h"

#include <stdlib.h>

#include "base/backoff.h"

#define PAUSE_FIRST_US 200000u
#define PAUSE_MOST_US 20000000u

void fn_source_message_free(struct fn_source_message *m)
{
	if (!m)
		return;
	fn_list_remove(&m->link);
	json_decref(m->record);
	free(m->text);
	free(m);
}

void fn_source_tell(struct fn_source *s, const char *what)
{
	bool changed = !s->said || s->bad || what;

	s->said = true;
	s->bad = what != NULL;
	if (changed)
		s->events.trouble(s->events.arg, what);
}

uint64_t fn_source_pause(struct fn_source *s) { return s->pause_us = fn_pause_next(s->pause_us, PAUSE_FIRST_US, PAUSE_MOST_US); }
