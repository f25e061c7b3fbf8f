/* SPDX-License-Identifier: Apache-2.0 */
/* What the vault is told of this host: docs/host-protocol.md, "Reports". */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_impl.h"
#include "vault/version.h"

/* The gravest: an alarm, what is wrong with all, what is wrong with one. */
static void last_error(const struct session *s, char out[SESSION_ERROR])
{
	const char *all = session_alarm_text(s)[0] != '\0' ? session_alarm_text(s)
	                                                   : s->error;

	snprintf(out, SESSION_ERROR, "%s", all);
	for (size_t i = 0; i < s->n_holdings && out[0] == '\0'; i++)
		if (s->holdings[i].error[0] != '\0')
			snprintf(out, SESSION_ERROR, "%.80s: %.110s",
			         session_path(s, &s->holdings[i]), s->holdings[i].error);
}

static void hash_text(crypto_generichash_state *st, const char *text)
{
	crypto_generichash_update(st, (const unsigned char *)text, strlen(text) + 1);
}

/* What is worth a report: no numbers that move with time alone. */
static void state_of(const struct session *s, unsigned char out[REPORT_STATE])
{
	crypto_generichash_state st;
	char error[SESSION_ERROR];
	uint64_t changes = session_docker_changes(s);

	last_error(s, error);
	crypto_generichash_init(&st, NULL, 0, REPORT_STATE);
	hash_text(&st, error);
	crypto_generichash_update(&st, (const unsigned char *)&changes, sizeof(changes));
	for (size_t i = 0; i < s->n_holdings; i++) {
		int64_t version = files_held(s->o.files, i)->version;

		hash_text(&st, session_path(s, &s->holdings[i]));
		hash_text(&st, session_state(s, i));
		crypto_generichash_update(&st, (const unsigned char *)&version,
		                          sizeof(version));
	}
	crypto_generichash_final(&st, out, REPORT_STATE);
}

int64_t session_report_next(struct session *s, int64_t now)
{
	unsigned char state[REPORT_STATE];

	if (s->phase != PHASE_READY)
		return -1;
	state_of(s, state);
	return report_at(&s->report, state, now);
}

bool session_report_due(struct session *s, int64_t now)
{
	int64_t at = session_report_next(s, now);

	return at >= 0 && now >= at;
}

json_t *session_report_body(struct session *s)
{
	unsigned char state[REPORT_STATE];
	char error[SESSION_ERROR];
	size_t stale = 0;
	int64_t now = session_now(s);

	for (size_t i = 0; i < s->n_holdings; i++)
		stale += s->holdings[i].stale ? 1 : 0;
	last_error(s, error);
	state_of(s, state);
	report_say(&s->report, state, now);
	return session_says(
		s, "report",
		json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:o}", "agent_version",
	                  VAULT_VERSION, "rev", (json_int_t)s->rev, "lag_ms",
	                  (json_int_t)s->delivered_ms, "stale", (json_int_t)stale,
	                  "last_error", error, "boot_ms", (json_int_t)now, "secrets",
	                  session_report_secrets(s)));
}

int session_report_done(struct session *s, const json_t *doc UNUSED, struct err *e UNUSED)
{
	report_heard(&s->report);
	return ERR_OK;
}

void session_report_failed(struct session *s, long status UNUSED,
                           const json_t *doc UNUSED, const struct err *e)
{
	log_warn("a report was refused", LOG_S("why", e->msg));
	report_heard(&s->report);
}
