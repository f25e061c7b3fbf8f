/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

#include <dirent.h>
#include <sqlite3.h>

#include "audit.h"
#include "server/core/loop/batch.h"
#include "server/core/storage/backup.h"
#include "server/core/storage/db.h"
#include "server/core/storage/store.h"
#include "server/core/token/token_impl.h"
#include "text.h"
#include "vault/limits.h"

#define FILE_MAX (8u << 20)

static unsigned char file[FILE_MAX];
static size_t file_n;

TestSuite(backup, .init = rig_start, .fini = rig_stop, .timeout = 60);

static void put_secrets(int n)
{
	for (int i = 0; i < n; i++) {
		char path[64], fields[96];

		snprintf(path, sizeof(path), "secret/data/app/%d", i);
		snprintf(fields, sizeof(fields),
		         "{\"data\":{\"password\":\"canary-%d\"}}", i);
		ASK(200, HTTP_POST, path, fields);
	}
}

static const char *in_dir(const char *name)
{
	return arena_printf(rig.a, "%s/backups/%s", rig.dir, name);
}

static void load(const char *path)
{
	FILE *in = fopen(path, "rb");

	cr_assert_not_null(in, "%s", path);
	file_n = fread(file, 1, sizeof(file), in);
	fclose(in);
}

static void take(void)
{
	ASK(200, HTTP_POST, "sys/backup", NULL);
	load(in_dir(rig_got("data.name")));
}

static int files_left(void)
{
	DIR *d = opendir(in_dir(""));
	struct dirent *entry;
	int n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (d != NULL)
		closedir(d);
	return n;
}

static struct value *manifest(void)
{
	size_t n = (size_t)file[8] << 24 | (size_t)file[9] << 16 | (size_t)file[10] << 8 |
	           file[11];
	struct value *v = NULL;
	struct err e;

	cr_assert_eq(memcmp(file, "VLTBKUP1", 8), 0);
	cr_assert_lt(n, 4000u);
	cr_assert_eq(value_decode(rig.a, file + 12, n, &v, &e), ERR_OK, "%s", e.msg);
	return v;
}

static bool signature_ok(void)
{
	static const char label[] = "vault/backup/v1";
	const struct value *key = value_get(manifest(), "public_key");
	size_t n = (size_t)file[10] << 8 | file[11];
	unsigned char text[5000];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), file + 12, n);
	return key->len == 32 &&
	       crypto_sign_verify_detached(file + 12 + n, text, sizeof(label) + n,
	                                   (const unsigned char *)key->text) == 0;
}

static bool member_is(const char *name, const void *want, size_t n)
{
	const struct value *v = value_get(manifest(), name);

	return v != NULL && v->type == V_BYTES && v->len == n &&
	       memcmp(v->text, want, n) == 0;
}

