/* SPDX-License-Identifier: Apache-2.0 */
/* rules - a set of rules, and its files: YAML, read node by node so that each error has a
 * line. */
#include "rules/rules.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "verdict/validator.h"

#define ANCHOR_MIN  2u
#define LONG_ANCHOR 5u /* one that is rare enough */
#define NUMBER_MAX  1000000

struct reading {
	const char *name; /* of the file */
	bool own;         /* not of a user: its expressions may be any */
	yaml_document_t doc;
	struct rule_set *set;
	struct err *e;
};

static int bad(struct reading *r, const yaml_node_t *at, const char *key,
               const char *what)
{
	return err_set(r->e, ERR_INVALID, "%s:%zu:%zu: %s%s%s", r->name,
	               at->start_mark.line + 1, at->start_mark.column + 1, key,
	               *key != '\0' ? ": " : "", what);
}

static int no_memory(struct reading *r)
{
	return err_set(r->e, ERR_NOMEM, "out of memory");
}

/* What was read of a rule. */
static void clear(struct rule *u)
{
	free(u->id);
	free(u->title);
	free(u->family);
	free(u->regex);
	free(u->validator);
	free(u->example_path);
	texts_free(&u->anchors);
	texts_free(&u->triggers);
	texts_free(&u->keywords);
	texts_free(&u->files);
	texts_free(&u->positive);
	texts_free(&u->negative);
}

static void rule_free(struct rule *u)
{
	if (!u->embedded)
		clear(u);
}

void rules_free(struct rule_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		rule_free(&set->at[i]);
	free(set->at);
	*set = (struct rule_set){ 0 };
}

const struct rule *rules_find(const struct rule_set *set, const char *id)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->at[i].id, id) == 0)
			return &set->at[i];
	return NULL;
}

/* --- values of keys -------------------------------------------------------------------
 */

static const char *scalar(const yaml_node_t *v)
{
	return v->type == YAML_SCALAR_NODE &&
	                       strlen((const char *)v->data.scalar.value) ==
	                               v->data.scalar.length
	               ? (const char *)v->data.scalar.value
	               : NULL;
}

static int take_text(struct reading *r, const yaml_node_t *v, const char *key, char **out)
{
	const char *s = scalar(v);

	if (s == NULL || *s == '\0' || strlen(s) > RULE_TEXT_MAX)
		return bad(r, v, key, "a text of 1 to 4096 bytes is expected");
	free(*out);
	return (*out = strdup(s)) != NULL ? ERR_OK : no_memory(r);
}

/* One text or a list of them. */
static int take_texts(struct reading *r, yaml_node_t *v, const char *key, bool lower,
                      struct texts *out)
{
	const yaml_node_t *item;
	const char *s;
	char *text;

	if (v->type != YAML_SEQUENCE_NODE)
		return bad(r, v, key, "a list of texts is expected");
	for (yaml_node_item_t *i = v->data.sequence.items.start;
	     i < v->data.sequence.items.top; i++) {
		item = yaml_document_get_node(&r->doc, *i);
		if (item == NULL || (s = scalar(item)) == NULL || *s == '\0')
			return bad(r, v, key, "a list of texts is expected");
		if (texts_add(out, s, strlen(s)) != 0)
			return no_memory(r);
		for (text = out->at[out->n - 1]; lower && *text != '\0'; text++)
			*text = (char)tolower((unsigned char)*text);
	}
	return ERR_OK;
}

static int take_number(struct reading *r, const yaml_node_t *v, const char *key,
                       unsigned *out)
{
	const char *s = scalar(v);
	char *end;
	long n;

	if (s == NULL || !isdigit((unsigned char)*s))
		return bad(r, v, key, "a number is expected");
	errno = 0;
	n = strtol(s, &end, 10);
	if (*end != '\0' || errno != 0 || n > NUMBER_MAX)
		return bad(r, v, key, "a number up to 1000000 is expected");
	*out = (unsigned)n;
	return ERR_OK;
}

static int take_bool(struct reading *r, const yaml_node_t *v, const char *key, bool *out)
{
	const char *s = scalar(v);

	if (s == NULL || (strcmp(s, "true") != 0 && strcmp(s, "false") != 0))
		return bad(r, v, key, "true or false is expected");
	*out = *s == 't';
	return ERR_OK;
}

static int take_entropy(struct reading *r, const yaml_node_t *v, const char *key,
                        double *out)
{
	const char *s = scalar(v);
	char *end;

	if (s == NULL || !isdigit((unsigned char)*s))
		return bad(r, v, key, "a number is expected");
	*out = strtod(s, &end);
	return *end == '\0' && *out <= 8 ? ERR_OK
	                                 : bad(r, v, key, "bits per character, 0 to 8");
}

