/* kept_order.c - see internal.h. */
#include <stdlib.h>
#include <string.h>

#include "spawn/internal.h"

struct fn_kept_order *fn_kept_order_new(const struct fn_proto_header *head, const void *encoded, size_t len)
{
	struct fn_kept_order *k = malloc(sizeof(*k) + len);

	if (!k)
		return NULL;
	*k = (struct fn_kept_order){.head = *head, .len = len};
	memcpy(k->encoded, encoded, len);
	return k;
}
