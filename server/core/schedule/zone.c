/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "civil.h"
#include "log.h"
#include "tzif.h"

struct zone {
	struct zone *next;
	char name[ZONE_NAME_MAX + 1];
	struct tzif *tzif;
	struct zone_stamp stamp;
};

struct zones {
	const struct zone_source *source;
	struct zone *first;
	char version[ZONE_VERSION_MAX + 1];
	unsigned char buf[TZIF_MAX + 1];
};

/* ---- the version of the data ---- */

static bool version_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

static bool read_version(struct zones *z, const char *file, const char *before)
{
	size_t len = 0, skip = strlen(before), n = 0;
	struct zone_stamp stamp;
	struct err e;

	if (z->source->read(z->source->ctx, file, z->buf, 128, &len, &stamp, &e) !=
	            ERR_OK ||
	    len < skip || memcmp(z->buf, before, skip) != 0)
		return false;
	while (skip + n < len && n < ZONE_VERSION_MAX && version_char(z->buf[skip + n]))
		n++;
	memcpy(z->version, z->buf + skip, n);
	z->version[n] = '\0';
	return n > 0;
}

static void find_version(struct zones *z)
{
	z->version[0] = '\0';
	if (!read_version(z, "tzdata.zi", "# version "))
		(void)read_version(z, "+VERSION", "");
}

const char *zones_version(const struct zones *z)
{
	return z->version;
}

/* ---- which there are ---- */

struct zones *zones_new(const struct zone_source *source)
{
	struct zones *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return NULL;
	z->source = source != NULL ? source : zone_source_system();
	find_version(z);
	return z;
}

void zones_free(struct zones *z)
{
	struct zone *next;

	if (z == NULL)
		return;
	for (struct zone *p = z->first; p != NULL; p = next) {
		next = p->next;
		tzif_free(p->tzif);
		free(p);
	}
	free(z);
}

static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '_' || c == '+' || c == '-';
}

/* Words of letters, digits, _, + and - with single slashes between: never a way up. */
static bool name_ok(const char *s, size_t n)
{
	bool word = false;

	if (n > ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '/' ? !word : !name_char(s[i]))
			return false;
		word = s[i] != '/';
	}
	return word;
}

static int load(struct zones *z, const char *name, struct tzif **out,
                struct zone_stamp *stamp, struct err *e)
{
	size_t len = 0;
	int rc = z->source->read(z->source->ctx, name, z->buf, sizeof(z->buf), &len,
	                         stamp, e);

	return rc == ERR_OK ? tzif_read(z->buf, len, out, e) : rc;
}

static int unknown(struct err *e, const char *name, size_t n)
{
	return err_set(e, ERR_INVALID,
	               "\"%.*s\" is no time zone of this system (see " ZONE_DIR ")",
	               (int)(n > ZONE_NAME_MAX ? ZONE_NAME_MAX : n), name);
}

static int add(struct zones *z, const char *name, size_t n, const struct zone **out,
               struct err *e)
{
	struct zone *p = calloc(1, sizeof(*p));
	struct err why = { 0 };
	int rc;

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	memcpy(p->name, name, n);
	rc = load(z, p->name, &p->tzif, &p->stamp, &why);
	if (rc == ERR_OK) {
		p->next = z->first;
		z->first = p;
		*out = p;
		return ERR_OK;
	}
	free(p);
	if (rc == ERR_NOENT)
		return unknown(e, name, n);
	if (rc == ERR_NOMEM)
		return err_set(e, ERR_NOMEM, "out of memory");
	return err_set(e, ERR_INVALID, "\"%.*s\": %s", (int)n, name, why.msg);
}

int zones_find(struct zones *z, const char *name, size_t n, const struct zone **out,
               struct err *e)
{
	*out = NULL;
	if (n == 3 && memcmp(name, "UTC", 3) == 0)
		return ERR_OK;
	if (!name_ok(name, n))
		return unknown(e, name, n);
	for (const struct zone *p = z->first; p != NULL; p = p->next) {
		if (strlen(p->name) != n || memcmp(p->name, name, n) != 0)
			continue;
		*out = p;
		return ERR_OK;
	}
	return add(z, name, n, out, e);
}

static bool same_stamp(const struct zone_stamp *x, const struct zone_stamp *y)
{
	return x->mtime_ns == y->mtime_ns && x->size == y->size && x->inode == y->inode;
}

static bool refresh(struct zones *z, struct zone *p)
{
	struct zone_stamp stamp;
	struct tzif *tzif;
	struct err e;

	if (!z->source->stamp(z->source->ctx, p->name, &stamp) ||
	    same_stamp(&stamp, &p->stamp))
		return false;
	if (load(z, p->name, &tzif, &stamp, &e) != ERR_OK) {
		log_warn(
			"a time zone's file has changed and cannot be read: its old rules "
			"stay",
			LOG_S("zone", p->name), LOG_S("cause", e.msg));
		p->stamp = stamp;
		return false;
	}
	tzif_free(p->tzif);
	p->tzif = tzif;
	p->stamp = stamp;
	return true;
}

bool zones_refresh(struct zones *z)
{
	bool changed = false;

	for (struct zone *p = z->first; p != NULL; p = p->next)
		changed |= refresh(z, p);
	if (changed)
		find_version(z);
	return changed;
}

bool zones_used(const struct zones *z)
{
	return z->first != NULL;
}

/* ---- one zone ---- */

const char *zone_name(const struct zone *z)
{
	return z != NULL ? z->name : "UTC";
}

void zone_span(const struct zone *z, int64_t t, struct zone_span *out)
{
	if (z != NULL)
		tzif_span(z->tzif, t, out);
	else
		*out = (struct zone_span){ INT64_MIN, INT64_MAX, 0, false, "UTC" };
}

int64_t zone_local(const struct zone *z, int64_t t)
{
	struct zone_span span;

	zone_span(z, t, &span);
	return t + span.offset;
}

int64_t zone_first(const struct zone *z, int64_t local)
{
	struct zone_span span;
	int64_t at = local - ZONE_OFFSET_MAX;

	for (;;) {
		zone_span(z, at, &span);
		if (span.end == INT64_MAX || span.end + span.offset > local)
			break;
		at = span.end;
	}
	return at > local - span.offset ? at : local - span.offset;
}

void zone_text(const struct zone *z, int64_t t, char buf[ZONE_TEXT_MAX])
{
	struct zone_span span;
	struct civil d;
	int64_t local, day;
	int second, minutes;

	zone_span(z, t, &span);
	local = t + span.offset;
	day = civil_floor(local, CIVIL_DAY);
	second = (int)(local - day * CIVIL_DAY);
	minutes = abs(span.offset) / 60;
	d = civil_date(day);
	(void)snprintf(buf, ZONE_TEXT_MAX, "%04d-%02d-%02d %02d:%02d:%02d %c%02d%02d %s",
	               d.year, d.month, d.day, second / 3600, second / 60 % 60,
	               second % 60, span.offset < 0 ? '-' : '+', minutes / 60,
	               minutes % 60, span.abbr);
}
