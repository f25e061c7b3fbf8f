/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_SUP_H
#define SERVER_SUP_H
/*
 * sup - what the files of the supervisor share.
 *
 * supervisor.c  start, event loop, signals, end
 * sup_roles.c   starting roles, linking net to core, restarts
 * sup_reload.c  SIGHUP: new net processes beside the old ones
 * sup_orphans.c processes that rotators left behind
 *
 * A slot is a place that must always be filled: the core, and each net process.
 */
#include <stdbool.h>
#include <stdint.h>

#include "datadir.h"
#include "listen.h"
#include "role_proc.h"
#include "rotators.h"
#include "settings.h"
#include "supervisor.h"
#include "tlskey.h"

#define SUP_SLOTS             (3 + SETTINGS_NET_MAX) /* core, rotate, hosts, API */
#define SUP_PROCS             (4 * SUP_SLOTS) /* with replacements, and old ones that drain */
#define SUP_RESTARTS          3
#define SUP_RESTART_WINDOW_MS (10 * 60 * 1000)
#define SUP_DRAIN_MS          15000
#define SUP_CORE_START_MS     120000
#define SUP_NET_START_MS      30000
#define SUP_ROTATE_PAUSE_MS   60000 /* when rotate has ended too often */

struct slot {
	enum role_kind kind;
	unsigned worker;
	struct role_proc *cur;
	struct role_proc *next; /* started by a reload, takes over when ready */
	int64_t deaths[SUP_RESTARTS];
	unsigned restarts;  /* within the window: how many of deaths[] count */
	int64_t restart_at; /* boot ms; -1: nothing to do */
};

struct supervisor {
	const struct options *options;
	struct settings *set;
	struct owner owner;
	struct owner rotate_owner;
	struct scratch scratch; /* where rotators have their working directories */
	struct rotators rotators;
	struct datadir dir;
	struct listeners listeners;
	struct arena *tls_arena;      /* holds tls */
	struct tls_files tls;         /* key NULL: plain HTTP */
	struct arena *next_tls_arena; /* of a reload under way, or NULL */
	struct tls_files next_tls;
	struct role_proc procs[SUP_PROCS];
	struct slot slots[SUP_SLOTS]; /* 0 is core */
	size_t n_slots;
	uint64_t last_peer;
	char pin[TLSKEY_PIN_MAX]; /* of the key that is served with, or empty */
	int sigfd;
	bool serving;      /* everything has been ready once */
	bool core_started; /* core has been ready once: a new dev core is not set up again
	                    */
	bool stopping;
	bool core_drained, rotate_drained;
	bool reload_again;
	bool reload_refused; /* a replacement did not start: the old key stays the one to
	                        use */
	int result;          /* why it ends, with message */
	struct err err;
};

/** sup_now(): boot clock, ms. */
int64_t sup_now(void);

/* sup_roles.c */
/** sup_start_slot(s, slot, tls, e): start its process and store it as the slot's cur, or
 * next while there is a cur. */
int sup_start_slot(struct supervisor *s, struct slot *slot, const struct tls_files *tls,
                   struct err *e) MUST_CHECK;
/** sup_on_ready(s, p): link it, take over, say so. */
void sup_on_ready(struct supervisor *s, struct role_proc *p);
/** sup_on_death(s, p, status): of a reaped process; its entry is free afterwards. */
void sup_on_death(struct supervisor *s, struct role_proc *p, int status);
/** sup_drain(p): ask it to finish; killed after SUP_DRAIN_MS. */
void sup_drain(struct role_proc *p);
/** sup_fail(s, code, fmt, ...): remember why, and begin to end. */
void sup_fail(struct supervisor *s, enum errcode code, const char *fmt, ...) PRINTF(3, 4);
/** sup_stop(s): begin to end: drain every net, then core, then rotate. */
void sup_stop(struct supervisor *s);

/** sup_is_net(kind): is that a net process? */
static inline bool sup_is_net(enum role_kind kind)
{
	return kind == ROLE_NET_API || kind == ROLE_NET_HOSTS;
}

/* sup_reload.c */
/** sup_load_tls(s, a, out, e): the key and certificate to serve with now; out->key is
 * NULL for plain HTTP. */
int sup_load_tls(struct supervisor *s, struct arena *a, struct tls_files *out,
                 struct err *e) MUST_CHECK;
/** sup_reload(s): SIGHUP. */
void sup_reload(struct supervisor *s);
/** sup_reload_step(s): a replacement was decided; ends the reload when it was the last.
 */
void sup_reload_step(struct supervisor *s);

/* sup_orphans.c */
/** sup_adopt_orphans(): become the parent of processes whose own has ended. */
void sup_adopt_orphans(void);
/** sup_end_orphans(s): kill and reap every child that is no role. */
void sup_end_orphans(const struct supervisor *s);

/* sup_report.c */
/** sup_tell_sandbox(s): IPC_SANDBOX to core. */
void sup_tell_sandbox(struct supervisor *s);
/** sup_announce(s): all is ready: say so to people and to the service manager. */
void sup_announce(struct supervisor *s);
/** sup_status(s, out, cap): one line about what is served where. */
void sup_status(const struct supervisor *s, char *out, size_t cap);
/** sup_keep_pin(s, p): store and log the key that a net process serves with. */
void sup_keep_pin(struct supervisor *s, const struct role_proc *p);

#endif
