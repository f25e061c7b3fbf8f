/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of strings. */
#include "tmpl_run.h"

#include <string.h>

#include "tmpl_print.h"
#include "tmpl_rune.h"

static bool in_set(struct tmpl_str set, uint32_t c, bool valid)
{
	size_t width;

	for (size_t i = 0; i < set.n; i += width) {
		uint32_t member = tmpl_rune(set.p + i, set.n - i, &width);

		if (member == c && (valid || !tmpl_rune_valid(member, width)))
			return true;
	}
	return false;
}

int tmpl_fn_trim(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                 struct tv *out)
{
	struct tmpl_str set = args[0].s, s = args[1].s;
	size_t width;
	uint32_t c;
	int rc = ERR_OK;

	while (s.n > 0 && (rc = tmpl_spend(r, set.n)) == ERR_OK) {
		c = tmpl_rune(s.p, s.n, &width);
		if (!in_set(set, c, tmpl_rune_valid(c, width)))
			break;
		s.p += width;
		s.n -= width;
	}
	while (s.n > 0 && rc == ERR_OK && (rc = tmpl_spend(r, set.n)) == ERR_OK) {
		c = tmpl_rune_before(s.p, s.n, &width);
		if (!in_set(set, c, tmpl_rune_valid(c, width)))
			break;
		s.n -= width;
	}
	*out = tv_str(s.p, s.n);
	return rc;
}

int tmpl_fn_trim_prefix(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                        struct tv *out)
{
	struct tmpl_str fix = args[0].s, s = args[1].s;

	if (fix.n > 0 && s.n >= fix.n && memcmp(s.p, fix.p, fix.n) == 0) {
		s.p += fix.n;
		s.n -= fix.n;
	}
	*out = tv_str(s.p, s.n);
	return tmpl_spend(r, fix.n);
}

int tmpl_fn_trim_suffix(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                        struct tv *out)
{
	struct tmpl_str fix = args[0].s, s = args[1].s;

	if (fix.n > 0 && s.n >= fix.n && memcmp(s.p + s.n - fix.n, fix.p, fix.n) == 0)
		s.n -= fix.n;
	*out = tv_str(s.p, s.n);
	return tmpl_spend(r, fix.n);
}

static struct tmpl_str trim_space(struct tmpl_str s)
{
	size_t width;

	while (s.n > 0 && tmpl_rune_space(tmpl_rune(s.p, s.n, &width))) {
		s.p += width;
		s.n -= width;
	}
	while (s.n > 0 && tmpl_rune_space(tmpl_rune_before(s.p, s.n, &width)))
		s.n -= width;
	return s;
}

int tmpl_fn_trim_space(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	struct tmpl_str s = trim_space(args[0].s);

	*out = tv_str(s.p, s.n);
	return tmpl_spend(r, args[0].s.n - s.n);
}

static int map_runes(struct tmpl_run *r, struct tmpl_str s, uint32_t (*fn)(uint32_t),
                     struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	size_t width;

	for (size_t i = 0; i < s.n && r->rc == ERR_OK; i += width)
		tmpl_put_rune(&b, fn(tmpl_rune(s.p + i, s.n - i, &width)));
	return tmpl_buf_str(&b, out);
}

int tmpl_fn_to_lower(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	return map_runes(r, args[0].s, tmpl_rune_lower, out);
}

int tmpl_fn_to_upper(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	return map_runes(r, args[0].s, tmpl_rune_upper, out);
}

/* What belongs to a word between two of its letters: "don't", "a.b", "a:b". */
static bool joins(uint32_t c)
{
	return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 ||
	       c == 0x2019 || c == 0x2024 || c == 0x2027 || c == 0x387 || c == 0xFE13 ||
	       c == 0xFE52 || c == 0xFE55 || c == 0xFF07 || c == 0xFF0E || c == 0xFF1A;
}

static bool of_word(uint32_t c)
{
	return c == '_' || tmpl_rune_letter(c) || tmpl_rune_digit(c) ||
	       tmpl_rune_mark(c) || tmpl_rune_unseen(c);
}

/* A letter that has another case; a word begins with the first of them. */
static bool is_cased(uint32_t c)
{
	return tmpl_rune_title(c) != c || tmpl_rune_lower(c) != c ||
	       tmpl_rune_upper(c) != c || tmpl_rune_long_title(c) != NULL;
}

static void put_title(struct tmpl_buf *b, uint32_t c)
{
	const char *text = tmpl_rune_long_title(c);

	if (text != NULL)
		tmpl_puts(b, text);
	else
		tmpl_put_rune(b, tmpl_rune_title(c));
}

int tmpl_fn_to_title(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                     struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	struct tmpl_str s = args[0].s;
	bool in_word = false;
	size_t width, next;

	for (size_t i = 0; i < s.n && r->rc == ERR_OK; i += width) {
		uint32_t c = tmpl_rune(s.p + i, s.n - i, &width);
		bool stays = in_word && joins(c) && i + width < s.n &&
		             tmpl_rune_letter(
				     tmpl_rune(s.p + i + width, s.n - i - width, &next));
		bool begins = !in_word && is_cased(c);

		if (begins)
			put_title(&b, c);
		else
			tmpl_put_rune(&b, c);
		in_word = begins || stays ||
		          (in_word && of_word(c) && !tmpl_rune_lone(c));
	}
	return tmpl_buf_str(&b, out);
}

