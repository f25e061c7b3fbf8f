/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the settings and their templates are read again, and taken over as a whole or
 * not at all. */
#include "log.h"
#include "session_impl.h"

#define AGAIN_ARENA (8u * 1024 * 1024)

static int take_over(struct session *s, struct arena *a, struct err *e)
{
	struct settings *live = s->o.live;
	struct settings before = *live, next;
	int rc = settings_again(a, s->o.source, &s->started_with, &next, e);

	if (rc != ERR_OK)
		return rc;
	*live = next;
	if ((rc = session_replan(s, e)) != ERR_OK) {
		*live = before;
		return rc;
	}
	(void)log_set_level(live->log_level);
	return ERR_OK;
}

void session_reload(struct session *s)
{
	struct arena *a = arena_new(AGAIN_ARENA);
	struct err e = { 0 };
	int rc = a == NULL ? err_set(&e, ERR_NOMEM, "out of memory")
	                   : take_over(s, a, &e);

	if (rc != ERR_OK) {
		arena_free(a);
		s->settings_error = e;
		log_error("the settings are as they were", LOG_S("why", e.msg));
		return;
	}
	arena_free(s->settings_arena);
	s->settings_arena = a;
	s->settings_error.msg[0] = '\0';
	log_info("took the settings over", LOG_N("files", (int64_t)s->plan->n_files),
	         LOG_N("secrets", (int64_t)s->plan->n_paths));
}
