/* SPDX-License-Identifier: Apache-2.0 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "step_impl.h"

int steps_open(struct core *c, struct err *e)
{
	struct steps *st = calloc(1, sizeof(*st));

	if (st == NULL || (st->a = arena_new(1024u * 1024)) == NULL) {
		free(st);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	c->steps = st;
	st->rotators = c->opt.rotators != NULL ? value_copy(st->a, c->opt.rotators)
	                                       : value_array(st->a);
	c->opt.rotators = NULL; /* the caller's goes away */
	return arena_failed(st->a) ? err_set(e, ERR_NOMEM, "out of memory") : ERR_OK;
}

void step_drop(struct step *s)
{
	struct steps *st = s->core->steps;
	struct step **at = &st->first;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	st->n--;
	arena_free(s->a);
	free(s);
}

void step_tell_cancel(const struct step *s, bool running_too)
{
	const struct value v = { .type = running_too ? V_TRUE : V_FALSE };
	struct step_link *l = &s->core->steps->link;

	/* A frame that cannot be sent is the end of the link, and of all it carried. */
	if (s->state == SENT && l->send != NULL)
		(void)l->send(l->ctx, IPC_STEP_CANCEL, s->number, &v);
}

void steps_sealed(struct core *c)
{
	struct steps *st = c->steps;

	if (st == NULL)
		return;
	for (struct step *s = st->first; s != NULL; s = s->next)
		step_tell_cancel(s, false);
	while (st->first != NULL)
		step_drop(st->first);
	while (st->kept != NULL)
		step_kept_drop(st->kept);
}

void steps_close(struct core *c)
{
	if (c->steps == NULL)
		return;
	c->steps->link.send = NULL;
	steps_sealed(c);
	arena_free(c->steps->a);
	free(c->steps);
	c->steps = NULL;
}

/* ---- ends ---- */

static void finish(struct step *s)
{
	const struct step_result *r = &s->result;

	s->state = DONE;
	metrics_step(s->core, s->op,
	             r->outcome == STEP_UNKNOWN ? METRIC_STEP_UNKNOWN
	             : r->status == STEP_OK     ? METRIC_STEP_OK
	             : r->status == STEP_NOOP   ? METRIC_STEP_NOOP
	                                        : METRIC_STEP_ERROR);
}

void step_finish_unknown(struct step *s, bool started, const char *reason)
{
	arena_free(s->a);
	s->a = NULL;
	step_result_unknown(started, reason, &s->result);
	finish(s);
}

void step_reply(struct core *c, uint64_t number, const void *payload, size_t n)
{
	struct step *s = c->steps->first;

	while (s != NULL && (s->state != SENT || s->number != number))
		s = s->next;
	if (s == NULL)
		return;
	s->a = arena_new(STEP_REPLY_ARENA);
	if (s->a == NULL) {
		step_finish_unknown(s, true, "out of memory for the reply");
		return;
	}
	step_result_read(s->a, payload, n, &s->result);
	finish(s);
}

/* ---- sending ---- */

static int send_frame(struct step *s)
{
	AUTO_ARENA a = arena_new(4096);
	struct step_link *l = &s->core->steps->link;
	int64_t left = s->deadline_ms - clock_boot(s->core->clock);
	struct value *frame = a != NULL ? value_object(a) : NULL;

	if (frame == NULL)
		return ERR_NOMEM;
	value_set(frame, "rotator", value_strn(a, s->rotator->text, s->rotator->len));
	value_set_int(a, frame, "timeout_ms", left > 1 ? left : 1);
	value_set(frame, "request", value_encoded(a, s->request->text, s->request->len));
	return arena_failed(a) ? ERR_NOMEM : l->send(l->ctx, IPC_STEP, s->number, frame);
}

static void send_waiting(struct core *c)
{
	for (struct step *s = c->steps->first; s != NULL; s = s->next) {
		if (s->state != WAITING || c->steps->link.send == NULL)
			continue;
		if (send_frame(s) != ERR_OK) {
			step_finish_unknown(s, false,
			                    "the call could not be handed over");
			continue;
		}
		s->state = SENT;
		arena_free(s->a);
		s->a = NULL;
		s->rotator = s->request = NULL;
	}
}

void step_link_up(struct core *c, const struct step_link *link)
{
	step_link_down(c, c->steps->link.ctx);
	c->steps->link = *link;
	send_waiting(c);
}

void step_link_down(struct core *c, const void *ctx)
{
	if (c->steps->link.ctx != ctx)
		return;
	c->steps->link = (struct step_link){ .send = NULL };
	for (struct step *s = c->steps->first; s != NULL; s = s->next)
		if (s->state == SENT)
			step_finish_unknown(s, true, "the rotate role ended");
}

