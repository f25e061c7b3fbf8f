/* SPDX-License-Identifier: Apache-2.0 */
#include "crashvfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crashdisk.h"

#define JULIAN_OFFSET_MS 210866760000000ll

struct crashvfs {
	sqlite3_vfs vfs;
	char name[64];
	struct disk *disk;
	long events, crash_at;
	bool crashed;
	/* recording and replay */
	bool recording;
	struct disk *base, *replay;
	struct disk_op *log;
	size_t log_n, log_cap;
	long replayed;
	/* faults */
	unsigned classes;
	long countdown, fired;
	enum crash_fault fault;
	bool persistent;
	bool lie;
	int64_t now_ms;
	uint64_t random;
};

struct crash_file {
	sqlite3_file base;
	struct crashvfs *v;
	int inode;
	bool is_wal;
	bool new_name; /* its first sync has to sync the directory too */
	char *remove;  /* delete on close */
};

static int error_of(unsigned class, enum crash_fault fault)
{
	switch (class) {
	case CRASHVFS_OPEN:
		return SQLITE_CANTOPEN;
	case CRASHVFS_READ:
		return SQLITE_IOERR_READ;
	case CRASHVFS_WRITE:
		return fault == CRASHVFS_ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	case CRASHVFS_SYNC:
		return SQLITE_IOERR_FSYNC;
	case CRASHVFS_TRUNCATE:
		return SQLITE_IOERR_TRUNCATE;
	case CRASHVFS_DELETE:
		return SQLITE_IOERR_DELETE;
	default:
		return SQLITE_IOERR_FSTAT;
	}
}

/* Does this call fail?  Then *rc says how. */
static bool fails(struct crashvfs *v, unsigned class, int *rc)
{
	bool hit = false;

	if ((v->classes & class) != 0 && v->countdown > 0) {
		hit = v->countdown == 1;
		if (v->countdown > 1 || !v->persistent)
			v->countdown--;
	}
	if (hit)
		v->fired++;
	*rc = error_of(class, v->fault);
	return hit || v->crashed;
}

/* Carry out a change, unless this is where power fails. */
static int change(struct crashvfs *v, struct disk_op *op, unsigned class)
{
	if (v->crash_at >= 0 && v->events >= v->crash_at)
		v->crashed = true;
	if (v->crashed)
		return error_of(class, CRASHVFS_EIO);
	disk_apply(v->disk, op);
	v->events++;
	if (!v->recording)
		return SQLITE_OK;
	if (v->log_n == v->log_cap) {
		v->log_cap = v->log_cap > 0 ? v->log_cap * 2 : 1024;
		v->log = realloc(v->log, v->log_cap * sizeof(*v->log));
		if (v->log == NULL)
			abort();
	}
	v->log[v->log_n++] = disk_op_copy(op);
	return SQLITE_OK;
}

/* ---- files ---- */

static struct crash_file *file_of(sqlite3_file *f)
{
	return (struct crash_file *)(void *)f;
}

static int delete_name(struct crashvfs *v, char *name, bool directory)
{
	struct disk_op op = { .type = DISK_DELETE, .name = name, .directory = directory };

	return change(v, &op, CRASHVFS_DELETE);
}

