/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CRASHVFS_H
#define TESTS_CRASHVFS_H
/*
 * crashvfs - a disk in memory, as an SQLite VFS, that can lose power and fail.
 *
 * It knows what is only written, what is synced, and which directory entries are; every
 * change is an event with a number.  Two ways to use it:
 *   live:    crashvfs_crash_at(v, n), run until calls fail, close everything,
 * crashvfs_reboot() replay:  crashvfs_record(v), run, then crashvfs_rebuild(v, n, …) for
 * every n up to crashvfs_events(v): the disk as it would be had power failed before event
 * n Deterministic: same calls and same seed, same bytes.  A failed sync loses what it was
 * to make durable, as on Linux: a later sync that succeeds does not bring it back. As the
 * Unix VFS does, the first sync of a new journal or log syncs its directory too. One
 * process, one thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crashvfs;

enum crash_model {
	CRASH_KEEP_ALL,    /* every write is kept: the process was killed */
	CRASH_SYNCED_ONLY, /* only what was synced, and synced directory entries */
	CRASH_RANDOM, /* random 512-byte sectors of unsynced writes, a random prefix of
	               * unsynced directory changes */
};

/* Classes of calls, for faults. */
#define CRASHVFS_OPEN     1u
#define CRASHVFS_READ     2u
#define CRASHVFS_WRITE    4u
#define CRASHVFS_SYNC     8u
#define CRASHVFS_TRUNCATE 16u
#define CRASHVFS_DELETE   32u
#define CRASHVFS_SIZE     64u
#define CRASHVFS_ANY      127u

enum crash_fault { CRASHVFS_EIO, CRASHVFS_ENOSPC };

/** crashvfs_new(name): an empty disk, registered with SQLite under ${name}; NULL if out
 * of memory. */
struct crashvfs *crashvfs_new(const char *name);
/** crashvfs_free(v): unregister and free; no database may be open on it. */
void crashvfs_free(struct crashvfs *v);

/** crashvfs_events(v): changes so far (in replay: since crashvfs_record()). */
long crashvfs_events(const struct crashvfs *v);
/** crashvfs_crash_at(v, event): power fails before the change with that number; -1:
 * never. */
void crashvfs_crash_at(struct crashvfs *v, long event);
/** crashvfs_crashed(v): has it failed?  Every call returns an I/O error since. */
bool crashvfs_crashed(const struct crashvfs *v);
/** crashvfs_reboot(v, model, seed): the disk becomes what survives now; events start at
 * 0. */
void crashvfs_reboot(struct crashvfs *v, enum crash_model model, uint64_t seed);

/** crashvfs_record(v): remember what is there and every change from now on. */
void crashvfs_record(struct crashvfs *v);
/** crashvfs_rebuild(v, event, model, seed): end the recording; the disk becomes what
 * survives a crash before the recorded change ${event}. */
void crashvfs_rebuild(struct crashvfs *v, long event, enum crash_model model,
                      uint64_t seed);

/** crashvfs_fail(v, classes, nth, fault, persistent): the ${nth} (from 1) call of those
 * classes fails; ${persistent}: all later ones too.  nth 0 ends it. */
void crashvfs_fail(struct crashvfs *v, unsigned classes, long nth, enum crash_fault fault,
                   bool persistent);
/** crashvfs_fired(v): how many calls have failed that way since. */
long crashvfs_fired(const struct crashvfs *v);

/** crashvfs_lie(v, on): syncs of the write-ahead log succeed without effect: what
 * synchronous=NORMAL would amount to.  Proves that a test notices. */
void crashvfs_lie(struct crashvfs *v, bool on);
/** crashvfs_set_ms(v, ms): what the disk's clock says (since 1970). */
void crashvfs_set_ms(struct crashvfs *v, int64_t ms);

/** crashvfs_read(v, name, n): the current bytes of a file, borrowed; NULL if it does not
 * exist. */
unsigned char *crashvfs_file(struct crashvfs *v, const char *name, size_t *n);

#endif
