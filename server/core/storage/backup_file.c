/* SPDX-License-Identifier: Apache-2.0 */
#include "backup_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "core.h"
#include "keyring.h"
#include "value.h"

static const char magic[8] = { 'V', 'L', 'T', 'B', 'K', 'U', 'P', '1' };
static const char label[] = "vault/backup/v1"; /* with its NUL */

static struct value *render(struct core *c, struct arena *a,
                            const struct backup_manifest *m)
{
	struct value *v = value_object(a);

	value_set_int(a, v, "format", 1);
	value_set_bytes(a, v, "vault_id", c->vault_id, sizeof(c->vault_id));
	value_set_bytes(a, v, "backup_id", m->backup_id, sizeof(m->backup_id));
	value_set_int(a, v, "created_ms", m->created_ms);
	value_set_int(a, v, "audit_size", m->audit_size);
	value_set_bytes(a, v, "audit_root", m->audit_root, sizeof(m->audit_root));
	value_set_str(a, v, "checkpoint", m->checkpoint);
	value_set_int(a, v, "schema", m->schema);
	value_set_int(a, v, "image_size", m->image_size);
	value_set_bytes(a, v, "image_sha256", m->image_sha256, sizeof(m->image_sha256));
	value_set_bytes(a, v, "public_key", keyring_checkpoint_public(c->keys), 32);
	return v;
}

/* magic 8 | length u32be | manifest | signature 64 | zeros */
int backup_header(struct core *c, const struct backup_manifest *m,
                  unsigned char out[BACKUP_HEADER], struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	unsigned char *text;
	struct value *v;
	size_t n;

	if (a == NULL || (v = render(c, a, m)) == NULL || arena_failed(a))
		return err_set(e, ERR_NOMEM, "out of memory");
	n = value_size(v);
	if (sizeof(magic) + 4 + n + crypto_sign_BYTES > BACKUP_HEADER)
		return err_set(e, ERR_INTERNAL, "the manifest of the backup is too long");
	text = arena_alloc(a, sizeof(label) + n);
	if (text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(text, label, sizeof(label));
	value_encode(v, text + sizeof(label));
	memset(out, 0, BACKUP_HEADER);
	memcpy(out, magic, sizeof(magic));
	for (int i = 0; i < 4; i++)
		out[8 + i] = (unsigned char)(n >> (24 - 8 * i));
	memcpy(out + 12, text + sizeof(label), n);
	keyring_checkpoint_sign(c->keys, text, sizeof(label) + n, out + 12 + n);
	return ERR_OK;
}

bool backup_name_ok(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t n = strlen(name), suffix = sizeof(BACKUP_SUFFIX) - 1;

	return n > suffix && n < BACKUP_NAME_MAX && name[0] != '.' &&
	       strspn(name, allowed) == n &&
	       strcmp(name + n - suffix, BACKUP_SUFFIX) == 0;
}

int backup_dir(const struct core *c, struct err *e)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/backups", c->opt.data_dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		err_sys(e, ERR_IO, errno, "%s", path);
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err_sys(e, ERR_IO, errno, "%s", path);
	return fd;
}

static int ours(const struct dirent *d)
{
	return backup_name_ok(d->d_name);
}

static void add_entry(struct arena *a, struct value *out, int dirfd, const char *name)
{
	struct value *info = value_object(a);
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return;
	value_set_int(a, info, "size", st.st_size);
	value_set(out, arena_str(a, name), info);
}

int backup_list(const struct core *c, struct arena *a, struct value **out, struct err *e)
{
	AUTO_CLOSE int dirfd = backup_dir(c, e);
	struct dirent **names;
	int n;

	if (dirfd < 0)
		return e->code;
	n = scandirat(dirfd, ".", &names, ours, alphasort);
	if (n < 0)
		return err_sys(e, ERR_IO, errno, "backups");
	*out = value_object(a);
	for (int i = 0; i < n; i++) {
		add_entry(a, *out, dirfd, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ERR_OK;
}

static int read_part(int fd, struct arena *a, struct backup_part *part, struct err *e)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_NOENT, "no such backup");
	part->size = st.st_size;
	part->bytes = arena_alloc(a, part->want + 1);
	if (part->bytes == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	n = pread(fd, part->bytes, part->want, part->offset);
	if (n < 0)
		return err_sys(e, ERR_IO, errno, "reading a backup");
	part->n = (size_t)n;
	return ERR_OK;
}

int backup_read(const struct core *c, struct arena *a, const char *name,
                struct backup_part *part, struct err *e)
{
	AUTO_CLOSE int dirfd = -1;
	AUTO_CLOSE int fd = -1;

	if (!backup_name_ok(name))
		return err_set(e, ERR_INVALID, "that is not the name of a backup");
	if ((dirfd = backup_dir(c, e)) < 0)
		return e->code;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, ERR_NOENT, "no such backup");
	return read_part(fd, a, part, e);
}
