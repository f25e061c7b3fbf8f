/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_audit_devices - sys/audit and what belongs to it, for Vault's clients.
 *
 * There is one device, our log, and the API neither makes nor removes any: a file path
 * that is chosen over the API is a way to run code.
 */
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "keyring.h"
#include "route.h"
#include "text.h"

#define DEVICE "vaultd/"

static int h_list(struct req *r)
{
	struct value *data = reply_data(r), *device = value_object(r->a),
		     *options = value_object(r->a);

	value_set_str(r->a, options, "records", "sys/audit-log/records");
	value_set_str(r->a, options, "checkpoint", "sys/audit-log/checkpoint");
	value_set_str(r->a, options, "export", "sys/audit-log/export");
	value_set_str(r->a, options, "verify", "vaultctl audit verify");
	value_set_str(r->a, device, "type", "merkle");
	value_set_str(r->a, device, "description",
	              "the audit log: one record for each request, in its transaction");
	value_set(device, "options", options);
	value_set_str(r->a, device, "path", DEVICE);
	value_set_bool(r->a, device, "local", false);
	value_set(data, DEVICE, device);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_enable(struct req *r)
{
	return req_fail(r, ERR_INVALID,
	                "cannot enable audit device via API; use declarative, "
	                "config-based audit device management instead");
}

static int h_disable(struct req *r)
{
	return req_fail(r, ERR_INVALID,
	                "cannot disable audit device via API; use declarative, "
	                "config-based audit device management instead");
}

/* The digest under which a value would be found, were it in the log. */
static int h_hash(struct req *r)
{
	const char *path = r->param[0].text, *input = "";
	size_t n = strcspn(path, "/");
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state st;
	struct value *data;
	char text[12 + 64 + 1] = "hmac-sha256:";
	bool present;
	int rc;

	if ((rc = req_str(r, "input", &input, &present)) != ERR_OK)
		return rc;
	if (input[0] == '\0')
		return req_fail(r, ERR_INVALID, "the \"input\" parameter is empty");
	if (n != strlen(DEVICE) - 1 || strncmp(path, DEVICE, n) != 0)
		return req_fail(r, ERR_INVALID, "unknown audit backend \"%.*s/\"",
		                (int)(n < 128 ? n : 128), path);
	crypto_auth_hmacsha256_init(&st, keyring_key(r->core->keys, KEY_AUDIT_HMAC), 32);
	crypto_auth_hmacsha256_update(&st, (const unsigned char *)input, strlen(input));
	crypto_auth_hmacsha256_final(&st, mac);
	text_hex(mac, sizeof(mac), text + 12);
	data = reply_data(r);
	value_set_str(r->a, data, "hash", arena_str(r->a, text));
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

/* No request header is recorded, and none can be made to be. */
static int h_headers(struct req *r)
{
	value_set(reply_data(r), "headers", value_object(r->a));
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

static int h_header_read(struct req *r)
{
	return req_fail(r, ERR_INVALID, "Could not find header in config");
}

static int h_header_write(struct req *r)
{
	return req_fail(r, ERR_INVALID,
	                "request headers are not recorded: a record holds no text of "
	                "the client's choice");
}

static int h_header_delete(struct req *r)
{
	(void)r;
	return ERR_OK;
}

/* clang-format off */
static const struct field enable_fields[] = {
	{ "type", "string", "not supported" },
	{ "description", "string", "not supported" },
	{ "options", "object", "not supported" },
	{ "local", "bool", "not supported" },
	{ NULL, NULL, NULL },
};
static const struct field hash_fields[] = {
	{ "input", "string", "the value" },
	{ NULL, NULL, NULL },
};
static const struct field header_fields[] = {
	{ "hmac", "bool", "not supported" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_GET, "audit", R_SUDO, NULL, h_list, NULL,
	  "the one audit device: the log" },
	{ "system", M_POST, "audit/*path", R_SUDO, enable_fields, h_enable, NULL,
	  "refused: the API makes no audit device" },
	{ "system", M_DELETE, "audit/*path", R_SUDO, NULL, h_disable, NULL,
	  "refused: the API removes no audit device" },
	{ "system", M_POST, "audit-hash/*path", 0, hash_fields, h_hash, NULL,
	  "keyed digest of a value" },
	{ "system", M_GET, "config/auditing/request-headers", R_SUDO, NULL, h_headers, NULL,
	  "request headers that are recorded: none" },
	{ "system", M_GET, "config/auditing/request-headers/:header", R_SUDO, NULL,
	  h_header_read, NULL, "not found: no header is recorded" },
	{ "system", M_POST, "config/auditing/request-headers/:header", R_SUDO, header_fields,
	  h_header_write, NULL, "refused: no header is recorded" },
	{ "system", M_DELETE, "config/auditing/request-headers/:header", R_SUDO, NULL,
	  h_header_delete, NULL, "nothing: no header is recorded" },
};
/* clang-format on */

const struct route_table routes_devices = { rows, ARRAY_LEN(rows) };
