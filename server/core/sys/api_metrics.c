/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_metrics - sys/metrics: as JSON in Vault's form, or as Prometheus' text.
 *
 * Names, labels and values come from one list of calls; a sink renders them.
 */
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "audit.h"
#include "keyring.h"
#include "metrics.h"
#include "rng.h"
#include "rotation.h"
#include "rotation_census.h"
#include "route.h"
#include "step.h"
#include "store.h"
#include "wait.h"

#define TEXT_MAX (64u * 1024)

enum kind { GAUGE, COUNTER };

struct sink {
	struct arena *a;
	char *text; /* NULL: JSON */
	size_t n;
	const char *last; /* family whose head was written */
	struct value *gauges, *counters;
};

/* One label at most, two with ${value2}. */
struct label {
	const char *name, *value, *name2, *value2;
};
static const struct label none;

PRINTF(2, 3) static void text(struct sink *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->n, TEXT_MAX - s->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < TEXT_MAX - s->n)
		s->n += (size_t)n;
}

static void put_text(struct sink *s, enum kind kind, const char *name, const char *help,
                     const struct label *l, int64_t v)
{
	if (s->last == NULL || strcmp(s->last, name) != 0)
		text(s, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		     kind == GAUGE ? "gauge" : "counter");
	s->last = name;
	if (l->name2 != NULL)
		text(s, "%s{%s=\"%s\",%s=\"%s\"} %lld\n", name, l->name, l->value,
		     l->name2, l->value2, (long long)v);
	else if (l->name != NULL)
		text(s, "%s{%s=\"%s\"} %lld\n", name, l->name, l->value, (long long)v);
	else
		text(s, "%s %lld\n", name, (long long)v);
}

static void put_json(struct sink *s, enum kind kind, const char *name,
                     const struct label *l, int64_t v)
{
	static const char *const also[] = {
		"Rate", "Sum", "Min", "Max", "Mean", "Stddev"
	};
	struct value *o = value_object(s->a), *labels = value_object(s->a);

	value_set_str(s->a, o, "Name", name);
	value_set_int(s->a, o, kind == GAUGE ? "Value" : "Count", v);
	for (size_t i = 0; kind == COUNTER && i < ARRAY_LEN(also); i++)
		value_set_int(s->a, o, also[i], i == 0 || i == 5 ? 0 : v);
	if (l->name != NULL)
		value_set_str(s->a, labels, l->name, l->value);
	if (l->name2 != NULL)
		value_set_str(s->a, labels, l->name2, l->value2);
	value_set(o, "Labels", labels);
	value_add(kind == GAUGE ? s->gauges : s->counters, o);
}

static void put(struct sink *s, enum kind kind, const char *name, const char *help,
                const struct label *l, int64_t v)
{
	if (s->text != NULL)
		put_text(s, kind, name, help, l, v);
	else
		put_json(s, kind, name, l, v);
}

static void put_requests(struct sink *s, const struct metrics *m)
{
	static const char *const outcomes[] = { "ok", "denied", "error" };

	for (int op = 0; op <= OP__MAX; op++)
		for (int o = 0; o < METRIC_OUTCOMES; o++) {
			const struct label l = { "operation",
				                 op < OP__MAX ? op_name((enum op)op)
				                              : "malformed",
				                 "outcome", outcomes[o] };

			put(s, COUNTER, "vaultd_requests_total",
			    "Requests that core has recorded.", &l,
			    (int64_t)m->requests[op][o]);
		}
}

