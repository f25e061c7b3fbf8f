/* SPDX-License-Identifier: Apache-2.0 */
#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>

#include "my.h"

/* Of MySQL, which MariaDB's header does not have. */
#define ER_ACCOUNT_LOCKED_MYSQL 3118
#define ER_HISTORY_MYSQL        3638
#define ER_USER_BLOCKED_MYSQL   3955
#define ER_SERVER_OFFLINE_MYSQL 3032
#define CLIENT_ERRORS_FIRST     2000
#define CLIENT_ERRORS_LAST      2999

/* Errors of the server that are not permanent.  ${login}: said of the password by a
 * refused login; LOGIN_OK stands for nothing. */
static const struct {
	unsigned error;
	enum answer_class class;
	enum login login;
} errors[] = {
	{ER_ACCESS_DENIED_ERROR,              CLASS_AUTH,      LOGIN_REFUSED},
	{ ER_ACCESS_DENIED_NO_PASSWORD_ERROR, CLASS_AUTH,      LOGIN_REFUSED},
 /* The server looks at these after the password. */
	{ ER_DBACCESS_DENIED_ERROR,           CLASS_PERMANENT, LOGIN_BARRED },
	{ ER_BAD_DB_ERROR,                    CLASS_PERMANENT, LOGIN_BARRED },
	{ ER_MUST_CHANGE_PASSWORD_LOGIN,      CLASS_AUTH,      LOGIN_BARRED },
 /* No more logins, or it gets worse. */
	{ ER_USER_IS_BLOCKED,                 CLASS_AUTH,      LOGIN_UNKNOWN},
	{ ER_ACCOUNT_HAS_BEEN_LOCKED,         CLASS_AUTH,      LOGIN_UNKNOWN},
	{ ER_ACCOUNT_LOCKED_MYSQL,            CLASS_AUTH,      LOGIN_UNKNOWN},
	{ ER_USER_BLOCKED_MYSQL,              CLASS_AUTH,      LOGIN_UNKNOWN},
	{ ER_MUST_CHANGE_PASSWORD,            CLASS_AUTH,      LOGIN_UNKNOWN},
	{ ER_CON_COUNT_ERROR,                 CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_TOO_MANY_USER_CONNECTIONS,       CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_USER_LIMIT_REACHED,              CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_OUT_OF_RESOURCES,                CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_HANDSHAKE_ERROR,                 CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_SERVER_SHUTDOWN,                 CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_SERVER_OFFLINE_MYSQL,            CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_LOCK_WAIT_TIMEOUT,               CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_LOCK_DEADLOCK,                   CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_QUERY_INTERRUPTED,               CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_CONNECTION_KILLED,               CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_NEW_ABORTING_CONNECTION,         CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_ABORTING_CONNECTION,             CLASS_RETRYABLE, LOGIN_UNKNOWN},
 /* A replica, until it is promoted. */
	{ ER_OPTION_PREVENTS_STATEMENT,       CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_DISK_FULL,                       CLASS_RETRYABLE, LOGIN_UNKNOWN},
	{ ER_RECORD_FILE_FULL,                CLASS_RETRYABLE, LOGIN_UNKNOWN},
};

static bool refuses_value(unsigned error)
{
	return error == ER_NOT_VALID_PASSWORD || error == ER_HISTORY_MYSQL ||
	       error == ER_PASSWD_LENGTH;
}

/* Errors of the client library are of the connection, but for these. */
static enum answer_class client_class(unsigned error)
{
	return error == CR_AUTH_PLUGIN_CANNOT_LOAD || error == CR_SSL_CONNECTION_ERROR
	               ? CLASS_PERMANENT
	               : CLASS_RETRYABLE;
}

enum answer_class my_class(unsigned error, bool sets_password)
{
	if (sets_password && refuses_value(error))
		return CLASS_REJECTED;
	if (error >= CLIENT_ERRORS_FIRST && error <= CLIENT_ERRORS_LAST)
		return client_class(error);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].error == error)
			return errors[i].class;
	return CLASS_PERMANENT;
}

enum login my_verdict(unsigned error)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].error == error)
			return errors[i].login;
	return LOGIN_UNKNOWN;
}

enum my_plugin my_plugin_kind(const char *name)
{
	static const struct {
		const char *name;
		enum my_plugin kind;
	} kinds[] = {
		{"",		       MY_PLUGIN_NATIVE        },
		{ "mysql_native_password", MY_PLUGIN_NATIVE        },
		{ "ed25519",               MY_PLUGIN_ED25519       },
		{ "caching_sha2_password", MY_PLUGIN_OTHER_PASSWORD},
		{ "sha256_password",       MY_PLUGIN_OTHER_PASSWORD},
		{ "parsec",                MY_PLUGIN_OTHER_PASSWORD},
		{ "mysql_old_password",    MY_PLUGIN_OTHER_PASSWORD},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return MY_PLUGIN_NO_PASSWORD;
}
