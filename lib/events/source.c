/* source.c - see source.h: what both kinds share. */
#include "events/source.h"

#include <stdlib.h>

void fn_source_message_free(struct fn_source_message *m)
{
	if (!m)
		return;
	fn_list_remove(&m->link);
	json_decref(m->record);
	free(m->text);
	free(m);
}
