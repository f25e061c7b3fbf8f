/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Databases of released schemas, kept as they were written then: each must open, unseal
 * and show every row for ever.  tests/fixtures/make-golden writes the one of this schema.
 */
#include "core_rig.h"

#include "file.h"
#include "rng.h"
#include "server/core/storage/store.h"

#define FIXTURES "tests/fixtures/"
#define NAME     "db-0001"
#define SECRETS  25

/* ---- writing: everything that is random comes from a counter ---- */

static uint64_t counter;

static void fixed_bytes(void *const out, const size_t n)
{
	unsigned char seed[randombytes_SEEDBYTES] = { 'g', 'o', 'l', 'd' };

	memcpy(seed + 8, &counter, sizeof(counter));
	counter++;
	randombytes_buf_deterministic(out, n, seed);
}

static uint32_t fixed_word(void)
{
	uint32_t word;

	fixed_bytes(&word, sizeof(word));
	return word;
}

static const char *fixed_name(void)
{
	return "fixed";
}

static randombytes_implementation fixed = {
	.implementation_name = fixed_name,
	.random = fixed_word,
	.buf = fixed_bytes,
};

static void write_secrets(void)
{
	for (int i = 0; i < SECRETS; i++) {
		char path[64], fields[96];

		rig_advance(1000);
		snprintf(path, sizeof(path), "secret/data/app-%d/db", i % 5);
		snprintf(fields, sizeof(fields), "{\"data\":{\"password\":\"value %d\"}}",
		         i);
		ASK(200, HTTP_POST, path, fields);
	}
	ASK(204, HTTP_POST, "secret/metadata/app-1/db",
	    "{\"max_versions\":3,\"custom_metadata\":{\"owner\":\"ops\"}}");
	ASK(204, HTTP_POST, "secret/delete/app-2/db", "{\"versions\":[5]}");
	ASK(204, HTTP_POST, "secret/destroy/app-3/db", "{\"versions\":[1,2]}");
}

static void write_others(void)
{
	ASK(204, HTTP_POST, "sys/policies/acl/reader",
	    "{\"policy\":\"path \\\"secret/data/*\\\" { capabilities = [\\\"read\\\"] }\"}");
	ASK(200, HTTP_POST, "auth/token/create",
	    "{\"policies\":[\"reader\"],\"ttl\":\"87600h\",\"display_name\":\"ci\"}");
	ASK(204, HTTP_POST, "sys/hosts/roles/web", "{\"paths\":[\"secret/app-1/*\"]}");
	ASK(200, HTTP_POST, "sys/hosts/add", "{\"name\":\"web1\",\"role\":\"web\"}");
}

Test(db_golden, make, .timeout = 60)
{
	const char *out = getenv("VAULT_GOLDEN_OUT");
	struct err e = { 0 };
	char text[200];
	size_t n;
	char *image;

	if (out == NULL)
		cr_skip_test("only when tests/fixtures/make-golden asks for it");
	cr_assert_eq(randombytes_set_implementation(&fixed), 0);
	rng_forget();
	rig_start();
	write_secrets();
	write_others();
	core_close(rig.core);
	rig.core = NULL;
	cr_assert_eq(file_read(rig.a, arena_printf(rig.a, "%s/vault.db", rig.dir),
	                       1 << 24, &image, &n, &e),
	             ERR_OK, "%s", e.msg);
	cr_assert_eq(file_write_path(arena_printf(rig.a, "%s/" NAME ".sqlite", out),
	                             image, n, 0644, &e),
	             ERR_OK, "%s", e.msg);
	snprintf(text, sizeof(text), "{\"key\": \"%s\", \"root_token\": \"%s\"}\n",
	         rig.key, rig.root);
	cr_assert_eq(file_write_path(arena_printf(rig.a, "%s/" NAME ".json", out), text,
	                             strlen(text), 0644, &e),
	             ERR_OK, "%s", e.msg);
	rig_stop();
}

