/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_CORE_H
#define SERVER_CORE_CORE_H
/*
 * core - the state of the one process that has keys, database and policies, and the
 * loop step that role main and simulator both drive.
 *
 * One thread.  Nothing here blocks but the database.  Requests are queued by
 * core_submit() and run by core_run_batch(): one transaction, in it one savepoint per
 * request, replies after COMMIT.  Time, randomness and files go through seams.
 */
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "err.h"
#include "value.h"

struct arena;
struct audit;
struct cert_trust;
struct crl_asks;
struct crls;
struct db;

struct keyring;
struct mounts;
struct policies;
struct pwhash;
struct readers;
struct req;
struct backup;
struct seal;
struct store_state;
struct batch;
struct waits;
struct jobs;
struct limits;
struct zone_source;
struct zones;

/* At most ${burst} at once and ${per_second} in the long run; 0 a second: no limit. */
struct core_rate {
	unsigned per_second;
	unsigned burst;
};
struct kek;
struct metrics;
struct rotation_state;

struct core_options {
	const char *data_dir; /* holds vault.db; borrowed */
	const char *db_vfs;   /* name of a registered SQLite VFS, NULL for the default */
	const struct clock *clock;
	bool init_anywhere;          /* sys/init from addresses that are not loopback */
	bool unauthenticated_rekey;  /* R_SHARES rows need no token */
	struct core_rate token_rate; /* requests with one token */
	struct core_rate login_rate; /* logins to one account */
	const unsigned char *auto_unseal_key; /* 32 bytes in key memory, or NULL */
	const struct zone_source *zones;      /* NULL: the system's time zones */
	bool pwhash_in_line; /* no password thread, cheapest parameters: for the simulator
	                        and unit tests */
	/* A finished reply: encode before returning.  ${peer} is what core_submit() was
	 * given. */
	void (*reply)(void *ctx, uint64_t peer, uint64_t id, const struct value *reply);
	/* Replies may be sent: what follows takes its time.  May be NULL. */
	void (*flush)(void *ctx);
	/* What health, seal-status and leader answer has changed. */
	void (*state)(void *ctx, const struct value *state);
	/* Who vouches for TLS clients has changed; the payload of an IPC_TRUST.  May be
	 * NULL. */
	void (*trust)(void *ctx, const struct value *trust);
	/* Ask the net ${peer} who has signed a revocation list; the payload of an
	 * IPC_CRL. It answers with core_signer().  NULL: no list can be written. */
	void (*crl)(void *ctx, uint64_t peer, const struct value *question);
	/* The rotators that are configured, see step_rotators(); copied.  May be NULL. */
	const struct value *rotators;
	void *ctx;
};

struct core {
	struct core_options opt;
	const struct clock *clock;
	struct db *db;
	unsigned char vault_id[16]; /* zero before init */
	bool initialized;
	struct seal *seal;         /* always: configuration, progress of an unseal */
	struct keyring *keys;      /* NULL while sealed */
	struct kek *kek;           /* when the key term ends; NULL while sealed */
	struct store_state *state; /* state MAC; NULL before the first unseal */
	struct backup *backup;     /* the backup that is being taken, or NULL */
	struct audit *audit;       /* always: journal while sealed, tree when unsealed */
	struct policies *policies; /* NULL while sealed */
	struct mounts *mounts;     /* NULL while sealed */
	struct cert_trust *trust;  /* who vouches for TLS clients; NULL while sealed */
	struct crls *crls;         /* revocation lists; NULL while sealed */
	struct crl_asks *crl_asks; /* always: lists whose signatures net verifies */
	struct readers *readers;   /* NULL until someone reads; freed with the mounts */
	struct batch *batch;       /* queue, undo list, after-commit list */
	struct waits *waits;       /* parked requests */
	struct jobs *jobs;         /* due timers */
	struct steps *steps;       /* calls of rotators */
	struct rotation_state *rotation; /* how much of it may go on at once */
	struct pwhash *pwhash;           /* passwords that are hashed aside */
	struct limits *limits;           /* how often tokens and accounts have asked */
	struct metrics *metrics;         /* what has been counted */
	struct zones *zones;             /* always: the time zones of schedules */
	int64_t opened_ms;     /* boot clock when core_open() was called, 0 if not told */
	int64_t now_ms;        /* wall clock, read once per batch */
	int64_t boot_ms;       /* boot clock, read once per batch */
	int64_t rev_before;    /* of leases, before this batch made the first; -1: none */
	struct value *sandbox; /* what is not enforced, for status; own arena */
	struct arena *sandbox_arena;
};

