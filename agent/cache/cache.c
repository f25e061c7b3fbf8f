/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

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

#include "agent/bytes.h"
#include "file.h"
#include "keymem.h"
#include "log.h"
#include "text.h"

#define MAGIC        "vault-agent cache 1\n"
#define MAGIC_LEN    (sizeof(MAGIC) - 1)
#define NONCE_LEN    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN      crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_LEN     (MAGIC_LEN + 8 + NONCE_LEN)
#define KEY_LEN      crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define BODY_MAX     (4u * 1024 * 1024)
#define ROOM         (4 * (size_t)BODY_MAX)
#define INDEX        "index"
#define GOOD         ".good"
#define GOOD_NAME    (2 * NAME_LEN + sizeof(GOOD))
#define NAME_LEN     16u
#define KEY_CONTEXT  "vault/agent-cache/v1"
#define NAME_CONTEXT "vault/agent-cache-name/v1"

struct cache {
	int fd; /* of the directory */
	const struct identity *id;
};

/* What is sealed, and what it is bound to. */
struct box {
	const char *name; /* path of the secret, or INDEX */
	uint64_t version;
};

/* Where a file is: its name says nothing of the secret's. */
static void file_name(const struct cache *c, const char *path, char out[2 * NAME_LEN + 1])
{
	crypto_generichash_state st;
	unsigned char hash[NAME_LEN];

	crypto_generichash_init(&st, NULL, 0, NAME_LEN);
	crypto_generichash_update(&st, (const unsigned char *)NAME_CONTEXT,
	                          sizeof(NAME_CONTEXT));
	crypto_generichash_update(&st, c->id->host_id, sizeof(c->id->host_id));
	crypto_generichash_update(&st, (const unsigned char *)path, strlen(path));
	crypto_generichash_final(&st, hash, NAME_LEN);
	text_hex(hash, NAME_LEN, out);
}

static void name_of(const struct cache *c, const char *path, char out[2 * NAME_LEN + 1])
{
	if (path == NULL)
		snprintf(out, 2 * NAME_LEN + 1, "%s", INDEX);
	else
		file_name(c, path, out);
}

static void derive(const unsigned char box_sk[32], unsigned char key[KEY_LEN])
{
	crypto_generichash(key, KEY_LEN, (const unsigned char *)KEY_CONTEXT,
	                   sizeof(KEY_CONTEXT), box_sk, 32);
}

int cache_open(const char *state_dir, const struct identity *id, struct cache **out,
               struct err *e)
{
	AUTO_CLOSE int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cache *c = calloc(1, sizeof(*c));
	struct stat st;

