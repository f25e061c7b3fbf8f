/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LEASE_IMPL_H
#define SERVER_CORE_LEASE_IMPL_H
/*
 * lease_impl - what the parts of leasing share, and what the API of agents and operators
 * uses.
 *
 * KIND_LEASE: id = lease id, parent = host id, tag = id of the secret, due = when it
 * expires, or when what is left of a dead one is removed.  Every change that the holder
 * has to hear of stamps the lease with a new revision; the newest revision is kept in a
 * setting.
 */
#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "lease.h"
#include "store.h"

#define LEASE_ID         16u
#define LEASE_DETAIL_MAX 256u

enum lease_state {
	LEASE_ISSUED, /* nothing heard of it yet */
	LEASE_DELIVERED,
	LEASE_APPLIED,
	LEASE_REJECTED,
	LEASE_REVOKED,
	LEASE_EXPIRED,
	LEASE_WIPED, /* the holder says that it has nothing any more */
};

/* Why a lease is dead. */
enum lease_end {
	END_NONE,     /* alive */
	END_OPERATOR, /* stays, so that the host cannot ask for another one */
	END_ROLE,     /* the role no longer allows the path */
	END_HOST,
	END_EXPIRED,
	END_DELETED, /* the secret has no current version; a new one revives the lease */
	END_MOVED,   /* the secret has another path now */
};

struct lease {
	struct store_object o;
	const char *path;    /* full: "secret/app/db" */
	const char *holder;  /* the host's name */
	const char *cluster; /* id of the Swarm whose binding holds it; "": a host does */
	const char *detail;  /* what the holder said last */
	enum lease_state state;
	enum lease_end end;
	int64_t target;  /* newest version of the secret */
	int64_t version; /* newest that was fetched */
	int64_t applied; /* newest that the holder has put in place */
	int64_t said;    /* newest that it has said anything of: ${state} is of that */
	int64_t issued_ms, expires_ms, boot_due_ms;
	int64_t rev;  /* revision of the newest change */
	int64_t born; /* revision when it was issued */
	int64_t seq;  /* revision of the newest change of the secret that reached it */
	/* the newest rotation that counted it */
	unsigned char attempt[16];
	int64_t wants; /* version that the rotation waits for; 0: it never counted it */
	bool waits;    /* it still does */
	int64_t settled_ms; /* when it stopped to */
	int64_t since_ms;   /* when it became what it is: state, version, applied */
	struct {
		enum lease_state state;
		int64_t version, applied;
		bool rejects; /* and the rotation that counted it knows */
	} stored;             /* as it was read or saved last */
};

const char *lease_state_name(enum lease_state s);
/** lease_state_of(name, out): 0, or -1 for no state. */
int lease_state_of(const char *name, enum lease_state *out);
static inline bool lease_alive(const struct lease *l)
{
	return l->end == END_NONE;
}
/** lease_rejects(l): has the holder refused the version that a rotation waits for? */
static inline bool lease_rejects(const struct lease *l)
{
	return l->waits && l->state == LEASE_REJECTED && l->said >= l->wants;
}
/** lease_left_ms(c, l): time left by the earlier of both clocks; 0 if it is over. */
int64_t lease_left_ms(const struct core *c, const struct lease *l);

/** lease_new_id(l): an id for a lease that is new at its revision. */
void lease_new_id(struct lease *l);
int lease_read(struct arena *a, const struct store_object *o, struct lease *out,
               struct err *e) MUST_CHECK;
int lease_load(struct core *c, struct arena *a, const unsigned char id[LEASE_ID],
               struct lease *out, struct err *e) MUST_CHECK;
/** lease_save(c, a, l, e): store it; a rotation that waited for it is told if it need not
 * any more. */
int lease_save(struct core *c, struct arena *a, struct lease *l, struct err *e)
	MUST_CHECK;
/** lease_drop(c, a, l, e): remove it for good. */
int lease_drop(struct core *c, struct arena *a, struct lease *l, struct err *e)
	MUST_CHECK;

/** lease_rev(c, a, next, rev, e): the newest revision; ${next}: make a new one first. */
int lease_rev(struct core *c, struct arena *a, bool next, int64_t *rev, struct err *e)
	MUST_CHECK;

/* A growing array of leases in an arena. */
struct leases {
	struct arena *a;
	struct lease *at;
	size_t n, cap;
};
/** lease_collect: a store_fn whose ${ctx} is a struct leases. */
int lease_collect(void *ctx, struct store_object *o, struct err *e);
/** leases_of_host(c, a, host_id, out, e): all, dead ones too. */
int leases_of_host(struct core *c, struct arena *a, const unsigned char host_id[HOST_ID],
                   struct leases *out, struct err *e) MUST_CHECK;
/** leases_add(ls, l): one more, or the newer lease on a secret that is there already. */
int leases_add(struct leases *ls, const struct lease *l, struct err *e) MUST_CHECK;

/** lease_issue(c, a, h, role, path, out, e): the lease that the host holds on ${path}, a
 * secret, or the names in a folder ("secret/app/"), made if there is none.  ERR_DENIED
 * (role, or revoked by an operator), ERR_NOENT, ERR_INVALID, ERR_FULL.
 * ${held} are the host's leases; a new one is added. */
struct lease_ask {
	const struct host *h;
	const struct host_role *role;
	struct leases *held;
	const char
		*cluster; /* ${h} stands for a binding of that Swarm; NULL: it is one */
};
int lease_issue(struct core *c, struct arena *a, const struct lease_ask *ask,
                const char *path, struct lease *out, struct err *e) MUST_CHECK;
/** lease_end_now(c, a, l, why, rev, e): it is dead from now on; the holder is woken. */
int lease_end_now(struct core *c, struct arena *a, struct lease *l, enum lease_end why,
                  int64_t rev, struct err *e) MUST_CHECK;
/** lease_renew(c, l, ttl_ms): a new end, to be saved. */
void lease_renew(const struct core *c, struct lease *l, int64_t ttl_ms);

/** lease_wake(c, a, l, e): whoever holds it asks again. */
int lease_wake(struct core *c, struct arena *a, const struct lease *l, struct err *e)
	MUST_CHECK;

/** lease_role_changed(c, a, name, e): end what a role does not allow any more. */
int lease_role_changed(struct core *c, struct arena *a, const char *name, struct err *e)
	MUST_CHECK;

/** lease_job_start(c, body, due, e): a job for lease_fanout_slice(); ${body} names itself
 * and what it is about. */
int lease_job_start(struct core *c, struct value *body, int64_t due, struct err *e)
	MUST_CHECK;
/* Parts of lease_fanout_slice(), by what the job is about. */
int lease_cut_slice(struct core *c, struct arena *a, struct store_object *job, bool *done,
                    struct err *e) MUST_CHECK;
int lease_role_slice(struct core *c, struct arena *a, struct store_object *job,
                     bool *done, struct err *e) MUST_CHECK;

/** lease_event(a, l): what a watch says of it. lease_info(a, l): what operators see. */
struct value *lease_event(struct arena *a, const struct lease *l);
struct value *lease_info(struct arena *a, const struct lease *l);
/** lease_id_text(a, l): its id in hex. lease_id_parse(v, out): 0, or -1. */
char *lease_id_text(struct arena *a, const struct lease *l);
int lease_id_parse(const struct value *v, unsigned char out[LEASE_ID]);

#endif
