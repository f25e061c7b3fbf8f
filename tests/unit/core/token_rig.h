/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_CORE_TOKEN_RIG_H
#define TESTS_UNIT_CORE_TOKEN_RIG_H
/* token_rig - a core with what tests of tokens ask again and again. */
#include "core_rig.h"

UNUSED static const char *create(const char *by, const char *fields)
{
	ASK_AS(200, by, HTTP_POST, "auth/token/create", fields);
	return arena_str(rig.a, rig_got("auth.client_token"));
}

UNUSED static void policy(const char *name, const char *text)
{
	char path[64], fields[512];

	snprintf(path, sizeof(path), "sys/policies/acl/%s", name);
	snprintf(fields, sizeof(fields), "{\"policy\":\"%s\"}", text);
	ASK(204, HTTP_POST, path, fields);
}

/* A policy that may create tokens, with sudo if asked. */
UNUSED static void creator_policy(const char *name, const char *caps)
{
	char text[200];

	snprintf(text, sizeof(text),
	         "path \\\"auth/token/create*\\\" { capabilities = [%s] }", caps);
	policy(name, text);
}

UNUSED static int status_of(const char *token)
{
	return rig_ask_as(token, HTTP_GET, "auth/token/lookup-self", NULL);
}

/* The same as create(), at another path. */
UNUSED static const char *create_at(const char *by, const char *path, const char *fields)
{
	ASK_AS(200, by, HTTP_POST, path, fields);
	return arena_str(rig.a, rig_got("auth.client_token"));
}

/* {"token":"…"} */
UNUSED static const char *naming(const char *token)
{
	return arena_printf(rig.a, "{\"token\":\"%s\"}", token);
}

#endif
