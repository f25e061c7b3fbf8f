/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ZONE_H
#define SERVER_CORE_ZONE_H
/*
 * zone - the time zones that are in use, by name, from the system's files.
 *
 * A zone is read when it is first asked for and stays; zones_refresh() reads those again
 * whose file has changed, in place, so that whoever holds a pointer sees the new rules.
 * "UTC" needs no file.  Nothing here touches the process's own idea of local time.  Where
 * files come from is a seam: tests and the simulator bring their own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "zone_rule.h"

#define ZONE_DIR         "/usr/share/zoneinfo"
#define ZONE_NAME_MAX    63u
#define ZONE_VERSION_MAX 31u
#define ZONE_OFFSET_MAX  (26 * 3600) /* of any zone's offset */

struct zones;
struct zone;

/* Tells two states of a file apart. */
struct zone_stamp {
	int64_t mtime_ns, size;
	uint64_t inode;
};

struct zone_source {
	/* The first ${cap} bytes of the file of that name (it was checked: no way out of
	 * the directory), and its stamp.  ERR_NOENT: there is none. */
	int (*read)(const void *ctx, const char *name, void *buf, size_t cap, size_t *len,
	            struct zone_stamp *stamp, struct err *e);
	/* The stamp alone; false: there is no such file now. */
	bool (*stamp)(const void *ctx, const char *name, struct zone_stamp *out);
	const void *ctx;
};

/** zone_source_at(dir): the files below ${dir}, which is borrowed. */
struct zone_source zone_source_at(const char *dir);
/** zone_source_system(): ZONE_DIR; a static object. */
const struct zone_source *zone_source_system(void);

/** zones_new(source): none is read yet; NULL if out of memory.  ${source} (NULL: the
 * system's) is borrowed. */
struct zones *zones_new(const struct zone_source *source);
/** zones_free(z): and every zone with it; NULL is allowed. */
void zones_free(struct zones *z);
/**
 * zones_find(z, name, n, out, e): the zone of that name, which lives as long as ${z}.
 * ERR_INVALID: no such name or no proper file; the message quotes the name.
 */
int zones_find(struct zones *z, const char *name, size_t n, const struct zone **out,
               struct err *e) MUST_CHECK;
/** zones_refresh(z): look at each file that is in use; true if one has changed: compute
 * what was computed with zones again.  A file that cannot be read leaves the old rules.
 */
bool zones_refresh(struct zones *z);
/** zones_used(z): has any been read? */
bool zones_used(const struct zones *z);
/** zones_version(z): of the system's time zone data ("2025b"), "" if it does not say.
 * Read anew by zones_refresh(). */
const char *zones_version(const struct zones *z);

/** zone_name(z): NULL is UTC, here and below. */
const char *zone_name(const struct zone *z);
/** zone_span(z, t, out): the stretch around ${t} (seconds UTC): begin <= t < end. */
void zone_span(const struct zone *z, int64_t t, struct zone_span *out);
/** zone_local(z, t): what the clock on the wall shows, in local seconds (civil.h). */
int64_t zone_local(const struct zone *z, int64_t t);
/**
 * zone_first(z, local): the first instant at which the clock shows ${local} or later: of
 * a time that comes twice the first, for a time that is left out the end of the gap.
 */
int64_t zone_first(const struct zone *z, int64_t local);

#define ZONE_TEXT_MAX 64
/** zone_text(z, t, buf): "2026-03-29 03:00:00 +0200 CEST". */
void zone_text(const struct zone *z, int64_t t, char buf[ZONE_TEXT_MAX]);

#endif
