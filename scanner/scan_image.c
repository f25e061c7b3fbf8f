/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_image - image archives and OCI layout directories from the file system.
 *
 * A directory is handed to the worker as the archive that tar would make of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "scan_images.h"
#include "scan_impl.h"

#define BLOCK  512u
#define BUFFER 65536u

int scan_image_fd(struct scan *s, int fd, const char *name, uint64_t size, struct err *e)
{
	struct job *j = job_new(FORMAT_IMAGE, CHANNEL_FILE, name, NULL);
	struct image_archive *a = image_archive_new(s, name);

	if (j == NULL || a == NULL || !job_add(j, fd, name)) {
		if (j == NULL || a == NULL)
			close(fd);
		job_free(j);
		if (a != NULL)
			image_archive_free(a);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	j->streamed = size == UINT64_MAX;
	j->size = j->streamed ? 0 : size;
	image_archive_add_job(a, j);
	return scan_submit(s, j, e);
}

struct layout {
	struct scan *s;
	int dir, out;
	const char *path;
};

/* A ustar header for a member of at most 8 GiB, whose name is at most 100 bytes. */
static void header(char block[BLOCK], const char *name, uint64_t size)
{
	static const char mode[] = "0000644";
	static const char magic[] = { 'u', 's', 't', 'a', 'r', '\0', '0', '0' };
	unsigned sum = 0;

	memset(block, 0, BLOCK);
	(void)snprintf(block, 100, "%s", name);
	memcpy(block + 100, mode, sizeof(mode));
	(void)snprintf(block + 124, 12, "%011llo", (unsigned long long)size);
	block[156] = '0';
	memcpy(block + 257, magic, sizeof(magic));
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	(void)snprintf(block + 148, 8, "%06o", sum);
}

static int send_body(struct layout *l, int fd, uint64_t size, struct err *e)
{
	static char buffer[BUFFER];
	uint64_t left = size + (BLOCK - size % BLOCK) % BLOCK;
	int rc = ERR_OK;

	while (left > 0 && rc == ERR_OK) {
		size_t want = left < BUFFER ? (size_t)left : BUFFER;
		ssize_t n = read(fd, buffer, want);

		/* A file that shrinks meanwhile is filled up: its digest tells. */
		if (n <= 0) {
			memset(buffer, 0, want);
			n = (ssize_t)want;
		}
		rc = scan_write(l->s, l->out, buffer, (size_t)n, e);
		left -= (uint64_t)n;
	}
	return rc;
}

static int send_file(struct layout *l, const char *name, struct err *e)
{
	AUTO_CLOSE int fd = openat(l->dir, name,
	                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char block[BLOCK];
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		scan_skip_add(l->s, l->path, NULL, name, "it could not be opened");
		return ERR_OK;
	}
	header(block, name, (uint64_t)st.st_size);
	rc = scan_write(l->s, l->out, block, sizeof(block), e);
	return rc != ERR_OK ? rc : send_body(l, fd, (uint64_t)st.st_size, e);
}

static int send_blobs(struct layout *l, struct err *e)
{
	static const char folder[] = "blobs/sha256";
	int fd = openat(l->dir, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int rc = ERR_OK;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_INVALID, "%.120s: no blobs/sha256", l->path);
	}
	while (rc == ERR_OK && (entry = readdir(d)) != NULL) {
		char name[100];

		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name) <
		    (int)sizeof(name))
			rc = send_file(l, name, e);
		else
			scan_skip_add(l->s, l->path, NULL, entry->d_name,
			              "its name is too long");
	}
	closedir(d);
	return rc;
}

/* Takes ${dir}. */
static int scan_layout(struct scan *s, int dir, const char *path, struct err *e)
{
	static const char end[2 * BLOCK];
	struct layout l = { .s = s, .dir = dir, .path = path };
	int pair[2], rc;

	rc = scan_pipe(pair, e);
	if (rc != ERR_OK) {
		close(dir);
		return rc;
	}
	l.out = pair[1];
	rc = scan_image_fd(s, pair[0], path, UINT64_MAX, e);
	if (rc == ERR_OK)
		rc = send_file(&l, "index.json", e);
	if (rc == ERR_OK)
		rc = send_blobs(&l, e);
	if (rc == ERR_OK)
		rc = scan_write(s, l.out, end, sizeof(end), e);
	close(l.out);
	close(dir);
	/* Why it does not read is reported by itself. */
	return rc == ERR_IO ? ERR_OK : rc;
}

int scan_image_file(struct scan *s, const char *path, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
	                  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st = { 0 };
	int rc;

	if ((rc = scan_stat(fd, path, &st, e)) != ERR_OK)
		return rc;
	if (S_ISDIR(st.st_mode))
		return scan_layout(s, fd, path, e);
	return scan_image_fd(s, fd, path,
	                     S_ISREG(st.st_mode) ? (uint64_t)st.st_size : UINT64_MAX, e);
}
