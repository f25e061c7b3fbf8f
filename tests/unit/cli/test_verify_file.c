/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier on backups and exports. */
#include "verify_rig.h"

TestSuite(verify_file, .init = setup, .fini = teardown, .timeout = 300);

/* ---- backup ---- */

static void make_backup(void)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *all;
	size_t n;

	change("PRAGMA wal_checkpoint(TRUNCATE)");
	cr_assert_eq(file_read(a, db_path, 64u << 20, &p, &n, &e), ERR_OK, "%s", e.msg);
	all = calloc(1, n + BACKUP_HEADER);
	memcpy(all + BACKUP_HEADER, p, n);
	cr_assert_eq(file_write_path(backup_path, all, n + BACKUP_HEADER, 0600, &e),
	             ERR_OK);
	free(all);
	arena_free(a);
}

Test(verify_file, a_backup_verifies_and_one_byte_in_it_does_not)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *at;
	size_t n;

	make_backup();
	cr_assert_eq(verify(verify_open_backup, backup_path), ERR_OK, "%s", e.msg);
	cr_assert_eq(file_read(a, backup_path, 64u << 20, &p, &n, &e), ERR_OK);
	at = memmem(p, n, rows[1234].envelope, 20);
	cr_assert_not_null(at);
	at[7] ^= 0x10;
	cr_assert_eq(file_write_path(backup_path, p, n, 0600, &e), ERR_OK);
	cr_assert_eq(verify(verify_open_backup, backup_path), ERR_VERIFY);
	cr_assert_eq(rep.bad, 1234, "%s", rep.text);
	arena_free(a);
}

Test(verify_file, a_damaged_image_never_verifies)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct verify_source src;
	char *p;
	size_t n;

	make_backup();
	cr_assert_eq(file_read(a, backup_path, 64u << 20, &p, &n, &e), ERR_OK);
	for (int i = 0; i < 60; i++) {
		size_t at = BACKUP_HEADER +
		            4096 * (1 + randombytes_uniform((uint32_t)(n / 4096) - 2));
		char kept[4096];
		int rc;

		/* A page is zeroed: rows, an inner page, or something that is not the
		 * log's. */
		memcpy(kept, p + at, sizeof(kept));
		memset(p + at, 0, sizeof(kept));
		cr_assert_eq(file_write_path(backup_path, p, n, 0600, &e), ERR_OK);
		memset(&src, 0, sizeof(src));
		rc = verify_open_backup(backup_path, &src, &e);
		if (rc == ERR_OK)
			rc = verify_log(&src, &o, &rep, &e);
		verify_close(&src);
		if (rc == ERR_OK)
			cr_assert_eq(rep.records, RECORDS, "page %zu", at / 4096);
		memcpy(p + at, kept, sizeof(kept));
	}
	arena_free(a);
}

/* ---- export ---- */

static void put_b64(FILE *f, const char *name, const void *p, size_t n)
{
	char b64[TEXT_BASE64_LEN(264) + 1];

	text_base64(p, n, b64);
	fprintf(f, ",\"%s\":\"%s\"", name, b64);
}

static void put_line(FILE *f, uint64_t index, const struct row *r)
{
	fprintf(f, "{\"index\":%llu", (unsigned long long)index);
	put_b64(f, "commit", r->digest, 32);
	put_b64(f, "leaf", r->leaf, 32);
	put_b64(f, "envelope", r->envelope, r->envelope_len);
	put_b64(f, "record", r->record, r->record_len);
	put_b64(f, "salt", r->salt, 16);
	fprintf(f, "}\n");
}

