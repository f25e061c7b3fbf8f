/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "duration.h"
#include "mounts.h"
#include "token_impl.h"

static void warn(char warning[TOKEN_WARNING_MAX], const char *what, const char *value,
                 int64_t was_ms, int64_t max_ms)
{
	char was[DURATION_TEXT_MAX], max[DURATION_TEXT_MAX];

	duration_format(was_ms, was);
	duration_format(max_ms - max_ms % 1000, max);
	snprintf(
		warning, TOKEN_WARNING_MAX,
		"%s of \"%s\" exceeded the effective max_ttl of \"%s\"; %s value is capped "
		"accordingly",
		what, was, max, value);
}

static int64_t max_of(const struct token_terms *t)
{
	int64_t cap = t->max_ms > 0 ? t->max_ms : TOKEN_TTL_MAX_MS;

	return t->role_max_ms > 0 && t->role_max_ms < cap ? t->role_max_ms : cap;
}

/* How long it may live from now on: a periodic token by its explicit maximum alone. */
static bool limit_of(const struct token_terms *t, int64_t *left)
{
	int64_t cap = max_of(t);

	if (t->explicit_max_ms > 0 && (t->period_ms > 0 || t->explicit_max_ms < cap))
		cap = t->explicit_max_ms;
	else if (t->period_ms > 0)
		return false;
	*left = cap - (t->now_ms - t->issued_ms);
	return true;
}

int token_ttl(const struct token_terms *t, int64_t *ttl_ms,
              char warning[TOKEN_WARNING_MAX], struct err *e)
{
	int64_t base = t->default_ms > 0 ? t->default_ms : TOKEN_TTL_MAX_MS;
	int64_t ttl = t->asked_ms > 0 ? t->asked_ms : base;
	int64_t left = 0, max = max_of(t);

	warning[0] = '\0';
	if (t->period_ms > 0) {
		ttl = t->period_ms;
		if (ttl > max) {
			warn(warning, "period", "period", ttl, max);
			ttl = max;
		}
	}
	if (limit_of(t, &left)) {
		if (left <= 0)
			return err_set(e, ERR_INVALID, "past the max TTL, cannot renew");
		if (ttl > left) {
			if (t->asked_ms > 0 || t->period_ms > 0)
				warn(warning, "TTL", "TTL", ttl, left);
			ttl = left;
		}
	}
	*ttl_ms = ttl;
	return ERR_OK;
}

void token_terms_of_mount(const struct mount *m, struct token_terms *t)
{
	t->default_ms = mount_default_ttl(m);
	t->max_ms = mount_max_ttl(m);
}
