/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define ATTEMPT_LEN      32u
#define REPLY_RESERVE_MS 200 /* what writing the reply may take */

static const char *const op_names[OP__MAX] = {
	"describe", "create", "probe",       "set",        "test",        "retire",
	"revert",   "login",  "user_create", "user_renew", "user_revoke", "notify",
};

const char *op_name(enum op op)
{
	return op_names[op];
}

static int bad(struct answer *a, const char *what)
{
	return answer_fail(a, CLASS_PERMANENT, "bad request: %s", what);
}

static int parse_op(const json_t *doc, enum op *op, struct answer *a)
{
	const char *name = json_string_value(json_object_get(doc, "op"));

	for (int i = 0; name != NULL && i < OP__MAX; i++) {
		if (strcmp(name, op_names[i]) != 0)
			continue;
		*op = (enum op)i;
		return 0;
	}
	return bad(a, name == NULL ? "'op' is missing" : "'op' is none of the contract");
}

static int parse_number(const json_t *doc, const char *key, int64_t dflt, int64_t max,
                        int64_t *out, struct answer *a)
{
	const json_t *v = json_object_get(doc, key);
	int64_t n = v != NULL ? json_integer_value(v) : dflt;

	if ((v != NULL && !json_is_integer(v)) || n < 0 || n > max)
		return answer_fail(a, CLASS_PERMANENT,
		                   "bad request: '%s' is no number from 0 to %lld", key,
		                   (long long)max);
	*out = n;
	return 0;
}

static int parse_text(const json_t *doc, const char *key, size_t max, const char **out,
                      struct answer *a)
{
	const json_t *v = json_object_get(doc, key);
	size_t n = json_string_length(v);

	if (v != NULL && !json_is_string(v))
		return answer_fail(a, CLASS_PERMANENT, "bad request: '%s' is no string",
		                   key);
	*out = v != NULL ? json_string_value(v) : "";
	if (n > max || !text_printable(*out, n))
		return answer_fail(
			a, CLASS_PERMANENT,
			"bad request: '%s' is too long or has control characters", key);
	return 0;
}

static bool is_attempt(const char *s)
{
	return strlen(s) == ATTEMPT_LEN && strspn(s, "0123456789abcdef") == ATTEMPT_LEN;
}

/* One member of a credential: text without control characters, which no target takes and
 * no statement can carry. */
static int parse_field(const json_t *fields, const char *key, size_t max,
                       const char **out, const char *what, struct answer *a)
{
	const json_t *v = json_object_get(fields, key);
	size_t n = json_string_length(v);

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return answer_fail(a, CLASS_PERMANENT, "bad request: %s.%s is no string",
		                   what, key);
	if (n == 0 || n > max || !text_printable(json_string_value(v), n))
		return answer_fail(a, CLASS_PERMANENT,
		                   "bad request: %s.%s is empty, too long or has control "
		                   "characters",
		                   what, key);
	*out = json_string_value(v);
	return 0;
}

static int parse_fields(const struct request *r, const json_t *fields, const char *what,
                        struct credential *c, struct answer *a)
{
	const char *user = "username", *password = "password";
	int rc;

	if (!json_is_object(fields))
		return answer_fail(a, CLASS_PERMANENT, "bad request: %s has no fields",
		                   what);
	/* The account that acts is not shaped by the secret. */
	if (c != &r->admin &&
	    ((rc = config_text(r, "username_field", user, &user, a)) ||
	     (rc = config_text(r, "password_field", password, &password, a))))
		return rc;
	c->given = true;
	c->fields = fields;
	if ((rc = parse_field(fields, user, REQUEST_NAME_MAX, &c->username, what, a)) ||
	    (rc = parse_field(fields, password, REQUEST_PASSWORD_MAX, &c->password, what,
	                      a)))
		return rc;
	return parse_field(fields, "expiration", REQUEST_NAME_MAX, &c->expiration, what,
	                   a);
}

static int parse_version(const struct request *r, const char *what, struct credential *c,
                         struct answer *a)
{
	const json_t *v = json_object_get(r->doc, what);
	int rc;