Test(backup, is_signed_private_and_says_what_it_holds)
{
	unsigned char digest[32], root[32];
	char hex[65];
	struct stat st;

	put_secrets(20);
	take();
	cr_assert_eq(stat(in_dir(rig_got("data.name")), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(stat(in_dir(""), &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(files_left(), 1, "nothing but the backup");
	cr_assert(signature_ok());
	cr_assert(member_is("vault_id", rig.core->vault_id, 16));
	crypto_hash_sha256(digest, file + 4096, file_n - 4096);
	cr_assert(member_is("image_sha256", digest, 32));
	cr_assert_eq(value_int_or(manifest(), "image_size", 0), (int64_t)file_n - 4096);
	crypto_hash_sha256(digest, file, file_n);
	text_hex(digest, 32, hex);
	GOT("data.sha256", hex);
	/* The record of the backup itself came after the copy. */
	cr_assert_eq(value_int_or(manifest(), "audit_size", 0), audit_size(rig.core) - 1);
	audit_root(rig.core, root);
	cr_assert_not(member_is("audit_root", root, 32));
	cr_assert_null(memmem(file, file_n, "canary", 6));
	cr_assert_null(memmem(file, file_n, "password", 8));
}

Test(backup, is_listed_and_downloaded_in_parts)
{
	const char *name;
	size_t at = 0;

	ASK(404, HTTP_LIST, "sys/backup", NULL);
	put_secrets(5);
	take();
	name = rig_got("data.name");
	ASK(200, HTTP_LIST, "sys/backup", NULL);
	GOT("data.keys.0", name);
	do {
		char fields[200];
		const struct value *bytes;

		snprintf(fields, sizeof(fields),
		         "{\"name\":\"%s\",\"offset\":%zu,\"length\":10000}", name, at);
		ASK(200, HTTP_GET, "sys/backup/data", fields);
		bytes = value_get(value_get(rig.body, "data"), "bytes");
		cr_assert(bytes != NULL && at + bytes->len <= file_n);
		cr_assert_eq(memcmp(file + at, bytes->text, bytes->len), 0);
		at += bytes->len;
	} while (strcmp(rig_got("data.eof"), "true") != 0);
	cr_assert_eq(at, file_n);
}

Test(backup, other_names_are_refused)
{
	ASK(400, HTTP_GET, "sys/backup/data", NULL);
	ASK(400, HTTP_GET, "sys/backup/data", "{\"name\":\"../vault.db\"}");
	ASK(400, HTTP_GET, "sys/backup/data", "{\"name\":\".scratch\"}");
	ASK(400, HTTP_GET, "sys/backup/data", "{\"name\":\"a/b.vbk\"}");
	ASK(404, HTTP_GET, "sys/backup/data", "{\"name\":\"vault-1.vbk\"}");
}

static void cut_image(const char *to)
{
	FILE *out = fopen(to, "wb");

	cr_assert_not_null(out);
	cr_assert_eq(fwrite(file + 4096, 1, file_n - 4096, out), file_n - 4096);
	fclose(out);
	cr_assert_eq(chmod(to, 0600), 0);
}

/* As the restore command does: the image in place of the database, and the marker. */
static void restore(bool marker)
{
	const char *db = arena_printf(rig.a, "%s/vault.db", rig.dir);
	const char *wal = arena_printf(rig.a, "%s/vault.db-wal", rig.dir);

	core_close(rig.core);
	unlink(wal);
	cut_image(db);
	if (marker) {
		struct value *v = value_object(rig.a);
		const struct db_options o = { .path = db };
		struct db *h;
		struct err e;
		size_t n;
		unsigned char *p;

		value_set_int(rig.a, v, "audit_size", 5);
		p = value_pack(rig.a, v, &n);
		cr_assert_eq(db_open(&o, &h, &e), ERR_OK, "%s", e.msg);
		cr_assert_eq(meta_put(h, "restored", p, n, &e), ERR_OK, "%s", e.msg);
		db_close(h);
	}
	rig_open();
}

Test(backup, restores_to_what_it_was)
{
	const char *token;

	put_secrets(10);
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"default\"]}");
	token = rig_got("auth.client_token");
	take();
	ASK(204, HTTP_DELETE, "secret/metadata/app/3", NULL);
	ASK(404, HTTP_GET, "secret/data/app/3", NULL);
	restore(true);
	rig_unseal();
	ASK(200, HTTP_GET, "secret/data/app/3", NULL);
	GOT("data.data.password", "canary-3");
	ASK_AS(403, token, HTTP_GET, "auth/token/lookup-self", NULL);
	ASK(200, HTTP_GET, "sys/audit-log/records", "{\"operation\":\"restore\"}");
	GOT("data.records.0.note.tokens_voided", "1");
	GOT("data.records.0.note.backup_audit_size", "5");
	/* Once: the marker is gone. */
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"default\"]}");
	token = rig_got("auth.client_token");
	rig_reopen();
	ASK_AS(200, token, HTTP_GET, "auth/token/lookup-self", NULL);
}

Test(backup, without_the_marker_nothing_is_voided)
{
	const char *token;

	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"default\"]}");
	token = rig_got("auth.client_token");
	take();
	restore(false);
	rig_unseal();
	ASK_AS(200, token, HTTP_GET, "auth/token/lookup-self", NULL);
}

Test(backup, has_what_was_committed_while_it_was_taken)
{
	int before, i = 0;

	put_secrets(200);
	before = rig.replies;
	rig_submit(HTTP_POST, "sys/backup", rig.root, NULL);
	rig_run();
	while (rig.core->backup != NULL && i < 20) {
		char path[64];

		snprintf(path, sizeof(path), "secret/data/late/%d", i++);
		rig_submit(HTTP_POST, path, rig.root, "{\"data\":{\"a\":\"b\"}}");
		rig_run();
	}
	for (int n = 0; n < 1000 && rig.replies < before + i + 1; n++)
		rig_run();
	cr_assert_eq(rig.replies, before + i + 1);
	cr_assert_gt(i, 3);
	ASK(200, HTTP_LIST, "sys/backup", NULL);
	load(in_dir(rig_got("data.keys.0")));
	cr_assert(signature_ok());
	restore(false);
	rig_unseal();
	ASK(200, HTTP_GET, "secret/data/app/199", NULL);
}

/* ---- what is not good does not get the name of a backup ---- */

static void change_db(const char *sql)
{
	const char *db = arena_printf(rig.a, "%s/vault.db", rig.dir);
	sqlite3 *h;

	core_close(rig.core);
	cr_assert_eq(sqlite3_open(db, &h), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
	             sqlite3_errmsg(h));
	sqlite3_close(h);
	rig_open();
	rig_unseal();
}

struct damage {
	char sql[160];
};

ParameterizedTestParameters(backup, damaged_source_is_refused)
{
	static struct damage c[] = {
		{ "DELETE FROM payload WHERE rowid = 3" },
		{ "UPDATE payload SET sealed = zeroblob(length(sealed)) WHERE rowid = 3" },
		{ "UPDATE object SET due = 77 WHERE rowid = (SELECT rowid FROM object WHERE kind = 4)" },
		{ "UPDATE audit SET envelope = zeroblob(length(envelope)) WHERE idx = 4" },
		{ "UPDATE audit SET digest = zeroblob(32) WHERE idx = 4" },
		{ "UPDATE audit SET leaf = zeroblob(32) WHERE idx = 4" },
	};

	return cr_make_param_array(struct damage, c, sizeof(c) / sizeof(c[0]));
}

ParameterizedTest(struct damage *c, backup, damaged_source_is_refused)
{
	/* So many that unsealing does not read the first audit records again. */
	put_secrets(300);
	change_db(c->sql);
	rig_ask(HTTP_POST, "sys/backup", NULL);
	cr_assert_eq(rig.status, 500, "%s: %s", c->sql, rig_got(""));
	cr_assert_eq(files_left(), 0);
	cr_assert_null(rig.core->backup);
	/* The rest is served; which secret was damaged is up to chance. */
	rig_ask(HTTP_GET, "secret/data/app/0", NULL);
	if (rig.status != 200)
		ASK(200, HTTP_GET, "secret/data/app/1", NULL);
}

Test(backup, a_full_disk_is_reported_and_leaves_nothing)
{
	const char *part;

	put_secrets(3);
	cr_assert_eq(mkdir(in_dir(""), 0700), 0);
	/* A directory where the scratch copy should be stands for a disk that refuses. */
	part = in_dir(".scratch");
	cr_assert_eq(mkdir(part, 0700), 0);
	rig_ask(HTTP_POST, "sys/backup", NULL);
	cr_assert_geq(rig.status, 500);
	cr_assert_eq(rmdir(part), 0, "and it is still there");
	ASK(200, HTTP_POST, "sys/backup", NULL);
	cr_assert_eq(files_left(), 1);
}

/* ---- one at a time ---- */

Test(backup, a_second_one_waits_until_the_first_is_abandoned)
{
	put_secrets(50);
	rig_submit(HTTP_POST, "sys/backup", rig.root, NULL);
	rig_run();
	cr_assert_not_null(rig.core->backup);
	core_cancel(rig.core, 1, rig.next_id); /* the client hangs up */
	ASK(503, HTTP_POST, "sys/backup", NULL);
	rig_advance(11000);
	ASK(200, HTTP_POST, "sys/backup", NULL);
	cr_assert_eq(files_left(), 1);
}

Test(backup, sealing_ends_it)
{
	put_secrets(50);
	rig_submit(HTTP_POST, "sys/backup", rig.root, NULL);
	rig_run();
	cr_assert_not_null(rig.core->backup);
	ASK(204, HTTP_POST, "sys/seal", NULL);
	for (int i = 0; i < 20; i++)
		rig_run();
	rig_unseal();
	rig_advance(11000);
	ASK(200, HTTP_POST, "sys/backup", NULL);
	cr_assert_eq(files_left(), 1);
}

Test(backup, needs_the_sudo_capability)
{
	const char *token;

	ASK(204, HTTP_POST, "sys/policies/acl/no-sudo",
	    "{\"policy\":\"path \\\"sys/backup\\\" { capabilities = [\\\"update\\\"] }\"}");
	ASK(200, HTTP_POST, "auth/token/create", "{\"policies\":[\"no-sudo\"]}");
	token = rig_got("auth.client_token");
	ASK_AS(403, token, HTTP_POST, "sys/backup", NULL);
	cr_assert_eq(files_left(), 0);
}

/* A token whose stored form is larger than the API would let it become. */
static int make_heavy(struct core *c, void *arg, struct err *e)
{
	const size_t n = 900000;
	AUTO_ARENA a = arena_new(LIMIT_REQUEST_ARENA);
	char *text = arena_alloc(a, n + 1);
	struct value *meta = value_object(a);
	struct store_object o;
	int rc = token_find(c, a, arg, &o, e);

	if (rc != ERR_OK)
		return rc;
	memset(text, 'm', n);
	value_set_str(a, meta, "k", text);
	value_set(o.body, "meta", meta);
	return store_put(c, &o, e);
}

/* Each slice authenticates anew; what that takes must not add up. */
Test(backup, many_slices_take_no_more_memory_than_few)
{
	const size_t n = 400000;
	char *text = malloc(n + 200), path[32], *t;
	struct err e = { 0 };

	ASK(200, HTTP_POST, "auth/token/create", "{}");
	t = arena_str(rig.a, rig_got("auth.client_token"));
	cr_assert_eq(batch_alone(rig.core, make_heavy, t, &e), ERR_OK, "%s", e.msg);
	memset(text, 'm', n + 200);
	memcpy(text, "{\"data\":{\"k\":\"", 14);
	memcpy(text + n, "\"}}", 4);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "secret/data/s%d", i);
		ASK(200, HTTP_POST, path, text);
	}
	free(text);
	ASK_AS(200, t, HTTP_POST, "sys/backup", NULL);
}