/* The place of a word in a list that ends with NULL. */
static int take_word(struct reading *r, const yaml_node_t *v, const char *key,
                     const char *const *words, unsigned *out)
{
	const char *s = scalar(v);

	for (*out = 0; s != NULL && words[*out] != NULL; (*out)++)
		if (strcmp(s, words[*out]) == 0)
			return ERR_OK;
	return bad(r, v, key, "no such word: docs/scanning-rules.md lists them");
}

static int take_examples(struct reading *r, yaml_node_t *v, struct rule *u)
{
	if (v->type != YAML_MAPPING_NODE)
		return bad(r, v, "examples", "positive, negative and path are expected");
	for (yaml_node_pair_t *p = v->data.mapping.pairs.start;
	     p < v->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
		yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);
		const char *key = scalar(k);
		int rc;

		if (key != NULL && strcmp(key, "positive") == 0)
			rc = take_texts(r, value, key, false, &u->positive);
		else if (key != NULL && strcmp(key, "negative") == 0)
			rc = take_texts(r, value, key, false, &u->negative);
		else if (key != NULL && strcmp(key, "path") == 0)
			rc = take_text(r, value, key, &u->example_path);
		else
			rc = bad(r, k, "examples", "unknown key");
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static int take_limits(struct reading *r, yaml_node_t *v, const char *key, struct rule *u)
{
	if (strcmp(key, "window") == 0)
		return take_number(r, v, key, &u->window);
	if (strcmp(key, "reach") == 0)
		return take_number(r, v, key, &u->reach);
	if (strcmp(key, "lines_span") == 0)
		return take_number(r, v, key, &u->lines_span);
	if (strcmp(key, "within") == 0)
		return take_number(r, v, key, &u->within);
	if (strcmp(key, "lines") == 0)
		return take_number(r, v, key, &u->lines);
	if (strcmp(key, "entropy") == 0)
		return take_entropy(r, v, key, &u->entropy);
	return bad(r, v, key, "unknown key");
}

static int take_kind(struct reading *r, yaml_node_t *v, const char *key, struct rule *u)
{
	static const char *const confidences[] = { "L", "M", "H", NULL };
	static const char *const severities[] = { "low", "medium", "high", "critical",
		                                  NULL };
	static const char *const charsets[] = { "none",      "alnum",  "hex",
		                                "base58",    "base64", "base64url",
		                                "base64any", "token",  NULL };
	static const char *const collects[] = { "pem", NULL };
	unsigned n = 0;
	int rc;

	if (strcmp(key, "confidence") == 0) {
		rc = take_word(r, v, key, confidences, &n);
		u->confidence = (enum confidence)n;
	} else if (strcmp(key, "severity") == 0) {
		rc = take_word(r, v, key, severities, &n);
		u->severity = (enum severity)n;
	} else if (strcmp(key, "charset") == 0) {
		rc = take_word(r, v, key, charsets, &n);
		u->charset = (enum charset)n;
	} else if (strcmp(key, "collect") == 0) {
		rc = take_word(r, v, key, collects, &n);
		u->collect_pem = true;
	} else if (strcmp(key, "verified") == 0) {
		rc = take_bool(r, v, key, &u->verified);
	} else if (strcmp(key, "allow") == 0) {
		rc = take_bool(r, v, key, &u->allow);
	} else {
		rc = take_limits(r, v, key, u);
	}
	return rc;
}

static int take_key(struct reading *r, yaml_node_t *v, const char *key, struct rule *u)
{
	if (strcmp(key, "id") == 0)
		return take_text(r, v, key, &u->id);
	if (strcmp(key, "title") == 0)
		return take_text(r, v, key, &u->title);
	if (strcmp(key, "family") == 0)
		return take_text(r, v, key, &u->family);
	if (strcmp(key, "regex") == 0)
		return take_text(r, v, key, &u->regex);
	if (strcmp(key, "validator") == 0)
		return take_text(r, v, key, &u->validator);
	if (strcmp(key, "anchors") == 0)
		return take_texts(r, v, key, true, &u->anchors);
	if (strcmp(key, "triggers") == 0)
		return take_texts(r, v, key, false, &u->triggers);
	if (strcmp(key, "keywords") == 0)
		return take_texts(r, v, key, true, &u->keywords);
	if (strcmp(key, "files") == 0)
		return take_texts(r, v, key, false, &u->files);
	if (strcmp(key, "examples") == 0)
		return take_examples(r, v, u);
	return take_kind(r, v, key, u);
}

/* --- one rule -------------------------------------------------------------------------
 */

static bool id_ok(const char *id)
{
	size_t n = strlen(id);

	return n <= 64 && id[0] != '-' && id[n - 1] != '-' &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static size_t shortest(const struct texts *t)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->at[i]) < least)
			least = strlen(t->at[i]);
	return least;
}

