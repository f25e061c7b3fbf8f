/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <sodium.h>

#include "civil.h"
#include "schedule_impl.h"

static uint64_t keyed_hash(const struct schedule *s, int64_t slot)
{
	unsigned char msg[8], hash[crypto_shorthash_BYTES];
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		msg[i] = (unsigned char)((uint64_t)slot >> (56 - 8 * i));
	crypto_shorthash(hash, msg, sizeof(msg), s->seed);
	for (int i = 0; i < 8; i++)
		n = n << 8 | hash[i];
	return n;
}

int64_t schedule_window_end(const struct schedule *s, int64_t slot)
{
	int64_t end = s->window_ms > 0 ? slot + s->window_ms : INT64_MAX;
	int64_t next = slot_following(s, slot), black = blackout_begin(s, slot);

	if (next != 0 && next < end)
		end = next;
	return black < end ? black : end;
}

static int64_t moment_in(const struct schedule *s, int64_t slot, int64_t end)
{
	int64_t half = (end - slot) / 2, most = s->jitter_ms;

	if (s->jitter_auto)
		most = s->window_ms > 0 ? s->window_ms / 2 : SCHEDULE_OPEN_JITTER;
	if (most > half)
		most = half;
	return most > 0 ? slot + (int64_t)(keyed_hash(s, slot) % (uint64_t)most) : slot;
}

int64_t schedule_moment(const struct schedule *s, int64_t slot)
{
	return moment_in(s, slot, schedule_window_end(s, slot));
}

static void fill(const struct schedule *s, int64_t slot, struct schedule_slot *out)
{
	out->slot = slot;
	out->end = schedule_window_end(s, slot);
	out->moment = moment_in(s, slot, out->end);
	out->forced = false;
}

/* ---- age ---- */

bool schedule_overdue(const struct schedule *s, const struct schedule_past *past,
                      int64_t now)
{
	return s->max_age_ms > 0 && now - since(s, past) >= s->max_age_ms;
}

/* The slot that max_age makes; 0: none. */
static int64_t age_slot(const struct schedule *s, const struct schedule_past *past)
{
	if (s->max_age_ms == 0 || s->missed == SCHEDULE_LATE_SKIP)
		return 0;
	return blackout_end(s, since(s, past) + s->max_age_ms);
}

/* Slots from here on are not too soon after the last success. */
static int64_t earliest(const struct schedule *s, const struct schedule_past *past)
{
	return s->min_interval_ms > 0 && past->last_success > 0
	               ? past->last_success + s->min_interval_ms
	               : INT64_MIN + 1;
}

/* ---- the next slot ---- */

bool schedule_next(const struct schedule *s, const struct schedule_past *past,
                   int64_t now, struct schedule_slot *out)
{
	int64_t t = past->last_slot > now ? past->last_slot : now;
	int64_t soonest = earliest(s, past) - 1, slot, aged;

	if (t < soonest)
		t = soonest;
	*out = (struct schedule_slot){ 0 };
	slot = slot_after(s, past, t);
	aged = age_slot(s, past);
	if (aged > t && (slot == 0 || aged < slot)) {
		fill(s, aged, out);
		out->forced = true;
	} else if (slot != 0) {
		fill(s, slot, out);
	}
	return out->slot != 0;
}

int schedule_preview(const struct schedule *s, const struct schedule_past *past,
                     int64_t now, struct schedule_view *out, int count)
{
	struct schedule_past p = *past;
	int n = 0;

	for (; n < count && schedule_next(s, &p, now, &out[n].slot); n++) {
		const struct schedule_slot *at = &out[n].slot;

		zone_text(s->zone, civil_floor(at->slot, 1000), out[n].local);
		zone_text(s->zone, civil_floor(at->moment, 1000), out[n].moment);
		p = (struct schedule_past){ .last_slot = at->slot,
			                    .last_success = at->moment };
	}
	return n;
}

/* ---- what was missed ---- */

struct passed {
	int64_t newest; /* slot that is not after now; 0: none since the last */
	int64_t count;
	bool jumped;
};