	if (v == NULL || json_is_null(v))
		return 0;
	if (!json_is_object(v))
		return answer_fail(a, CLASS_PERMANENT, "bad request: '%s' is no object",
		                   what);
	if ((rc = parse_number(v, "version", 0, INT64_MAX, &c->version, a)) != 0)
		return rc;
	return parse_fields(r, json_object_get(v, "fields"), what, c, a);
}

static int parse_credentials(struct request *r, struct answer *a)
{
	const json_t *admin = json_object_get(r->doc, "admin");
	int rc;

	if (admin != NULL && !json_is_null(admin) &&
	    (rc = parse_fields(r, admin, "admin", &r->admin, a)) != 0)
		return rc;
	if ((rc = parse_version(r, "current", &r->current, a)) != 0 ||
	    (rc = parse_version(r, "pending", &r->pending, a)) != 0)
		return rc;
	return parse_version(r, "previous", &r->previous, a);
}

static int add_account(struct request *r, const json_t *v, struct answer *a)
{
	const char *name = json_string_value(v);

	if (name == NULL || name[0] == '\0' || json_string_length(v) > REQUEST_NAME_MAX ||
	    !text_printable(name, json_string_length(v)))
		return bad(a, "an account of the configuration is no name");
	if (r->accounts > 0 && strcmp(r->account[0], name) == 0)
		return bad(a, "config.accounts names the same account twice");
	r->account[r->accounts++] = name;
	return 0;
}

static int parse_accounts(struct request *r, struct answer *a)
{
	const json_t *one = json_object_get(r->config, "account"),
		     *two = json_object_get(r->config, "accounts");
	int rc;

	if (one != NULL && two != NULL)
		return bad(a, "config has both 'account' and 'accounts'");
	if (one != NULL)
		return add_account(r, one, a);
	if (two == NULL)
		return 0;
	if (!json_is_array(two) || json_array_size(two) != 2)
		return bad(a, "config.accounts is no list of two names");
	if ((rc = add_account(r, json_array_get(two, 0), a)) != 0)
		return rc;
	return add_account(r, json_array_get(two, 1), a);
}

static int parse_statements(struct request *r, struct answer *a)
{
	const json_t *list = json_object_get(r->config, "statements");
	size_t n = json_array_size(list);

	if (list == NULL || json_is_null(list))
		return 0;
	if (!json_is_array(list) || n > REQUEST_STATEMENTS)
		return bad(a, "config.statements is no list, or too long");
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		const char *text = json_string_value(v);

		if (text == NULL || strlen(text) != json_string_length(v))
			return bad(a, "a statement of the configuration is no text");
		if (text[strspn(text, " \t\r\n;")] != '\0')
			r->statement[r->statements++] = text;
	}
	return 0;
}

static int parse_head(struct request *r, struct answer *a)
{
	const json_t *v = json_object_get(r->doc, "v"),
		     *config = json_object_get(r->doc, "config"),
		     *first = json_object_get(r->doc, "first");
	int rc;

	if (!json_is_integer(v) || json_integer_value(v) != 1)
		return bad(a, "'v' is not 1");
	if ((rc = parse_op(r->doc, &r->op, a)) != 0 ||
	    (rc = parse_text(r->doc, "attempt", ATTEMPT_LEN, &r->attempt, a)) != 0 ||
	    (rc = parse_text(r->doc, "secret", 4096, &r->secret, a)) != 0 ||
	    (rc = parse_number(r->doc, "version", 0, INT64_MAX, &r->version, a)) != 0 ||
	    (rc = parse_number(r->doc, "deadline_ms", REQUEST_DEADLINE_MS,
	                       REQUEST_DEADLINE_MAX, &r->deadline_ms, a)) != 0)
		return rc;
	if (r->op != OP_DESCRIBE && !is_attempt(r->attempt))
		return bad(a, "'attempt' is not 32 hexadecimal digits");
	if (r->deadline_ms == 0)
		return bad(a, "'deadline_ms' is 0");
	if (config != NULL && !json_is_object(config))
		return bad(a, "'config' is no object");
	if (first != NULL && !json_is_boolean(first))
		return bad(a, "'first' is neither true nor false");
	r->first = json_is_true(first);
	r->config = config;
	r->end_ms = clock_boot(clock_system()) + r->deadline_ms;
	return 0;
}