/* Where all matches begin with a few texts, these are better anchors than others, unless
 * the others are much longer: the expression is tried at them alone. */
static int prefer_beginnings(struct reading *r, struct rule *u)
{
	struct lead lead;
	struct texts t;
	int rc;

	if (rule_lead(u->regex, &lead) != 0) {
		texts_free(&lead.begin);
		return no_memory(r);
	}
	u->run = lead.run;
	u->at_line = lead.at_line;
	u->opening = lead.opening;
	u->musts = lead.musts;
	u->after_word = lead.after_word;
	u->after_prose = lead.after_prose;
	u->prefixed = lead.begin.n > 0 && u->anchors.n > 0 && u->window == 0 &&
	              !u->by_keyword &&
	              (shortest(&lead.begin) >= LONG_ANCHOR ||
	               shortest(&lead.begin) >= shortest(&u->anchors) ||
	               shortest(&u->anchors) < LONG_ANCHOR);
	if (u->prefixed) {
		t = u->anchors;
		u->anchors = lead.begin;
		lead.begin = t;
		u->exact = !rule_any_case(u->regex);
		u->next = lead.next;
	}
	rc = rule_triggers(u, &lead, &lead.begin);
	u->needs_after = rc == 0 && r->own && rule_needs_after(u);
	texts_free(&lead.begin);
	return rc == 0 ? ERR_OK : no_memory(r);
}

/* Anchors that it does not name come from its expression, or are its keywords. */
static int find_anchors(struct reading *r, const yaml_node_t *at, struct rule *u,
                        bool named)
{
	if (!named && rule_anchors(u->regex, &u->anchors) != 0)
		return no_memory(r);
	u->exact = !named && !rule_any_case(u->regex);
	if (!named && u->anchors.n == 0) {
		u->by_keyword = true;
		u->exact = false;
		for (size_t i = 0; i < u->keywords.n; i++)
			if (strlen(u->keywords.at[i]) > ANCHOR_MIN &&
			    texts_add(&u->anchors, u->keywords.at[i],
			              strlen(u->keywords.at[i])) != 0)
				return no_memory(r);
	}
	for (size_t i = 0; i < u->anchors.n; i++)
		if (strlen(u->anchors.at[i]) < ANCHOR_MIN)
			return bad(r, at, "anchors", "two bytes at least");
	if (u->anchors.n == 0 && u->files.n == 0)
		return bad(
			r, at, "regex",
			"has no literal of two bytes: give anchors, keywords or files");
	return prefer_beginnings(r, u);
}

/* The value of a key that is known to be there. */
static const yaml_node_t *value_of(struct reading *r, const yaml_node_t *rule,
                                   const char *key)
{
	const yaml_node_t *found = rule;

	for (yaml_node_pair_t *p = rule->data.mapping.pairs.start;
	     p < rule->data.mapping.pairs.top; p++) {
		const char *name = scalar(yaml_document_get_node(&r->doc, p->key));

		if (name != NULL && strcmp(name, key) == 0)
			found = yaml_document_get_node(&r->doc, p->value);
	}
	return found;
}

static int check(struct reading *r, const yaml_node_t *at, struct rule *u)
{
	char why[RULE_WHY];

	if (*u->validator != '\0' && !validator_known(u->validator))
		return bad(
			r, value_of(r, at, "validator"), "validator",
			"there is none of this name: docs/scanning-rules.md lists them");
	if (!r->own && rule_check(u, why) != 0)
		return bad(r, value_of(r, at, "regex"), "regex", why);
	return ERR_OK;
}

static int complete(struct reading *r, const yaml_node_t *at, struct rule *u, bool named)
{
	if (u->id == NULL || u->title == NULL || u->regex == NULL)
		return bad(r, at, "", "a rule needs id, title and regex");
	if (!id_ok(u->id))
		return bad(r, at, "id", "lower case, digits and dashes, at most 64");
	if (u->lines_span == 0)
		u->lines_span = 1;
	if (u->family == NULL && (u->family = strdup("custom")) == NULL)
		return no_memory(r);
	if (u->validator == NULL && (u->validator = strdup("")) == NULL)
		return no_memory(r);
	if (check(r, at, u) != ERR_OK)
		return (int)r->e->code;
	return find_anchors(r, at, u, named);
}

/* ${u} is the set's, or is freed. */
static int put(struct reading *r, struct rule *u)
{
	struct rule *more;

	for (size_t i = 0; i < r->set->n; i++)
		if (strcmp(r->set->at[i].id, u->id) == 0) {
			u->index = (unsigned)i;
			rule_free(&r->set->at[i]);
			r->set->at[i] = *u;
			return ERR_OK;
		}
	if (r->set->n == RULES_MAX) {
		clear(u);
		return err_set(r->e, ERR_INVALID, "%s: more than %u rules", r->name,
		               RULES_MAX);
	}
	more = realloc(r->set->at, (r->set->n + 1) * sizeof(*more));
	if (more == NULL) {
		clear(u);
		return no_memory(r);
	}
	r->set->at = more;
	u->index = (unsigned)r->set->n;
	r->set->at[r->set->n++] = *u;
	return ERR_OK;
}