/* ---- reading ---- */

static void load_keys(void)
{
	json_error_t why;
	json_t *j = json_load_file(FIXTURES NAME ".json", 0, &why);

	cr_assert_not_null(j, "%s", why.text);
	snprintf(rig.key, sizeof(rig.key), "%s",
	         json_string_value(json_object_get(j, "key")));
	snprintf(rig.root, sizeof(rig.root), "%s",
	         json_string_value(json_object_get(j, "root_token")));
	json_decref(j);
}

static void start(void)
{
	struct err e = { 0 };
	char *image;
	size_t n;

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(keymem_init(true, &e), ERR_OK, "%s", e.msg);
	rig.a = arena_new((size_t)64 * 1024 * 1024);
	rig.clock = (struct clock){ rig_wall, rig_boot, NULL };
	rig.wall = 1767225600000 + 86400000;
	rig.boot = 5000000;
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/golden-XXXXXX");
	cr_assert_not_null(mkdtemp(rig.dir));
	cr_assert_eq(file_read(rig.a, FIXTURES NAME ".sqlite", 1 << 24, &image, &n, &e),
	             ERR_OK, "%s", e.msg);
	cr_assert_eq(file_write_path(arena_printf(rig.a, "%s/vault.db", rig.dir), image,
	                             n, 0600, &e),
	             ERR_OK, "%s", e.msg);
	load_keys();
	rig_open();
	rig_unseal();
}

static int count_row(void *ctx, struct store_object *o, struct err *e)
{
	(void)o;
	(void)e;
	++*(int *)ctx;
	return ERR_OK;
}

Test(db_golden, every_row_opens, .init = start, .fini = rig_stop, .timeout = 60)
{
	static const struct {
		enum store_kind kind;
		int least;
	} want[] = {
		{KIND_MOUNT,      1},
                { KIND_POLICY,    1},
                { KIND_TOKEN,     2},
		{ KIND_SECRET,    5},
                { KIND_HOST,      1},
                { KIND_HOST_ROLE, 1},
		{ KIND_JOIN,      1},
	};
	struct err e = { 0 };
	bool done = false;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		int n = 0;

		cr_assert_eq(store_each(rig.core, rig.a, want[i].kind, NULL, 0, 0,
		                        count_row, &n, &e),
		             ERR_OK, "%s", e.msg);
		cr_assert_geq(n, want[i].least, "kind %d", (int)want[i].kind);
	}
	while (!done)
		cr_assert_eq(store_state_verify_slice(rig.core, &done, &e), ERR_OK, "%s",
		             e.msg);
	/* Opens every object, payload and audit record, and recomputes the tree. */
	ASK(200, HTTP_POST, "sys/backup", NULL);
}

Test(db_golden, secrets_read_as_they_were_written, .init = start, .fini = rig_stop,
     .timeout = 60)
{
	for (int i = 0; i < SECRETS; i++) {
		char path[64], fields[32], want[32];
		int app = i % 5, version = i / 5 + 1, status;

		snprintf(path, sizeof(path), "secret/data/app-%d/db", app);
		snprintf(fields, sizeof(fields), "{\"version\":%d}", version);
		snprintf(want, sizeof(want), "value %d", i);
		status = rig_ask(HTTP_GET, path, fields);
		if (status == 200)
			GOT("data.data.password", want);
		else
			cr_assert((app == 2 && version == 5) ||
			                  (app == 3 && version <= 2) ||
			                  (app == 1 && version <= 2),
			          "%s version %d: %d", path, version, status);
	}
	ASK(200, HTTP_GET, "secret/metadata/app-1/db", NULL);
	GOT("data.custom_metadata.owner", "ops");
	ASK(200, HTTP_GET, "sys/policies/acl/reader", NULL);
	ASK(200, HTTP_GET, "sys/hosts/web1", NULL);
}
