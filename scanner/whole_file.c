/* SPDX-License-Identifier: Apache-2.0 */
#include "scanner/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What is appended meanwhile is not read; a file that shrinks ends where it does. */
static int read_all(int fd, const char *path, size_t size, char **out, size_t *n,
                    struct err *e)
{
	char *text = malloc(size + 1);
	size_t have = 0;
	ssize_t got = 1;

	if (text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	while (have < size && got > 0) {
		got = read(fd, text + have, size - have);
		have += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		free(text);
		return err_sys(e, ERR_IO, errno, "%.120s", path);
	}
	*out = text;
	*n = have;
	return ERR_OK;
}

int whole_file(const char *path, size_t max, char **out, size_t *n, struct err *e)
{
	/* Not to wait for whoever may write to a pipe. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%.120s",
		               path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "%.120s: no regular file", path);
	if ((size_t)st.st_size > max)
		return err_set(e, ERR_INVALID, "%.120s: larger than %zu MiB", path,
		               max >> 20);
	return read_all(fd, path, (size_t)st.st_size, out, n, e);
}
