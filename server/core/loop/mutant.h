/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_MUTANT_H
#define SERVER_CORE_MUTANT_H
/*
 * mutant - deliberate faults, compiled into the simulator's own build alone, that prove
 * that its oracles bite.  In every other build MUTANT() is the constant 0.
 */
enum mutant {
	MUTANT_NONE,
	MUTANT_SYNC_NORMAL,      /* commits are not synced */
	MUTANT_EARLY_REPLY,      /* replies leave before COMMIT */
	MUTANT_NO_CAS,           /* check-and-set is not checked */
	MUTANT_STALE_MIRROR,     /* mirrors keep what a rollback undid */
	MUTANT_REVOKED_IN_BATCH, /* a token lives on in the batch that revokes it */
	MUTANT_READ_UNAUDITED,   /* reads leave no record */
	MUTANT_AUDIT_TWICE,      /* writes leave two */
	MUTANT_USES_UNCOUNTED,   /* num_uses is not decremented */
	MUTANT_IGNORED_COMMIT,   /* an error of COMMIT counts as success */
	MUTANT_DELETED_READABLE, /* deleted versions are served */
	MUTANT_POLICY_IGNORED,   /* every token may everything */
	MUTANT_EXPIRED_LIVES,    /* tokens outlive their expiry */
	MUTANT_JOIN_REUSABLE,    /* a join token works again */
	MUTANT_TREE_NOT_REWOUND, /* the Merkle tree keeps a record that was rolled back */
	MUTANT_MIRROR_KEEPS,     /* a row that was deleted lives on in the mirror */
	MUTANT_MIRROR_EAGER,     /* the mirror takes in what is not committed yet */
	MUTANT_WRAP_REUSABLE,    /* a wrapped reply is given out again */
	/* of rotations */
	MUTANT_GENERATES_AGAIN, /* a rotation makes another value when the first may be
	                           set */
	MUTANT_UNTESTED,        /* a value is published that nobody has tried */
	MUTANT_RETIRES_EARLY,   /* the old value is revoked while holders use it */
	MUTANT_VALUE_LOST,    /* the values are forgotten when the new one is published */
	MUTANT_UNKNOWN_FAILS, /* a call without an answer counts as one that did nothing
	                       */
	MUTANT_PROBE_GUESSED, /* a probe that learns nothing says that nothing works */
	MUTANT_NO_LOGIN_BUDGET, /* a target is tried for ever */
	MUTANT_TWO_CLAIMS,      /* a rotation begins while another is under way */
	MUTANT_UNRECORDED,      /* transitions leave no record */
	MUTANT_OVERWRITES,      /* what was written by hand is overwritten */
	MUTANT__COUNT
};

#ifdef VAULT_MUTANTS
extern enum mutant vault_mutant;
#define MUTANT(m) (vault_mutant == (m))
#else
#define MUTANT(m) 0
#endif

#endif
