/* SPDX-License-Identifier: Apache-2.0 */
/* Which releases have opened a vault. */
#include "core_rig.h"

#include "server/core/loop/batch.h"
#include "server/core/sys/version_history.h"
#include "vault/version.h"

TestSuite(version_history, .init = rig_start, .fini = rig_stop, .timeout = 60);

static int note(struct core *c, void *version, struct err *e)
{
	return version_history_note(c, version, "2030-01-01T00:00:00Z", e);
}

static void opened_by(const char *version)
{
	char text[32];
	struct err e = { 0 };

	snprintf(text, sizeof(text), "%s", version);
	rig_advance(61 * 1000);
	cr_assert_eq(batch_alone(rig.core, note, text, &e), ERR_OK, "%s", e.msg);
}

Test(version_history, a_release_is_noted_when_it_comes_first)
{
	int64_t first = rig.wall;
	char want[200];

	ASK(200, HTTP_LIST, "sys/version-history", NULL);
	GOT("data.keys", "[" VAULT_VERSION "]");
	opened_by("9.8.7");
	opened_by(VAULT_VERSION);
	opened_by("9.9.0");
	opened_by("9.8.7");
	ASK(200, HTTP_LIST, "sys/version-history", NULL);
	GOT("data.keys", "[" VAULT_VERSION ",9.8.7,9.9.0]");
	cr_assert_eq(value_get(value_get(rig.body, "data"), "key_info")->len, 3);
	cr_assert_gt(rig.wall, first);
	for (const struct value *v =
	             value_get(value_get(rig.body, "data"), "key_info")->first;
	     v != NULL; v = v->next) {
		const char *before = v->key_len == 5 && memcmp(v->key, "9.8.7", 5) == 0
		                             ? VAULT_VERSION
		                             : "9.8.7";

		snprintf(want, sizeof(want), "%s", before);
		if (value_get(v, "previous_version")->type == V_NULL)
			cr_assert_eq(memcmp(v->key, VAULT_VERSION, v->key_len), 0);
		else
			cr_assert(value_is_str(value_get(v, "previous_version"), want));
		cr_assert_eq(value_get(v, "timestamp_installed")->len, 20,
		             "whole seconds");
	}
	ASK(405, HTTP_GET, "sys/version-history", NULL);
}
