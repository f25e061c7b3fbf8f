/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROUTE_H
#define SERVER_CORE_ROUTE_H
/*
 * route - the table of everything that can be asked.  404, 405, 403, sealed, size limits,
 * unknown fields and auditing come from the rows, never from a handler.
 */
#include <stdbool.h>
#include <stdint.h>

#include "req.h"

/* Methods that a row answers. */
#define M_GET    1u
#define M_LIST   2u
#define M_POST   4u /* and PUT */
#define M_PATCH  8u
#define M_DELETE 16u
#define M_SCAN   32u /* together with M_LIST */

/* Flags of a row. */
#define R_ANON        1u /* no token needed (one that is sent is ignored) */
#define R_WHEN_SEALED 2u /* answered while sealed, and before init */
#define R_SUDO        4u /* needs the sudo capability too */
#define R_LOOPBACK \
	8u /* only from loopback or the Unix socket unless configured otherwise */
#define R_HOSTS     16u /* served on the hosts listener alone */
#define R_HOST_ONLY 32u /* the identity must be a host */
#define R_OPEN_BODY 64u /* any body member is data: no unknown-field warning */
#define R_SELF                                                                         \
	128u /* any live token may: no policy is asked (Vault's lookup-self is NOT one \
	        of these) */
#define R_HOST_SELF \
	256u /* a host's own agent routes: the host identity is the authorisation */
#define R_LOGIN                                                                       \
	512u /* a login: limited in rate by the account, which is the first parameter \
	        of the path or, without one, the first of the fields */
#define R_WRAP_TOKEN \
	1024u /* the wrapping token itself may ask (wrap.h), without a policy */
#define R_UNWRAPPED 2048u /* its replies are not wrapped */
#define R_AUTH      (R_ANON | R_LOGIN)
#define R_MAYBE_ANON \
	4096u /* a token is looked at if one is sent; the handler asks who it is */

#define R_SHARES                                                                      \
	65536u /* a quorum of shares is what counts: no token is needed either if the \
	          configuration says so */

#define R_HOSTS_TOO                                                                      \
	131072u /* served on both listeners; what has neither flag is on the API's alone \
	         */
#define R_AGENT (R_HOST_SELF | R_HOSTS_TOO)

struct field {
	const char *name;
	const char *type; /* "string", "int", "bool", "duration", "strings", "object",
	                     "any": for OpenAPI */
	const char *help;
};

struct route {
	const char *mount_type; /* the engine (mounts.h): "system", "token", "kv" (version
	                           2), "kv1" …: pattern is relative to the mount */
	unsigned methods;
	const char *pattern; /* "policies/acl/:name", "data/" "*path"; ":x" is one
	                        segment, "*x" the rest (may be empty), or what is before
	                        a last segment: "mounts/" "*path/tune".  ":name" and
	                        ":role" are names in which case makes no difference */
	unsigned flags;
	const struct field *fields; /* ends with a NULL name; NULL: none */
	int (*handler)(struct req *r);
	/* create or update?  Writes *exists; NULL: every write is an update. */
	int (*exists)(struct req *r, bool *exists);
	const char *help; /* one line for OpenAPI */
};

/* One table per API module, all listed in route.c. */
struct route_table {
	const struct route *rows;
	size_t n;
};
extern const struct route_table routes_capability; /* api_capability.c */
extern const struct route_table routes_wrap;       /* api_wrap.c: sys/wrapping */
extern const struct route_table routes_sys;        /* api_sys.c: init, seal, status */
extern const struct route_table routes_token;      /* api_token.c */
extern const struct route_table routes_token_role; /* api_token_role.c */
extern const struct route_table routes_policy;     /* api_policy.c */
extern const struct route_table routes_password_policy; /* api_password_policy.c */
extern const struct route_table routes_kv;              /* api_kv.c */
extern const struct route_table routes_entry;           /* api_entry.c: KV 1, cubbyhole */
extern const struct route_table routes_mount;           /* api_mount.c */
extern const struct route_table routes_host;      /* api_host.c: sys/hosts, auth/host */
extern const struct route_table routes_agent;     /* api_agent.c: sys/agent */
extern const struct route_table routes_binding;   /* api_binding.c: sys/bindings */
extern const struct route_table routes_swarm;     /* api_swarm.c: sys/swarm */
extern const struct route_table routes_lease;     /* api_lease.c: sys/vault-leases */
extern const struct route_table routes_sys_lease; /* api_sys_lease.c */
extern const struct route_table routes_rotation;  /* api_rotation.c: sys/rotation */
extern const struct route_table routes_rotator;   /* api_rotator.c: sys/rotation */
extern const struct route_table routes_audit;     /* api_audit.c: sys/audit-log */
extern const struct route_table routes_approle;   /* api_approle.c */
extern const struct route_table routes_userpass;  /* api_userpass.c */
extern const struct route_table routes_cert;      /* api_cert.c */
extern const struct route_table routes_crl;       /* api_crl.c: auth/cert/crls */
extern const struct route_table routes_lockout;   /* api_lockout.c: sys/locked-users */
extern const struct route_table routes_kek;       /* api_kek.c: sys/rotate, key-status */
extern const struct route_table routes_rekey;     /* api_rekey.c: sys/rekey */
extern const struct route_table routes_root;      /* api_root.c: sys/generate-root */
extern const struct route_table routes_metrics;   /* api_metrics.c: sys/metrics */
extern const struct route_table routes_openapi;   /* api_openapi.c */
extern const struct route_table routes_devices;   /* api_audit_devices.c: sys/audit */
extern const struct route_table routes_version_history; /* api_version_history.c */
extern const struct route_table routes_tools;  /* api_tools.c: sys/tools, ha-status */
extern const struct route_table routes_backup; /* api_backup.c: sys/backup */
extern const struct route_table routes_rotation_rule; /* api_rotation_rule.c */
extern const struct route_table routes_target;        /* api_target.c */
extern const struct route_table routes_database;      /* api_database.c */
extern const struct route_table routes_stuck_lease;   /* api_stuck_lease.c: sys/leases */
extern const struct route_table routes_webhook;       /* api_webhook.c */
extern const struct route_table routes_rotation_report; /* api_rotation_report.c */
extern const struct route_table routes_leak;            /* api_leak.c: sys/leaks */

/** route_find(r): set r->mount, r->route and r->param from r->path and r->method; names
 * in r->path are in lower case from then on.  ERR_NOENT or ERR_METHOD. */
int route_find(struct req *r) MUST_CHECK;

/** route_serves(r, row): is ${row} one of those that serve the path of ${r}, with
 * whatever method?  r->mount is set. */
bool route_serves(const struct req *r, const struct route *row);

/** route_each(fn, ctx): every row, for OpenAPI and for the test that walks the table. */
void route_each(void (*fn)(void *ctx, const struct route *row), void *ctx);

#endif
