/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

#include "tzif.h"
#include "util.h"
#include "zone.h"

TestSuite(zone, .timeout = 60);

static struct err e;

/* ---- files that a test makes ---- */

/* A file of the contents that the arguments say, in the order of the format. */
struct made {
	unsigned char p[4096];
	size_t n;
};

static void put(struct made *m, const void *p, size_t n)
{
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void put_number(struct made *m, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		m->p[m->n++] = (unsigned char)(v >> (8 * i));
}

struct spec {
	char version;
	unsigned isut, isstd, leap, n_times, n_types;
	int64_t times[4];
	unsigned char which[4];
	int32_t offsets[4];
	unsigned char dst, abbr; /* of the first type */
	char chars[16];
	unsigned n_chars;
	char footer[64];
};

/* Two types, one time: winter, and from 1,000,000 on summer. */
static const struct spec good = {
	.version = '2',
	.n_times = 1,
	.n_types = 2,
	.times = {1000000},
	.which = {    1     },
	.offsets = { 3600,      7200 },
	.chars = "CET\0CEST",
	.n_chars = 9,
	.footer = "\nCET-1\n",
};

static void put_header(struct made *m, const struct spec *s, bool real)
{
	put(m, "TZif", 4);
	put(m, &s->version, 1);
	put_number(m, 0, 8);
	put_number(m, 0, 7);
	put_number(m, real ? s->isut : 0, 4);
	put_number(m, real ? s->isstd : 0, 4);
	put_number(m, real ? s->leap : 0, 4);
	put_number(m, real ? s->n_times : 0, 4);
	put_number(m, real ? s->n_types : 1, 4);
	put_number(m, real ? s->n_chars : 1, 4);
}

static struct made make(const struct spec *s)
{
	struct made m = { .n = 0 };

	put_header(&m, s, false);
	put_number(&m, 0, 7);
	put_header(&m, s, true);
	for (unsigned i = 0; i < s->n_times && i < 4; i++)
		put_number(&m, (uint64_t)s->times[i], 8);
	put(&m, s->which, s->n_times < 4 ? s->n_times : 4);
	for (unsigned i = 0; i < s->n_types && i < 4; i++) {
		put_number(&m, (uint32_t)s->offsets[i], 4);
		put_number(&m, i == 0 ? s->dst : 1, 1);
		put_number(&m, i == 0 ? s->abbr : 4, 1);
	}
	put(&m, s->chars, s->n_chars < 16 ? s->n_chars : 16);
	put_number(&m, 0, (int)(s->isstd + s->isut < 8 ? s->isstd + s->isut : 0));
	put(&m, s->footer, strlen(s->footer));
	return m;
}

Test(zone, what_a_file_says)
{
	struct made m = make(&good);
	struct zone_span span;
	struct tzif *z;

	cr_assert_eq(tzif_read(m.p, m.n, &z, &e), ERR_OK, "%s", e.msg);
	tzif_span(z, 999999, &span);
	cr_assert_eq(span.begin, INT64_MIN);
	cr_assert_eq(span.end, 1000000);
	cr_assert_eq(span.offset, 3600);
	cr_assert_not(span.dst);
	cr_assert_str_eq(span.abbr, "CET");
	tzif_span(z, 1000000, &span);
	cr_assert_eq(span.begin, 1000000);
	cr_assert_eq(span.end, INT64_MAX);
	cr_assert_str_eq(span.abbr, "CET", "the footer holds after the last time");
	tzif_free(z);
	memcpy(m.p + m.n - 7, "\n\n", 2);
	cr_assert_eq(tzif_read(m.p, m.n - 5, &z, &e), ERR_OK, "%s", e.msg);
	tzif_span(z, 1000000, &span);
	cr_assert_str_eq(span.abbr, "CEST", "without one the last type");
	tzif_free(z);
}

struct hostile_case {
	char name[24], want[80];
	struct spec s;
};
#define BASE                                                                           \
	.version = '2', .n_times = 1, .n_types = 2, .times = { 1000000 },              \
	.which = { 1 }, .offsets = { 3600, 7200 }, .chars = "CET\0CEST", .n_chars = 9, \
	.footer = "\nCET-1\n"
#define BAD "the time zone file is malformed: "
ParameterizedTestParameters(zone, hostile_files)
{
	/* clang-format off */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
	static struct hostile_case c[] = {
		{ "version 1", "not a time zone file of version 2 or later", { BASE, .version = '\0' } },
		{ "leap seconds", "the time zone counts leap seconds", { BASE, .leap = 1 } },
		{ "more times than bytes", BAD "cut off", { BASE, .n_times = 60000 } },
		{ "far more", BAD "cut off", { BASE, .n_times = 0xffffffff } },
		{ "far more types", BAD "cut off", { BASE, .n_types = 257 } },
		{ "no type", BAD "its counts do not add up", { BASE, .n_types = 0 } },
		{ "no characters", BAD "its counts do not add up", { BASE, .n_chars = 0 } },
		{ "odd indicators", BAD "its counts do not add up", { BASE, .isut = 1 } },
		{ "odd other indicators", BAD "its counts do not add up", { BASE, .isstd = 3 } },
		{ "times go back", BAD "its times do not ascend", { BASE, .n_times = 2, .times = { 5, 4 } } },
		{ "a time twice", BAD "its times do not ascend", { BASE, .n_times = 2, .times = { 5, 5 } } },
		{ "a time of no type", BAD "a time of no type", { BASE, .which = { 2 } } },
		{ "before all times", BAD "a time is out of bounds", { BASE, .times = { INT64_MIN } } },
		{ "after all times", BAD "a time is out of bounds", { BASE, .times = { INT64_MAX } } },
		{ "a day and more east", BAD "a type out of bounds", { BASE, .offsets = { 26 * 3600, 0 } } },
		{ "a day and more west", BAD "a type out of bounds", { BASE, .offsets = { -25 * 3600, 0 } } },
		{ "neither true nor false", BAD "a type out of bounds", { BASE, .dst = 2 } },
		{ "a name outside", BAD "a type without a proper name", { BASE, .abbr = 9 } },
		{ "a name without an end", BAD "a type without a proper name", { BASE, .n_chars = 8 } },
		{ "a name in control", BAD "a type without a proper name", { BASE, .chars = "C\033T\0CEST" } },
		{ "no footer", BAD "no footer", { BASE, .footer = "" } },
		{ "half a footer", BAD "no footer", { BASE, .footer = "\nCET-1" } },
		{ "no rule", BAD "its footer is no rule", { BASE, .footer = "\nCET\n" } },
		{ "something behind", BAD "its footer is no rule", { BASE, .footer = "\nCET-1\nCET-1\n" } },
	};
#pragma GCC diagnostic pop
	/* clang-format on */
	return cr_make_param_array(struct hostile_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct hostile_case *c, zone, hostile_files)
{
	struct made m = make(&c->s);
	struct tzif *z;

	cr_assert_eq(tzif_read(m.p, m.n, &z, &e), ERR_INVALID, "%s", c->name);
	cr_assert_str_eq(e.msg, c->want, "%s: %s", c->name, e.msg);
}

Test(zone, a_file_that_is_cut_anywhere)
{
	struct made m = make(&good);
	struct tzif *z;

	for (size_t n = 0; n < m.n; n++) {
		unsigned char *exact = malloc(n != 0 ? n : 1);

		memcpy(exact, m.p, n);
		cr_assert_eq(tzif_read(exact, n, &z, &e), ERR_INVALID, "%zu", n);
		free(exact);
	}
}

/* ---- rules ---- */

struct rule_case {
	char text[48];
	long long t;
	int offset, dst;
	char abbr[8];
	long long end;
};
ParameterizedTestParameters(zone, rules)
{
	/* clang-format off */
	static struct rule_case c[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600, 0, "CET", 1774746000 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200, 1, "CEST", 1792890000 },
		{ "EST5EDT,M3.2.0,M11.1.0", 1772953199, -18000, 0, "EST", 1772953200 },
		{ "EST5EDT,M3.2.0,M11.1.0", 1772953200, -14400, 1, "EDT", 1793512800 },
		/* the south: summer over the new year */
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1767225600, 39600, 1, "+11", 1775314800 },
		/* winter is the exception */
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", 1767225600, 0, 1, "GMT", 1774746000 },
		/* 26 hours after midnight of a Thursday, and the day before at 22 o'clock */
		{ "IST-2IDT,M3.4.4/26,M10.5.0", 1774569599, 7200, 0, "IST", 1774569600 },
		{ "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774745999, -7200, 0, "-02", 1774746000 },
		/* summer without an end */
		{ "XXX3EDT4,0/0,J365/23", 1767236400, -14400, 1, "EDT", 1798772400 },
		/* day 60 is 1 March in any year with J, 29 February (from 0: day 59) without */
		{ "AAA0BBB,J60/0,J300/0", 1709251199, 0, 0, "AAA", 1709251200 },
		{ "AAA0BBB,59/0,300/0", 1709164799, 0, 0, "AAA", 1709164800 },
		{ "AAA0", 0, 0, 0, "AAA", INT64_MAX },
		{ "AAA0BBB,J60/0,J300/0", 300000000000, 0, 0, "AAA", INT64_MAX },
	};
	/* clang-format on */
	return cr_make_param_array(struct rule_case, c, ARRAY_LEN(c));
}
ParameterizedTest(struct rule_case *c, zone, rules)
{
	struct zone_rule rule;
	struct zone_span span;

	cr_assert_eq(zone_rule_parse(c->text, strlen(c->text), &rule), 0, "%s", c->text);
	zone_rule_span(&rule, c->t, &span);
	cr_assert_eq(span.offset, c->offset, "%s: %d", c->text, span.offset);
	cr_assert_eq(span.dst, c->dst, "%s", c->text);
	cr_assert_str_eq(span.abbr, c->abbr, "%s", c->text);
	cr_assert_eq(span.end, c->end, "%s: %lld", c->text, (long long)span.end);
	cr_assert_leq(span.begin, c->t);
}

Test(zone, rules_that_are_none)
{
	static const char *const texts[] = {
		"",
		"A0",
		"AB0",
		"CET",
		"CET-",
		"CET-25",
		"CET-1:60",
		"CET-1:",
		"CET-1:00:60",
		"CET-1:00:00:00",
		"<CET-1",
		"<C>1",
		"CE1-1",
		"<C T>-1",
		"CET-1C",
		"CET-1CEST",
		"CET-1CEST,",
		"CET-1CEST,M3.5.0",
		"CET-1CEST,M0.5.0,M10.5.0",
		"CET-1CEST,M13.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.0.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0",
		"CET-1CEST,M3.5,M10.5.0",
		"CET-1CEST,J0,J1",
		"CET-1CEST,J366,J1",
		"CET-1CEST,366,1",
		"CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0/-168,M10.5.0",
		"CET-1CEST,M3.5.0/,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0,",
		"CET-1CEST,M3.5.0,M10.5.0 ",
		"CET-1 ",
		"ABCDEFGHIJKLMNOP0",
	};
	struct zone_rule rule;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		cr_assert_eq(zone_rule_parse(texts[i], strlen(texts[i]), &rule), -1, "%s",
		             texts[i]);
	/* No byte behind the text is looked at. */
	cr_assert_eq(zone_rule_parse("CET-1CEST", 5, &rule), 0);
	cr_assert_not(rule.has_dst);
}

/* ---- names, and files that change ---- */

struct disk {
	struct made file;
	struct zone_stamp stamp;
	char version[32];
	char asked[200]; /* every name that was asked for */
	bool gone;
};

static int read_disk(const void *ctx, const char *name, void *buf, size_t cap,
                     size_t *len, struct zone_stamp *stamp, struct err *err)
{
	struct disk *d = *(struct disk *const *)ctx;

	(void)snprintf(d->asked + strlen(d->asked), sizeof(d->asked) - strlen(d->asked),
	               "%s ", name);
	if (strcmp(name, "tzdata.zi") == 0) {
		*len = strlen(d->version);
		memcpy(buf, d->version, *len);
		return ERR_OK;
	}
	if (strcmp(name, "Test/Zone") != 0)
		return err_set(err, ERR_NOENT, "no such file");
	*len = d->file.n < cap ? d->file.n : cap;
	memcpy(buf, d->file.p, *len);
	*stamp = d->stamp;
	return ERR_OK;
}

static bool stamp_disk(const void *ctx, const char *name, struct zone_stamp *out)
{
	const struct disk *d = *(struct disk *const *)ctx;

	(void)name;
	*out = d->stamp;
	return !d->gone;
}

Test(zone, a_changed_file_is_read_again_in_place)
{
	struct disk d = { .file = make(&good), .version = "# version 2025b\n# more" };
	struct disk *ctx = &d;
	const struct zone_source source = { read_disk, stamp_disk, &ctx };
	struct zones *z = zones_new(&source);
	struct spec other = good;
	const struct zone *zone, *again;

	cr_assert_str_eq(zones_version(z), "2025b");
	cr_assert_eq(zones_find(z, "Test/Zone", 9, &zone, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(zones_find(z, "Test/Zone", 9, &again, &e), ERR_OK);
	cr_assert_eq(zone, again);
	cr_assert_eq(zone_local(zone, 0), 3600);
	cr_assert_not(zones_refresh(z));
	other.offsets[0] = 1800;
	d.file = make(&other);
	cr_assert_not(zones_refresh(z), "the stamp is the same");
	d.stamp.mtime_ns = 1;
	memcpy(d.version, "# version 2026a", 16);
	cr_assert(zones_refresh(z));
	cr_assert_eq(zone_local(zone, 0), 1800);
	cr_assert_str_eq(zones_version(z), "2026a");
	cr_assert_not(zones_refresh(z), "once");
	d.file.n = 20;
	d.stamp.size = 20;
	cr_assert_not(zones_refresh(z), "half a file");
	cr_assert_eq(zone_local(zone, 0), 1800);
	d.gone = true;
	cr_assert_not(zones_refresh(z));
	d.gone = false;
	d.file = make(&good);
	d.stamp.inode = 9;
	cr_assert(zones_refresh(z));
	cr_assert_eq(zone_local(zone, 0), 3600);
	zones_free(z);
}

Test(zone, no_name_leads_out_of_the_directory)
{
	static const char *const names[] = {
		"",
		".",
		"..",
		"/",
		"/etc/passwd",
		"../Test/Zone",
		"Test/../Test/Zone",
		"Test//Zone",
		"Test/Zone/",
		"/Test/Zone",
		"Test/.Zone",
		"Test\\Zone",
		"Test Zone",
		"Test/Zone\n",
		"T\xc3\xa4st",
		"tzdata.zi",
		"%2e%2e",
		"~",
		"$HOME",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct disk d = { .version = "" };
	struct disk *ctx = &d;
	const struct zone_source source = { read_disk, stamp_disk, &ctx };
	struct zones *z = zones_new(&source);
	const struct zone *zone;

	cr_assert_str_eq(zones_version(z), "");
	cr_assert_str_eq(d.asked, "tzdata.zi +VERSION ");
	d.asked[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		cr_assert_eq(zones_find(z, names[i], strlen(names[i]), &zone, &e),
		             ERR_INVALID, "%s", names[i]);
	cr_assert_eq(zones_find(z, "Test/Zone\0x", 11, &zone, &e), ERR_INVALID);
	cr_assert_str_eq(d.asked, "", "not even asked for");
	cr_assert_eq(zones_find(z, "UTC", 3, &zone, &e), ERR_OK);
	cr_assert_str_eq(d.asked, "");
	cr_assert_null(zone);
	cr_assert_eq(zones_find(z, "Test/Elsewhere", 14, &zone, &e), ERR_INVALID);
	cr_assert_str_eq(d.asked, "Test/Elsewhere ");
	cr_assert_eq(zones_find(z, "Test/Zone", 9, &zone, &e), ERR_INVALID,
	             "an empty file");
	zones_free(z);
}

Test(zone, the_systems_zones_are_there)
{
	struct zones *z = zones_new(NULL);
	const struct zone *zone;
	char text[ZONE_TEXT_MAX];

	cr_assert_str_neq(zones_version(z), "");
	cr_assert_eq(zones_find(z, "America/St_Johns", 16, &zone, &e), ERR_OK, "%s",
	             e.msg);
	zone_text(zone, 1767225600, text);
	cr_assert_str_eq(text, "2025-12-31 20:30:00 -0330 NST");
	zone_text(NULL, -1, text);
	cr_assert_str_eq(text, "1969-12-31 23:59:59 +0000 UTC");
	cr_assert_eq(zones_find(z, "zone.tab", 8, &zone, &e), ERR_INVALID);
	zones_free(z);
}
