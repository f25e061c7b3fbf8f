/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <sodium.h>

int64_t schedule_next(const struct schedule *s, int64_t last, int64_t now)
{
	int64_t after = last > now ? last : now, k;

	if (s->every_ms <= 0)
		return 0;
	k = after < s->anchor_ms ? 1 : (after - s->anchor_ms) / s->every_ms + 1;
	if (k > (INT64_MAX - s->anchor_ms) / s->every_ms)
		return 0;
	return s->anchor_ms + k * s->every_ms;
}

int64_t schedule_moment(const struct schedule *s, int64_t slot)
{
	unsigned char msg[8], hash[crypto_shorthash_BYTES];
	uint64_t n = 0;

	if (s->jitter_ms <= 0)
		return slot;
	for (int i = 0; i < 8; i++)
		msg[i] = (unsigned char)((uint64_t)slot >> (56 - 8 * i));
	crypto_shorthash(hash, msg, sizeof(msg), s->seed);
	for (int i = 0; i < 8; i++)
		n = n << 8 | hash[i];
	return slot + (int64_t)(n % ((uint64_t)s->jitter_ms + 1));
}
