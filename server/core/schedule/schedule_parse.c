/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_parse - the object that an operator writes, and back. */
#include <string.h>

#include "arena.h"
#include "civil.h"
#include "clock.h"
#include "duration.h"
#include "schedule_impl.h"
#include "value.h"

#define SECOND_MS 1000

struct parse {
	struct zones *zones;
	struct schedule *s;
	struct err *e;
};

static int want(struct parse *p, const char *field, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s: %s", field, what);
}

/* Text or a number of seconds, not negative. */
static int take_duration(struct parse *p, const char *field, const struct value *v,
                         int64_t *ms)
{
	int64_t seconds;

	if (v->type == V_NUMBER && value_to_int(v, &seconds) == 0 && seconds >= 0 &&
	    seconds <= DURATION_MAX_S) {
		*ms = seconds * SECOND_MS;
		return ERR_OK;
	}
	if (v->type != V_STRING || v->len == 0 ||
	    duration_parse(v->text, v->len, ms, NULL) != ERR_OK || *ms < 0)
		return want(p, field, "a duration, such as \"2h\" or 7200");
	return ERR_OK;
}

static int take_cron(struct parse *p, const char *field, const struct value *v)
{
	if (v->type != V_STRING)
		return want(p, field, "a text of five fields");
	if (cron_parse(v->text, v->len, &p->s->cron, p->e) != ERR_OK)
		return err_wrap(p->e, "%s", field);
	p->s->kind = SCHEDULE_CRON;
	return ERR_OK;
}

static int take_period(struct parse *p, const char *field, const struct value *v)
{
	int rc = take_duration(p, field, v, &p->s->every_ms);

	if (rc != ERR_OK)
		return rc;
	if (p->s->every_ms < SCHEDULE_EVERY_MIN_MS ||
	    p->s->every_ms > SCHEDULE_EVERY_MAX_MS)
		return want(p, field, "between 1s and 3660d");
	p->s->kind = strcmp(field, "after") == 0 ? SCHEDULE_AFTER : SCHEDULE_EVERY;
	return ERR_OK;
}

static int take_zone(struct parse *p, const char *field, const struct value *v)
{
	if (v->type != V_STRING)
		return want(p, field,
		            "the name of a time zone, such as \"Europe/Berlin\"");
	if (zones_find(p->zones, v->text, v->len, &p->s->zone, p->e) != ERR_OK)
		return err_wrap(p->e, "%s", field);
	return ERR_OK;
}

static int take_window(struct parse *p, const char *field, const struct value *v)
{
	int rc = take_duration(p, field, v, &p->s->window_ms);

	return rc == ERR_OK && p->s->window_ms > SCHEDULE_WINDOW_MAX_MS
	               ? want(p, field, "at most 366d")
	               : rc;
}

static int take_jitter(struct parse *p, const char *field, const struct value *v)
{
	int rc;

	p->s->jitter_auto = value_is_str(v, "auto");
	p->s->jitter_ms = 0;
	if (p->s->jitter_auto || value_is_str(v, "none"))
		return ERR_OK;
	rc = take_duration(p, field, v, &p->s->jitter_ms);
	if (rc != ERR_OK)
		return want(p, field, "\"auto\", \"none\" or a duration");
	return p->s->jitter_ms > SCHEDULE_WINDOW_MAX_MS ? want(p, field, "at most 366d")
	                                                : ERR_OK;
}

static int take_age(struct parse *p, const char *field, const struct value *v)
{
	int64_t *out = strcmp(field, "max_age") == 0 ? &p->s->max_age_ms
	                                             : &p->s->min_interval_ms;
	int rc = take_duration(p, field, v, out);

	return rc == ERR_OK && *out > SCHEDULE_EVERY_MAX_MS
	               ? want(p, field, "at most 3660d")
	               : rc;
}

static const char *const late_names[] = {
	[SCHEDULE_LATE_NEXT] = "next",
	[SCHEDULE_LATE_RUN] = "run",
	[SCHEDULE_LATE_SKIP] = "skip",
};

static int take_missed(struct parse *p, const char *field, const struct value *v)
{
	for (size_t i = 0; i < ARRAY_LEN(late_names); i++) {
		if (!value_is_str(v, late_names[i]))
			continue;
		p->s->missed = (enum schedule_late)i;
		return ERR_OK;
	}
	return want(p, field, "\"next\", \"run\" or \"skip\"");
}