	if (c == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	c->id = id;
	if (dir < 0 || (mkdirat(dir, CACHE_DIR, 0700) != 0 && errno != EEXIST) ||
	    (c->fd = openat(dir, CACHE_DIR,
	                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
		free(c);
		return err_sys(e, ERR_IO, errno, "opening '%s/" CACHE_DIR "'", state_dir);
	}
	if (fstat(c->fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		cache_close(c);
		return err_set(e, ERR_DENIED,
		               "'%s/" CACHE_DIR "' must belong to this user and be of "
		               "mode 0700",
		               state_dir);
	}
	*out = c;
	return ERR_OK;
}

void cache_close(struct cache *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	free(c);
}

/* host id || u64 version || name NUL, in ${a}. */
static unsigned char *bound_to(const struct cache *c, struct arena *a,
                               const struct box *b, size_t *n)
{
	unsigned char *out, *at;

	*n = MAGIC_LEN + sizeof(c->id->host_id) + 8 + strlen(b->name) + 1;
	if ((out = arena_alloc(a, *n)) == NULL)
		return NULL;
	at = bytes_put(out, MAGIC, MAGIC_LEN);
	at = bytes_put(at, c->id->host_id, sizeof(c->id->host_id));
	at = bytes_put_u64be(at, b->version);
	(void)bytes_put(at, b->name, strlen(b->name) + 1);
	return out;
}

static int seal(struct cache *c, struct arena *a, const struct box *b,
                const struct value *body, struct err *e)
{
	size_t n = value_size(body), aad_len, len = HEAD_LEN + n + TAG_LEN;
	const char *path = strcmp(b->name, INDEX) == 0 ? NULL : b->name;
	char name[2 * NAME_LEN + 1];
	unsigned char *aad = bound_to(c, a, b, &aad_len), *plain = arena_alloc(a, n),
		      *out = arena_alloc(a, len), *nonce, *key = keymem_alloc(KEY_LEN);
	int rc = ERR_NOMEM;

	if (aad == NULL || plain == NULL || out == NULL || key == NULL ||
	    arena_failed(a)) {
		err_set(e, ERR_NOMEM, "out of memory");
	} else if (n > BODY_MAX) {
		rc = err_set(e, ERR_TOO_BIG, "it is too large to be kept");
	} else {
		derive(c->id->box_sk, key);
		value_encode(body, plain);
		nonce = bytes_put_u64be(bytes_put(out, MAGIC, MAGIC_LEN), b->version);
		randombytes_buf(nonce, NONCE_LEN);
		crypto_aead_xchacha20poly1305_ietf_encrypt(
			out + HEAD_LEN, NULL, plain, n, aad, aad_len, NULL, nonce, key);
		sodium_memzero(plain, n);
		name_of(c, path, name);
		rc = file_write_atomic(c->fd, name, out, len, 0600, e);
	}
	keymem_free(key, KEY_LEN);
	return rc;
}

/* The whole file, in ${a}. */
static int read_all(const struct cache *c, struct arena *a, const char *path,
                    unsigned char **out, size_t *n, struct err *e)
{
	char name[2 * NAME_LEN + 1];
	struct stat st;
	unsigned char *p;
	ssize_t got = 0;

	name_of(c, path, name);
	AUTO_CLOSE int fd = openat(c->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOENT, "nothing is kept");
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, ERR_IO, "the cache cannot be opened");
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)(HEAD_LEN + TAG_LEN) ||
	    st.st_size > (off_t)(HEAD_LEN + BODY_MAX + TAG_LEN))
		return err_set(e, ERR_INTEGRITY, "the cache is damaged (%lld bytes)",
		               (long long)st.st_size);
	if ((p = arena_alloc(a, (size_t)st.st_size)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	for (*n = 0; *n < (size_t)st.st_size; *n += (size_t)got)
		if ((got = read(fd, p + *n, (size_t)st.st_size - *n)) <= 0)
			return err_set(e, ERR_INTEGRITY, "the cache cannot be read");
	if (memcmp(p, MAGIC, MAGIC_LEN) != 0)
		return err_set(e, ERR_INTEGRITY,
		               "the cache is damaged, or of another "
		               "version of the agent");
	*out = p;
	return ERR_OK;
}

static uint64_t version_in(const unsigned char *head)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | head[MAGIC_LEN + i];
	return v;
}

static bool unseal_with(const unsigned char box_sk[32], unsigned char *plain,
                        const unsigned char *p, size_t n, const unsigned char *aad,
                        size_t aad_len)
{
	unsigned char *key = keymem_alloc(KEY_LEN);
	bool good;

	if (key == NULL)
		return false;
	derive(box_sk, key);
	good = crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, p + HEAD_LEN,
	                                                  n - HEAD_LEN, aad, aad_len,
	                                                  p + MAGIC_LEN + 8, key) == 0;
	keymem_free(key, KEY_LEN);
	return good;
}

static int unseal(const struct cache *c, struct arena *a, const char *path, struct box *b,
                  struct value **body, struct err *e)
{
	unsigned char *p = NULL, *aad, *plain;
	size_t n = 0, aad_len;
	int rc = read_all(c, a, path, &p, &n, e);

	if (rc != ERR_OK || p == NULL)
		return rc != ERR_OK ? rc : ERR_IO;
	b->name = path != NULL ? path : INDEX;
	b->version = version_in(p);
	aad = bound_to(c, a, b, &aad_len);
	plain = arena_alloc(a, n);
	if (aad == NULL || plain == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (!unseal_with(c->id->box_sk, plain, p, n, aad, aad_len) &&
	    !(c->id->has_next &&
	      unseal_with(c->id->next.box_sk, plain, p, n, aad, aad_len)) &&
	    !(c->id->has_last &&
	      unseal_with(c->id->last_box_sk, plain, p, n, aad, aad_len)))
		return err_set(e, ERR_INTEGRITY,
		               "the cache is damaged, or was not sealed by this host");
	if (value_decode(a, plain, n - HEAD_LEN - TAG_LEN, body, e) != ERR_OK)
		return err_set(e, ERR_INTEGRITY, "the cache cannot be read");
	return ERR_OK;
}

int cache_put(struct cache *c, const char *path, const struct cache_record *r,
              struct err *e)
{
	AUTO_ARENA a = arena_new(ROOM);
	const struct box b = { path, (uint64_t)r->version };
	struct value *body = value_object(a);

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	value_set_str(a, body, "lease_id", r->lease_id);
	value_set_int(a, body, "rev", r->rev);
	value_set_int(a, body, "expires", r->expires);
	value_set(body, "data", value_copy(a, r->data));
	if (r->metadata != NULL)
		value_set(body, "metadata", value_copy(a, r->metadata));
	return seal(c, a, &b, body, e);
}

int64_t cache_version(const struct cache *c, const char *path)
{
	unsigned char head[HEAD_LEN];
	char name[2 * NAME_LEN + 1];

	name_of(c, path, name);
	AUTO_CLOSE int fd = openat(c->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || read(fd, head, sizeof(head)) != (ssize_t)sizeof(head) ||
	    memcmp(head, MAGIC, MAGIC_LEN) != 0)
		return 0;
	return (int64_t)version_in(head);
}

static int judge(const struct cache_record *r, const struct floor_lease *low,
                 struct err *e)
{
	if (low == NULL)
		return err_set(e, ERR_INTEGRITY,
		               "this host does not remember to have had it");
	if (low->gone)
		return err_set(e, ERR_INTEGRITY, "the vault has taken it away");
	if (strcmp(low->lease_id, r->lease_id) != 0)
		return err_set(e, ERR_INTEGRITY, "the cache is of a lease before");
	if (low->good != 0 && r->version == low->good)
		return ERR_OK;
	if (r->version < low->version || r->rev < low->rev)
		return err_set(e, ERR_INTEGRITY,
		               "the cache has version %lld, this host had version %lld",
		               (long long)r->version, (long long)low->version);
	return ERR_OK;
}

int cache_get(const struct cache *c, struct arena *a, const char *path,
              const struct floor_lease *low, struct cache_record *out, struct err *e)
{
	struct value *body = NULL;
	struct box b;
	int rc = unseal(c, a, path, &b, &body, e);

	if (rc != ERR_OK)
		return rc;
	*out = (struct cache_record){
		.lease_id = value_cstr_or(a, body, "lease_id", NULL),
		.version = (int64_t)b.version,
		.data = value_get(body, "data"),
		.metadata = value_get(body, "metadata"),
	};
	if (out->lease_id == NULL || out->data == NULL || out->data->type != V_OBJECT ||
	    value_to_int(value_get(body, "rev"), &out->rev) != 0 ||
	    value_to_int(value_get(body, "expires"), &out->expires) != 0)
		return err_set(e, ERR_INTEGRITY, "the cache cannot be read");
	return judge(out, low, e);
}

int cache_put_index(struct cache *c, const struct cache_index *i, struct err *e)
{
	AUTO_ARENA a = arena_new(ROOM);
	const struct box b = { INDEX, 0 };
	struct value *body = value_object(a);

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	value_set_int(a, body, "heard", i->heard);
	value_set(body, "names",
	          i->names != NULL ? value_copy(a, i->names) : value_object(a));
	return seal(c, a, &b, body, e);
}

int cache_get_index(const struct cache *c, struct arena *a, struct cache_index *out,
                    struct err *e)
{
	struct value *body = NULL;
	struct box b;
	int rc = unseal(c, a, NULL, &b, &body, e);

