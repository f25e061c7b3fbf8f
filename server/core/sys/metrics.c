/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

const int64_t metrics_commit_le[METRIC_BUCKETS - 1] = { 1, 2, 5, 10, 25, 100, 1000 };

void metrics_request(struct core *c, enum op op, const char *outcome)
{
	enum metric_outcome o = outcome[0] == 'o'   ? METRIC_OK
	                        : outcome[0] == 'd' ? METRIC_DENIED
	                                            : METRIC_ERROR;

	if (c->metrics != NULL)
		c->metrics->requests[op <= OP__MAX ? op : OP__MAX][o]++;
}

void metrics_batch(struct core *c, size_t requests, int64_t commit_ms, bool ok)
{
	struct metrics *m = c->metrics;
	size_t i = 0;

	if (m == NULL)
		return;
	m->batches++;
	m->batches_failed += !ok;
	m->batch_requests += requests;
	while (i < METRIC_BUCKETS - 1 && commit_ms > metrics_commit_le[i])
		i++;
	m->commit[i]++;
	m->commit_ms += commit_ms > 0 ? (uint64_t)commit_ms : 0;
}

void metrics_timers(struct core *c, int64_t late_ms)
{
	struct metrics *m = c->metrics;

	if (m == NULL)
		return;
	m->timers++;
	m->timer_late_ms = late_ms;
	if (late_ms > m->timer_late_max_ms)
		m->timer_late_max_ms = late_ms;
}

const char *const metrics_step_ops[METRIC_STEP_OPS] = {
	"describe",    "create",     "probe",       "set",   "test",   "retire", "revert",
	"user_create", "user_renew", "user_revoke", "login", "notify", "other",
};

int metrics_step_op(const struct value *op)
{
	int i = 0;

	while (i < METRIC_STEP_OPS - 1 && !value_is_str(op, metrics_step_ops[i]))
		i++;
	return i;
}

void metrics_step(struct core *c, int op, enum metric_step outcome)
{
	if (c->metrics != NULL)
		c->metrics->steps[op][outcome]++;
}

const int64_t metrics_took_le[METRIC_TOOK - 1] = { 1, 5, 15, 60, 300, 1800, 7200, 86400 };

void metrics_rotation(struct core *c, unsigned strategy, unsigned state)
{
	if (c->metrics != NULL && strategy < METRIC_STRATEGIES && state < METRIC_STATES)
		c->metrics->rotations[strategy][state]++;
}

void metrics_rotation_took(struct core *c, int64_t ms)
{
	size_t i = 0;

	if (c->metrics == NULL || ms < 0)
		return;
	while (i < METRIC_TOOK - 1 && ms > metrics_took_le[i] * 1000)
		i++;
	c->metrics->took[i]++;
	c->metrics->took_ms += (uint64_t)ms;
}

void metrics_rotation_reminded(struct core *c)
{
	if (c->metrics != NULL)
		c->metrics->reminded++;
}

void metrics_rotation_alarm(struct core *c, enum metric_alarm alarm)
{
	if (c->metrics != NULL)
		c->metrics->alarms[alarm]++;
}

void metrics_webhook(struct core *c, enum metric_webhook what)
{
	if (c->metrics != NULL)
		c->metrics->webhooks[what]++;
}

void metrics_peer(struct core *c, const struct metric_peer *p)
{
	struct metric_peer *at = NULL;

	for (size_t i = 0; i < METRIC_PEERS; i++) {
		struct metric_peer *have = &c->metrics->peer[i];

		if (have->id == p->id) {
			at = have;
			break;
		}
		if (have->id == 0 && at == NULL)
			at = have;
	}
	if (at != NULL)
		*at = *p;
}

void metrics_peer_gone(struct core *c, uint64_t id)
{
	for (size_t i = 0; c->metrics != NULL && i < METRIC_PEERS; i++)
		if (c->metrics->peer[i].id == id)
			c->metrics->peer[i] = (struct metric_peer){ .id = 0 };
}