void step_settle(void *arg)
{
	struct core *c = arg;
	struct step *next;

	for (struct step *s = c->steps->first; s != NULL; s = next) {
		next = s->next;
		if (s->cancelled)
			step_tell_cancel(s, true);
		if (s->cancelled || s->state == DELIVERING)
			step_drop(s);
		else if (s->state == REGISTERED)
			s->state = WAITING;
	}
	for (struct kept *k = c->steps->kept; k != NULL; k = k->next)
		k->committed = true;
	send_waiting(c);
}

/* ---- calls ---- */

static struct step *find(const struct core *c, const unsigned char id[STEP_ID])
{
	struct step *s = c->steps->first;

	while (s != NULL && (s->state == DELIVERING || s->cancelled ||
	                     memcmp(s->id, id, STEP_ID) != 0))
		s = s->next;
	return s;
}

static int check_order(struct core *c, const struct step_order *o, struct err *e)
{
	if (c->keys == NULL)
		return err_set(e, ERR_SEALED, "Vault is sealed");
	if (step_rotator(c, o->rotator) == NULL)
		return err_set(e, ERR_NOENT, "there is no rotator \"%.64s\"", o->rotator);
	if (o->timeout_ms < 1 || o->timeout_ms > LIMIT_STEP_MS)
		return err_set(e, ERR_INVALID, "timeout: between 1ms and %ds",
		               LIMIT_STEP_MS / 1000);
	if (c->steps->n >= LIMIT_STEPS)
		return err_set(e, ERR_BUSY, "too many calls of rotators are under way");
	if (find(c, o->id) != NULL)
		return err_set(e, ERR_BUSY, "this call of a rotator is under way");
	if (value_size(o->request) > LIMIT_STEP_REQUEST)
		return err_set(e, ERR_TOO_BIG,
		               "a rotator's request may have at most %u bytes",
		               LIMIT_STEP_REQUEST);
	return ERR_OK;
}

/* The request is encoded: one block, wiped with its arena. */
static bool fill(struct step *s, const struct step_order *o)
{
	size_t n = 0;
	unsigned char *packed = value_pack(s->a, o->request, &n);

	memcpy(s->id, o->id, STEP_ID);
	s->owner = o->owner;
	s->deadline_ms = clock_boot(s->core->clock) + o->timeout_ms;
	s->op = metrics_step_op(value_get(o->request, "op"));
	s->rotator = value_strdup(s->a, o->rotator, strlen(o->rotator));
	s->request = value_encoded(s->a, packed, n);
	return !arena_failed(s->a);
}

static void undo_call(void *arg)
{
	step_drop(arg);
}

int step_call(struct core *c, const struct step_order *o, struct err *e)
{
	struct step *s;
	int rc = check_order(c, o, e);

	if (rc != ERR_OK)
		return rc;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	s->core = c;
	s->a = arena_new(2 * LIMIT_STEP_REQUEST);
	if (s->a == NULL || !fill(s, o)) {
		arena_free(s->a);
		free(s);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	s->number = ++c->steps->last_number;
	s->next = c->steps->first;
	c->steps->first = s;
	c->steps->n++;
	core_undo(c, undo_call, s);
	core_after_commit(c, step_settle, c);
	return ERR_OK;
}

static void undo_cancel(void *arg)
{
	struct step *s = arg;

	s->cancelled = false;
}

void step_cancel(struct core *c, const unsigned char id[STEP_ID])
{
	struct step *s = find(c, id);

	if (s == NULL)
		return;
	s->cancelled = true;
	core_undo(c, undo_cancel, s);
	core_after_commit(c, step_settle, c);
}

bool step_under_way(const struct core *c, const unsigned char id[STEP_ID])
{
	return find(c, id) != NULL;
}

bool step_linked(const struct core *c)
{
	return c->steps->link.send != NULL;
}

size_t step_busy(const struct core *c)
{
	size_t n = 0;

	for (const struct step *s = c->steps->first; s != NULL; s = s->next)
		n += s->state != DONE && s->state != DELIVERING;
	return n;
}

/* ---- rotators ---- */

const struct value *step_rotators(const struct core *c)
{
	return c->steps->rotators;
}

const struct value *step_rotator(const struct core *c, const char *name)
{
	const struct value *v = c->steps->rotators->first;

	while (v != NULL && !value_is_str(value_get(v, "name"), name))
		v = v->next;
	return v;
}
