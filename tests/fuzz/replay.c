/*
 * Runs a fuzz target over a kept corpus: what libFuzzer does with -runs=0, for any compiler.
 *
 *	fuzz-NAME-replay [FILE ...]     without files: $srcdir/tests/fuzz/corpus/NAME, as a test
 */
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *data = NULL;
	cleanup_free uint8_t *exact = NULL;
	size_t len;

	if (fd < 0 || fd_read_all(fd, SIZE_MAX / 2, &data, &len) < 0) {
		perror(path);
		return -1;
	}
	/* a sanitizer shall see a read behind the last byte */
	exact = malloc(len);
	if (!exact && len > 0)
		return -1;
	if (len > 0)
		memcpy(exact, data, len);
	printf("%s\n", path);
	fflush(stdout); /* the last one named is the one that crashes */
	LLVMFuzzerTestOneInput(exact, len);
	return 0;
}

static int
replay_corpus(void)
{
	const char *source = getenv("srcdir");
	char pattern[4096];
	glob_t found;
	int failed = 0;

	snprintf(pattern, sizeof(pattern), "%s/tests/fuzz/corpus/" FUZZ_NAME "/*", source ? source : ".");
	if (glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "nothing in %s\n", pattern);
		return EX_NOINPUT;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		failed |= replay(found.gl_pathv[i]);
	globfree(&found);
	return failed ? EX_IOERR : EX_OK;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	if (argc == 1)
		return replay_corpus();
	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	return failed ? EX_IOERR : EX_OK;
}
