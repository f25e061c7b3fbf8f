/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a generation in place and its acknowledgement: while somebody finds out whether
 * applications live with it, the vault hears "delivered"; then "applied" or "rejected".
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "session_impl.h"

static bool is_used_by(const struct session *s, size_t binding, size_t path)
{
	const struct plan_binding *b = &s->plan->bindings[binding];

	for (size_t i = b->first; i < b->first + b->n; i++)
		if (plan_uses(&s->plan->files[i], path))
			return true;
	return false;
}

bool session_gated(const struct session *s, size_t path)
{
	for (size_t i = 0; i < s->plan->n_bindings; i++)
		if (s->gates[i].open != 0 && is_used_by(s, i, path))
			return true;
	return false;
}

void session_say(struct session *s, struct holding *h)
{
	size_t path = session_index(s, h);
	const char *why = files_rejected(s->o.files, path, h->lease_id, h->version);

	h->gated = why == NULL && session_gated(s, path);
	if (!h->gated)
		session_cache_verdict(s, h, why == NULL);
	if (why == NULL) {
		session_ack(s, h, h->gated ? ACK_DELIVERED : ACK_APPLIED, NULL);
		return;
	}
	snprintf(h->error, sizeof(h->error), "%s", why);
	session_ack(s, h, ACK_REJECTED, why);
}

void session_gate_open(struct session *s, const char *binding, unsigned generation)
{
	size_t i = plan_binding(s->plan, binding);

	if (i < s->plan->n_bindings)
		s->gates[i].open = generation;
}

static void judge(struct session *s, size_t binding)
{
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (h->gated && is_used_by(s, binding, i))
			session_say(s, h);
	}
}

void session_verdict(struct session *s, const char *binding, unsigned generation,
                     enum apply_verdict v, const char *why)
{
	size_t i = plan_binding(s->plan, binding);

	/* Of one that was superseded nobody knows: the next verdict speaks for it. */
	if (i == s->plan->n_bindings || s->gates[i].open != generation)
		return;
	s->gates[i].open = 0;
	if (v == VERDICT_SUPERSEDED)
		return;
	s->counts.rejected += v == VERDICT_REJECTED ? 1 : 0;
	if (v == VERDICT_REJECTED)
		log_warn("rejected", LOG_S("binding", binding),
		         LOG_N("generation", generation), LOG_S("why", why));
	else
		log_info("applied", LOG_S("binding", binding),
		         LOG_N("generation", generation));
	judge(s, i);
}

/* A binding that was wiped, or is wanted no more, leaves no verdict; its secrets may be
 * in others. */
void session_gates_gone(struct session *s)
{
	for (size_t i = 0; i < s->n_holdings; i++) {
		struct holding *h = &s->holdings[i];

		if (!h->gated || session_gated(s, i))
			continue;
		h->gated = false;
		if (session_settled(s, h, h->lease_id, h->version))
			session_say(s, h);
	}
}

struct gate *session_gates(const struct session *s, const struct plan *plan)
{
	struct gate *gates = calloc(plan->n_bindings + 1, sizeof(*gates));

	for (size_t i = 0; gates != NULL && i < s->plan->n_bindings; i++) {
		size_t at = plan_binding(plan, s->plan->bindings[i].set.name);

		if (s->gates != NULL && at < plan->n_bindings)
			gates[at] = s->gates[i];
	}
	return gates;
}
