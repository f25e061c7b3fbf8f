/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "rd.h"

#define RULES_MAX 128

/* config.persistence_mode, as in Vault: changes of users are in memory alone until
 * something writes them down. */
static int persist(struct request *r, struct rd *d, struct answer *a)
{
	const char *mode = NULL;
	int rc = config_text(r, "persistence_mode", "NONE", &mode, a);

	if (rc != 0 || strcasecmp(mode, "NONE") == 0 || mode[0] == '\0')
		return rc;
	if (strcasecmp(mode, "ACLFILE") == 0)
		return rd_do(d, a, "ACL", "SAVE");
	if (strcasecmp(mode, "REWRITE") == 0)
		return rd_do(d, a, "CONFIG", "REWRITE");
	return answer_fail(
		a, CLASS_PERMANENT,
		"config.persistence_mode is none of NONE, ACLFILE and REWRITE");
}

int rd_check(struct request *r, void *session, const char *account, struct answer *a)
{
	bool exists, nopass;
	int rc = rd_user(session, account, &exists, &nopass, a);

	(void)r;
	if (rc != 0 || exists)
		return rc;
	return answer_fail(a, CLASS_PERMANENT, "there is no user '%.64s'", account);
}

int rd_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a)
{
	const char *how = NULL;
	char hash[RD_HASH + 1];
	struct rd *d = session;
	enum strategy strategy;
	int rc;

	(void)own; /* SETUSER of oneself is like that of others */
	if ((rc = rotator_strategy(r, &strategy, a)) != 0 ||
	    (rc = config_text(r, "retire", "", &how, a)) != 0)
		return rc;
	rd_hash('#', password, hash);
	if (strategy == STRATEGY_DUAL_KEY)
		rc = rd_do(d, a, "ACL", "SETUSER", account, hash);
	else if (strcmp(how, "disable") == 0)
		rc = rd_do(d, a, "ACL", "SETUSER", account, "on", "resetpass", hash);
	else
		rc = rd_do(d, a, "ACL", "SETUSER", account, "resetpass", hash);
	return rc != 0 ? rc : persist(r, d, a);
}

int rd_drop(struct request *r, void *session, const struct credential *old,
            struct answer *a)
{
	char hash[RD_HASH + 1];
	struct rd *d = session;
	int rc = rd_check(r, session, old->username, a);

	if (rc != 0)
		return rc;
	rd_hash('!', old->password, hash);
	rc = rd_do(d, a, "ACL", "SETUSER", old->username, hash);
	if (rc == CLASS_PERMANENT && strstr(a->message, "does not exist") != NULL)
		answer_noop(a, "the old value is not valid any more");
	else if (rc != 0)
		return rc;
	return persist(r, d, a);
}

int rd_disable(struct request *r, void *session, const char *account, struct answer *a)
{
	int rc = rd_do(session, a, "ACL", "SETUSER", account, "off");

	return rc != 0 ? rc : persist(r, session, a);
}

/* --- users of a secrets engine --- */

static int add_rule(const char *rule, const char **rules, size_t *n, size_t max,
                    struct answer *a)
{
	static const char *const words[] = { "nopass", "reset", "resetpass", "on",
		                             "off" };

	if (rule[0] == '\0')
		return 0;
	if (*n == max)
		return answer_fail(a, CLASS_PERMANENT, "a statement has too many rules");
	if (strchr("><#!", rule[0]) != NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "a statement has a password of its own");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(rule, words[i]) == 0)
			return answer_fail(a, CLASS_PERMANENT,
			                   "a statement may not have the rule '%s'",
			                   words[i]);
	rules[(*n)++] = rule;
	return 0;
}

static int json_rules(struct request *r, const char *text, const char **rules, size_t *n,
                      size_t max, struct answer *a)
{
	json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *v;
	size_t i;
	int rc = 0;

	if (!json_is_array(list))
		rc = answer_fail(a, CLASS_PERMANENT,
		                 "a statement is no JSON array of rules");
	json_array_foreach(list, i, v)
	{
		const char *rule = arena_str(r->arena, json_string_value(v));

		rc = rule != NULL ? add_rule(rule, rules, n, max, a)
		                  : answer_fail(a, CLASS_PERMANENT, "a rule is no text");
		if (rc != 0)
			break;
	}
	json_decref(list);
	return rc;
}

int rd_rules(struct request *r, const char *text, const char **rules, size_t *n,
             size_t max, struct answer *a)
{
	char *words, *save = NULL;
	int rc = 0;

	text += strspn(text, " \t\r\n");
	if (text[0] == '[')
		return json_rules(r, text, rules, n, max, a);
	if ((words = arena_str(r->arena, text)) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	for (char *w = strtok_r(words, " \t\r\n", &save); rc == 0 && w != NULL;
	     w = strtok_r(NULL, " \t\r\n", &save))
		rc = add_rule(w, rules, n, max, a);
	return rc;
}

/* One command makes the user, whole or not at all, and makes it the same a second time.
 */
int rd_user_create(struct request *r, void *session, struct answer *a)
{
	char hash[RD_HASH + 1];
	const char *argv[RULES_MAX] = {
		"ACL", "SETUSER", r->pending.username, "reset", "on", hash,
	};
	size_t n = 6;
	bool exists, nopass;
	redisReply *reply;
	int rc;

	if (r->statements == 0)
		return answer_fail(a, CLASS_PERMANENT, "empty creation statements");
	for (size_t i = 0; i < r->statements; i++)
		if ((rc = rd_rules(r, r->statement[i], argv, &n, RULES_MAX, a)) != 0)
			return rc;
	if (strcmp(r->pending.username, "default") == 0)
		return answer_fail(a, CLASS_PERMANENT, "'default' is not ours to make");
	if ((rc = rd_user(session, r->pending.username, &exists, &nopass, a)) != 0)
		return rc;
	rd_hash('#', r->pending.password, hash);
	if ((rc = rd_command(session, argv, n, &reply, a)) != 0)
		return rc;
	freeReplyObject(reply);
	if ((rc = persist(r, session, a)) != 0)
		return rc;
	return exists ? answer_noop(a, "the user was made before") : 0;
}

int rd_user_renew(struct request *r, void *session, struct answer *a)
{
	(void)r;
	(void)session;
	return answer_noop(a, "users have no end here");
}

int rd_user_revoke(struct request *r, void *session, struct answer *a)
{
	const char *const argv[] = { "ACL", "DELUSER", r->pending.username };
	redisReply *reply;
	bool gone;
	int rc = rd_command(session, argv, ARRAY_LEN(argv), &reply, a);

	if (reply == NULL)
		return rc;
	gone = reply->type == REDIS_REPLY_INTEGER && reply->integer == 0;
	freeReplyObject(reply);
	if ((rc = persist(r, session, a)) != 0)
		return rc;
	return gone ? answer_noop(a, "the user is gone") : 0;
}
