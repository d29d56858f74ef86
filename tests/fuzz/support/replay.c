/* Runs one target over the files that are named, without a fuzzer: every corpus in every check. */
#include "fuzz/support/fuzz.h"

static void
run(const char *path)
{
	struct buf in = { 0 };
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	do {
		n = fread(buf_room(&in, 65536), 1, 65536, f);
		in.len += n;
	} while (n > 0);
	fclose(f);
	/* exactly as long as it is, for the sanitizers */
	uint8_t *exact = mem_copy(in.len > 0 ? in.data : "", in.len);
	LLVMFuzzerTestOneInput(exact, in.len);
	free(exact);
	buf_clear(&in);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		/* when it aborts, this is the last word */
		if (getenv("REPLAY_NAMES") != NULL)
			fprintf(stderr, "%s\n", argv[i]);
		run(argv[i]);
	}
	return argc > 1 ? 0 : 1;
}