int tmpl_fn_indent(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                   struct tv *out)
{
	struct tmpl_buf b = tmpl_buf(r);
	struct tmpl_str s = args[1].s;
	bool at_start = true;

	if (args[0].i < 0)
		return tmpl_fail(r, ERR_INVALID, "indent: a negative number of spaces");
	for (size_t i = 0; i < s.n && r->rc == ERR_OK; i++) {
		if (at_start && s.p[i] != '\n')
			tmpl_pad(&b, (size_t)args[0].i, ' ');
		tmpl_putc(&b, s.p[i]);
		at_start = s.p[i] == '\n';
	}
	return tmpl_buf_str(&b, out);
}

static int append_str(struct tmpl_run *r, struct tv_list *list, const char *p, size_t n)
{
	return tv_append(r, list, tv_str(p, n));
}

/* With no separator, into its characters. */
static int split_runes(struct tmpl_run *r, struct tmpl_str s, struct tv_list *list)
{
	size_t width;
	int rc = ERR_OK;

	for (size_t i = 0; i < s.n && rc == ERR_OK; i += width) {
		(void)tmpl_rune(s.p + i, s.n - i, &width);
		rc = append_str(r, list, s.p + i, width);
	}
	return rc;
}

static int split(struct tmpl_run *r, struct tmpl_str sep, struct tmpl_str s,
                 struct tv_list *list)
{
	int rc = tmpl_spend(r, s.n);

	if (rc == ERR_OK && sep.n == 0)
		return split_runes(r, s, list);
	while (rc == ERR_OK) {
		const char *at = memmem(s.p, s.n, sep.p, sep.n);
		size_t n = at != NULL ? (size_t)(at - s.p) : s.n;

		rc = append_str(r, list, s.p, n);
		if (at == NULL)
			break;
		s.p += n + sep.n;
		s.n -= n + sep.n;
	}
	list->cap = list->n;
	return rc;
}

int tmpl_fn_split(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                  struct tv *out)
{
	struct tmpl_str s = trim_space(args[1].s);
	int rc = tv_new_list(r, TV_STRINGS, 0, out);

	return rc != ERR_OK || s.n == 0 ? rc : split(r, args[0].s, s, out->list);
}

int tmpl_fn_split_to_map(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                         struct tv *out)
{
	struct tmpl_str s = trim_space(args[2].s), sep = args[1].s;
	struct tv parts;
	int rc;

	if ((rc = tv_new_map(r, TV_TEXT_MAP, 0, out)) != ERR_OK || s.n == 0 ||
	    (rc = tv_new_list(r, TV_STRINGS, 0, &parts)) != ERR_OK ||
	    (rc = split(r, args[0].s, s, parts.list)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < parts.list->n && rc == ERR_OK; i++) {
		struct tmpl_str part = parts.list->items[i].s;
		const char *at = sep.n > 0 ? memmem(part.p, part.n, sep.p, sep.n)
		                           : part.p;
		size_t before = at != NULL ? (size_t)(at - part.p) : 0;

		if (at != NULL)
			rc = tv_map_push(r, out->map, tv_str(part.p, before),
			                 tv_str(at + sep.n, part.n - before - sep.n));
	}
	return rc != ERR_OK ? rc : tv_map_sort(r, out->map);
}

int tmpl_fn_join(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                 struct tv *out)
{
	const struct tv_list *list = args[1].list;
	struct tmpl_buf b = tmpl_buf(r);

	for (size_t i = 0; i < list->n && r->rc == ERR_OK; i++) {
		if (i > 0)
			tmpl_put(&b, args[0].s.p, args[0].s.n);
		tmpl_put(&b, list->items[i].s.p, list->items[i].s.n);
	}
	return tmpl_buf_str(&b, out);
}

/* With nothing to replace, before each character and at the end. */
static void replace_between(struct tmpl_buf *b, struct tmpl_str with, struct tmpl_str s)
{
	size_t width;

	for (size_t i = 0; i < s.n && b->r->rc == ERR_OK; i += width) {
		(void)tmpl_rune(s.p + i, s.n - i, &width);
		tmpl_put(b, with.p, with.n);
		tmpl_put(b, s.p + i, width);
	}
	tmpl_put(b, with.p, with.n);
}

int tmpl_fn_replace_all(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                        struct tv *out)
{
	struct tmpl_str what = args[0].s, with = args[1].s, s = args[2].s;
	struct tmpl_buf b = tmpl_buf(r);

	if (what.n == 0)
		replace_between(&b, with, s);
	while (what.n > 0 && r->rc == ERR_OK) {
		const char *at = memmem(s.p, s.n, what.p, what.n);
		size_t before = at != NULL ? (size_t)(at - s.p) : s.n;

		tmpl_put(&b, s.p, before);
		if (at == NULL)
			break;
		tmpl_put(&b, with.p, with.n);
		s.p += before + what.n;
		s.n -= before + what.n;
	}
	return tmpl_buf_str(&b, out);
}
