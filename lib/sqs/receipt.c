/* receipt.c - see receipt.h. 24 bytes in base64: id, receives, a hash of the queue's name, a CRC of all that and the name; in the order of the machine. */
#include "sqs/receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/crc32.h"
#include "base/str.h"

struct receipt {
	uint64_t id;
	uint32_t receives, queue, check, version;
};

static uint32_t check(const struct receipt *r) { return fn_crc32(0, r, offsetof(struct receipt, check)) ^ 0x5f3759dfu; }

void fn_sqs_receipt_make(const char *queue, uint64_t id, uint32_t receives, char ret[FN_SQS_RECEIPT_SIZE])
{
	struct receipt r = {.id = id, .receives = receives, .queue = fn_crc32(0, queue, strlen(queue)), .version = 1};
	fn_auto_free char *text = NULL;

	r.check = check(&r);
	ret[0] = '\0';
	if (fn_base64_encode(&r, sizeof(r), &text) == 0)
		snprintf(ret, FN_SQS_RECEIPT_SIZE, "AQEB%s", text);
}

int fn_sqs_receipt_read(const char *queue, const char *receipt, uint64_t *id, uint32_t *receives)
{
	fn_auto_free uint8_t *bytes = NULL;
	struct receipt r;
	size_t len = 0;

	if (strncmp(receipt, "AQEB", 4) != 0 || strlen(receipt) >= FN_SQS_RECEIPT_SIZE || fn_base64_decode(receipt + 4, strlen(receipt + 4), &bytes, &len) < 0 || len != sizeof(r))
		return -EINVAL;
	memcpy(&r, bytes, sizeof(r));
	if (r.version != 1 || r.check != check(&r) || r.queue != fn_crc32(0, queue, strlen(queue)))
		return -EINVAL;
	*id = r.id;
	*receives = r.receives;
	return 0;
}
