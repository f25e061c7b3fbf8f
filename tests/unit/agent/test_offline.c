/* SPDX-License-Identifier: Apache-2.0 */
/* How long files may stay, and when the vault was heard. */
#include "rig.h"

#include "agent/contact.h"
#include "agent/offline.h"

TestSuite(offline, .init = rig_open, .fini = rig_close, .timeout = 20);

static struct settings_binding keep = { .max_stale_ms = 1000 };

Test(offline, keeps_what_has_no_end)
{
	const struct offline_state st = { .lost = true, .heard = 5 };

	cr_assert_eq(offline_end(&keep, &st), OFFLINE_NEVER);
}

Test(offline, waits_after_the_end_of_a_lease_as_the_binding_says)
{
	const struct offline_state st = { .leased = true, .expires = -200 };
	struct settings_binding strict = keep;

	strict.on_expiry = EXPIRY_WIPE;
	cr_assert_eq(offline_end(&keep, &st), 800);
	cr_assert_eq(offline_end(&strict, &st), -200);
}

Test(offline, has_patience_with_silence_as_the_binding_says)
{
	struct settings_binding b = keep;
	struct offline_state st = { .leased = true, .expires = 9000, .heard = 7000 };

	b.on_disconnect = DISCONNECT_WIPE;
	b.wipe_after_ms = 500;
	cr_assert_eq(offline_end(&b, &st), 10000, "the vault is there");
	st.lost = true;
	cr_assert_eq(offline_end(&b, &st), 7500);
	st.expires = 1000;
	cr_assert_eq(offline_end(&b, &st), 2000, "whichever is first");
	b.on_disconnect = DISCONNECT_KEEP;
	st.leased = false;
	cr_assert_eq(offline_end(&b, &st), OFFLINE_NEVER);
}

Test(offline, remembers_in_one_boot_when_the_vault_was_heard)
{
	AUTO_CLOSE int dir = open(rig_dir, O_RDONLY | O_DIRECTORY);
	struct contact c;

	contact_open(&c, dir, "boot-1", 1000);
	cr_assert_eq(c.at, 1000);
	contact_heard(&c, 1000 + CONTACT_SAVE_MS - 1);
	contact_open(&c, dir, "boot-1", 900000);
	cr_assert_eq(c.at, 1000, "not written each time");
	contact_heard(&c, 900000);
	contact_open(&c, dir, "boot-1", 950000);
	cr_assert_eq(c.at, 900000);
	contact_open(&c, dir, "boot-1", 800000);
	cr_assert_eq(c.at, 800000, "not in the future");
	contact_open(&c, dir, "boot-2", 3000);
	cr_assert_eq(c.at, 3000, "another boot has another clock");
	contact_open(&c, -1, "boot-2", 4000);
	cr_assert_eq(c.at, 4000, "nothing hangs on it");
	contact_heard(&c, 5000000);
	contact_open(&c, dir, "boot-2", 6000000);
	cr_assert_eq(c.at, 3000);
}