static int take_anchor(struct parse *p, const char *field, const struct value *v)
{
	if (v->type != V_STRING ||
	    clock_parse_rfc3339(v->text, v->len, &p->s->anchor_ms) != 0 ||
	    p->s->anchor_ms < 0 || p->s->anchor_ms > SCHEDULE_END_MS)
		return want(p, field, "a time, such as \"2026-01-31T03:00:00Z\"");
	return ERR_OK;
}

/* ---- blackouts ---- */

/* YYYY-MM-DD */
static bool take_date(const char *s, int64_t *day)
{
	char text[] = "0000-00-00T00:00:00Z";
	int64_t ms;

	memcpy(text, s, 10);
	if (clock_parse_rfc3339(text, sizeof(text) - 1, &ms) != 0 || ms < 0)
		return false;
	*day = ms / (CIVIL_DAY * SECOND_MS);
	return true;
}

static bool take_dates(const struct value *v, struct cron_gap *out)
{
	*out = (struct cron_gap){ 0 };
	if (v->type != V_STRING || (v->len != 10 && v->len != 21) ||
	    !take_date(v->text, &out->from))
		return false;
	out->to = out->from;
	if (v->len == 21 && (v->text[10] != '/' || !take_date(v->text + 11, &out->to)))
		return false;
	return out->to >= out->from && out->to - out->from < SCHEDULE_BLACKOUT_DAYS;
}

/* Keep them ascending; those that touch become one. */
static void add_blackout(struct schedule *s, struct cron_gap g)
{
	struct cron_gap *list = s->blackout;
	size_t n = 0, i;

	for (i = 0; i < s->blackouts; i++) {
		if (list[i].to + 1 < g.from || list[i].from > g.to + 1) {
			list[n++] = list[i];
			continue;
		}
		g.from = list[i].from < g.from ? list[i].from : g.from;
		g.to = list[i].to > g.to ? list[i].to : g.to;
	}
	for (i = n; i > 0 && list[i - 1].from > g.from; i--)
		list[i] = list[i - 1];
	list[i] = g;
	s->blackouts = n + 1;
}

static int take_blackout(struct parse *p, const char *field, const struct value *v)
{
	struct cron_gap g;

	if (v->type != V_ARRAY)
		return want(p, field, "an array of \"2026-12-20/2027-01-03\"");
	if (v->len > SCHEDULE_BLACKOUTS)
		return err_set(p->e, ERR_INVALID, "%s: at most %d", field,
		               SCHEDULE_BLACKOUTS);
	for (const struct value *item = v->first; item != NULL; item = item->next) {
		if (!take_dates(item, &g))
			return want(p, field,
			            "dates from 1970 on, such as \"2026-12-24\" or "
			            "\"2026-12-20/2027-01-03\", of at most 366 days");
		add_blackout(p->s, g);
	}
	return ERR_OK;
}

/* Was something due in them? */
static void find_carries(struct schedule *s)
{
	for (size_t i = 0; s->kind == SCHEDULE_CRON && i < s->blackouts; i++) {
		struct cron_gap *g = &s->blackout[i];

		for (int64_t d = g->from; d <= g->to && !g->carry; d++)
			g->carry = cron_day(&s->cron, d);
	}
}

/* ---- the whole ---- */

static const struct field {
	const char *name;
	int (*take)(struct parse *p, const char *field, const struct value *v);
} fields[] = {
	{"cron",          take_cron    },
        { "every",        take_period  },
	{ "after",        take_period  },
        { "tz",           take_zone    },
	{ "window",       take_window  },
        { "jitter",       take_jitter  },
	{ "blackout",     take_blackout},
        { "max_age",      take_age     },
	{ "min_interval", take_age     },
        { "missed",       take_missed  },
	{ "anchor",       take_anchor  },
};

static int take_member(struct parse *p, const struct value *v)
{
	if (v->type == V_NULL)
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strlen(fields[i].name) == v->key_len &&
		    memcmp(fields[i].name, v->key, v->key_len) == 0)
			return fields[i].take(p, fields[i].name, v);
	return err_set(p->e, ERR_INVALID, "\"%.*s\" is no field of a schedule",
	               v->key_len > 40 ? 40 : (int)v->key_len, v->key);
}

