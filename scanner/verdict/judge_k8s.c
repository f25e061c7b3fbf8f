/* SPDX-License-Identifier: Apache-2.0 */
/* Values of Kubernetes' Secret manifests. */
#include <string.h>

#include "text.h"
#include "util.h"
#include "verdict/ascii.h"
#include "verdict/context.h"
#include "verdict/judge.h"
#include "verdict/structure.h"

/* Names in a Secret manifest whose values are none. */
static bool k8s_other(const char *key, size_t n)
{
	static const char *const words[] = { "apiversion",
		                             "kind",
		                             "name",
		                             "namespace",
		                             "type",
		                             "ca.crt",
		                             "tls.crt",
		                             "username",
		                             "user",
		                             "host",
		                             "hostname",
		                             "port",
		                             "database",
		                             "dbname",
		                             "url",
		                             "endpoint",
		                             "region",
		                             "immutable",
		                             "email",
		                             "app",
		                             "uid",
		                             "resourceversion",
		                             "creationtimestamp",
		                             "component",
		                             "generation",
		                             "server",
		                             "account" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (ascii_equal(key, n, words[i]))
			return true;
	return false;
}

enum drop judge_k8s(const struct place *p, const char *s, size_t n)
{
	const char *key = p->text + p->from, *end;
	char plain[512];
	long len;

	while (ascii_space(*key) || *key == '-' || *key == '"' || *key == '\'')
		key++;
	for (end = key;
	     end < p->text + p->at && *end != ':' && *end != '"' && *end != '\''; end++)
		;
	if (k8s_other(key, (size_t)(end - key)))
		return DROP_NAME;
	len = n % 4 == 0 ? structure_unbase64(s, n, (uint8_t *)plain, sizeof(plain)) : -1;
	if (len < 4 || !text_lines(plain, (size_t)len))
		return ascii_find(p->text, p->at, "stringdata") != NULL
		               ? judge_strict(p, s, n)
		               : DROP_STRUCTURE;
	if (memmem(plain, (size_t)len, "-----BEGIN CERT", 15) != NULL)
		return DROP_STRUCTURE;
	return judge_password(p, plain, (size_t)len);
}
