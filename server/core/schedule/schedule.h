/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SCHEDULE_H
#define SERVER_CORE_SCHEDULE_H
/*
 * schedule - when something that happens every so often happens next.
 *
 * A slot is an instant that the rule names; its moment is the slot plus a delay that
 * follows from nothing but the seed and the slot, so that a restart or another node
 * computes the same one.  Everything here is a pure function of its arguments (and of the
 * rules of the time zone): who calls keeps what has passed, stores it in the transaction
 * that claims a slot, and so never runs a slot twice.
 *
 *   cron   five fields (cron.h) in the zone tz.  A local time that is left out when
 * clocks change is its first instant after the gap; of one that comes twice the first
 *          counts.  An hour field that begins with `*` goes by absolute time instead, so
 *          that hourly stays hourly.
 *   every  anchor + k * every, k >= 0; absolute, whatever clocks do
 *   after  so long after the last success (before the first: after the anchor); if that
 *          fails, again each day, or each `after` if that is shorter
 *
 * A window begins at its slot and ends after `window` (0: stays open), and in any case at
 * the next slot and at a blackout.  No slot comes before the anchor.
 *
 * Blackouts are dates of the zone, both ends included.  What was due in one is made up
 * for once, at the same time of day on the first day after it; with `every` and `after`
 * only if the period is longer than a day, else the next slot comes soon enough by
 * itself.  Nothing that this module decides falls into a blackout, not even max_age.
 *
 * max_age is an alarm, and a slot of its own when the last success is so old, unless
 * missed is `skip`.  A slot that begins less than min_interval after the last success is
 * passed over.
 */
#include <stdbool.h>
#include <stdint.h>

#include "cron.h"
#include "err.h"
#include "zone.h"

struct arena;
struct value;

#define SCHEDULE_EVERY_MIN_MS  1000
#define SCHEDULE_EVERY_MAX_MS  (3660ll * 24 * 3600 * 1000)
#define SCHEDULE_WINDOW_MS     (3600ll * 1000) /* unless said otherwise */
#define SCHEDULE_WINDOW_MAX_MS (366ll * 24 * 3600 * 1000)
#define SCHEDULE_BLACKOUTS     32
#define SCHEDULE_BLACKOUT_DAYS 366
#define SCHEDULE_SEED          16u
#define SCHEDULE_LATE_MS       600000 /* what is late is spread over so long */
#define SCHEDULE_OPEN_JITTER   600000 /* auto, where the window stays open */
#define SCHEDULE_COUNT_MAX     1000   /* slots missed: counted up to here */

enum schedule_kind {
	SCHEDULE_EVERY, /* every_ms 0: never; so is a zeroed struct */
	SCHEDULE_AFTER,
	SCHEDULE_CRON
};
/* What becomes of a slot whose window passed while nobody looked. */
enum schedule_late {
	SCHEDULE_LATE_NEXT, /* wait for the next, but run at once beyond max_age */
	SCHEDULE_LATE_RUN,  /* run soon */
	SCHEDULE_LATE_SKIP  /* wait for the next in any case */
};

struct schedule {
	enum schedule_kind kind;
	struct cron cron;
	int64_t every_ms;        /* of every and after */
	int64_t anchor_ms;       /* when it was set, unless said otherwise */
	const struct zone *zone; /* NULL: UTC; lives as long as the zones it came from */
	int64_t window_ms;       /* 0: open until the next slot */
	bool jitter_auto;        /* half the window */
	int64_t jitter_ms;       /* 0: none */
	struct cron_gap blackout[SCHEDULE_BLACKOUTS];
	size_t blackouts;
	int64_t max_age_ms, min_interval_ms; /* 0: none */
	enum schedule_late missed;
	/* Set by the caller after parsing: what makes moments differ between secrets. */
	unsigned char seed[SCHEDULE_SEED];
};

/* What the caller remembers.  When a schedule is set: last_slot = now. */
struct schedule_past {
	int64_t last_slot;    /* no slot up to here comes again: claimed, or let go */
	int64_t last_success; /* when the value was last renewed by anybody; 0: never */
	/* The last plan, so that asking again does not postpone it: plan.next.slot and
	 * .moment, or zeros. */
	int64_t planned_slot, planned_moment;
	bool stepped; /* the wall clock was moved since, as against: nobody was there */
};

