/* SPDX-License-Identifier: Apache-2.0 */
/* mount_new - where a new mount may be, and what it is called. */
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "mount_impl.h"
#include "path.h"
#include "rng.h"
#include "text.h"

static int add_segment(char *out, size_t *n, const char *s, size_t len, struct err *e)
{
	char name[LIMIT_NAME + 1];
	size_t n_name;
	int rc = path_name(s, len, name, "mount path", e);

	if (rc != ERR_OK)
		return rc;
	/* Not folded: what was authorised is the path as it was written. */
	n_name = strlen(name);
	if (memcmp(name, s, len) != 0)
		return err_set(e, ERR_INVALID, "mount path must be in lower case");
	if (*n + n_name + 1 > MOUNT_PATH_MAX)
		return err_set(e, ERR_INVALID, "mount path: at most %u bytes",
		               MOUNT_PATH_MAX);
	memcpy(out + *n, name, n_name);
	*n += n_name;
	out[(*n)++] = '/';
	return ERR_OK;
}

int mount_path(struct arena *a, const char *text, bool auth, const char **out,
               struct err *e)
{
	char *path = arena_alloc(a, MOUNT_PATH_MAX + 1);
	size_t n = 0;
	int rc;

	if (path == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (auth) {
		memcpy(path, "auth/", 5);
		n = 5;
	}
	text += strspn(text, "/");
	do {
		size_t len = strcspn(text, "/");

		if ((rc = add_segment(path, &n, text, len, e)) != ERR_OK)
			return rc;
		text += len + strspn(text + len, "/");
	} while (*text != '\0');
	path[n] = '\0';
	*out = path;
	return ERR_OK;
}

static const char *shown(const struct mount *m)
{
	return mount_is_auth(m) ? m->path + 5 : m->path;
}

struct below {
	const char *path;
	const struct mount *skip, *found;
};

static void look_below(void *ctx, const struct mount *m)
{
	struct below *b = ctx;

	if (m != b->skip && strncmp(m->path, b->path, strlen(b->path)) == 0)
		b->found = m;
}

int mount_path_free(struct core *c, const char *path, const struct mount *skip,
                    struct err *e)
{
	struct below b = { path, skip, NULL };
	const char *rest;
	const struct mount *m = mounts_match(c, path, &rest);

	if (m != NULL && m != skip)
		return err_set(e, ERR_INVALID, "path is already in use at %.100s",
		               shown(m));
	mounts_each(c, look_below, &b);
	if (b.found != NULL)
		return err_set(e, ERR_INVALID, "existing mount at %.100s",
		               shown(b.found));
	return ERR_OK;
}

static const char *accessor_of(struct arena *a, const struct mount *m,
                               const unsigned char tail[4])
{
	char hex[9];

	text_hex(tail, 4, hex);
	return arena_printf(a, "%s%s_%s", mount_is_auth(m) ? "auth_" : "", m->type, hex);
}

int mount_name_built_in(const struct core *c, struct arena *a, struct mount *m,
                        struct err *e)
{
	static const char label[] = "built-in mount";
	crypto_generichash_state h;
	unsigned char out[16 + 4];
	char hex[2 * 16 + 1];

	(void)crypto_generichash_init(&h, c->vault_id, sizeof(c->vault_id), sizeof(out));
	(void)crypto_generichash_update(&h, (const unsigned char *)label, sizeof(label));
	(void)crypto_generichash_update(&h, m->id, sizeof(m->id));
	(void)crypto_generichash_final(&h, out, sizeof(out));
	out[6] = (unsigned char)(0x80 |
	                         (out[6] & 0x0f)); /* version 8: of our own making */
	out[8] = (unsigned char)(0x80 | (out[8] & 0x3f));
	text_hex(out, 16, hex);
	m->uuid = arena_printf(a, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
	                       hex + 16, hex + 20);
	m->accessor = accessor_of(a, m, out + 16);
	return m->uuid != NULL && m->accessor != NULL
	               ? ERR_OK
	               : err_set(e, ERR_NOMEM, "out of memory");
}

int mount_name_new(struct arena *a, struct mount *m, struct err *e)
{
	unsigned char tail[4];
	char *uuid = arena_alloc(a, 37);

	if (uuid == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rng_uuid4(uuid);
	rng_bytes(tail, sizeof(tail));
	rng_bytes(m->id, sizeof(m->id));
	m->uuid = uuid;
	m->accessor = accessor_of(a, m, tail);
	return m->accessor != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

int mounts_create_kv(struct core *c, const char *path, struct err *e)
{
	AUTO_ARENA a = arena_new((size_t)64 * 1024);
	struct mount m = {
		.path = path,
		.type = "kv",
		.engine = "kv",
		.kv_version = 2,
		.description = "key/value secret storage",
		.config = {.listing = "", .token_type = ""},
	};
	struct value *options;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	options = value_object(a);
	value_set_str(a, options, "version", "2");
	m.options.p = value_pack(a, options, &m.options.n);
	if (m.options.p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = mount_path_free(c, path, NULL, e)) != ERR_OK ||
	    (rc = mount_name_new(a, &m, e)) != ERR_OK)
		return rc;
	return mounts_add(c, a, &m, e);
}
