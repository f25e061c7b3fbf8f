/* SPDX-License-Identifier: Apache-2.0 */
#include "backup_file.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "sha256.h"

static const char magic[8] = { 'V', 'L', 'T', 'B', 'K', 'U', 'P', '1' };
static const char label[] = "vault/backup/v1"; /* with its NUL */

static int damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_VERIFY, "the backup is damaged: %s", what);
}

static const unsigned char *bytes_of(const struct value *manifest, const char *name,
                                     size_t n)
{
	const struct value *v = value_get(manifest, name);

	return v != NULL && v->type == V_BYTES && v->len == n
	               ? (const unsigned char *)v->text
	               : NULL;
}

/* magic 8 | length u32be | manifest | signature 64 | zeros */
static int parse(struct arena *a, const unsigned char *h, const unsigned char *key,
                 struct backup_file *out, struct err *e)
{
	size_t n = (size_t)h[8] << 24 | (size_t)h[9] << 16 | (size_t)h[10] << 8 | h[11];
	const unsigned char *pk;
	unsigned char *text;

	if (memcmp(h, magic, sizeof(magic)) != 0)
		return err_set(e, ERR_INVALID, "this is not a backup of vaultd");
	if (n > BACKUP_HEADER - 12 - crypto_sign_BYTES)
		return damaged(e, "its header has an impossible length");
	if (value_decode(a, h + 12, n, &out->manifest, e) != ERR_OK ||
	    (pk = bytes_of(out->manifest, "public_key", 32)) == NULL)
		return damaged(e, "its header cannot be read");
	if (key != NULL && sodium_memcmp(key, pk, 32) != 0)
		return err_set(e, ERR_VERIFY,
		               "the backup was signed by another key than the one given");
	memcpy(out->public_key, pk, 32);
	text = arena_alloc(a, sizeof(label) + n);
	if (text == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), h + 12, n);
	if (crypto_sign_verify_detached(h + 12 + n, text, sizeof(label) + n, pk) != 0)
		return damaged(e, "the signature of its header does not fit");
	out->audit_size = value_int_or(out->manifest, "audit_size", -1);
	out->created_ms = value_int_or(out->manifest, "created_ms", 0);
	out->image_size = value_int_or(out->manifest, "image_size", -1);
	out->schema = (int)value_int_or(out->manifest, "schema", 0);
	return ERR_OK;
}

int backup_file_open(struct arena *a, const char *path, const unsigned char *key,
                     struct backup_file *out, struct err *e)
{
	unsigned char *header = arena_alloc(a, BACKUP_HEADER);
	int rc;

	memset(out, 0, sizeof(*out));
	if (header == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	out->f = fopen(path, "rbe");
	if (out->f == NULL)
		return err_sys(e, errno == ENOENT ? ERR_NOENT : ERR_IO, errno, "%.160s",
		               path);
	if (fread(header, 1, BACKUP_HEADER, out->f) != BACKUP_HEADER)
		rc = err_set(e, ERR_INVALID, "this is not a backup of vaultd");
	else
		rc = parse(a, header, key, out, e);
	if (rc != ERR_OK)
		backup_file_close(out);
	return rc != ERR_OK ? err_wrap(e, "%.160s", path) : ERR_OK;
}

static int write_all(int fd, const unsigned char *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_sys(e, errno == ENOSPC ? ERR_FULL : ERR_IO, errno,
			               "writing");
		p += put;
		n -= (size_t)put;
	}
	return ERR_OK;
}

int backup_file_copy(struct backup_file *b, int fd, struct err *e)
{
	const unsigned char *want = bytes_of(b->manifest, "image_sha256", 32);
	unsigned char buf[64 * 1024], got[32];
	struct sha256 hash;
	int64_t total = 0;
	size_t n;
	int rc;

	sha256_start(&hash);
	if (fseek(b->f, (long)BACKUP_HEADER, SEEK_SET) != 0)
		return err_sys(e, ERR_IO, errno, "reading the backup");
	while ((n = fread(buf, 1, sizeof(buf), b->f)) > 0) {
		sha256_add(&hash, buf, n);
		total += (int64_t)n;
		if (fd >= 0 && (rc = write_all(fd, buf, n, e)) != ERR_OK)
			return rc;
	}
	if (ferror(b->f))
		return err_set(e, ERR_IO, "reading the backup failed");
	sha256_end(&hash, got);
	if (total != b->image_size)
		return damaged(e, total < b->image_size ? "its end is missing"
		                                        : "it is too long");
	if (want == NULL || memcmp(want, got, 32) != 0)
		return damaged(
			e, "its image does not have the digest that the header names");
	return ERR_OK;
}

void backup_file_close(struct backup_file *b)
{
	if (b->f != NULL)
		fclose(b->f);
	b->f = NULL;
}