	if (rc != ERR_OK)
		return rc;
	out->names = value_get(body, "names");
	if (value_to_int(value_get(body, "heard"), &out->heard) != 0 ||
	    out->names == NULL || out->names->type != V_OBJECT)
		return err_set(e, ERR_INTEGRITY, "the cache cannot be read");
	return ERR_OK;
}

static void good_name(const struct cache *c, const char *path, char out[GOOD_NAME])
{
	char name[2 * NAME_LEN + 1];

	name_of(c, path, name);
	snprintf(out, GOOD_NAME, "%s" GOOD, name);
}

void cache_keep_good(struct cache *c, const char *path)
{
	char name[2 * NAME_LEN + 1], good[GOOD_NAME];

	name_of(c, path, name);
	good_name(c, path, good);
	if (faccessat(c->fd, good, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		(void)renameat(c->fd, name, c->fd, good);
}

void cache_verdict(struct cache *c, const char *path, bool is_good)
{
	char name[2 * NAME_LEN + 1], good[GOOD_NAME];

	name_of(c, path, name);
	good_name(c, path, good);
	if ((is_good ? unlinkat(c->fd, good, 0) : renameat(c->fd, good, c->fd, name)) ==
	    0)
		(void)fsync(c->fd);
}

void cache_drop(struct cache *c, const char *path)
{
	char name[2 * NAME_LEN + 1], good[GOOD_NAME];

	name_of(c, path, name);
	good_name(c, path, good);
	(void)unlinkat(c->fd, good, 0);
	if (unlinkat(c->fd, name, 0) == 0)
		(void)fsync(c->fd);
}

static DIR *open_dir(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (dir == NULL && copy >= 0)
		close(copy);
	return dir;
}

static bool is_one_of(const struct cache *c, const char *name,
                      const char *(*wanted)(void *ctx, size_t i), void *ctx, size_t n)
{
	char want[2 * NAME_LEN + 1];

	for (size_t i = 0; i < n; i++) {
		const char *path = wanted(ctx, i);

		if (path == NULL)
			continue;
		file_name(c, path, want);
		if (strncmp(want, name, 2 * NAME_LEN) == 0)
			return true;
	}
	return false;
}

void cache_sweep(struct cache *c, const char *(*wanted)(void *ctx, size_t i), void *ctx,
                 size_t n)
{
	DIR *dir = open_dir(c->fd);
	const struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, INDEX) != 0 &&
		    !is_one_of(c, entry->d_name, wanted, ctx, n))
			(void)unlinkat(c->fd, entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}

void cache_wipe(const char *state_dir)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/" CACHE_DIR, state_dir);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || (dir = open_dir(fd)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)unlinkat(fd, entry->d_name, 0);
	closedir(dir);
	(void)fsync(fd);
	(void)rmdir(path);
}

int cache_reseal(struct cache *c, const char *path, struct err *e)
{
	AUTO_ARENA a = arena_new(ROOM);
	struct box b = { NULL, 0 };
	struct value *body = NULL;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = unseal(c, a, path, &b, &body, e);
	if (rc == ERR_NOENT)
		return ERR_OK;
	return rc == ERR_OK && body != NULL ? seal(c, a, &b, body, e) : rc;
}
