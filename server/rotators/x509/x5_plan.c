/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "duration.h"
#include "text.h"
#include "x5.h"

#define LIST_MAX 64u

static const struct x5_key_type key_types[] = {
	{"ec-p256",   GNUTLS_PK_ECDSA,         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	{ "ec-p384",  GNUTLS_PK_ECDSA,         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
	{ "ed25519",  GNUTLS_PK_EDDSA_ED25519, 0                                               },
	{ "rsa-2048", GNUTLS_PK_RSA,           2048					    },
	{ "rsa-3072", GNUTLS_PK_RSA,           3072					    },
	{ "rsa-4096", GNUTLS_PK_RSA,           4096					    },
};

struct list {
	const char *item[LIST_MAX];
	size_t n;
};

static int add(struct list *l, const char *key, const char *item, struct answer *a)
{
	if (item == NULL)
		return answer_fail(a, CLASS_PERMANENT, "config.%s: an item is no text",
		                   key);
	if (l->n == LIST_MAX)
		return answer_fail(a, CLASS_PERMANENT, "config.%s has over %u items", key,
		                   LIST_MAX);
	l->item[l->n++] = item;
	return 0;
}

/* A list of texts, or one text with commas. */
static int config_list(struct request *r, const char *key, struct list *l,
                       struct answer *a)
{
	const json_t *v = json_object_get(r->config, key);
	char *copy, *save = NULL;
	int rc = 0;

	l->n = 0;
	if (json_is_array(v)) {
		for (size_t i = 0; rc == 0 && i < json_array_size(v); i++) {
			const json_t *item = json_array_get(v, i);
			const char *text = json_string_value(item);
			bool whole = text != NULL &&
			             strlen(text) == json_string_length(item);

			rc = add(l, key, whole ? text : NULL, a);
		}
		return rc;
	}
	if (v != NULL && !json_is_null(v) && !json_is_string(v))
		return answer_fail(a, CLASS_PERMANENT, "config.%s is no list of texts",
		                   key);
	if (!json_is_string(v))
		return 0;
	if ((copy = arena_str(r->arena, json_string_value(v))) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	for (char *w = strtok_r(copy, ", ", &save); rc == 0 && w != NULL;
	     w = strtok_r(NULL, ", ", &save))
		rc = add(l, key, w, a);
	return rc;
}

static int config_duration(const struct request *r, const char *key, int64_t dflt,
                           int64_t *seconds, struct answer *a)
{
	const json_t *v = json_object_get(r->config, key);
	const char *text = json_string_value(v);
	struct err e;

	*seconds = dflt;
	if (v == NULL || json_is_null(v))
		return 0;
	if (json_is_integer(v)) {
		*seconds = json_integer_value(v);
	} else {
		if (text == NULL ||
		    duration_parse(text, strlen(text), seconds, &e) != ERR_OK)
			return answer_fail(a, CLASS_PERMANENT,
			                   "config.%s is no duration such as \"720h\"",
			                   key);
		*seconds /= 1000;
	}
	if (*seconds < X5_TTL_MIN_S || *seconds > X5_TTL_MAX_S)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.%s: from a minute to 100 years", key);
	return 0;
}

static int read_ttl(const struct request *r, struct x5_plan *p, struct answer *a)
{
	int64_t max;
	int rc = config_duration(r, "max_ttl", X5_TTL_MAX_S, &max, a);

	if (rc != 0 || (rc = config_duration(r, "ttl", max < X5_TTL_S ? max : X5_TTL_S,
	                                     &p->ttl_s, a)) != 0)
		return rc;
	if (p->ttl_s > max)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.ttl is longer than config.max_ttl");
	return 0;
}

static int read_key_type(const struct request *r, struct x5_plan *p, struct answer *a)
{
	const char *name = NULL;
	int rc = config_text(r, "key_type", key_types[0].name, &name, a);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
		if (strcmp(name, key_types[i].name) != 0)
			continue;
		p->key_type = &key_types[i];
		return 0;
	}
	return answer_fail(a, CLASS_PERMANENT,
	                   "config.key_type is none of ec-p256, ec-p384, ed25519, "
	                   "rsa-2048, rsa-3072 and rsa-4096");
}

static int read_usages(struct request *r, struct x5_plan *p, struct answer *a)
{
	struct list l;
	int rc = config_list(r, "usages", &l, a);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < l.n; i++) {
		if (strcmp(l.item[i], "server") == 0)
			p->usages |= X5_SERVER;
		else if (strcmp(l.item[i], "client") == 0)
			p->usages |= X5_CLIENT;
		else
			return answer_fail(
				a, CLASS_PERMANENT,
				"config.usages: '%.20s' is neither server nor client",
				l.item[i]);
	}
	if (p->usages == 0)
		p->usages = X5_SERVER | X5_CLIENT;
	return 0;
}

static int add_name(struct x5_plan *p, const struct x5_name *n, struct answer *a)
{
	for (size_t i = 0; i < p->n; i++)
		if (x5_name_equal(&p->names[i], n))
			return 0;
	if (p->n == X5_NAMES_MAX)
		return answer_fail(a, CLASS_PERMANENT, "config.sans has over %u names",
		                   X5_NAMES_MAX);
	p->names[p->n++] = *n;
	return 0;
}

static int read_names(struct request *r, struct x5_plan *p, struct answer *a)
{
	struct x5_name name;
	const char *cn = NULL;
	struct list l;
	int rc;

	if ((rc = config_text(r, "common_name", NULL, &cn, a)) != 0 ||
	    (rc = config_list(r, "sans", &l, a)) != 0)
		return rc;
	if (cn != NULL && ((rc = x5_name_parse(r->arena, cn, &name, a)) != 0 ||
	                   (rc = add_name(p, &name, a)) != 0))
		return rc;
	for (size_t i = 0; i < l.n; i++)
		if ((rc = x5_name_parse(r->arena, l.item[i], &name, a)) != 0 ||
		    (rc = add_name(p, &name, a)) != 0)
			return rc;
	if (p->n == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration has neither 'common_name' nor "
		                   "'sans'");
	p->common_name = p->names[0].text;
	if (strlen(p->common_name) > X5_CN_MAX)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config: the first name is longer than the %u "
		                   "characters of a common name",
		                   X5_CN_MAX);
	return 0;
}