struct schedule_slot {
	int64_t slot;   /* store as last_slot when it is claimed; 0: none */
	int64_t moment; /* when to run: slot <= moment */
	int64_t end;    /* of the window; INT64_MAX: stays open */
	bool forced;    /* because of max_age or missed: the window does not count */
};

/**
 * schedule_next(s, past, now, out): the first slot after both past->last_slot and
 * ${now}; false (and slot 0) if there is none within CRON_YEARS.
 */
bool schedule_next(const struct schedule *s, const struct schedule_past *past,
                   int64_t now, struct schedule_slot *out);
/** schedule_moment(s, slot): slot + keyed hash of the slot modulo min(jitter, half the
 * window). */
int64_t schedule_moment(const struct schedule *s, int64_t slot);
/** schedule_window_end(s, slot): the first instant at which no attempt of the slot may
 * begin any more. */
int64_t schedule_window_end(const struct schedule *s, int64_t slot);
/** schedule_overdue(s, past, now): is the last success older than max_age? */
bool schedule_overdue(const struct schedule *s, const struct schedule_past *past,
                      int64_t now);

enum schedule_call {
	SCHEDULE_NEVER, /* nothing to come */
	SCHEDULE_WAIT,  /* until next.moment, then ask again */
	SCHEDULE_RUN    /* claim next.slot and run */
};
struct schedule_plan {
	enum schedule_call call;
	struct schedule_slot next;
	int64_t settled; /* store as last_slot: what came before is decided, and counted
	                  */
	int64_t missed;  /* slots up to now that will not run; at most SCHEDULE_COUNT_MAX
	                  */
	bool jumped;     /* more than one period has passed: alarm */
	bool ahead;      /* last_slot is yet to come: the clock was moved back: alarm */
	bool overdue;    /* schedule_overdue(): alarm */
};
/**
 * schedule_missed(s, past, now, out): what to do now.  To be asked at start and unseal,
 * after a step of the clock, after the schedule or its zone has changed, and whenever a
 * timer that was set to next.moment has come.
 *
 * Of the slots in (last_slot, now] only the newest is looked at.  Inside its window it
 * runs at its moment, or at once if that has passed.  Outside, s->missed decides; a clock
 * that jumped over more than one period never makes anything run late.
 */
void schedule_missed(const struct schedule *s, const struct schedule_past *past,
                     int64_t now, struct schedule_plan *out);

struct schedule_view {
	struct schedule_slot slot;
	char local[ZONE_TEXT_MAX];  /* the slot on the clocks of its zone */
	char moment[ZONE_TEXT_MAX]; /* and the moment */
};
/** schedule_preview(s, past, now, out, count): the next slots, each as schedule_next()
 * gives it if the one before succeeds at its moment; returns how many. */
int schedule_preview(const struct schedule *s, const struct schedule_past *past,
                     int64_t now, struct schedule_view *out, int count);

/**
 * schedule_parse(v, zones, now, out, e): the object {cron | every | after, tz, window,
 * jitter, blackout, max_age, min_interval, missed, anchor}.  Durations are texts or
 * seconds; jitter is also "auto" (default) or "none"; blackout is an array of
 * "2026-12-20/2027-01-03" or single dates; anchor is a time of RFC 3339, ${now} unless
 * given.  Members that are null count as absent.  ERR_INVALID names the field.  The seed
 * is zero.
 */
int schedule_parse(const struct value *v, struct zones *zones, int64_t now,
                   struct schedule *out, struct err *e) MUST_CHECK;
/** schedule_value(a, s): the object that parses to the same; also what is stored.  Ask
 * arena_failed(). */
struct value *schedule_value(struct arena *a, const struct schedule *s);
/**
 * schedule_vault(text, window_ms, now, out, e): Vault's rotation_schedule (cron, UTC) and
 * rotation_window (at least an hour; 0: not given, the window stays open): no jitter.
 */
int schedule_vault(const char *text, int64_t window_ms, int64_t now, struct schedule *out,
                   struct err *e) MUST_CHECK;

#endif
