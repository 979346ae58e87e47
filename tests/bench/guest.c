/* guest - the static program inside the benchmark's root tree: as /bin/true it ends at once, as /init it sleeps. */
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t len = argc > 0 ? strlen(argv[0]) : 0;

	if (len >= 4 && strcmp(argv[0] + len - 4, "true") == 0)
		return 0;
	for (;;)
		pause();
}