/** core_open(o, out, e): open (or create) the database, run migrations; sealed unless the
 * auto-unseal key opens it. */
int core_open(const struct core_options *o, struct core **out, struct err *e) MUST_CHECK;

/** core_close(c): seal, checkpoint, close; NULL is allowed. */
void core_close(struct core *c);

/** core_submit(c, peer, id, payload, n): queue the payload of an IPC_REQUEST (copied).
 * Anything malformed is answered (400) by the batch like any other request. ERR_BUSY when
 * the queue is full. */
int core_submit(struct core *c, uint64_t peer, uint64_t id, const void *payload, size_t n)
	MUST_CHECK;

/** core_cancel(c, peer, id): the client has gone: drop the queued or parked request. */
void core_cancel(struct core *c, uint64_t peer, uint64_t id);

/** core_rejected(c, address, reason, count): requests that net refused before core, to be
 * audited as an aggregate. */
void core_rejected(struct core *c, const char *address, const char *reason,
                   int64_t count);

/** core_signer(c, peer, v): a net has said who has signed a revocation list: the payload
 * of an IPC_SIGNER.  What nobody has asked this net for is passed over. */
void core_signer(struct core *c, uint64_t peer, const struct value *v);

/** core_queued(c): requests that wait for their turn. */
size_t core_queued(const struct core *c);

/** core_drop_peer(c, peer): a net process has gone with all its clients. */
void core_drop_peer(struct core *c, uint64_t peer);

/** core_hello(c, spki, accepted, reason): may a net with this server key (SHA-256 of its
 * SPKI, or NULL for plain HTTP) serve?  The first key is recorded; later ones must have
 * been announced. */
int core_hello(struct core *c, const unsigned char *spki, bool *accepted,
               const char **reason, struct err *e) MUST_CHECK;

/**
 * core_run_batch(c, e): run what is queued, then what is due.  ERR_OK also when nothing
 * was there.
 * Any error means that the outcome of the batch is unknown: no reply was sent, and the
 * process must end (exit status 70).
 */
int core_run_batch(struct core *c, struct err *e) MUST_CHECK;

/** core_wait_ms(c): how long the caller may sleep before the next core_run_batch(); 0 =
 * run again now, -1 = until a frame arrives. */
int64_t core_wait_ms(struct core *c);

/* For modules, inside a batch: */

/** core_in_batch(c): is one running, which will commit or be undone? */
bool core_in_batch(const struct core *c);

/** core_undo(c, fn, arg): run ${fn} if the current savepoint is rolled back.  Registered
 * after a mirror in memory was changed; run in reverse order. */
void core_undo(struct core *c, void (*fn)(void *arg), void *arg);

/** core_after_commit(c, fn, arg): run ${fn} after COMMIT and after all replies were
 * handed out; dropped with the savepoint. */
void core_after_commit(struct core *c, void (*fn)(void *arg), void *arg);

/** core_wake(c, kind, key): after COMMIT, run again the parked requests that wait for it
 * (a key of 16 bytes, zero-padded). */
enum wait_kind { WAIT_HOST = 1, WAIT_ATTEMPT, WAIT_JOB, WAIT_ARGON, WAIT_STEP, WAIT_CRL };
void core_wake(struct core *c, enum wait_kind kind, const unsigned char key[16]);

/** core_push_state(c): after COMMIT, tell net what health and seal-status answer now. */
void core_push_state(struct core *c);

/** core_push_trust(c, set): tell net which certificates vouch for TLS clients: the
 * payload of an IPC_TRUST (vault/ipc.h), copied.  After COMMIT: see
 * auth/cert_trust.h. */
void core_push_trust(struct core *c, const struct value *set);

/** core_unsealed(c, e) / core_seal_now(c): called by api_sys when the root key is there
 * (loads mirrors, chains the journal in) and to drop every key and mirror (after commit).
 */
int core_unsealed(struct core *c, struct err *e) MUST_CHECK;
void core_seal_now(struct core *c);

#endif
