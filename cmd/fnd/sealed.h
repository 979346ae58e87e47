/* sealed.h - texts for a child, as files in memory that nothing changes any more. Descriptors are the caller's; -errno. */
#ifndef FND_SEALED_H
#define FND_SEALED_H

#include <stddef.h>

int fnd_sealed_text(const char *name, const void *text, size_t len);
int fnd_sealed_copy(const char *file);

#endif
