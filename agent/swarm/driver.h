/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_SWARM_DRIVER_H
#define AGENT_SWARM_DRIVER_H
/*
 * driver - Docker's secret provider: a Swarm asks it for the value of a secret whenever a
 * task that mounts it is about to start, so that the Swarm itself has none.
 *
 *   docker secret create --driver vault --label vault.binding=db db
 *
 * Docker waits for the answer, and so do tasks that have no part in it: everything is
 * answered at once from memory, with a value or with an error.  Who may have what is in
 * the bindings that the vault has given, by the service; the labels of a secret only say
 * which binding and which version is asked for, and those of a service say nothing.
 *
 * Each task that was given a value has a lease on it, until it is seen no more.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "machine.h"

#define DRIVER_LEASES    4096u
#define DRIVER_VALUE_MAX 511999u /* bytes that Docker takes */
#define DRIVER_SAID_MAX  256u    /* leases in one message to the vault */

struct driver;
struct plugin;
struct clock;

struct driver_ops {
	/** missing(ctx, binding, version): somebody asks for a version (0: any) that is
	 * not here. */
	void (*missing)(void *ctx, const char *binding, int64_t version);
	void *ctx;
};

struct driver_options {
	const char *socket;    /* if there is no ${plugin} */
	struct plugin *plugin; /* that has the socket already, borrowed; or NULL */
	const struct clock *clock;
	struct driver_ops ops;
};

/* What the vault has granted.  Borrowed for the call. */
struct driver_binding {
	const char *name;
	const char *const *services; /* names or ids that may have it */
	size_t n_services;
	unsigned keep;   /* versions that are kept in memory */
	bool other;      /* it is of another secret than before: values go */
	const char *why; /* NULL: it is granted; else it is not, and what was here goes */
};

/** driver_open(o, out, e): listen, before the sandbox closes. */
int driver_open(const struct driver_options *o, struct driver **out, struct err *e)
	MUST_CHECK;
/** driver_free(d): before the ${plugin} that was given; NULL is allowed. */
void driver_free(struct driver *d);
/** driver_attach(d, epoll_fd, e), driver_event(d, fd, events): as plugin_attach(), of a
 * socket of its own. */
int driver_attach(struct driver *d, int epoll_fd, struct err *e) MUST_CHECK;
bool driver_event(struct driver *d, int fd, unsigned events);
/** driver_name(d): by what name Docker knows a legacy plugin. */
const char *driver_name(const struct driver *d);

/** driver_cluster(d, id): which Swarm it is for: with another one all is forgotten, and
 * the answer is true. */
bool driver_cluster(struct driver *d, const char *id);
/** driver_plan(d, list, n, e): these are the bindings, and no others; values of those
 * that were there stay. */
int driver_plan(struct driver *d, const struct driver_binding *list, size_t n,
                struct err *e) MUST_CHECK;
/** driver_forget(d, why): no binding is known any more, and no value. */
void driver_forget(struct driver *d, const char *why);
/** driver_put(d, name, version, p, n, e): a value, copied, in place of what was here of
 * that version.  ERR_NOENT: no such binding; ERR_TOO_BIG; ERR_FULL. */
int driver_put(struct driver *d, const char *name, int64_t version, const void *p,
               size_t n, struct err *e) MUST_CHECK;
/** driver_has(d, name, version): is it at hand? */
bool driver_has(const struct driver *d, const char *name, int64_t version);

/** driver_seen(d, service, tasks, n): all tasks of the service; leases of those that are
 * not to run any more, or are not there, end. */
void driver_seen(struct driver *d, const char *service, const struct machine_task *tasks,
                 size_t n);
/** driver_seen_all(d): that were all services that there are. */
void driver_seen_all(struct driver *d);
/** driver_news(d): [{binding, service, task, version, ended}] that the vault has not been
 * told of, at most DRIVER_SAID_MAX, the caller's.  driver_heard(d, ok): it was told of
 * what driver_news() gave last, or not. */
json_t *driver_news(struct driver *d) MUST_CHECK;
bool driver_has_news(const struct driver *d);
void driver_heard(struct driver *d, bool ok);

/** driver_status(d): {bindings, values, leases, refused, given}, the caller's. */
json_t *driver_status(const struct driver *d) MUST_CHECK;

#endif