static int read_rule(struct reading *r, const yaml_node_t *node)
{
	struct rule u = { .confidence = CONFIDENCE_MEDIUM, .severity = SEVERITY_HIGH };
	bool named = false;
	int rc = ERR_OK;

	if (node == NULL)
		return err_set(r->e, ERR_INVALID, "%s: a rule is a mapping", r->name);
	if (node->type != YAML_MAPPING_NODE)
		return bad(r, node, "", "a rule is a mapping");
	u.line = (unsigned)node->start_mark.line + 1;
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     rc == ERR_OK && p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = yaml_document_get_node(&r->doc, p->key);
		const char *key = scalar(k);

		if (key == NULL)
			rc = bad(r, k, "", "a key is a text");
		else
			rc = take_key(r, yaml_document_get_node(&r->doc, p->value), key,
			              &u);
		named |= key != NULL && strcmp(key, "anchors") == 0;
	}
	if (rc == ERR_OK)
		rc = complete(r, node, &u, named);
	if (rc == ERR_OK && u.id != NULL)
		return put(r, &u);
	clear(&u);
	return rc;
}

/* --- one file -------------------------------------------------------------------------
 */

static yaml_node_t *list_of_rules(struct reading *r)
{
	yaml_node_t *root = yaml_document_get_root_node(&r->doc);
	const yaml_node_pair_t *p;
	const char *key;
	yaml_node_t *list;

	if (root == NULL || root->type != YAML_MAPPING_NODE)
		return NULL;
	p = root->data.mapping.pairs.start;
	if (p + 1 != root->data.mapping.pairs.top)
		return NULL;
	key = scalar(yaml_document_get_node(&r->doc, p->key));
	list = yaml_document_get_node(&r->doc, p->value);
	return key != NULL && strcmp(key, "rules") == 0 && list != NULL &&
	                       list->type == YAML_SEQUENCE_NODE
	               ? list
	               : NULL;
}

static int read_document(struct reading *r)
{
	yaml_node_t *list = list_of_rules(r);
	int rc = ERR_OK;

	if (list == NULL)
		return err_set(r->e, ERR_INVALID, "%s:1:1: one key, rules, with a list",
		               r->name);
	for (yaml_node_item_t *i = list->data.sequence.items.start;
	     rc == ERR_OK && i < list->data.sequence.items.top; i++)
		rc = read_rule(r, yaml_document_get_node(&r->doc, *i));
	return rc;
}

/* Into a set of its own, so that a file with an error changes nothing. */
static int read_file(struct reading *r, const char *text, size_t n)
{
	yaml_parser_t parser;
	int rc;

	if (n > RULES_FILE_MAX)
		return err_set(r->e, ERR_INVALID, "%s: larger than 4 MiB", r->name);
	if (!yaml_parser_initialize(&parser))
		return no_memory(r);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	if (!yaml_parser_load(&parser, &r->doc)) {
		rc = err_set(r->e, ERR_INVALID, "%s:%zu:%zu: %s", r->name,
		             parser.problem_mark.line + 1, parser.problem_mark.column + 1,
		             parser.problem != NULL ? parser.problem : "no YAML");
		yaml_parser_delete(&parser);
		return rc;
	}
	rc = read_document(r);
	yaml_document_delete(&r->doc);
	yaml_parser_delete(&parser);
	return rc;
}

static int add(struct rule_set *set, const char *name, const char *text, size_t n,
               bool own, struct err *e)
{
	struct rule_set file = { 0 };
	struct reading one = { .name = name, .own = own, .set = &file, .e = e };
	struct reading r = { .name = name, .set = set, .e = e };
	int rc = read_file(&one, text, n);

	if (rc == ERR_OK && set->n + file.n > RULES_MAX)
		rc = err_set(e, ERR_INVALID, "%s: more than %u rules", name, RULES_MAX);
	for (size_t i = 0; rc == ERR_OK && i < file.n; i++) {
		rc = put(&r, &file.at[i]);
		if (rc == ERR_OK)
			memset(&file.at[i], 0, sizeof(file.at[i]));
	}
	rules_free(&file);
	return rc;
}

int rules_add(struct rule_set *set, const char *name, const char *text, size_t n,
              struct err *e)
{
	return add(set, name, text, n, false, e);
}

int rules_add_own(struct rule_set *set, const char *name, const char *text, size_t n,
                  struct err *e)
{
	return add(set, name, text, n, true, e);
}