static int file_close(sqlite3_file *base)
{
	struct crash_file *f = file_of(base);

	if (f->remove != NULL) {
		(void)delete_name(f->v, f->remove, false);
		free(f->remove);
	}
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *out, int n, sqlite3_int64 at)
{
	struct crash_file *f = file_of(base);
	const unsigned char *p;
	size_t len, have;
	int rc;

	if (fails(f->v, CRASHVFS_READ, &rc))
		return rc;
	p = disk_bytes(f->v->disk, f->inode, &len);
	have = (size_t)at < len ? len - (size_t)at : 0;
	if (have > (size_t)n)
		have = (size_t)n;
	if (have > 0)
		memcpy(out, p + at, have);
	if (have == (size_t)n)
		return SQLITE_OK;
	memset((unsigned char *)out + have, 0, (size_t)n - have);
	return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *p, int n, sqlite3_int64 at)
{
	struct crash_file *f = file_of(base);
	struct disk_op op = {
		.type = DISK_WRITE, .inode = f->inode, .at = at, .n = (size_t)n
	};
	int rc;

	if (fails(f->v, CRASHVFS_WRITE, &rc))
		return rc;
	op.data = (unsigned char *)(uintptr_t)p;
	return change(f->v, &op, CRASHVFS_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct crash_file *f = file_of(base);
	struct disk_op op = { .type = DISK_TRUNCATE, .inode = f->inode, .at = size };
	int rc;

	if (fails(f->v, CRASHVFS_TRUNCATE, &rc))
		return rc;
	return change(f->v, &op, CRASHVFS_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct crash_file *f = file_of(base);
	struct disk_op op = { .type = DISK_SYNC,
		              .inode = f->inode,
		              .directory = f->new_name };
	int rc;

	(void)flags;
	if (f->v->lie && f->is_wal)
		return SQLITE_OK;
	op.failed = fails(f->v, CRASHVFS_SYNC, &rc);
	if (op.failed) {
		(void)change(f->v, &op, CRASHVFS_SYNC);
		return rc;
	}
	f->new_name = false;
	return change(f->v, &op, CRASHVFS_SYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct crash_file *f = file_of(base);
	size_t n;
	int rc;

	if (fails(f->v, CRASHVFS_SIZE, &rc))
		return rc;
	(void)disk_bytes(f->v->disk, f->inode, &n);
	*size = (sqlite3_int64)n;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	(void)base;
	(void)level;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *base, int *out)
{
	(void)base;
	*out = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
	(void)base;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
	(void)base;
	return 4096;
}

static int file_device(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: no shared memory, so the write-ahead log needs exclusive locking, as we use.
 */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
};

/* ---- the file system ---- */

static struct crashvfs *vfs_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *out)
{
	struct crashvfs *v = vfs_of(vfs);
	struct crash_file *f = file_of(base);
	char temporary[32];
	int rc;

	memset(f, 0, sizeof(*f));
	if (fails(v, CRASHVFS_OPEN, &rc))
		return rc;
	if (name == NULL) {
		snprintf(temporary, sizeof(temporary), "temporary-%d",
		         disk_next_inode(v->disk));
		name = temporary;
	}
	f->v = v;
	f->inode = disk_find(v->disk, name);
	f->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
	if (f->inode < 0) {
		struct disk_op op = { .type = DISK_CREATE,
			              .inode = disk_next_inode(v->disk) };

		if ((flags & SQLITE_OPEN_CREATE) == 0)
			return SQLITE_CANTOPEN;
		op.name = (char *)(uintptr_t)name;
		if ((rc = change(v, &op, CRASHVFS_OPEN)) != SQLITE_OK)
			return rc;
		f->inode = op.inode;
		f->new_name = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL |
		                        SQLITE_OPEN_SUPER_JOURNAL)) != 0;
	}
	if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0)
		f->remove = strdup(name);
	f->base.pMethods = &methods;
	if (out != NULL)
		*out = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int directory)
{
	struct crashvfs *v = vfs_of(vfs);
	int rc;

	if (fails(v, CRASHVFS_DELETE, &rc))
		return rc;
	if (disk_find(v->disk, name) < 0)
		return SQLITE_IOERR_DELETE_NOENT;
	return delete_name(v, (char *)(uintptr_t)name, directory != 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)flags;
	*out = disk_find(vfs_of(vfs)->disk, name) >= 0;
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)n, "%s", name);
	return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	struct crashvfs *v = vfs_of(vfs);

	for (int i = 0; i < n; i++) {
		v->random = v->random * 6364136223846793005u + 1442695040888963407u;
		out[i] = (char)(v->random >> 56);
	}
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	*out = vfs_of(vfs)->now_ms + JULIAN_OFFSET_MS;
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
	*out = (double)(vfs_of(vfs)->now_ms + JULIAN_OFFSET_MS) / 86400000.0;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	(void)n;
	(void)out;
	return 0;
}

