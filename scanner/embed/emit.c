/* SPDX-License-Identifier: Apache-2.0 */
#include "emit.h"

#include <inttypes.h>
#include <string.h>

#include "rules/rules.h"

#define LINE_BYTES 64u

/* Signs as they are; three octal digits else, after which any character may follow. */
static void literal(FILE *out, const char *p, size_t n)
{
	fputc('"', out);
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\' || c == '?')
			fprintf(out, "\\%c", c);
		else if (c >= ' ' && c <= '~')
			fputc(c, out);
		else
			fprintf(out, "\\%03o", c);
	}
	fputc('"', out);
}

void emit_bytes(FILE *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i += LINE_BYTES) {
		fputc('\t', out);
		literal(out, p + i, n - i < LINE_BYTES ? n - i : LINE_BYTES);
		fputc('\n', out);
	}
}

void emit_numbers(FILE *out, const uint16_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s%u,", i % 16 == 0 ? "\n\t" : " ", v[i]);
}

static void text(FILE *out, const char *name, const char *s)
{
	if (s == NULL)
		return;
	fprintf(out, "\t\t.%s = TEXT(", name);
	literal(out, s, strlen(s));
	fputs("),\n", out);
}

static void texts(FILE *out, const char *name, const struct texts *t)
{
	if (t->n == 0)
		return;
	fprintf(out, "\t\t.%s = TEXTS(", name);
	for (size_t i = 0; i < t->n; i++) {
		fputs(i > 0 ? ",\n\t\t\t" : "", out);
		literal(out, t->at[i], strlen(t->at[i]));
	}
	fputs("),\n", out);
}

static void set(FILE *out, const struct bytes *b)
{
	fputs("{ {", out);
	for (unsigned i = 0; i < 4; i++)
		fprintf(out, " 0x%016" PRIx64 "u,", b->w[i]);
	fputs(" } }", out);
}

static void bytes(FILE *out, const char *name, const struct bytes *b)
{
	fprintf(out, "\t\t.%s = ", name);
	set(out, b);
	fputs(",\n", out);
}

static void musts(FILE *out, const struct musts *m)
{
	fprintf(out, "\t\t.musts = { %zu, {", m->n);
	for (unsigned i = 0; i < RULE_MUSTS; i++) {
		fputc(' ', out);
		set(out, &m->of[i]);
		fputc(',', out);
	}
	fputs(" } },\n", out);
}

static void opening(FILE *out, const struct opening *o)
{
	fputs("\t\t.opening = { ", out);
	set(out, &o->one);
	fputs(", ", out);
	set(out, &o->two);
	fprintf(out, ", %d },\n", o->line != 0);
}

static void run(FILE *out, const char *name, const struct run *r)
{
	fprintf(out, "\t\t.%s = { %u, ", name, r->n);
	set(out, &r->of);
	fputs(" },\n", out);
}

static void number(FILE *out, const char *name, unsigned n)
{
	if (n != 0)
		fprintf(out, "\t\t.%s = %u,\n", name, n);
}

static void rule_texts(FILE *out, const struct rule *u)
{
	text(out, "id", u->id);
	text(out, "title", u->title);
	text(out, "family", u->family);
	text(out, "regex", u->regex);
	text(out, "validator", u->validator);
	text(out, "example_path", u->example_path);
	texts(out, "anchors", &u->anchors);
	texts(out, "keywords", &u->keywords);
	texts(out, "files", &u->files);
	texts(out, "triggers", &u->triggers);
	texts(out, "positive", &u->positive);
	texts(out, "negative", &u->negative);
}

static void rule_sets(FILE *out, const struct rule *u)
{
	bytes(out, "after_word", &u->after_word);
	bytes(out, "after_prose", &u->after_prose);
	opening(out, &u->opening);
	musts(out, &u->musts);
	run(out, "run", &u->run);
	run(out, "next", &u->next);
}

static void rule_numbers(FILE *out, const struct rule *u)
{
	fprintf(out, "\t\t.entropy = %a,\n", u->entropy);
	number(out, "exact", u->exact);
	number(out, "charset", u->charset);
	number(out, "confidence", u->confidence);
	number(out, "severity", u->severity);
	number(out, "window", u->window);
	number(out, "lines_span", u->lines_span);
	number(out, "within", u->within);
	number(out, "lines", u->lines);
	number(out, "verified", u->verified);
	number(out, "allow", u->allow);
	number(out, "collect_pem", u->collect_pem);
	number(out, "prefixed", u->prefixed);
	number(out, "at_line", u->at_line);
	number(out, "trigger", u->trigger);
	number(out, "trigger_exact", u->trigger_exact);
	number(out, "reach", u->reach);
	number(out, "near", u->near);
	number(out, "needs", (unsigned char)u->needs);
	number(out, "needs_after", u->needs_after);
	number(out, "by_keyword", u->by_keyword);
	number(out, "line", u->line);
	number(out, "index", u->index);
}

void emit_rules(FILE *out, const struct rule_set *rules)
{
	fputs("const struct rule rules_embedded[] = {\n", out);
	for (size_t i = 0; i < rules->n; i++) {
		fputs("\t{\n", out);
		rule_texts(out, &rules->at[i]);
		rule_sets(out, &rules->at[i]);
		rule_numbers(out, &rules->at[i]);
		fputs("\t\t.checked = true,\n\t\t.embedded = true,\n\t},\n", out);
	}
	fprintf(out, "};\nconst size_t rules_embedded_count = %zu;\n\n", rules->n);
}