/* Whoever may write the rule of one secret chooses its names: the target says which ones
 * there are to choose from. */
static int check_names(struct request *r, const struct x5_plan *p, struct answer *a)
{
	struct list l;
	int rc = config_list(r, "allowed_domains", &l, a);

	if (rc != 0)
		return rc;
	if (l.n == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.allowed_domains is missing: it says which "
		                   "names may be issued");
	for (size_t i = 0; i < p->n; i++) {
		bool ok = false;

		for (size_t k = 0; k < l.n && !ok; k++)
			ok = x5_name_within(&p->names[i], l.item[k]);
		if (!ok)
			return answer_fail(a, CLASS_PERMANENT,
			                   "'%.80s' is not within config.allowed_domains",
			                   p->names[i].text);
	}
	return 0;
}

static int read_subject(const struct request *r, struct x5_plan *p, struct answer *a)
{
	const struct {
		const char *key;
		const char **to;
	} parts[] = {
		{"organization",         &p->organization},
                { "organizational_unit", &p->unit        },
		{ "country",             &p->country     },
                { "locality",            &p->locality    },
		{ "province",            &p->province    },
	};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if ((rc = config_text(r, parts[i].key, NULL, parts[i].to, a)) != 0)
			return rc;
		if (*parts[i].to != NULL &&
		    ((*parts[i].to)[0] == '\0' || strlen(*parts[i].to) > X5_CN_MAX ||
		     !text_printable(*parts[i].to, strlen(*parts[i].to))))
			return answer_fail(a, CLASS_PERMANENT,
			                   "config.%s is empty, too long or has control "
			                   "characters",
			                   parts[i].key);
	}
	if (p->country != NULL && strlen(p->country) != 2)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.country is no code of two letters");
	return 0;
}

int x5_plan_read(struct request *r, struct x5_plan *p, struct answer *a)
{
	int rc;

	*p = (struct x5_plan){ 0 };
	if ((rc = read_names(r, p, a)) != 0 || (rc = check_names(r, p, a)) != 0 ||
	    (rc = read_ttl(r, p, a)) != 0 || (rc = read_key_type(r, p, a)) != 0 ||
	    (rc = read_usages(r, p, a)) != 0)
		return rc;
	return read_subject(r, p, a);
}