/* A histogram in Prometheus' own form; JSON gets its count and sum. */
static void put_commit(struct sink *s, const struct metrics *m)
{
	static const char name[] = "vaultd_commit_seconds";
	uint64_t n = 0;

	if (s->text == NULL) {
		put(s, COUNTER, "vaultd_commits_total", "", &none, (int64_t)m->batches);
		put(s, COUNTER, "vaultd_commit_milliseconds_total", "", &none,
		    (int64_t)m->commit_ms);
		return;
	}
	text(s, "# HELP %s What a COMMIT with its fsync took.\n# TYPE %s histogram\n",
	     name, name);
	for (size_t i = 0; i < METRIC_BUCKETS; i++) {
		n += m->commit[i];
		if (i < METRIC_BUCKETS - 1)
			text(s, "%s_bucket{le=\"%lld.%03lld\"} %llu\n", name,
			     (long long)metrics_commit_le[i] / 1000,
			     (long long)metrics_commit_le[i] % 1000,
			     (unsigned long long)n);
		else
			text(s, "%s_bucket{le=\"+Inf\"} %llu\n", name,
			     (unsigned long long)n);
	}
	text(s, "%s_sum %llu.%03llu\n%s_count %llu\n", name,
	     (unsigned long long)m->commit_ms / 1000,
	     (unsigned long long)m->commit_ms % 1000, name, (unsigned long long)n);
}

static void put_stored(struct sink *s, struct core *c)
{
	static const struct {
		enum store_kind kind;
		const char *name;
	} kinds[] = {
		{KIND_TOKEN,     "token"   },
                { KIND_LEASE,    "lease"   },
		{ KIND_HOST,     "host"    },
                { KIND_SECRET,   "secret"  },
		{ KIND_ROTATION, "rotation"},
                { KIND_JOB,      "job"     },
		{ KIND_POLICY,   "policy"  },
                { KIND_MOUNT,    "mount"   },
	};
	int64_t n;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct label l = { .name = "kind", .value = kinds[i].name };

		if ((n = store_counted(c, kinds[i].kind)) >= 0)
			put(s, GAUGE, "vaultd_stored_objects",
			    "Objects in the database, once they were counted.", &l, n);
	}
	if ((n = store_counted(c, KIND__MAX)) >= 0)
		put(s, GAUGE, "vaultd_stored_payloads", "Versions of secrets.", &none, n);
	put(s, GAUGE, "vaultd_audit_records", "Records in the audit log.", &none,
	    audit_size(c));
}

static void put_net(struct sink *s, const struct metrics *m)
{
	for (int hosts = 0; hosts < 2; hosts++) {
		const struct label l = { .name = "listener",
			                 .value = hosts ? "hosts" : "api" };
		int64_t n = 0;

		for (size_t i = 0; i < METRIC_PEERS; i++)
			if (m->peer[i].id != 0 && m->peer[i].hosts == (hosts == 1))
				n += m->peer[i].connections;
		put(s, GAUGE, "vaultd_connections", "Connections of clients.", &l, n);
	}
	put(s, COUNTER, "vaultd_rejected_total",
	    "Requests and connections that were refused before core.", &none,
	    (int64_t)m->rejected);
}

static void put_loop(struct sink *s, struct core *c)
{
	const struct metrics *m = c->metrics;

	put(s, COUNTER, "vaultd_batches_failed_total", "Transactions that were refused.",
	    &none, (int64_t)m->batches_failed);
	put(s, COUNTER, "vaultd_batch_requests_total", "Requests in transactions.", &none,
	    (int64_t)m->batch_requests);
	put(s, COUNTER, "vaultd_timer_runs_total", "How often timers ran.", &none,
	    (int64_t)m->timers);
	put(s, GAUGE, "vaultd_timer_late_milliseconds",
	    "How late timers were when they ran last.", &none, m->timer_late_ms);
	put(s, GAUGE, "vaultd_timer_late_max_milliseconds",
	    "How late timers were at the most.", &none, m->timer_late_max_ms);
	put(s, GAUGE, "vaultd_queue_requests", "Requests that wait for their turn.",
	    &none, (int64_t)core_queued(c));
	put(s, GAUGE, "vaultd_parked_requests", "Requests that wait for an event.", &none,
	    (int64_t)waits_count(c->waits));
}

static void put_process(struct sink *s, struct core *c)
{
	struct mallinfo2 mem = mallinfo2();
	struct store_summary state = { .counter = 0 };

	(void)store_state_summary(c, &state);
	put(s, GAUGE, "vaultd_unsealed", "Is the vault open?", &none, c->keys != NULL);
	put(s, GAUGE, "vaultd_key_term", "The key term that seals rows.", &none,
	    keyring_active(c->keys));
	put(s, GAUGE, "vaultd_key_uses", "What that key has sealed.", &none,
	    state.encryptions);
	put(s, GAUGE, "vaultd_memory_bytes", "Memory of core, from its allocator.", &none,
	    (int64_t)(mem.uordblks + mem.hblkhd));
	put(s, GAUGE, "vaultd_uptime_seconds", "Age of core.", &none,
	    (c->boot_ms - c->opened_ms) / 1000);
}

