/* SPDX-License-Identifier: Apache-2.0 */
#include "offline.h"

int64_t offline_end(const struct settings_binding *b, const struct offline_state *st)
{
	int64_t end = OFFLINE_NEVER, patience;

	if (st->leased) {
		patience = b->on_expiry == EXPIRY_WIPE ? 0 : b->max_stale_ms;
		end = st->expires + patience;
	}
	if (st->lost && b->on_disconnect == DISCONNECT_WIPE &&
	    st->heard + b->wipe_after_ms < end)
		end = st->heard + b->wipe_after_ms;
	return end;
}
