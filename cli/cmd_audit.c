/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "clock.h"
#include "duration.h"
#include "file.h"
#include "numbers.h"
#include "out.h"
#include "text.h"
#include "verify.h"
#include "verify_fetch.h"

#define QUERY_MAX     8192
#define LIST_LIMIT    50
#define PAGE_MAX      1000
#define WITNESSES_MAX ((size_t)16 * 1024 * 1024)

/* ---- list ---- */

static int query_add(char *query, const char *name, const char *value, struct err *e)
{
	char prefix[32];
	size_t n = strlen(query);

	snprintf(prefix, sizeof(prefix), "%s%s=", strchr(query, '?') != NULL ? "&" : "?",
	         name);
	return cli_path(prefix, value, query + n, QUERY_MAX - n, e);
}

/* A time on the command line: RFC 3339, milliseconds, or how long ago ("90m", "7d"). */
static int query_time(struct cli *c, char *query, const char *name, struct err *e)
{
	const char *s = cli_flag(c, name);
	char text[24];
	struct err why;
	int64_t ms;

	if (s == NULL)
		return ERR_OK;
	if (clock_parse_rfc3339(s, strlen(s), &ms) == 0)
		return query_add(query, name, s, e);
	if (strlen(s) >= 12 && strspn(s, "0123456789") == strlen(s))
		return query_add(query, name, s, e);
	if (duration_parse(s, strlen(s), &ms, &why) != ERR_OK || ms <= 0)
		return err_set(
			e, ERR_USAGE,
			"-%s wants a time (2026-01-31T12:00:00Z) or how long ago (90m, 7d)",
			name);
	snprintf(text, sizeof(text), "%lld",
	         (long long)(clock_wall(clock_system()) - ms));
	return query_add(query, name, text, e);
}

static int build_query(struct cli *c, char *query, struct err *e)
{
	static const char *const names[] = { "actor", "path", "operation", "outcome" };
	int rc;

	snprintf(query, QUERY_MAX, "sys/audit-log/records?order=%s",
	         cli_flag(c, "oldest") != NULL ? "oldest" : "newest");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = cli_flag(c, names[i]);

		if (v != NULL && (rc = query_add(query, names[i], v, e)) != ERR_OK)
			return rc;
	}
	if ((rc = query_time(c, query, "since", e)) != ERR_OK)
		return rc;
	return query_time(c, query, "until", e);
}

static int list_limit(struct cli *c, long *limit, struct err *e)
{
	const char *s = cli_flag(c, "limit");
	char *end;

	*limit = LIST_LIMIT;
	if (s == NULL)
		return ERR_OK;
	errno = 0;
	*limit = strtol(s, &end, 10);
	if (*s == '\0' || *end != '\0' || errno != 0 || *limit < 0)
		return err_set(e, ERR_USAGE, "-limit wants a number; 0 means all");
	if (*limit == 0)
		*limit = LONG_MAX;
	return ERR_OK;
}

/* What a table shows of a record; the rest is in -format=json. */
static void add_columns(json_t *record)
{
	const json_t *ms = json_object_get(record, "time_ms");
	const char *error = json_string_value(json_object_get(record, "error"));
	const char *damaged = json_string_value(json_object_get(record, "damaged"));
	char time[CLOCK_RFC3339_MAX], text[96];

	if (damaged != NULL) {
		snprintf(text, sizeof(text), "RECORD %.80s", damaged);
		json_object_set_new(record, "outcome", json_string(text));
		return;
	}
	if (json_is_integer(ms)) {
		clock_rfc3339(json_integer_value(ms), time);
		json_object_set_new(record, "time", json_string(time));
	}
	if (error != NULL && *error != '\0')
		json_object_set(record, "outcome", json_object_get(record, "error"));
}