/* ${order}: which row stands on each line; -1 ends. */
static void make_export(const int *order, const char *note)
{
	FILE *f = fopen(export_path, "w");

	fprintf(f, "{\"format\":\"vaultd-audit-export-1\",\"vault_id\":\"00\"}\n");
	for (; *order >= 0; order++)
		put_line(f, (uint64_t)*order, &rows[*order]);
	if (note != NULL) {
		fprintf(f, "{\"checkpoint\":\"");
		for (; *note != '\0'; note++)
			if (*note == '\n')
				fputs("\\n", f);
			else
				fputc(*note, f);
		fprintf(f, "\"}\n");
	}
	fclose(f);
}

static int order[RECORDS + 2];

static void in_order(void)
{
	for (int i = 0; i < RECORDS; i++)
		order[i] = i;
	order[RECORDS] = order[RECORDS + 1] = -1;
}

static int verify_export(void)
{
	char note[NOTE_CHECKPOINT_MAX];

	head_at(RECORDS, note);
	make_export(order, note);
	return verify(verify_open_export, export_path);
}

Test(verify_file, an_export_verifies)
{
	in_order();
	cr_assert_eq(verify_export(), ERR_OK, "%s", e.msg);
	cr_assert_eq(rep.records, RECORDS);
	cr_assert_eq(rep.heads, 1);
}

static void expect_export(uint64_t bad)
{
	cr_assert_eq(verify_export(), ERR_VERIFY);
	cr_assert_eq(rep.bad, bad, "%s", rep.text);
}

Test(verify_file, lines_that_moved_vanished_or_doubled_are_named)
{
	for (int round = 0; round < 25; round++) {
		int at = (int)randombytes_uniform(RECORDS - 10);
		int other = at + 1 + (int)randombytes_uniform(9);

		in_order();
		order[at] = other;
		order[other] = at;
		expect_export((uint64_t)at);
		in_order();
		memmove(order + at, order + at + 1,
		        (size_t)(RECORDS + 1 - at) * sizeof(int));
		expect_export((uint64_t)at);
		in_order();
		memmove(order + at + 1, order + at,
		        (size_t)(RECORDS + 1 - at) * sizeof(int));
		expect_export((uint64_t)at + 1);
	}
	in_order();
	order[RECORDS - 1] = -1;
	expect_export(RECORDS - 1);
}

Test(verify_file, any_byte_of_an_entry_matters)
{
	struct arena *a = arena_new((size_t)64 << 20);
	char *p, *line, name[64];
	size_t n;

	in_order();
	cr_assert_eq(verify_export(), ERR_OK, "%s", e.msg);
	cr_assert_eq(file_read(a, export_path, 64u << 20, &p, &n, &e), ERR_OK);
	for (int round = 0; round < 60; round++) {
		uint32_t index = randombytes_uniform(RECORDS);
		size_t len, at;

		snprintf(name, sizeof(name), "\n{\"index\":%u,", index);
		line = strstr(p, name) + 1;
		len = strcspn(line, "\n");
		at = randombytes_uniform((uint32_t)len);
		line[at] ^= 0x01;
		cr_assert_eq(file_write_path(export_path, p, n, 0600, &e), ERR_OK);
		cr_assert_eq(verify(verify_open_export, export_path), ERR_VERIFY,
		             "byte %zu of %.*s", at, (int)len, line);
		cr_assert_eq(rep.bad, index, "byte %zu: %s", at, rep.text);
		line[at] ^= 0x01;
	}
	arena_free(a);
}

Test(verify_file, an_export_without_its_end_is_not_whole)
{
	in_order();
	make_export(order, NULL);
	cr_assert_eq(verify(verify_open_export, export_path), ERR_VERIFY);
	cr_assert_eq(rep.fault, FAULT_HEAD);
}

Test(verify_file, an_empty_log_is_whole)
{
	static const int none[] = { -1 };

	make_export(none, "");
	cr_assert_eq(verify(verify_open_export, export_path), ERR_OK, "%s", e.msg);
	change("DELETE FROM audit; DELETE FROM checkpoint");
	cr_assert_eq(verify_db(), ERR_OK, "%s", e.msg);
	cr_assert_eq(rep.records, 0);
}