static bool given(const struct value *v, const char *field)
{
	const struct value *m = value_get(v, field);

	return m != NULL && m->type != V_NULL;
}

static int check(struct parse *p)
{
	const struct schedule *s = p->s;

	if (s->kind != SCHEDULE_CRON && s->max_age_ms != 0 &&
	    s->max_age_ms <= s->every_ms)
		return want(p, "max_age", "longer than the period");
	if (s->kind != SCHEDULE_CRON && s->min_interval_ms > s->every_ms)
		return want(p, "min_interval", "at most the period");
	if (s->max_age_ms != 0 && s->max_age_ms <= s->min_interval_ms)
		return want(p, "max_age", "longer than min_interval");
	return ERR_OK;
}

static void defaults(struct schedule *out, int64_t now)
{
	memset(out, 0, sizeof(*out));
	out->anchor_ms = now;
	out->window_ms = SCHEDULE_WINDOW_MS;
	out->jitter_auto = true;
}

int schedule_parse(const struct value *v, struct zones *zones, int64_t now,
                   struct schedule *out, struct err *e)
{
	struct parse p = { zones, out, e };
	int rc;

	defaults(out, now);
	if (v == NULL || v->type != V_OBJECT)
		return err_set(e, ERR_INVALID, "a schedule is an object");
	if (given(v, "cron") + given(v, "every") + given(v, "after") != 1)
		return err_set(e, ERR_INVALID, "exactly one of cron, every and after");
	for (const struct value *m = v->first; m != NULL; m = m->next)
		if ((rc = take_member(&p, m)) != ERR_OK)
			return rc;
	find_carries(out);
	return check(&p);
}

static void set_duration(struct arena *a, struct value *v, const char *key, int64_t ms)
{
	char text[DURATION_TEXT_MAX];

	duration_format(ms, text);
	value_set_str(a, v, key, arena_str(a, text));
}

static void set_blackouts(struct arena *a, struct value *v, const struct schedule *s)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < s->blackouts; i++) {
		struct civil x = civil_date(s->blackout[i].from);
		struct civil y = civil_date(s->blackout[i].to);

		value_add(list,
		          value_str(a, arena_printf(a, "%04d-%02d-%02d/%04d-%02d-%02d",
		                                    x.year, x.month, x.day, y.year,
		                                    y.month, y.day)));
	}
	value_set(v, "blackout", list);
}

struct value *schedule_value(struct arena *a, const struct schedule *s)
{
	struct value *v = value_object(a);
	char when[CLOCK_RFC3339_MAX];

	if (s->kind == SCHEDULE_CRON)
		value_set_str(a, v, "cron", arena_str(a, s->cron.text));
	else
		set_duration(a, v, s->kind == SCHEDULE_AFTER ? "after" : "every",
		             s->every_ms);
	value_set_str(a, v, "tz", arena_str(a, zone_name(s->zone)));
	set_duration(a, v, "window", s->window_ms);
	if (s->jitter_auto || s->jitter_ms == 0)
		value_set_str(a, v, "jitter", s->jitter_auto ? "auto" : "none");
	else
		set_duration(a, v, "jitter", s->jitter_ms);
	set_blackouts(a, v, s);
	if (s->max_age_ms != 0)
		set_duration(a, v, "max_age", s->max_age_ms);
	if (s->min_interval_ms != 0)
		set_duration(a, v, "min_interval", s->min_interval_ms);
	value_set_str(a, v, "missed", late_names[s->missed]);
	clock_rfc3339(s->anchor_ms, when);
	value_set_str(a, v, "anchor", arena_str(a, when));
	return v;
}

int schedule_vault(const char *text, int64_t window_ms, int64_t now, struct schedule *out,
                   struct err *e)
{
	defaults(out, now);
	out->kind = SCHEDULE_CRON;
	out->jitter_auto = false;
	out->window_ms = window_ms;
	if (window_ms != 0 && window_ms < SCHEDULE_WINDOW_MS)
		return err_set(e, ERR_INVALID,
		               "rotation_window must be 3600 seconds or more");
	if (window_ms < 0 || window_ms > SCHEDULE_WINDOW_MAX_MS)
		return err_set(e, ERR_INVALID,
		               "rotation_window must be at most 366 days");
	if (cron_parse(text, strlen(text), &out->cron, e) != ERR_OK)
		return err_wrap(e, "could not parse rotation_schedule");
	return ERR_OK;
}
