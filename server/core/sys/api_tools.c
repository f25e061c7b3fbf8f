/* SPDX-License-Identifier: Apache-2.0 */
/* api_tools - sys/tools: random bytes and digests; and what a single server says to
 * clients that ask about many: step-down, ha-status, host-info. */
#include <sodium.h>
#include <string.h>

#include "arena.h"
#include "rng.h"
#include "route.h"
#include "seal.h"
#include "sys_state.h"
#include "text.h"
#include "vault/version.h"

#define RANDOM_DEFAULT 32
#define RANDOM_MAX     131072
#define INPUT_MAX      (512u * 1024)

/* Bytes in the form that "format" names; ${out} is in the arena. */
static int encode(struct req *r, const unsigned char *p, size_t n, const char *standard,
                  const char **out)
{
	const char *format = standard;
	char *text = arena_alloc(r->a, 2 * n + 8);
	bool present;
	int rc = req_str(r, "format", &format, &present);

	if (rc != ERR_OK)
		return rc;
	if (text == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if (strcmp(format, "hex") == 0)
		text_hex(p, n, text);
	else if (strcmp(format, "base64") == 0)
		text_base64(p, n, text);
	else
		return req_fail(r, ERR_INVALID,
		                "unsupported encoding format \"%.32s\"; must be \"hex\" "
		                "or \"base64\"",
		                text_printable(format, strlen(format)) ? format : "?");
	*out = text;
	return ERR_OK;
}

static int how_many(struct req *r, int64_t *n)
{
	bool present;

	*n = RANDOM_DEFAULT;
	if (r->param[0].text == NULL)
		return req_int(r, "bytes", n, &present);
	if (value_to_int(value_strn(r->a, r->param[0].text, r->param[0].len), n) != 0)
		return req_fail(r, ERR_INVALID, "error parsing url-set byte count");
	return ERR_OK;
}

static int h_random(struct req *r)
{
	const char *text = NULL;
	unsigned char *p;
	int64_t n;
	int rc = how_many(r, &n);

	if (rc != ERR_OK)
		return rc;
	if (n < 1)
		return req_fail(r, ERR_INVALID, "\"bytes\" cannot be less than 1");
	if (n > RANDOM_MAX)
		return req_fail(r, ERR_INVALID, "\"bytes\" should be less than %d",
		                RANDOM_MAX);
	p = arena_alloc(r->a, (size_t)n);
	if (p == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	rng_bytes(p, (size_t)n);
	if ((rc = encode(r, p, (size_t)n, "base64", &text)) != ERR_OK)
		return rc;
	value_set_str(r->a, reply_data(r), "random_bytes", text);
	return ERR_OK;
}

static int digest(struct req *r, const char *algorithm, const unsigned char *p, size_t n)
{
	unsigned char sum[crypto_hash_sha512_BYTES];
	const char *text = NULL;
	size_t len;
	int rc;

	if (strcmp(algorithm, "sha2-256") == 0) {
		crypto_hash_sha256(sum, p, n);
		len = crypto_hash_sha256_BYTES;
	} else if (strcmp(algorithm, "sha2-512") == 0) {
		crypto_hash_sha512(sum, p, n);
		len = crypto_hash_sha512_BYTES;
	} else {
		return req_fail(r, ERR_INVALID, "unsupported algorithm %.32s",
		                text_printable(algorithm, strlen(algorithm)) ? algorithm
		                                                             : "?");
	}
	if ((rc = encode(r, sum, len, "hex", &text)) != ERR_OK)
		return rc;
	value_set_str(r->a, reply_data(r), "sum", text);
	return ERR_OK;
}

static int h_hash(struct req *r)
{
	const char *input = "", *algorithm = "sha2-256";
	unsigned char *p;
	bool present;
	long n;
	int rc;

	if ((rc = req_str(r, "input", &input, &present)) != ERR_OK ||
	    (rc = req_str(r, "algorithm", &algorithm, &present)) != ERR_OK)
		return rc;
	if (r->param[0].text != NULL)
		algorithm = r->param[0].text;
	if (strlen(input) > INPUT_MAX)
		return req_fail(r, ERR_INVALID, "the input is too large");
	p = arena_alloc(r->a, strlen(input) + 1);
	if (p == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	n = text_unbase64(input, strlen(input), p, strlen(input) + 1);
	if (n < 0)
		return req_fail(r, ERR_INVALID,
		                "unable to decode input as base64: it is not base64");
	return digest(r, algorithm, p, (size_t)n);
}

/* The only server steps down for nobody. */
static int h_step_down(struct req *r)
{
	(void)r;
	return ERR_OK;
}

static int h_ha_status(struct req *r)
{
	struct value *data = reply_data(r), *nodes = value_array(r->a),
		     *node = value_object(r->a), *state = value_object(r->a);

	sys_state(r->core, r->a, state);
	value_set_str(r->a, node, "hostname",
	              value_cstr_or(r->a, state, "cluster_name", ""));
	value_set_str(r->a, node, "api_address", "");
	value_set_str(r->a, node, "cluster_address", "");
	value_set_bool(r->a, node, "active_node", true);
	value_set(node, "last_echo", value_null(r->a));
	value_set_str(r->a, node, "version", VAULT_API_VERSION);
	value_add(nodes, node);
	value_set(data, "nodes", nodes);
	value_set_bool(r->a, reply_envelope(r), "inject", true);
	return ERR_OK;
}

/* What this process may know of its host: its sandbox keeps the rest from it. */
static int h_host_info(struct req *r)
{
	struct value *data = reply_data(r), *host = value_object(r->a);
	char now[CLOCK_RFC3339_MAX];

	clock_rfc3339(r->core->now_ms, now);
	value_set_str(r->a, data, "timestamp", arena_str(r->a, now));
	value_set_str(r->a, host, "os", "linux");
	value_set_int(r->a, host, "uptime", r->core->boot_ms / 1000);
	value_set(data, "host", host);
	value_set(data, "cpu", value_null(r->a));
	value_set(data, "disk", value_null(r->a));
	value_set(data, "memory", value_null(r->a));
	return ERR_OK;
}

/* clang-format off */
static const struct field random_fields[] = {
	{ "bytes", "int", "how many, at most 131072" },
	{ "format", "string", "base64 or hex" },
	{ NULL, NULL, NULL },
};
static const struct field hash_fields[] = {
	{ "input", "string", "base64 of what is digested" },
	{ "algorithm", "string", "sha2-256 or sha2-512" },
	{ "format", "string", "hex or base64" },
	{ NULL, NULL, NULL },
};
static const struct route rows[] = {
	{ "system", M_POST, "tools/random", 0, random_fields, h_random, NULL,
	  "random bytes" },
	{ "system", M_POST, "tools/random/:bytes", 0, random_fields, h_random, NULL,
	  "random bytes" },
	{ "system", M_POST, "tools/hash", 0, hash_fields, h_hash, NULL, "a digest" },
	{ "system", M_POST, "tools/hash/:algorithm", 0, hash_fields, h_hash, NULL,
	  "a digest" },
	{ "system", M_POST, "step-down", R_SUDO, NULL, h_step_down, NULL,
	  "nothing: there is no other server" },
	{ "system", M_GET, "ha-status", 0, NULL, h_ha_status, NULL,
	  "the servers: this one" },
	{ "system", M_GET, "host-info", 0, NULL, h_host_info, NULL,
	  "what the server knows of its host" },
};
/* clang-format on */

const struct route_table routes_tools = { rows, ARRAY_LEN(rows) };
