/* SPDX-License-Identifier: Apache-2.0 */
/* Which task was given what, until it is seen no more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "driver_impl.h"

#define YOUNG_MS 60000 /* a look may have begun before */

static void drop_lease(struct driver *d, size_t i)
{
	d->leases[i] = d->leases[--d->n_leases];
}

/* The oldest makes room: only what is reported is less exact then. */
static struct lease *room(struct driver *d)
{
	size_t cap = d->cap != 0 ? 2 * d->cap : 16, oldest = 0;
	struct lease *list;

	if (d->n_leases < d->cap)
		return &d->leases[d->n_leases++];
	if (cap <= DRIVER_LEASES &&
	    (list = reallocarray(d->leases, cap, sizeof(*list))) != NULL) {
		d->leases = list;
		d->cap = cap;
		return &d->leases[d->n_leases++];
	}
	for (size_t i = 1; i < d->n_leases; i++)
		if (d->leases[i].since < d->leases[oldest].since)
			oldest = i;
	return d->n_leases > 0 ? &d->leases[oldest] : NULL;
}

static struct lease *lease_of(struct driver *d, const char *task, const char *binding)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (strcmp(d->leases[i].task, task) == 0 &&
		    strcmp(d->leases[i].binding, binding) == 0)
			return &d->leases[i];
	return NULL;
}

void driver_note(struct driver *d, const struct bound *b, const char *task,
                 const char *service, int64_t version)
{
	struct lease *l = lease_of(d, task, b->name);

	d->given++;
	if (l == NULL && (l = room(d)) == NULL)
		return;
	*l = (struct lease){ .version = version, .since = clock_boot(d->clock) };
	(void)snprintf(l->task, sizeof(l->task), "%s", task);
	(void)snprintf(l->service, sizeof(l->service), "%s", service);
	(void)snprintf(l->binding, sizeof(l->binding), "%s", b->name);
}

static void end(struct lease *l)
{
	if (l->ended)
		return;
	l->ended = true;
	l->told = l->in_call = false;
}

void driver_seen(struct driver *d, const char *service, const struct machine_task *tasks,
                 size_t n)
{
	int64_t now = clock_boot(d->clock);

	for (size_t i = 0; i < d->n_leases; i++) {
		struct lease *l = &d->leases[i];
		bool there = now - l->since < YOUNG_MS;

		if (strcmp(l->service, service) != 0)
			continue;
		l->seen = true;
		for (size_t k = 0; k < n; k++)
			if (strcmp(tasks[k].id, l->task) == 0)
				there = tasks[k].wanted &&
				        tasks[k].state != TASK_FAILED &&
				        tasks[k].state != TASK_ENDED;
		if (!there)
			end(l);
	}
}

void driver_seen_all(struct driver *d)
{
	int64_t now = clock_boot(d->clock);

	for (size_t i = 0; i < d->n_leases; i++) {
		struct lease *l = &d->leases[i];

		if (!l->seen && now - l->since >= YOUNG_MS)
			end(l);
		l->seen = false;
	}
}

bool driver_has_news(const struct driver *d)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (!d->leases[i].told)
			return true;
	return false;
}

json_t *driver_news(struct driver *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->n_leases; i++) {
		struct lease *l = &d->leases[i];

		l->in_call = !l->told && json_array_size(list) < DRIVER_SAID_MAX;
		if (l->in_call)
			json_array_append_new(list,
			                      json_pack("{s:s, s:s, s:s, s:I, s:b}",
			                                "binding", l->binding, "service",
			                                l->service, "task", l->task,
			                                "version", (json_int_t)l->version,
			                                "ended", l->ended ? 1 : 0));
	}
	return list;
}

void driver_heard(struct driver *d, bool ok)
{
	for (size_t i = 0; i < d->n_leases;) {
		struct lease *l = &d->leases[i];

		l->told = l->told || (ok && l->in_call);
		l->in_call = false;
		if (l->told && l->ended)
			drop_lease(d, i);
		else
			i++;
	}
}