static void print_records(struct cli *c, json_t *records)
{
	static const struct column columns[] = {
		{"INDEX",      "index"    },
                { "TIME",      "time"     },
		{ "ACTOR",     "actor"    },
                { "REMOTE",    "remote"   },
		{ "OPERATION", "operation"},
                { "PATH",      "path"     },
		{ "OUTCOME",   "outcome"  },
	};
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
	{
		if (c->format == CLI_TABLE) {
			add_columns(record);
			continue;
		}
		/* One line each; beyond ASCII escaped, so that no terminal obeys it. */
		if (out_line(stdout, record) != 0)
			return; /* main tells */
	}
	if (c->format == CLI_TABLE)
		out_table(records, columns, ARRAY_LEN(columns));
}

/* One page is added to ${all}; *cursor is where the next one begins, -1 at the end. */
static int fetch_page(struct cli *c, const char *query, long limit, json_t *all,
                      json_int_t *cursor, struct err *e)
{
	json_t *doc = NULL, *data, *next;
	char path[QUERY_MAX + 64];
	int rc;

	snprintf(path, sizeof(path), "%s&limit=%ld", query,
	         limit < PAGE_MAX ? limit : PAGE_MAX);
	if (*cursor >= 0)
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "&cursor=%lld",
		         (long long)*cursor);
	if ((rc = cli_call(c, "GET", path, NULL, &doc, e)) == ERR_OK) {
		data = json_object_get(doc, "data");
		json_array_extend(all, json_object_get(data, "records"));
		next = json_object_get(data, "next");
		*cursor = json_is_integer(next) ? json_integer_value(next) : -1;
	}
	json_decref(doc);
	return rc;
}

static int list(struct cli *c, struct err *e)
{
	char query[QUERY_MAX];
	json_int_t cursor = -1;
	json_t *all;
	long limit;
	int rc;

	if ((rc = list_limit(c, &limit, e)) != ERR_OK ||
	    (rc = build_query(c, query, e)) != ERR_OK)
		return rc;
	all = json_array();
	do {
		rc = fetch_page(c, query, limit - (long)json_array_size(all), all,
		                &cursor, e);
	} while (rc == ERR_OK && cursor >= 0 && (long)json_array_size(all) < limit);
	if (rc == ERR_OK)
		print_records(c, all);
	json_decref(all);
	return rc;
}

/* ---- checkpoint, export ---- */

static int checkpoint(struct cli *c, struct err *e)
{
	json_t *doc = NULL, *data;
	const char *note;
	int rc;

	if ((rc = cli_call(c, "GET", "sys/audit-log/checkpoint", NULL, &doc, e)) ==
	    ERR_OK) {
		data = json_object_get(doc, "data");
		note = json_string_value(json_object_get(data, "checkpoint"));
		if (note == NULL)
			rc = err_set(e, ERR_INVALID,
			             "the server's answer has no checkpoint");
		else if (cli_flag(c, "key") != NULL)
			out_text(json_string_value(json_object_get(data, "public_key")));
		else if (c->args > 0)
			rc = file_write_path(c->arg[0], note, strlen(note), 0644, e);
		else if (c->format == CLI_JSON)
			out_json(c, data);
		else
			out_raw(note, strlen(note));
	}
	json_decref(doc);
	return rc;
}

/* ---- witnesses ---- */

static int keep_witnesses(const char *path, json_t *data, struct err *e)
{
	char *text = numbers_dump(data, JSON_INDENT(2));
	int rc = text != NULL ? file_write_path(path, text, strlen(text), 0644, e)
	                      : err_set(e, ERR_NOMEM, "out of memory");

	cli_wipe(text);
	return rc;
}