struct crashvfs *crashvfs_new(const char *name)
{
	struct crashvfs *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->disk = disk_new();
	v->crash_at = -1;
	v->random = 1;
	v->now_ms = 1700000000000;
	v->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct crash_file),
		.mxPathname = 1024,
		.zName = v->name,
		.pAppData = v,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
		.xCurrentTimeInt64 = vfs_time64,
	};
	if (v->disk == NULL || sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
		disk_free(v->disk);
		free(v);
		return NULL;
	}
	return v;
}

static void forget_recording(struct crashvfs *v)
{
	for (size_t i = 0; i < v->log_n; i++)
		disk_op_free(&v->log[i]);
	free(v->log);
	disk_free(v->base);
	disk_free(v->replay);
	v->log = NULL;
	v->log_n = v->log_cap = 0;
	v->base = v->replay = NULL;
	v->recording = false;
}

void crashvfs_free(struct crashvfs *v)
{
	if (v == NULL)
		return;
	sqlite3_vfs_unregister(&v->vfs);
	forget_recording(v);
	disk_free(v->disk);
	free(v);
}

long crashvfs_events(const struct crashvfs *v)
{
	return v->base != NULL ? (long)v->log_n : v->events;
}

void crashvfs_crash_at(struct crashvfs *v, long event)
{
	v->crash_at = event;
}

bool crashvfs_crashed(const struct crashvfs *v)
{
	return v->crashed;
}

static void use_disk(struct crashvfs *v, struct disk *d)
{
	disk_free(v->disk);
	v->disk = d;
	v->events = 0;
	v->crash_at = -1;
	v->crashed = false;
	crashvfs_fail(v, 0, 0, CRASHVFS_EIO, false);
}

void crashvfs_reboot(struct crashvfs *v, enum crash_model model, uint64_t seed)
{
	use_disk(v, disk_survivor(v->disk, model, seed));
}

void crashvfs_record(struct crashvfs *v)
{
	forget_recording(v);
	v->base = disk_survivor(v->disk, CRASH_KEEP_ALL, 0);
	/* Open files count inodes of the disk as it was: the recording starts on a closed
	 * one. */
	use_disk(v, disk_survivor(v->base, CRASH_KEEP_ALL, 0));
	v->recording = true;
}

void crashvfs_rebuild(struct crashvfs *v, long event, enum crash_model model,
                      uint64_t seed)
{
	v->recording = false;
	if (v->replay == NULL || event < v->replayed) {
		disk_free(v->replay);
		v->replay = disk_survivor(v->base, CRASH_KEEP_ALL, 0);
		v->replayed = 0;
	}
	for (; v->replayed < event && v->replayed < (long)v->log_n; v->replayed++)
		disk_apply(v->replay, &v->log[v->replayed]);
	use_disk(v, disk_survivor(v->replay, model, seed));
}

void crashvfs_fail(struct crashvfs *v, unsigned classes, long nth, enum crash_fault fault,
                   bool persistent)
{
	v->classes = classes;
	v->countdown = nth;
	v->fault = fault;
	v->persistent = persistent;
	v->fired = 0;
}

long crashvfs_fired(const struct crashvfs *v)
{
	return v->fired;
}

void crashvfs_lie(struct crashvfs *v, bool on)
{
	v->lie = on;
}

void crashvfs_set_ms(struct crashvfs *v, int64_t ms)
{
	v->now_ms = ms;
}

unsigned char *crashvfs_file(struct crashvfs *v, const char *name, size_t *n)
{
	int inode = disk_find(v->disk, name);

	return inode >= 0 ? disk_bytes(v->disk, inode, n) : NULL;
}
