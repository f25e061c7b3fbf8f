/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine looks like from outside. */
#include <string.h>

#include "apply_impl.h"

static const char *state_of(const struct link *l)
{
	const struct binding *b = l->b;

	if (l->c != NULL && !l->c->running)
		return "stopped";
	switch (l->state) {
	case LINK_HELD:
	case LINK_CALL:
		return "telling";
	case LINK_BACKOFF:
		return "trying again";
	case LINK_WATCH:
		return "watching";
	case LINK_IDLE:
		break;
	}
	if (l->failed)
		return "failed";
	if (b->phase != PHASE_REST && (l->dirty || apply_needs(l)))
		return "waiting";
	return b->current != 0 && l->has == b->current ? "applied" : "old";
}

static const struct binding *find(const struct apply *a, const char *name)
{
	for (size_t i = 0; i < a->n_bindings; i++)
		if (!a->bindings[i]->forgotten && strcmp(a->bindings[i]->name, name) == 0)
			return a->bindings[i];
	return NULL;
}

void apply_rows(const struct apply *a, const char *binding, apply_row_fn each, void *ctx)
{
	const struct binding *b = find(a, binding);

	for (size_t i = 0; b != NULL && i < b->n_links + 1; i++) {
		const struct link *l = i == 0 ? b->host : b->links[i - 1];
		struct apply_row row;

		if (l == NULL || l->stray || (i == 0 && b->policy.reload != RELOAD_EXEC))
			continue;
		row = (struct apply_row){
			.container = l->c != NULL ? l->c->id : "",
			.name = l->c != NULL ? l->c->name : "",
			.generation = l->has,
			.state = state_of(l),
			.since = l->since,
		};
		each(ctx, &row);
	}
}

struct list {
	json_t *rows;
	int64_t now;
};

static void add_row(void *ctx, const struct apply_row *row)
{
	const struct list *list = ctx;

	json_array_append_new(list->rows,
	                      json_pack("{s:s, s:s, s:I, s:s, s:I}", "id", row->container,
	                                "name", row->name, "generation",
	                                (json_int_t)row->generation, "state", row->state,
	                                "for_ms", (json_int_t)(list->now - row->since)));
}

json_t *apply_status(const struct apply *a, const char *binding, int64_t now)
{
	static const char *const states[] = {
		[PHASE_REST] = "rest",
		[PHASE_DEBOUNCE] = "collecting",
		[PHASE_RUN] = "applying",
		[PHASE_UNDO] = "going back",
	};
	const struct binding *b = find(a, binding);
	struct list list = { .now = now };

	if (b == NULL || (list.rows = json_array()) == NULL)
		return NULL;
	apply_rows(a, binding, add_row, &list);
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:o}", "state", states[b->phase],
	                 "generation", (json_int_t)b->current, "base",
	                 (json_int_t)b->base, "rejected", (json_int_t)b->rejected, "why",
	                 b->why, "containers", list.rows);
}
