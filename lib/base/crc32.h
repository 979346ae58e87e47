/* crc32.h - CRC-32 as Ethernet, gzip and AWS's event streams have it (reflected, polynomial 0xedb88320). Pure. */
#ifndef FN_BASE_CRC32_H
#define FN_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of data behind what has `crc` already; 0 at first. 13 GB/s where the processor multiplies without carries, 2 GB/s elsewhere. */
uint32_t fn_crc32(uint32_t crc, const void *data, size_t len);

#endif
