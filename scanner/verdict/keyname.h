/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYNAME_H
#define KEYNAME_H
/*
 * keyname - what the name that a value is assigned to promises.
 *
 * Names are split at dashes, underscores, dots and changes of case; "dbPasswordFile",
 * "DB_PASSWORD_FILE" and "db-password-file" are the same.  Pure; thread safe.
 */
#include <stdbool.h>
#include <stddef.h>

enum keyname {
	KEYNAME_OTHER, /* holds no secret: password_file, public_key, token_url, monkey */
	KEYNAME_KEY,   /* may hold one: some_key */
	KEYNAME_TOKEN, /* holds one that a machine made: api_key, secret, salt */
	KEYNAME_PASSWORD, /* holds one that a person may have made */
};

#define KEYNAME_MAX 96

/** keyname_before(line, at, out): the name that is assigned the value at ${line} + ${at}:
 * the last identifier before it with one of our words in it; lower-case words parted by
 * '_', empty if there is none.  ${out} holds KEYNAME_MAX bytes. */
void keyname_before(const char *line, size_t at, char *out);

/** keyname_class(name): ${name} as keyname_before() gives it. */
enum keyname keyname_class(const char *name);

/** keyname_promises(name): of KEYNAME_KEY, does a word in it say that it is no key by
 * which data is parted or found, whose values are digests? */
bool keyname_promises(const char *name);

/** keyname_of_uuid(name): a secret whose vendors make it a UUID, often enough. */
bool keyname_of_uuid(const char *name);
#endif
