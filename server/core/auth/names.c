/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "listing.h"
#include "mounts.h"

int names_reply(struct req *r, enum store_kind kind)
{
	const struct listing_of of = {
		.kind = kind,
		.parent = r->mount->id,
		.parent_len = MOUNT_ID,
		.member = "name",
	};

	return listing_reply(r, &of);
}