static void put_steps(struct sink *s, const struct core *c)
{
	static const char *const outcomes[] = { "ok", "noop", "error", "unknown" };

	put(s, GAUGE, "vaultd_steps", "Calls of rotators that wait or run.", &none,
	    (int64_t)step_busy(c));
	for (int op = 0; op < METRIC_STEP_OPS; op++)
		for (int o = 0; o < METRIC_STEP_OUTCOMES; o++) {
			const struct label l = { "operation", metrics_step_ops[op],
				                 "outcome", outcomes[o] };

			put(s, COUNTER, "vaultd_steps_total",
			    "Calls of rotators that have ended.", &l,
			    (int64_t)c->metrics->steps[op][o]);
		}
}

static void put_took(struct sink *s, const struct metrics *m)
{
	static const char name[] = "vaultd_rotation_seconds";
	uint64_t n = 0;

	for (size_t i = 0; i < METRIC_TOOK; i++)
		n += m->took[i];
	if (s->text == NULL) {
		put(s, COUNTER, "vaultd_rotations_ended_total", "", &none, (int64_t)n);
		put(s, COUNTER, "vaultd_rotation_milliseconds_total", "", &none,
		    (int64_t)m->took_ms);
		return;
	}
	text(s,
	     "# HELP %s From the beginning of rotations to their end.\n"
	     "# TYPE %s histogram\n",
	     name, name);
	n = 0;
	for (size_t i = 0; i < METRIC_TOOK - 1; i++)
		text(s, "%s_bucket{le=\"%lld\"} %llu\n", name,
		     (long long)metrics_took_le[i],
		     (unsigned long long)(n += m->took[i]));
	n += m->took[METRIC_TOOK - 1];
	text(s, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %llu.%03llu\n%s_count %llu\n", name,
	     (unsigned long long)n, name, (unsigned long long)m->took_ms / 1000,
	     (unsigned long long)m->took_ms % 1000, name, (unsigned long long)n);
}

static void put_attempts(struct sink *s, const struct metrics *m)
{
	static const enum attempt_state states[] = {
		ATTEMPT_CLAIMED,  ATTEMPT_CONVERGED, ATTEMPT_LATE, ATTEMPT_FAILED,
		ATTEMPT_REVERTED, ATTEMPT_ABORTED,   ATTEMPT_HELD, ATTEMPT_RETIRE_LATE,
	};

	for (int k = 0; k < STRATEGY_MANUAL; k++)
		for (size_t i = 0; i < ARRAY_LEN(states); i++) {
			const struct label l = {
				"strategy",
				rotation_strategy_name((enum rotation_strategy)k),
				"state", rotation_state_name(states[i])
			};

			put(s, COUNTER, "vaultd_rotations_total",
			    "Rotations that have entered a state.", &l,
			    (int64_t)m->rotations[k][states[i]]);
		}
	put(s, COUNTER, "vaultd_rotation_reminders_total",
	    "Secrets that came due and are replaced by people.", &none,
	    (int64_t)m->reminded);
}

static void put_alarms(struct sink *s, const struct metrics *m)
{
	static const char *const names[] = { "jumped", "ahead", "overdue" };

	for (int i = 0; i < METRIC_ALARMS; i++) {
		const struct label l = { .name = "alarm", .value = names[i] };

		put(s, COUNTER, "vaultd_rotation_alarms_total",
		    "What schedules of rotations have found wrong.", &l,
		    (int64_t)m->alarms[i]);
	}
}

