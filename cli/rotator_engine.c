/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "rotator_kit.h"
#include "text.h"

/* Accounts that a secrets engine makes: the file's "engine" has the statements. */

static json_t *statements(const struct kit *k, const char *key)
{
	json_t *list = json_object_get(json_object_get(k->file, "engine"), key);

	return list != NULL ? json_pack("{s:O}", "statements", list) : NULL;
}

static json_t *pending_of(struct kit *k, const struct kit_account *user)
{
	const char *expiration = json_string_value(
		json_object_get(json_object_get(k->file, "engine"), "expiration"));
	json_t *pending = kit_fields(k, user, user->value);

	json_object_set_new(json_object_get(pending, "fields"), "expiration",
	                    json_string(expiration != NULL ? expiration
	                                                   : "2099-01-01 00:00:00+0000"));
	return pending;
}

static int twice(struct kit *k, const struct kit_account *user, const char *op,
                 const char *key, struct err *e)
{
	json_t *config = statements(k, key);
	struct kit_answer a = { 0 };
	char check[64];
	int rc = ERR_OK;

	snprintf(check, sizeof(check), "%s: twice", op);
	for (int i = 0; rc == ERR_OK && i < 2; i++) {
		struct kit_call call = {
			.op = op,
			.config = config,
			.pending = pending_of(k, user),
		};

		if ((rc = kit_run(k, &call, &a, e)) != ERR_OK)
			break;
		kit_answer_clear(&a);
		if (!a.ok)
			break;
	}
	json_decref(config);
	if (rc == ERR_OK)
		kit_that(k, check, a.ok, "%s", kit_saw(&a));
	return rc;
}

static int verify(struct kit *k, const struct kit_account *user, bool valid,
                  const char *check, struct err *e)
{
	struct kit_call call = { .op = "probe", .pending = pending_of(k, user) };
	struct kit_answer a;
	int rc = kit_run(k, &call, &a, e);

	if (rc != ERR_OK)
		return rc;
	kit_that(k, check, a.pending == (valid ? KIT_VALID : KIT_INVALID), "%s",
	         kit_saw(&a));
	kit_answer_clear(&a);
	return ERR_OK;
}

static int check_login(struct kit *k, struct err *e)
{
	json_t *wrong = json_deep_copy(k->admin);
	char value[KIT_VALUE_MAX + 1];
	struct kit_answer a;
	int rc;

	kit_value(k, value);
	json_object_set_new(wrong, "password", json_string(value));
	struct kit_call good = { .op = "login" }, bad = { .op = "login", .admin = wrong };

	if ((rc = kit_run(k, &good, &a, e)) != ERR_OK) {
		json_decref(wrong);
		return rc;
	}
	kit_that(k, "login: as the administrator", a.ok, "%s", kit_saw(&a));
	kit_answer_clear(&a);
	if ((rc = kit_run(k, &bad, &a, e)) != ERR_OK)
		return rc;
	kit_that(k, "login: a wrong password is of class auth",
	         strcmp(a.class, "auth") == 0, "%s", kit_saw(&a));
	kit_answer_clear(&a);
	return ERR_OK;
}

int rotator_engine_checks(struct kit *k, struct err *e)
{
	char name[40], random[9];
	struct kit_account user = { .name = name };
	int rc;

	if (!kit_has_op(k, "user_create"))
		return ERR_OK;
	if (json_object_get(k->file, "engine") == NULL || k->admin == NULL) {
		kit_skip(k, "user_create, user_renew, user_revoke",
		         "the file has no 'engine', or no 'admin'");
		return ERR_OK;
	}
	text_base62_random(random, sizeof(random) - 1);
	snprintf(name, sizeof(name), "v-check-%s", random);
	kit_value(k, user.value);
	kit_attempt(k);
	if ((rc = check_login(k, e)) == ERR_OK &&
	    (rc = twice(k, &user, "user_create", "creation_statements", e)) == ERR_OK &&
	    (rc = verify(k, &user, true, "user_create: the account works", e)) ==
	            ERR_OK &&
	    (rc = twice(k, &user, "user_renew", "renew_statements", e)) == ERR_OK &&
	    (rc = twice(k, &user, "user_revoke", "revocation_statements", e)) == ERR_OK)
		rc = verify(k, &user, false, "user_revoke: the account is gone", e);
	sodium_memzero(&user, sizeof(user));
	return rc;
}
