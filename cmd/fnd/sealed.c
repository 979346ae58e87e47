/* sealed.c - see sealed.h. */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

#define COPY_MAX (64u << 20)

int fnd_sealed_text(const char *name, const void *text, size_t len)
{
	fn_auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : fn_fd_write_all(fd, text, len);

	if (r < 0)
		return r;
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ? -errno : fn_take_fd(&fd);
}

int fnd_sealed_copy(const char *file)
{
	fn_auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	fn_auto_buf struct fn_buf text = {0};
	int r = fd < 0 ? -errno : fn_buf_read_fd(&text, fd, COPY_MAX);

	return r < 0 ? r : fnd_sealed_text("fnd.json", text.data ? text.data : "", text.len);
}
