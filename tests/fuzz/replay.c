/* replay.c - main() for a fuzz target without libFuzzer: feeds it each file named on the command line. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

int main(int argc, char **argv)
{
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		uint8_t *data = malloc(1u << 20), *exact;
		size_t n;

		if (!f || !data) {
			fprintf(stderr, "replay: cannot read %s\n", argv[i]);
			return 1;
		}
		n = fread(data, 1, 1u << 20, f);
		fclose(f);
		fprintf(stderr, "%s\n", argv[i]); /* the last one printed is the one that failed */
		exact = malloc(n ? n : 1);
		for (size_t k = 0; k < n; k++)
			exact[k] = data[k];
		free(data);
		(void)LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
	return 0;
}