static void put_census(struct sink *s, const struct rotation_census *n)
{
	const struct {
		const char *name;
		int64_t n;
	} rows[] = {
		{"configured",   n->rules      },
		{ "scheduled",   n->scheduled  },
		{ "paused",      n->paused     },
		{ "under_way",   n->under_way  },
		{ "held",        n->held       },
		{ "late",        n->late       },
		{ "retire_late", n->retire_late},
		{ "due",         n->due        },
		{ "overdue",     n->overdue    },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct label l = { .name = "condition", .value = rows[i].name };

		put(s, GAUGE, "vaultd_rotation_rules",
		    "Secrets with a rotation rule, by how they are.", &l, rows[i].n);
	}
	put(s, GAUGE, "vaultd_rotation_oldest_overdue_seconds",
	    "For how long a secret has been overdue, at the most.", &none,
	    n->oldest_overdue_ms / 1000);
	put(s, GAUGE, "vaultd_rotation_missed_slots",
	    "Scheduled rotations that nobody ran, of all rules.", &none, n->missed);
}

static void put_webhooks(struct sink *s, const struct core *c)
{
	static const char *const outcomes[] = { "delivered", "failed", "dropped" };

	for (int o = 0; o < METRIC_WEBHOOKS; o++) {
		const struct label l = { .name = "outcome", .value = outcomes[o] };

		put(s, COUNTER, "vaultd_webhook_notices_total",
		    "Tries to tell a webhook, and notices that were given up.", &l,
		    (int64_t)c->metrics->webhooks[o]);
	}
}

static void put_all(struct sink *s, struct core *c, const struct rotation_census *n)
{
	put_requests(s, c->metrics);
	put_commit(s, c->metrics);
	put_loop(s, c);
	put_net(s, c->metrics);
	put_steps(s, c);
	put_attempts(s, c->metrics);
	put_alarms(s, c->metrics);
	put_took(s, c->metrics);
	put_census(s, n);
	put_webhooks(s, c);
	put_stored(s, c);
	put_process(s, c);
}

/* "2026-08-21 18:58:13 +0000 UTC", as Vault writes it here. */
static const char *timestamp(struct req *r)
{
	char at[CLOCK_RFC3339_MAX];

	clock_rfc3339(r->core->now_ms, at);
	return arena_printf(r->a, "%.10s %.8s +0000 UTC", at, at + 11);
}

static int reply_json(struct req *r, struct sink *s, const struct rotation_census *n)
{
	struct value *out = reply_bare(r);

	s->gauges = value_array(r->a);
	s->counters = value_array(r->a);
	put_all(s, r->core, n);
	value_set_str(r->a, out, "Timestamp", timestamp(r));
	value_set(out, "Gauges", s->gauges);
	value_set(out, "Points", value_array(r->a));
	value_set(out, "Counters", s->counters);
	value_set(out, "Samples", value_array(r->a));
	return ERR_OK;
}

static int h_metrics(struct req *r)
{
	struct sink s = { .a = r->a };
	struct rotation_census *n = r->park_state;
	const char *format = "";
	unsigned char key[16];
	bool present;
	int rc = req_str(r, "format", &format, &present);

	if (rc != ERR_OK)
		return rc;
	if (n == NULL && (n = r->park_state = arena_alloc(r->a, sizeof(*n))) == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	if ((rc = rotation_census_slice(r->core, n, &r->e)) != ERR_OK)
		return rc;
	if (!n->done) {
		rng_bytes(key, sizeof(key));
		return req_park(r, WAIT_JOB, key, r->core->boot_ms);
	}
	if (strcmp(format, "prometheus") != 0 && !(r->flags & IPC_F_METRICS_TEXT))
		return reply_json(r, &s, n);
	s.text = arena_alloc(r->a, TEXT_MAX);
	if (s.text == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	put_all(&s, r->core, n);
	reply_text(r, s.text, s.n);
	return ERR_OK;
}

static const struct field metrics_fields[] = {
	{"format", "string", "\"prometheus\": as text"},
	{ NULL,    NULL,     NULL                     },
};
static const struct route rows[] = {
	{"system", M_GET, "metrics", 0, metrics_fields, h_metrics, NULL,
         "what the server has counted"},
};

const struct route_table routes_metrics = { rows, ARRAY_LEN(rows) };