static int witnesses(struct cli *c, struct err *e)
{
	static const struct column columns[] = {
		{"HOST",  "host"},
		{ "SIZE", "size"},
		{ "TIME", "time"},
	};
	json_t *doc = NULL, *data;
	int rc = cli_call(c, "GET", "sys/audit-log/witnesses", NULL, &doc, e);

	data = json_object_get(doc, "data");
	if (rc == ERR_OK && c->args > 0)
		rc = keep_witnesses(c->arg[0], data, e);
	else if (rc == ERR_OK && c->format == CLI_JSON)
		out_json(c, doc);
	else if (rc == ERR_OK)
		out_table(json_object_get(data, "witnesses"), columns,
		          ARRAY_LEN(columns));
	json_decref(doc);
	return rc;
}

/* Beside the file until it is whole. */
static int export_file(struct cli *c, const char *path, long long *count, struct err *e)
{
	char part[PATH_MAX];
	FILE *f;
	int fd, rc;

	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >= sizeof(part))
		return err_set(e, ERR_USAGE, "a path that is too long");
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		return err_sys(e, ERR_IO, errno, "%.150s", part);
	rc = verify_fetch(c, f, count, e);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.150s", part);
	if (fclose(f) != 0 && rc == ERR_OK)
		rc = err_sys(e, ERR_IO, errno, "%.150s", part);
	if (rc == ERR_OK && rename(part, path) != 0)
		rc = err_sys(e, ERR_IO, errno, "%.150s", path);
	if (rc != ERR_OK)
		unlink(part);
	return rc;
}

static int export(struct cli *c, struct err *e)
{
	long long count = 0;
	int rc;

	if (strcmp(c->arg[0], "-") == 0)
		return verify_fetch(c, stdout, &count, e);
	if ((rc = export_file(c, c->arg[0], &count, e)) == ERR_OK)
		say("%lld records in %s", count, c->arg[0]);
	return rc;
}

/* ---- verify ---- */

static int read_key(struct cli *c, struct note_key *out, struct err *e)
{
	const char *text = cli_flag(c, "key"), *path = cli_flag(c, "key-file");
	AUTO_ARENA a = arena_new((size_t)64 * 1024);
	char *buf;
	size_t n;
	int rc;

	if ((text != NULL) == (path != NULL))
		return err_set(
			e, ERR_USAGE,
			"give the log's verifier key with --key or --key-file, as "
			"'vaultctl audit checkpoint --key' printed it when you trusted the "
			"server");
	if (text != NULL)
		return note_key_parse(text, strlen(text), out, e);
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = file_read(a, path, 4096, &buf, &n, e)) != ERR_OK)
		return rc;
	return note_key_parse(buf, n, out, e);
}

/* From the server: by way of an export in a temporary file. */
static int open_server(struct cli *c, struct verify_source *src, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	long long count;
	int fd, rc;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/vaultctl-export-XXXXXX",
	             dir != NULL ? dir : "/tmp") >= (int)sizeof(path))
		return err_set(e, ERR_INVALID, "TMPDIR is too long");
	fd = mkstemp(path);
	if (fd < 0 || (f = fdopen(fd, "w")) == NULL)
		return err_sys(e, ERR_IO, errno, "%s", path);
	rc = verify_fetch(c, f, &count, e);
	fclose(f);
	if (rc == ERR_OK)
		rc = verify_open_export(path, src, e);
	unlink(path);
	return rc;
}

static int open_source(struct cli *c, struct verify_source *src, struct err *e)
{
	const char *export_path = cli_flag(c, "export"), *backup = cli_flag(c, "backup"),
		   *db = cli_flag(c, "db");

	if ((export_path != NULL) + (backup != NULL) + (db != NULL) > 1)
		return err_set(e, ERR_USAGE, "give one of --export, --backup and --db");
	if (export_path != NULL)
		return verify_open_export(export_path, src, e);
	if (backup != NULL)
		return verify_open_backup(backup, src, e);
	if (db != NULL)
		return verify_open_db(db, src, e);
	return open_server(c, src, e);
}

