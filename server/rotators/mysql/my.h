/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_MY_H
#define ROTATORS_MY_H
/*
 * my - one connection to MariaDB or MySQL, bounded by the deadline of the request.
 *
 * MariaDB gets hashes that are made here: its logs have statements as they came.  MySQL
 * gets passwords, since it takes them out of its logs itself.
 */
#include <mysql.h>
#include <stdbool.h>

#include "account.h"

struct my {
	MYSQL *c;
	unsigned error; /* of the last failure; 0 if there was none */
	bool mariadb;
	const char *host; /* of accounts: config.host_pattern */
};

/* How an account proves itself. */
enum my_plugin {
	MY_PLUGIN_UNKNOWN, /* nobody may look */
	MY_PLUGIN_NATIVE,
	MY_PLUGIN_ED25519,
	MY_PLUGIN_OTHER_PASSWORD, /* another one that has passwords */
	MY_PLUGIN_NO_PASSWORD,    /* sockets, PAM, Kerberos … */
};

/** my_login(), my_logout(): of struct driver; the session is a struct my. */
enum login my_login(struct request *r, const struct credential *c, void **session,
                    struct answer *why) MUST_CHECK;
void my_logout(void *session);

/** my_class(error, sets_password): what an error of server or client means. */
enum answer_class my_class(unsigned error, bool sets_password);
/** my_verdict(error): what an error says of the password that a login was tried with. */
enum login my_verdict(unsigned error);
/** my_plugin_kind(name): of mysql.user. */
enum my_plugin my_plugin_kind(const char *name);

/** my_exec(m, sets_password, a, sql): one statement, rows are dropped. */
int my_exec(struct my *m, bool sets_password, struct answer *a, const char *sql)
	MUST_CHECK;
/** my_query(m, a, sql, out): rows; the caller mysql_free_result()s *out. */
int my_query(struct my *m, struct answer *a, const char *sql, MYSQL_RES **out) MUST_CHECK;

/** my_literal(r, m, s): quoted, in the arena; NULL if out of memory. */
char *my_literal(struct request *r, struct my *m, const char *s) MUST_CHECK;
/** my_name(r, m, user): 'user'@'host', in the arena; NULL if out of memory. */
char *my_name(struct request *r, struct my *m, const char *user) MUST_CHECK;

/** my_hash_native(password, out): what mysql_native_password stores: '*' and 40 digits.
 */
#define MY_HASH_NATIVE 41
void my_hash_native(const char *password, char out[MY_HASH_NATIVE + 1]);
/** my_hash_ed25519(password, out): what MariaDB's ed25519 stores: base64 of the key. */
#define MY_HASH_ED25519 43
int my_hash_ed25519(const char *password, char out[MY_HASH_ED25519 + 1]) MUST_CHECK;

/** my_find(r, m, user, yes, plugin, a): is there this account?  If nobody may look, it is
 * said to be there, with MY_PLUGIN_UNKNOWN. */
int my_find(struct request *r, struct my *m, const char *user, bool *yes,
            enum my_plugin *plugin, struct answer *a) MUST_CHECK;

/** my_check(), my_set(), my_disable(), …: of struct driver. */
int my_check(struct request *r, void *session, const char *account, struct answer *a);
int my_set(struct request *r, void *session, const char *account, const char *password,
           bool own, struct answer *a);
int my_disable(struct request *r, void *session, const char *account, struct answer *a);
int my_user_create(struct request *r, void *session, struct answer *a);
int my_user_renew(struct request *r, void *session, struct answer *a);
int my_user_revoke(struct request *r, void *session, struct answer *a);

/** my_statement_length(text): of the first statement of ${text}, up to a semicolon that
 * is not in quotes or in a comment. */
size_t my_statement_length(const char *text);

/** my_run(r, m, script, c, a): the operator's statements, one after the other;  as
 * a script.  There is no transaction that would hold these together: the server commits
 * each. */
struct my_script {
	const char *const *text;
	size_t n;
	unsigned skip; /* an error that is none; 0: there is no such */
};
int my_run(struct request *r, struct my *m, const struct my_script *script,
           const struct credential *c, struct answer *a) MUST_CHECK;

#endif
