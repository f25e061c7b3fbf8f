/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_SWARM_H
#define SERVER_CORE_SWARM_H
/*
 * swarm - which secrets go into which services of a Docker Swarm, who brings them there,
 * and how far that is.
 *
 * KIND_SWARM (id = blind("swarm", name)): a definition, by operators.
 * KIND_SWARM_CLUSTER (id = blind("swarm-cluster", cluster)): which host leads, with an
 * epoch that grows with each change of that.
 * KIND_SWARM_SYNC (id = first 16 bytes of blind("swarm-sync", cluster, name); parent = id
 * of the cluster; tag = id of the definition): what leaders have said of its services.
 *
 * The id of a sync is also that of the holder of its lease: rotations wait for the
 * binding of the cluster, whichever host leads.  Agents say what they are about to do,
 * with their epoch; what one of an older epoch says is not stored.  docs/swarm.md.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "lease_impl.h"

#define SWARM_BINDINGS    512u
#define SWARM_CLUSTERS    64u
#define SWARM_CLUSTER_MAX 64u  /* bytes of an id */
#define SWARM_ROWS        256u /* of one binding; of one statement */
#define SWARM_NAME_MAX    128u /* bytes of names and ids that Docker gives */
#define SWARM_REASON_MAX  256u
#define SWARM_TTL_MS      15000
#define SWARM_FP          16u /* hex digits */

struct swarm_binding {
	struct store_object o; /* version 0: not stored */
	const char *name;
	const struct value *roles; /* array of names of host roles */
	const struct value *spec;  /* object: what was defined */
	int64_t rev;               /* of its newest change */
	int64_t apply, gc;         /* revisions of the newest orders; 0: none */
	int64_t created_ms, updated_ms;
};

/** swarm_read(a, o, out, e): a stored object as a binding; ERR_INTEGRITY. */
int swarm_read(struct arena *a, const struct store_object *o, struct swarm_binding *out,
               struct err *e) MUST_CHECK;
/** swarm_find(c, a, name, out, e): with ERR_NOENT ${out} is filled so that swarm_save()
 * makes it. */
int swarm_find(struct core *c, struct arena *a, const char *name,
               struct swarm_binding *out, struct err *e) MUST_CHECK;
/** swarm_save(c, a, b, before, e): store it with a new revision; hosts of its roles, and
 * of the roles that it had ${before} (NULL: none), hear of it. */
int swarm_save(struct core *c, struct arena *a, struct swarm_binding *b,
               const struct value *before, struct err *e) MUST_CHECK;
/** swarm_drop(c, a, b, e): remove it, with what is known of its services and its leases;
 * services keep what they have. */
int swarm_drop(struct core *c, struct arena *a, const struct swarm_binding *b,
               struct err *e) MUST_CHECK;
/** swarm_order(c, a, b, gc, e): its services are to be tried again, or old versions to be
 * removed, now. */
int swarm_order(struct core *c, struct arena *a, struct swarm_binding *b, bool gc,
                struct err *e) MUST_CHECK;
/** swarm_role_changed(c, a, role, e): a host role was written or deleted: if there ever
 * was a binding for it, its hosts ask again. */
int swarm_role_changed(struct core *c, struct arena *a, const char *role, struct err *e)
	MUST_CHECK;
/** swarm_serves(b, role, cluster): is it for hosts of that role, and for that cluster? */
bool swarm_serves(const struct swarm_binding *b, const char *role, const char *cluster);
/** swarm_by_driver(b): do its services get the value by a secret driver? */
bool swarm_by_driver(const struct swarm_binding *b);
/** swarm_member(b, key): a text of the definition; "" if it is not there. */
const char *swarm_member(struct arena *a, const struct swarm_binding *b, const char *key);
/** swarm_fp(c, a, l, data, out, e): "fp" into ${out}: the keyed hash of the value that
 * the lease of a binding is on, SWARM_FP hex digits.  ERR_NOMEM. */
int swarm_fp(struct core *c, struct arena *a, const struct lease *l,
             const struct value *data, struct value *out, struct err *e) MUST_CHECK;

/* A definition on its way in (swarm_spec.c). */
struct binding_take;
/** swarm_take_spec(t, name, in, e): the members of ${in} that define a binding into
 * t->spec, checked.  ERR_INVALID says which member is wrong and why. */
int swarm_take_spec(struct binding_take *t, const char *name, const struct value *in,
                    struct err *e) MUST_CHECK;
/** swarm_cluster_ok(s): may that be the id of a Swarm? */
bool swarm_cluster_ok(const char *s);

/* ---- who leads (swarm_lead.c) ---- */

struct swarm_cluster {
	struct store_object o;
	const char *cluster;
	int64_t epoch; /* 0: nobody ever led */
	bool held;
	unsigned char host[HOST_ID];
	const char *host_name, *node;
	bool raft; /* is its node the leader of the Swarm's managers? */
	int64_t since_ms, expires_ms, boot_due_ms;
	/* a host on that node asks, and waits until then at most */
	unsigned char better[HOST_ID];
	int64_t better_ms;
	bool changed; /* by swarm_elect(): more than that it goes on as before */
	/* When the host last said something, by its own count: what is older was held
	 * back. */
	int64_t said_generation, said_ms;
};

/** swarm_cluster_read(a, o, out, e): ERR_INTEGRITY.  swarm_cluster_load(c, a, cluster,
 * out, e): with ERR_NOENT ${out} is one that nobody has led. */