static const char *const fault_names[] = {
	[FAULT_NONE] = "none",
	[FAULT_CHANGED] = "changed",
	[FAULT_MISSING] = "missing",
	[FAULT_INSERTED] = "inserted",
	[FAULT_SOMEWHERE] = "somewhere",
	[FAULT_HEAD] = "signed_head",
	[FAULT_CUT] = "cut",
	[FAULT_FORK] = "other_history",
};

static bool names_record(const struct verify_report *r)
{
	return r->fault != FAULT_NONE && r->fault != FAULT_HEAD && r->fault != FAULT_FORK;
}

static void print_json(struct cli *c, const struct verify_report *r)
{
	char root[65];
	json_t *doc;

	text_hex(r->root, sizeof(r->root), root);
	doc = json_pack("{s:b, s:I, s:I, s:I, s:b, s:s}", "verified",
	                r->fault == FAULT_NONE, "records", (json_int_t)r->records,
	                "signed_heads", (json_int_t)r->heads, "proven_records",
	                (json_int_t)r->proven, "end_proven", r->end_proven, "fault",
	                fault_names[r->fault]);
	if (r->fault == FAULT_NONE)
		json_object_set_new(doc, "root", json_string(root));
	else
		json_object_set_new(doc, "text", json_string(r->text));
	if (names_record(r))
		json_object_set_new(doc, "bad_record", json_integer((json_int_t)r->bad));
	if (r->fault == FAULT_SOMEWHERE)
		json_object_set_new(doc, "first_possible",
		                    json_integer((json_int_t)r->first));
	if (r->witness > 0)
		json_object_set_new(doc, "kept_checkpoint",
		                    json_integer((json_int_t)r->witness));
	if (r->hosts > 0)
		json_object_set_new(doc, "witnesses", json_integer((json_int_t)r->hosts));
	out_json(c, doc);
	json_decref(doc);
}

static void print_text(const struct verify_report *r)
{
	if (r->fault != FAULT_NONE) {
		printf("NOT VERIFIED: %s.\n", r->text);
		printf("Records proven good by a signed head: the first %llu.\n",
		       (unsigned long long)r->proven);
		return;
	}
	printf("Verified: %llu records, %llu signed heads.\n",
	       (unsigned long long)r->records, (unsigned long long)r->heads);
	if (r->hosts > 0)
		printf("Hosts whose co-signed checkpoints are of this log: %llu.\n",
		       (unsigned long long)r->hosts);
	if (!r->end_proven)
		printf("The end is unproven: without a checkpoint that somebody else kept "
		       "(--checkpoint), records cut off the end do not show.\n");
	else if (r->witness < r->records)
		printf("The end is proven up to the checkpoint that was kept, %llu records.\n",
		       (unsigned long long)r->witness);
	else
		printf("The end is proven by the checkpoint that was kept.\n");
}

static int run_verify(struct cli *c, struct verify_options *o, struct err *e)
{
	struct verify_source src = { 0 };
	struct verify_report report;
	int rc;

	if ((rc = open_source(c, &src, e)) != ERR_OK)
		return rc;
	rc = verify_log(&src, o, &report, e);
	verify_close(&src);
	if (rc != ERR_OK && (rc != ERR_VERIFY || report.fault == FAULT_NONE))
		return rc;
	if (c->format == CLI_JSON)
		print_json(c, &report);
	else
		print_text(&report);
	/* It has been said, on stdout. */
	e->msg[0] = '\0';
	return rc;
}

/* At most ${WITNESSES_MAX} bytes: some 16,000 hosts. */
static int read_hosts(struct cli *c, struct arena *a, struct verify_options *o,
                      struct err *e)
{
	const char *path = cli_flag(c, "witnesses");
	struct verify_witness *hosts;
	char *text;
	size_t n;
	int rc;

	if (path == NULL)
		return ERR_OK;
	if ((rc = file_read(a, path, WITNESSES_MAX, &text, &n, e)) != ERR_OK ||
	    (rc = verify_read_witnesses(a, text, n, &hosts, &o->n_hosts, e)) != ERR_OK)
		return rc;
	o->hosts = hosts;
	return ERR_OK;
}