int request_parse(const char *text, size_t n, struct request *r, struct answer *a)
{
	json_error_t why;
	int rc;

	*r = (struct request){ 0 };
	/* jansson quotes what it does not like: its message stays here. */
	r->doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(r->doc))
		return bad(a, "not one JSON object");
	if ((rc = parse_head(r, a)) != 0 || (rc = parse_accounts(r, a)) != 0 ||
	    (rc = parse_statements(r, a)) != 0)
		return rc;
	return parse_credentials(r, a);
}

void request_free(struct request *r)
{
	json_decref(r->doc);
	*r = (struct request){ 0 };
}

int64_t request_left_ms(const struct request *r)
{
	int64_t left = r->end_ms - clock_boot(clock_system()) - REPLY_RESERVE_MS;

	return left > 1 ? left : 1;
}

int request_allows(const struct request *r, const char *account, struct answer *a)
{
	if (r->accounts == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration names no account");
	for (size_t i = 0; i < r->accounts; i++)
		if (strcmp(r->account[i], account) == 0)
			return 0;
	return answer_fail(a, CLASS_PERMANENT,
	                   "'%.64s' is no account of the configuration", account);
}

int request_need(const struct credential *c, const char *what, bool password,
                 struct answer *a)
{
	if (!c->given)
		return answer_fail(a, CLASS_PERMANENT, "the request has no '%s'", what);
	if (c->username == NULL)
		return answer_fail(a, CLASS_PERMANENT, "'%s' has no user name", what);
	if (password && c->password == NULL)
		return answer_fail(a, CLASS_PERMANENT, "'%s' has no password", what);
	return 0;
}

static int config_type(struct answer *a, const char *key, const char *type)
{
	return answer_fail(a, CLASS_PERMANENT, "config.%s is no %s", key, type);
}

int config_text(const struct request *r, const char *key, const char *dflt,
                const char **out, struct answer *a)
{
	const json_t *v = json_object_get(r->config, key);

	if (v != NULL && !json_is_null(v) &&
	    (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v)))
		return config_type(a, key, "text");
	*out = json_is_string(v) ? json_string_value(v) : dflt;
	return 0;
}

int config_int(const struct request *r, const char *key, int64_t dflt, int64_t max,
               int64_t *out, struct answer *a)
{
	const json_t *v = json_object_get(r->config, key);
	const char *text = json_string_value(v);
	int64_t n = dflt;
	char *end = NULL;

	if (json_is_integer(v))
		n = json_integer_value(v);
	else if (text != NULL && text[0] >= '0' && text[0] <= '9')
		n = strtoll(text, &end, 10);
	else if (v != NULL && !json_is_null(v))
		return config_type(a, key, "number");
	if (n < 0 || n > max || (end != NULL && *end != '\0'))
		return config_type(a, key, "number of that range");
	*out = n;
	return 0;
}

int config_bool(const struct request *r, const char *key, bool dflt, bool *out,
                struct answer *a)
{
	const json_t *v = json_object_get(r->config, key);

	if (v != NULL && !json_is_boolean(v) && !json_is_null(v))
		return config_type(a, key, "true or false");
	*out = json_is_boolean(v) ? json_is_true(v) : dflt;
	return 0;
}

static void scrub_one(const struct credential *c, char *text)
{
	const char *key;
	json_t *v;

	/* Of all fields, since a rotator is not told which of them are secret. */
	json_object_foreach((json_t *)(uintptr_t)c->fields, key, v)
	{
		const char *s = json_string_value(v);

		if (s != NULL && s != c->username && s != c->expiration)
			answer_scrub(text, s);
	}
}

/* Servers quote what they cannot read of a statement, from some place in it to another.
 */
static void scrub_pieces(const struct request *r, char *text)
{
	const struct credential *const all[] = { &r->current, &r->pending, &r->previous };

	for (size_t i = 0; r->statements > 0 && i < ARRAY_LEN(all); i++)
		if (all[i]->password != NULL)
			answer_scrub_pieces(text, all[i]->password);
}

void request_scrub(const struct request *r, char *text)
{
	scrub_one(&r->admin, text);
	scrub_one(&r->current, text);
	scrub_one(&r->pending, text);
	scrub_one(&r->previous, text);
	scrub_pieces(r, text);
}
