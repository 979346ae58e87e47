/* nosync.c - preloaded in the control run of tests/powercut/run: nothing is ever told to go to the disk, as with SQLite's synchronous=OFF and no fsync. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int fsync(int fd) { return fcntl(fd, F_GETFD) < 0 ? -1 : 0; }
int fdatasync(int fd) { return fsync(fd); }
int syncfs(int fd) { return fsync(fd); }
int sync_file_range(int fd, off64_t from, off64_t n, unsigned flags)
{
	(void)from, (void)n, (void)flags;
	return fsync(fd);
}
int msync(void *at, size_t n, int flags)
{
	(void)at, (void)n, (void)flags;
	return 0;
}