static int verify(struct cli *c, struct err *e)
{
	const char *witness = cli_flag(c, "checkpoint");
	AUTO_ARENA a = arena_new((size_t)3 * WITNESSES_MAX);
	struct verify_options o = { 0 };
	char *text;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = read_key(c, &o.key, e)) != ERR_OK)
		return rc;
	if (witness != NULL) {
		if ((rc = file_read(a, witness, NOTE_MAX, &text, &o.witness_len, e)) !=
		    ERR_OK)
			return rc;
		o.witness = text;
	}
	if ((rc = read_hosts(c, a, &o, e)) != ERR_OK)
		return rc;
	return run_verify(c, &o, e);
}

/* clang-format off */
static const struct flag list_flags[] = {
	{ "since",     FLAG_STRING, "TIME", "not before this time, or as long ago as 90m, 7d" },
	{ "until",     FLAG_STRING, "TIME", "before this time" },
	{ "actor",     FLAG_STRING, "NAME", "display name, host name or accessor" },
	{ "path",      FLAG_STRING, "PATH", "beginning of the path" },
	{ "operation", FLAG_STRING, "NAME", "read, list, create, update, delete, aggregate …" },
	{ "outcome",   FLAG_STRING, "NAME", "ok, denied or error" },
	{ "limit",     FLAG_STRING, "N",    "at most this many, 50 if not given; 0: all" },
	{ "oldest",    FLAG_BOOL,   NULL,   "oldest first" },
	{ 0 },
};

static const struct flag checkpoint_flags[] = {
	{ "key", FLAG_BOOL, NULL, "print the log's verifier key instead" },
	{ 0 },
};

static const struct flag verify_flags[] = {
	{ "export",     FLAG_STRING, "FILE", "an export" },
	{ "backup",     FLAG_STRING, "FILE", "a backup" },
	{ "db",         FLAG_STRING, "FILE", "the vault.db of a server that is stopped" },
	{ "key",        FLAG_STRING, "KEY",  "the log's verifier key: name+id+key" },
	{ "key-file",   FLAG_STRING, "FILE", "a file that holds it" },
	{ "checkpoint", FLAG_STRING, "FILE", "a signed head that you or an agent kept" },
	{ "witnesses",  FLAG_STRING, "FILE", "heads that hosts have co-signed, as 'audit witnesses FILE' wrote them" },
	{ 0 },
};

static const struct command rows[] = {
	{ "audit", "list", list, 0, 0, list_flags, "", "search the audit log",
	  "Newest first. With -format=json one record per line, with every member." },
	{ "audit", "checkpoint", checkpoint, 0, 1, checkpoint_flags, "[FILE]",
	  "print or keep the newest signed head",
	  "Keep it where the server cannot reach it, and the verifier key too (--key)." },
	{ "audit", "witnesses", witnesses, 0, 1, NULL, "[FILE]",
	  "list or keep the heads that hosts have co-signed",
	  "Keep it where the server cannot reach it: it proves the log to have been no shorter." },
	{ "audit", "export", export, 1, 1, NULL, "FILE|-",
	  "write the whole audit log as JSON lines", NULL },
	{ "audit", "verify", verify, 0, 0, verify_flags, "--key KEY",
	  "prove that the audit log is whole",
	  "Reads an export, a backup or a stopped server's file; without any of them, the server's\n"
	  "log. Needs nothing but the verifier key, and names the first bad record. Exit status: 0\n"
	  "verified, 22 not verified, 2 wrong usage, 3 not a log or key, 5 no such file, 14 the\n"
	  "database is in use, 18 reading failed. Without --checkpoint or --witnesses the end is unproven." },
};
/* clang-format on */

const struct command_set commands_audit = { rows, ARRAY_LEN(rows) };
