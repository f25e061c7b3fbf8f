/* SPDX-License-Identifier: Apache-2.0 */
/* The signed head of the audit log names the stored state. */
#include "core_rig.h"

#include "note.h"
#include "server/core/audit/audit.h"
#include "server/core/loop/batch.h"
#include "server/core/storage/store.h"

TestSuite(audit_bind, .init = rig_start, .fini = rig_stop, .timeout = 60);

static const char *state_line(void)
{
	const char *note = audit_checkpoint(rig.core, rig.a);
	size_t n = 0;
	const char *line = note_checkpoint_line(note, strlen(note), "state ", &n);

	cr_assert_not_null(line, "%s", note);
	return arena_dup(rig.a, line, n);
}

/* As a timer does: a row changes, and nobody asked for it. */
static int change_row(struct core *c, void *arg, struct err *e)
{
	struct store_object o = { .kind = KIND_SETTING, .id = { 1 }, .id_len = 1 };

	(void)arg;
	o.body = value_object(rig.a);
	return store_put(c, &o, e);
}

Test(audit_bind, a_request_that_changes_no_row_repeats_the_line)
{
	const char *before = state_line();
	int64_t size = audit_size(rig.core);

	ASK(200, HTTP_GET, "sys/mounts", NULL);
	cr_assert_eq(audit_size(rig.core), size + 1);
	cr_assert_str_eq(state_line(), before);
	ASK(200, HTTP_POST, "secret/data/x", "{\"data\":{\"k\":1}}");
	cr_assert_str_neq(state_line(), before);
}

Test(audit_bind, a_change_without_a_record_is_signed_too)
{
	const char *before = state_line();
	int64_t size = audit_size(rig.core);
	struct err e = { 0 };

	cr_assert_eq(batch_alone(rig.core, change_row, NULL, &e), ERR_OK, "%s", e.msg);
	cr_assert_eq(audit_size(rig.core), size);
	cr_assert_str_neq(state_line(), before);
	rig_reopen();
}
