/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_main - run a fuzz target over files instead of under libFuzzer.
 *
 * Usage: replay_NAME [FILE|DIRECTORY]...  The empty input always comes first.  A finding
 * is a crash or a sanitizer report; this program fails only if it cannot read an input.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPLAY_MAX_INPUT ((size_t)32 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int run_file(const char *path)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size;
	int rc = -1;

	if (f == NULL || fstat(fileno(f), &st) != 0 ||
	    (size_t)st.st_size > REPLAY_MAX_INPUT)
		goto out;
	size = (size_t)st.st_size;
	/* Exactly as long as the input, so that a read past its end is seen. */
	data = malloc(size != 0 ? size : 1);
	if (data == NULL || fread(data, 1, size, f) != size)
		goto out;
	fprintf(stderr, "replay: %s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	replayed++;
	rc = 0;
out:
	if (rc != 0)
		fprintf(stderr, "replay: cannot read %s: %s\n", path, strerror(errno));
	free(data);
	if (f != NULL)
		fclose(f);
	return rc;
}

static int visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int run_directory(const char *path)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, visible, alphasort);
	int rc = count < 0 ? -1 : 0;

	for (int i = 0; i < count; i++) {
		char *file = NULL;

		if (asprintf(&file, "%s/%s", path, names[i]->d_name) < 0 ||
		    run_file(file) != 0)
			rc = -1;
		free(file);
		free(names[i]);
	}
	free(names);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) != 0) {
			fprintf(stderr, "replay: %s: %s\n", argv[i], strerror(errno));
			rc = 1;
		} else if ((S_ISDIR(st.st_mode) ? run_directory : run_file)(argv[i]) !=
		           0) {
			rc = 1;
		}
	}
	printf("replayed %lu inputs\n", replayed);
	return rc;
}
