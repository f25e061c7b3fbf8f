/* SPDX-License-Identifier: Apache-2.0 */
/* api_backup - sys/backup: take a backup, list them, download one. */
#include <string.h>

#include "arena.h"
#include "backup.h"
#include "route.h"
#include "text.h"

#define PART_DEFAULT (256 * 1024)
#define PART_MAX     (512 * 1024)

/* One slice after each batch, as long as the client waits for it. */
static int go_on(struct req *r, const unsigned char *id)
{
	core_after_commit(r->core, backup_step, r->core);
	return req_park(r, WAIT_JOB, id, r->core->boot_ms);
}

static void reply_result(struct req *r, const struct backup_result *res)
{
	struct value *data = reply_data(r);
	char *file = arena_printf(r->a, "backups/%s", res->name);
	char *name = arena_str(r->a, res->name);
	char *hex = arena_alloc(r->a, 65);

	if (file == NULL || name == NULL || hex == NULL)
		return; /* the arena remembers */
	text_hex(res->sha256, sizeof(res->sha256), hex);
	value_set_str(r->a, data, "file", file);
	value_set_str(r->a, data, "name", name);
	value_set_int(r->a, data, "size", res->size);
	value_set_int(r->a, data, "audit_size", res->audit_size);
	value_set_str(r->a, data, "sha256", hex);
	req_note_str(r, "name", name);
	req_note_int(r, "size", res->size);
	req_note_int(r, "backup_audit_size", res->audit_size);
	req_note_str(r, "sha256", hex);
}

static int h_take(struct req *r)
{
	unsigned char *id = r->park_state;
	struct backup_result res;
	bool done = false;
	int rc;

	if (id == NULL) {
		id = arena_alloc(r->a, 16);
		if (id == NULL)
			return req_fail(r, ERR_NOMEM, "out of memory");
		if ((rc = backup_start(r->core, id, &r->e)) != ERR_OK)
			return rc;
		r->park_state = id;
		return go_on(r, id);
	}
	if ((rc = backup_poll(r->core, id, &done, &res, &r->e)) != ERR_OK)
		return rc;
	if (!done)
		return go_on(r, id);
	reply_result(r, &res);
	return ERR_OK;
}

static int h_list(struct req *r)
{
	struct value *all, *data, *keys;
	int rc = backup_list(r->core, r->a, &all, &r->e);

	if (rc != ERR_OK || all->first == NULL)
		return rc; /* nothing: the 404 of an empty list */
	data = reply_data(r);
	keys = value_array(r->a);
	for (const struct value *v = all->first; v != NULL; v = v->next)
		value_add(keys, value_strn(r->a, v->key, v->key_len));
	value_set(data, "keys", keys);
	value_set(data, "key_info", all);
	return ERR_OK;
}

static int h_data(struct req *r)
{
	struct backup_part part = { .want = PART_DEFAULT };
	int64_t length = PART_DEFAULT;
	const char *name = NULL;
	struct value *data;
	bool present;
	int rc;

	if ((rc = req_str(r, "name", &name, &present)) != ERR_OK)
		return rc;
	if (!present)
		return req_fail(r, ERR_INVALID, "missing name");
	if ((rc = req_int(r, "offset", &part.offset, &present)) != ERR_OK ||
	    (rc = req_int(r, "length", &length, &present)) != ERR_OK)
		return rc;
	if (part.offset < 0 || length < 1)
		return req_fail(r, ERR_INVALID, "offset and length must be positive");
	part.want = length > PART_MAX ? PART_MAX : (size_t)length;
	if ((rc = backup_read(r->core, r->a, name, &part, &r->e)) != ERR_OK)
		return rc;
	data = reply_data(r);
	value_set_bytes(r->a, data, "bytes", part.bytes, part.n);
	value_set_int(r->a, data, "size", part.size);
	value_set_bool(r->a, data, "eof", part.offset + (int64_t)part.n >= part.size);
	req_note_str(r, "name", name);
	req_note_int(r, "offset", part.offset);
	return ERR_OK;
}

static const struct field data_fields[] = {
	{"name",    "string", "name of the backup, as listed"  },
	{ "offset", "int",    "first byte"                     },
	{ "length", "int",    "number of bytes, at most 524288"},
	{ NULL,     NULL,     NULL			     },
};

static const struct route rows[] = {
	{"system",  M_POST, "backup",      R_SUDO, NULL,        h_take, NULL,
         "Take a backup on the server and verify it."},
	{ "system", M_LIST, "backup",      0,      NULL,        h_list, NULL,
         "List the backups on the server."           },
	{ "system", M_GET,  "backup/data", R_SUDO, data_fields, h_data, NULL,
         "Read a part of a backup."                  },
};

const struct route_table routes_backup = { rows, sizeof(rows) / sizeof(rows[0]) };