int swarm_cluster_read(struct arena *a, const struct store_object *o,
                       struct swarm_cluster *out, struct err *e) MUST_CHECK;
int swarm_cluster_load(struct core *c, struct arena *a, const char *cluster,
                       struct swarm_cluster *out, struct err *e) MUST_CHECK;
/** swarm_cluster_id(c, cluster, out): id of its object. */
void swarm_cluster_id(struct core *c, const char *cluster, unsigned char out[32]);
/** swarm_led(c, k): does anybody lead it now? swarm_leads(c, k, h): does that host? */
bool swarm_led(const struct core *c, const struct swarm_cluster *k);
bool swarm_leads(const struct core *c, const struct swarm_cluster *k,
                 const struct host *h);

/* A host that asks to lead, or to go on. */
struct swarm_ask {
	const struct host *h;
	const char *node;
	bool raft;
	bool resign;
	int64_t generation, boot_ms; /* when it said so: swarm_is_news() */
};
/** swarm_is_news(k, h, generation, boot_ms): has the host that leads, or led last, said
 * that after all that was heard of it?  What another says is news. */
bool swarm_is_news(const struct swarm_cluster *k, const struct host *h,
                   int64_t generation, int64_t boot_ms);
/** swarm_heard(c, a, k, generation, boot_ms, e): that was news, and is no more. */
int swarm_heard(struct core *c, struct arena *a, struct swarm_cluster *k,
                int64_t generation, int64_t boot_ms, struct err *e) MUST_CHECK;
/** swarm_elect(c, a, k, ask, reason, e): decide, and store that.  swarm_leads() says how;
 * ${reason} says why not, if that is worth a word, else "".  k->changed: is it news? */
int swarm_elect(struct core *c, struct arena *a, struct swarm_cluster *k,
                const struct swarm_ask *ask, const char **reason, struct err *e)
	MUST_CHECK;

/** swarm_rev(c, a, h, rev, e): revision of the newest change that the host has to hear
 * of, as one of its role or as a leader; 0: there was none. */
int swarm_rev(struct core *c, struct arena *a, const struct host *h, int64_t *rev,
              struct err *e) MUST_CHECK;
/** swarm_lease_changed(c, a, l, e): a lease of a cluster has changed: whoever leads that
 * hears of it, and all who may be asked for it by a secret driver. */
int swarm_lease_changed(struct core *c, struct arena *a, const struct lease *l,
                        struct err *e) MUST_CHECK;

/* ---- how far it is (swarm_sync.c) ---- */

struct swarm_sync {
	struct store_object o;
	const char *cluster, *binding;
	int64_t version, services; /* of the newest look; services -1: there was none */
	struct value *rows;        /* array, by service */
};

int swarm_sync_read(struct arena *a, const struct store_object *o, struct swarm_sync *out,
                    struct err *e) MUST_CHECK;
/** swarm_sync_load(c, a, cluster, name, out, e): with ERR_NOENT ${out} is an empty one.
 */
int swarm_sync_load(struct core *c, struct arena *a, const char *cluster,
                    const char *name, struct swarm_sync *out, struct err *e) MUST_CHECK;
/** swarm_sync_take(a, s, row, epoch, now, e): one row in the place of the one of its
 * service; ERR_INVALID says what is wrong with it. */
struct swarm_said {
	const struct value *row;
	int64_t epoch, now_ms;
};
int swarm_sync_take(struct arena *a, struct swarm_sync *s, const struct swarm_said *said,
                    struct err *e) MUST_CHECK;
/** swarm_sync_save(c, a, s, e): store it, and let its lease know what follows. */
int swarm_sync_save(struct core *c, struct arena *a, struct swarm_sync *s, struct err *e)
	MUST_CHECK;
/** swarm_sync_drop(c, a, s, e): remove it and its leases: nobody waits for it any more.
 */
int swarm_sync_drop(struct core *c, struct arena *a, const struct swarm_sync *s,
                    struct err *e) MUST_CHECK;
/** swarm_sync_lease(c, a, s, h, path, out, e): its lease on ${path}, made or kept alive
 * by ${h}, whose role has to allow the path.  It holds no other: with another path it
 * begins anew, without rows. */
struct swarm_lease_ask {
	const struct host *h;
	const struct host_role *role;
	const char *path;
};
int swarm_sync_lease(struct core *c, struct arena *a, struct swarm_sync *s,
                     const struct swarm_lease_ask *ask, struct lease *out, struct err *e)
	MUST_CHECK;
/** swarm_may_fetch(c, a, l, h, version, e): is the binding of that lease for the host's
 * role, and does the host lead its cluster, or is the mode driver?  A ${version} (0: the
 * current one) has to be one that a service has.  ERR_NOENT or ERR_DENIED. */
int swarm_may_fetch(struct core *c, struct arena *a, const struct lease *l,
                    const struct host *h, int64_t version, struct err *e) MUST_CHECK;
/** swarm_rows_value(a, s): its rows as people see them. */
struct value *swarm_rows_value(struct arena *a, const struct swarm_sync *s);
/** swarm_where(c, a, l, out, e): "cluster", "binding" and "services" of the holder of
 * that lease into ${out}. */
int swarm_where(struct core *c, struct arena *a, const struct lease *l, struct value *out,
                struct err *e) MUST_CHECK;

#endif
