/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

static const char *const seal_keys[] = {
	"type",    "initialized",  "sealed", "t",          "n", "progress",
	"version", "storage_type", "nonce",  "cluster_id", NULL
};

static int print_seal(struct cli *c, const json_t *doc)
{
	if (c->format == CLI_JSON)
		out_json(c, doc);
	else
		out_pairs(doc, seal_keys);
	return ERR_OK;
}

/* What the sandbox lacks is named, whatever the format of the rest. */
static void print_more(struct cli *c)
{
	json_t *reply = NULL;
	struct err e;

	if (c->token != NULL &&
	    cli_call(c, "GET", "sys/vaultd/status", NULL, &reply, &e) == ERR_OK)
		out_pairs(json_object_get(reply, "data"), NULL);
	json_decref(reply);
}

static int status(struct cli *c, struct err *e)
{
	json_t *doc, *more = NULL;
	struct err ignored;
	bool sealed;
	int rc = cli_call(c, "GET", "sys/seal-status", NULL, &doc, e);

	if (rc != ERR_OK) {
		json_decref(doc);
		return rc;
	}
	sealed = json_is_true(json_object_get(doc, "sealed"));
	if (c->format == CLI_JSON && !sealed && c->token != NULL &&
	    cli_call(c, "GET", "sys/vaultd/status", NULL, &more, &ignored) == ERR_OK)
		json_object_set(doc, "vaultd", json_object_get(more, "data"));
	json_decref(more);
	print_seal(c, doc);
	if (c->format == CLI_TABLE && !sealed)
		print_more(c);
	json_decref(doc);
	return sealed ? err_set(e, ERR_SEALED, "the vault is sealed") : ERR_OK;
}

static int number_flag(struct cli *c, const char *name, int dflt, json_t *body,
                       const char *field, struct err *e)
{
	const char *v = cli_flag(c, name);
	char *end;
	long n = v != NULL ? strtol(v, &end, 10) : dflt;

	if (v != NULL && (*end != '\0' || end == v || n < 1 || n > 255))
		return err_set(e, ERR_USAGE, "--%s: '%.20s' is no number from 1 to 255",
		               name, v);
	json_object_set_new(body, field, json_integer(n));
	return ERR_OK;
}

static void print_init(struct cli *c, const json_t *doc)
{
	const json_t *keys = json_object_get(doc, "keys_base64");
	size_t i;
	json_t *v;

	if (c->format == CLI_JSON) {
		out_json(c, doc);
		return;
	}
	json_array_foreach(keys, i, v)
		printf("Unseal Key %zu: %s\n", i + 1, json_string_value(v));
	json_array_foreach(json_object_get(doc, "recovery_keys_base64"), i, v)
		printf("Recovery Key %zu: %s\n", i + 1, json_string_value(v));
	printf("\nInitial Root Token: %s\n",
	       json_string_value(json_object_get(doc, "root_token")));
	say("Keep the shares apart from each other and from this machine: they are shown once.");
}

static int operator_init(struct cli *c, struct err *e)
{
	json_t *body = json_object(), *doc = NULL;
	int rc;

	if ((rc = number_flag(c, "key-shares", 5, body, "secret_shares", e)) == ERR_OK &&
	    (rc = number_flag(c, "key-threshold", 3, body, "secret_threshold", e)) ==
	            ERR_OK &&
	    (rc = cli_call(c, "POST", "sys/init", body, &doc, e)) == ERR_OK)
		print_init(c, doc);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int operator_unseal(struct cli *c, struct err *e)
{
	json_t *body = json_object(), *doc = NULL;
	char *share = NULL;
	int rc = ERR_OK;

	if (cli_flag(c, "reset") != NULL)
		json_object_set_new(body, "reset", json_true());
	else if ((rc = cli_prompt("Unseal key share", &share, e)) == ERR_OK)
		json_object_set_new(body, "key", json_string(share));
	cli_wipe(share);
	if (rc == ERR_OK &&
	    (rc = cli_call(c, "POST", "sys/unseal", body, &doc, e)) == ERR_OK)
		print_seal(c, doc);
	json_decref(body);
	json_decref(doc);
	return rc;
}

static int operator_seal(struct cli *c, struct err *e)
{
	json_t *doc;
	int rc = cli_call(c, "POST", "sys/seal", NULL, &doc, e);

	json_decref(doc);
	if (rc == ERR_OK)
		say("Sealed.");
	return rc;
}

static const struct flag init_flags[] = {
	{"key-shares", FLAG_STRING, "N", "shares to make (5)" },
	{ "key-threshold",         FLAG_STRING, "N", "shares that unseal (3)" },
	{ 0          },
};
static const struct flag unseal_flags[] = {
	{"reset", FLAG_BOOL, NULL, "forget the shares given so far" },
	{ 0  },
};

static const char unseal_details[] =
	"A share is read from the terminal without echo, or as one line from standard input,\n"
	"never from the command line.";

static const struct command rows[] = {
	{"status",    NULL,     status,          0, 0, NULL,         "",
         "is the server sealed, and what protects it",                                                NULL          },
	{ "operator", "init",   operator_init,   0, 0, init_flags,   "",
         "create the vault: shares and the first root token",                                         NULL          },
	{ "operator", "unseal", operator_unseal, 0, 0, unseal_flags, "",
         "give one unseal share",								     unseal_details},
	{ "operator", "seal",   operator_seal,   0, 0, NULL,         "", "drop all keys from memory",
         NULL												       },
};

const struct command_set commands_status = { rows, ARRAY_LEN(rows) };
