/* SPDX-License-Identifier: Apache-2.0 */
/* api_kek - sys/key-status, sys/rotate: terms of the key that seals rows. */
#include "arena.h"
#include "kek.h"
#include "keyring.h"
#include "route.h"
#include "store.h"

static int h_key_status(struct req *r)
{
	struct core *c = r->core;
	struct value *data = reply_data(r);
	struct store_summary s = { .counter = 0 };
	char when[CLOCK_RFC3339_MAX];

	(void)store_state_summary(c, &s);
	clock_rfc3339(keyring_began_ms(c->keys), when);
	value_set_int(r->a, data, "term", keyring_active(c->keys));
	value_set_str(r->a, data, "install_time", arena_str(r->a, when));
	value_set_int(r->a, data, "encryptions", s.encryptions);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_rotate(struct req *r)
{
	int rc = kek_rotate(r->core, r->a, &r->e);

	if (rc == ERR_OK)
		req_note_int(r, "term", keyring_active(r->core->keys));
	return rc;
}

static int h_config_read(struct req *r)
{
	struct kek_config cfg;
	int rc = kek_config_get(r->core, &cfg, &r->e);
	struct value *data;

	if (rc != ERR_OK)
		return rc;
	data = reply_data(r);
	value_set_int(r->a, data, "max_operations", cfg.max_operations);
	value_set_int(r->a, data, "interval", cfg.interval_ms / 1000);
	value_set_bool(r->a, data, "enabled", cfg.enabled);
	return ERR_OK;
}

static int h_config_write(struct req *r)
{
	struct kek_config cfg;
	bool present;
	int rc;

	if ((rc = kek_config_get(r->core, &cfg, &r->e)) != ERR_OK ||
	    (rc = req_int(r, "max_operations", &cfg.max_operations, &present)) !=
	            ERR_OK ||
	    (rc = req_duration(r, "interval", &cfg.interval_ms, &present)) != ERR_OK ||
	    (rc = req_bool(r, "enabled", &cfg.enabled, &present)) != ERR_OK)
		return rc;
	if (cfg.max_operations < KEK_OPERATIONS_MIN ||
	    cfg.max_operations > KEK_OPERATIONS_MAX)
		return req_fail(r, ERR_INVALID,
		                "max_operations must be between %d and %lld",
		                KEK_OPERATIONS_MIN, (long long)KEK_OPERATIONS_MAX);
	if (cfg.interval_ms != 0 &&
	    (cfg.interval_ms < KEK_INTERVAL_MIN || cfg.interval_ms > KEK_INTERVAL_MAX))
		return req_fail(r, ERR_INVALID,
		                "interval must be 0 or between 24h and ten years");
	req_note_int(r, "max_operations", cfg.max_operations);
	req_note_int(r, "interval", cfg.interval_ms / 1000);
	req_note_int(r, "enabled", cfg.enabled);
	return kek_config_put(r->core, r->a, &cfg, &r->e);
}

static const struct field config_fields[] = {
	{"max_operations", "int",      "encryptions after which a new term begins"  },
	{ "interval",      "duration", "time after which a new term begins; 0: none"},
	{ "enabled",       "bool",     "whether terms end by themselves"            },
	{ NULL,            NULL,       NULL					 },
};
/* clang-format off */
static const struct route rows[] = {
	{ "system", M_GET, "key-status", 0, NULL, h_key_status, NULL,
	  "the active key term: number, begin, use" },
	{ "system", M_POST, "rotate", R_SUDO, NULL, h_rotate, NULL,
	  "begin a new key term; what older terms sealed is sealed anew in the background" },
	{ "system", M_POST, "rotate/keyring", R_SUDO, NULL, h_rotate, NULL,
	  "the same as rotate" },
	{ "system", M_GET, "rotate/config", R_SUDO, NULL, h_config_read, NULL,
	  "when key terms end by themselves" },
	{ "system", M_POST, "rotate/config", R_SUDO, config_fields, h_config_write, NULL,
	  "set when key terms end by themselves" },
	{ "system", M_GET, "rotate/keyring/config", R_SUDO, NULL, h_config_read, NULL,
	  "the same as rotate/config" },
	{ "system", M_POST, "rotate/keyring/config", R_SUDO, config_fields, h_config_write,
	  NULL, "the same as rotate/config" },
};
/* clang-format on */

const struct route_table routes_kek = { rows, ARRAY_LEN(rows) };
