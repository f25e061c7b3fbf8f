/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_step - what comes from a rotator: its reply as rotate reads it, and the frame that
 * core reads.  What rotate takes for a reply core takes for one, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/step/step_impl.h"
#include "server/rotate/scrub.h"
#include "server/rotate/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_frame(struct arena *a, const void *p, size_t n, bool is_reply)
{
	struct step_result r;

	step_result_read(a, p, n, &r);
	if (r.reason == NULL || r.message == NULL ||
	    (is_reply && r.outcome != STEP_REPLY) ||
	    (r.outcome == STEP_REPLY && r.status == STEP_ERROR &&
	     r.class == STEP_CLASS_NONE))
		abort();
}

static void read_reply(struct arena *a, const uint8_t *data, size_t size)
{
	struct value *said = NULL, *frame;
	struct scrub s = { 0 };
	unsigned char *p;
	struct err e;
	size_t n = 0;

	if (wire_reply(a, (const char *)data, size, &said, &e) != ERR_OK)
		return;
	scrub_add_tree(&s, a, value_get(said, "fields"));
	frame = value_object(a);
	value_set_str(a, frame, "outcome", "reply");
	for (struct value *m = said->first, *next; m != NULL; m = next) {
		next = m->next;
		value_setn(frame, m->key, m->key_len, m);
	}
	p = value_pack(a, frame, &n);
	if (!arena_failed(a))
		read_frame(a, p, n, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64u << 20);

	read_frame(a, data, size, false);
	if (size <= LIMIT_STEP_REPLY)
		read_reply(a, data, size);
	arena_free(a);
	return 0;
}