/* The newest slot in (first - 1, now]; ${first} is one. */
static int64_t find_newest(const struct schedule *s, const struct schedule_past *past,
                           int64_t first, int64_t now)
{
	int64_t low = first, high = now; /* no slot in (high, now] */

	while (low < high) {
		int64_t mid = low + (high - low) / 2, slot = slot_after(s, past, mid);

		if (slot != 0 && slot <= now)
			low = slot;
		else
			high = mid;
	}
	return low;
}

static void look_back(const struct schedule *s, const struct schedule_past *past,
                      int64_t now, struct passed *out)
{
	int64_t soonest = earliest(s, past) - 1;
	int64_t from = past->last_slot > soonest ? past->last_slot : soonest;
	int64_t slot = slot_after(s, past, from), first = slot;

	*out = (struct passed){ 0 };
	while (slot != 0 && slot <= now && out->count < SCHEDULE_COUNT_MAX) {
		out->newest = slot;
		out->count++;
		slot = slot_after(s, past, slot);
	}
	if (out->count == SCHEDULE_COUNT_MAX && slot != 0 && slot <= now)
		out->newest = find_newest(s, past, slot, now);
	/* The slots of `after` are tries at the same thing. */
	if (s->kind == SCHEDULE_AFTER && out->count > 0) {
		out->count = 1;
		out->jumped = now - first > s->every_ms;
	} else {
		out->jumped = out->count > 1;
	}
}

static void take(const struct schedule_slot *next, int64_t now, struct schedule_plan *out)
{
	out->next = *next;
	out->call = next->moment <= now ? SCHEDULE_RUN : SCHEDULE_WAIT;
}

/* What was planned before stands, unless it lies further ahead than it can. */
static int64_t late_moment(const struct schedule *s, const struct schedule_past *past,
                           int64_t slot, int64_t now)
{
	if (past->planned_slot == slot && past->planned_moment != 0 &&
	    past->planned_moment < now + SCHEDULE_LATE_MS)
		return past->planned_moment;
	return now + (int64_t)(keyed_hash(s, slot) % SCHEDULE_LATE_MS);
}

/* Is there something to run now although no window is open?  Fills in the slot. */
static bool run_late(const struct schedule *s, const struct schedule_past *past,
                     int64_t now, const struct passed *p, struct schedule_slot *out)
{
	int64_t aged = age_slot(s, past);

	if ((past->stepped && p->jumped) || blackout_end(s, now) != now)
		return false;
	*out = (struct schedule_slot){ .end = INT64_MAX, .forced = true };
	if (aged != 0 && aged <= now && (aged > past->last_slot || p->newest != 0)) {
		out->slot = p->newest > aged ? p->newest : aged;
		out->moment = now;
		return true;
	}
	if (s->missed != SCHEDULE_LATE_RUN || p->newest == 0)
		return false;
	out->slot = p->newest;
	out->moment = late_moment(s, past, p->newest, now);
	return true;
}

void schedule_missed(const struct schedule *s, const struct schedule_past *past,
                     int64_t now, struct schedule_plan *out)
{
	struct schedule_slot slot;
	struct passed p;

	*out = (struct schedule_plan){ .settled = past->last_slot };
	look_back(s, past, now, &p);
	out->jumped = p.jumped;
	out->ahead = past->last_slot > now;
	out->overdue = schedule_overdue(s, past, now);
	if (p.newest != 0) {
		fill(s, p.newest, &slot);
		if (now < slot.end) {
			out->settled = slot.slot - 1;
			out->missed = p.count - 1;
			take(&slot, now, out);
			return;
		}
	}
	if (run_late(s, past, now, &p, &slot)) {
		if (p.newest != 0)
			out->settled = p.newest - 1;
		out->missed = p.count > 0 ? p.count - 1 : 0;
		take(&slot, now, out);
		return;
	}
	out->missed = p.count;
	if (p.newest != 0)
		out->settled = p.newest;
	if (schedule_next(s, past, now, &slot))
		take(&slot, now, out);
}
