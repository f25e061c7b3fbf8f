/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_meta - the metadata of a secret id, which Vault takes as the text of a JSON
 * object within the JSON of the request.  The lexer is the one that reads policies.
 */
#include <string.h>

#include "approle.h"
#include "arena.h"
#include "policy_impl.h"
#include "vault/limits.h"

#define TEXT_MAX 8192u

static int bad(struct err *e)
{
	return err_set(e, ERR_INVALID,
	               "failed to parse metadata: an object of strings is needed");
}

static int add(struct arena *a, struct value *out, const char *key, size_t key_len,
               const char *text, size_t len, struct err *e)
{
	if (key_len == 0 || out->len >= LIMIT_META_MEMBERS ||
	    value_getn(out, key, key_len) != NULL)
		return bad(e);
	value_setn(out, key, key_len, value_strdup(a, text, len));
	return ERR_OK;
}

static int read_member(struct policy_lex *l, struct arena *a, struct value *out)
{
	struct err *e = l->e;
	const char *key;
	size_t key_len;

	if (l->tok != PT_STRING || (key = arena_dup(a, l->text, l->len)) == NULL)
		return bad(e);
	key_len = l->len;
	if (policy_lex_next(l) != ERR_OK || l->tok != PT_ASSIGN ||
	    policy_lex_next(l) != ERR_OK || l->tok != PT_STRING ||
	    add(a, out, key, key_len, l->text, l->len, e) != ERR_OK ||
	    policy_lex_next(l) != ERR_OK)
		return bad(e);
	return ERR_OK;
}

static int read_text(struct arena *a, const char *text, size_t n, struct value *out,
                     struct err *e)
{
	struct policy_lex l;

	policy_lex_start(&l, a, text, n, e);
	if (!l.json || policy_lex_next(&l) != ERR_OK || l.tok != PT_LBRACE ||
	    policy_lex_next(&l) != ERR_OK)
		return bad(e);
	while (l.tok != PT_RBRACE) {
		if (read_member(&l, a, out) != ERR_OK)
			return bad(e);
		if (l.tok == PT_RBRACE)
			break;
		if (l.tok != PT_COMMA || policy_lex_next(&l) != ERR_OK ||
		    l.tok == PT_RBRACE)
			return bad(e);
	}
	return policy_lex_next(&l) == ERR_OK && l.tok == PT_EOF ? ERR_OK : bad(e);
}

int approle_metadata(struct arena *a, const struct value *v, struct value **out,
                     struct err *e)
{
	struct value *o = value_object(a);
	size_t bytes = 0;
	int rc = ERR_OK;

	if (o == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	*out = o;
	if (v == NULL || v->type == V_NULL || (v->type == V_STRING && v->len == 0))
		return ERR_OK;
	if (v->type == V_STRING)
		return v->len <= TEXT_MAX ? read_text(a, v->text, v->len, o, e) : bad(e);
	if (v->type != V_OBJECT)
		return bad(e);
	for (const struct value *m = v->first; rc == ERR_OK && m != NULL; m = m->next) {
		bytes += m->key_len + m->len;
		rc = m->type == V_STRING && bytes <= LIMIT_META_BYTES
		             ? add(a, o, m->key, m->key_len, m->text, m->len, e)
		             : bad(e);
	}
	return rc;
}
