/* SPDX-License-Identifier: Apache-2.0 */
/* What a parked request keeps of what came in. */
#include "core_rig.h"

#include <poll.h>

#include "pwhash.h"

#define JUNK ((size_t)900 * 1024)

static void setup(void)
{
	rig.pw_thread = true;
	rig_start();
	ASK(204, HTTP_POST, "sys/auth/userpass", "{\"type\":\"userpass\"}");
}

TestSuite(park, .init = setup, .fini = rig_stop, .timeout = 120);

/* A body of known fields, and one of JUNK bytes that no row knows. */
static const char *with_junk(const char *fields)
{
	static char text[JUNK + 256];
	int n = snprintf(text, sizeof(text), "{%s,\"junk\":\"", fields);

	memset(text + n, 'x', JUNK);
	memcpy(text + (size_t)n + JUNK, "\"}", 3);
	return text;
}

static void wait_for(int replies)
{
	while (rig.replies < replies) {
		struct pollfd p = { .fd = pwhash_fd(rig.core), .events = POLLIN };

		cr_assert_gt(poll(&p, 1, 60000), 0, "the thread does not answer");
		pwhash_wake(rig.core);
		rig_run();
	}
}

Test(park, a_large_body_is_read_again_by_its_fields)
{
	int before = rig.replies;

	rig_submit(HTTP_POST, "auth/userpass/users/ann", rig.root,
	           with_junk("\"password\":\"right\",\"token_ttl\":\"7m\""));
	rig_run();
	cr_assert_eq(rig.replies, before, "it waits for the password's hash");
	wait_for(before + 1);
	cr_assert_eq(rig.status, 204, "%s", rig_got(""));
	ASK(200, HTTP_GET, "auth/userpass/users/ann", NULL);
	GOT("data.token_ttl", "420");
	before = rig.replies;
	rig_submit(HTTP_POST, "auth/userpass/login/ann", NULL,
	           with_junk("\"password\":\"right\""));
	rig_run();
	wait_for(before + 1);
	cr_assert_eq(rig.status, 200, "%s", rig_got(""));
	GOT("warnings.0", "Endpoint ignored these unrecognized parameters: [junk]");
}

Test(park, one_that_goes_while_parked_leaves_nothing)
{
	int before = rig.replies;

	rig_submit(HTTP_POST, "auth/userpass/users/ann", rig.root,
	           with_junk("\"password\":\"right\""));
	rig_run();
	core_cancel(rig.core, 1, rig.next_id);
	for (int i = 0; i < 10; i++)
		rig_run();
	cr_assert_eq(rig.replies, before);
	ASK(404, HTTP_GET, "auth/userpass/users/ann", NULL);
}

static void login_as_ann(int status)
{
	int before = rig.replies;

	rig_submit(HTTP_POST, "auth/userpass/login/ann", NULL,
	           "{\"password\":\"right\"}");
	rig_run();
	wait_for(before + 1);
	cr_assert_eq(rig.status, status, "%d %s", rig.status, rig_got(""));
}

static void write_ann(void)
{
	int before = rig.replies;

	rig_submit(HTTP_POST, "auth/userpass/users/ann", rig.root,
	           "{\"password\":\"right\"}");
	rig_run();
	wait_for(before + 1);
	cr_assert_eq(rig.status, 204, "%s", rig_got(""));
}

/* Else a few who ask and do not wait for the answer keep all others out. */
Test(park, a_password_that_nobody_waits_for_takes_no_room)
{
	write_ann();
	for (int i = 0; i < 12; i++) {
		rig_submit(HTTP_POST, "auth/userpass/login/nobody", NULL,
		           "{\"password\":\"wrong\"}");
		rig_run();
		core_cancel(rig.core, 1, rig.next_id);
	}
	login_as_ann(200);
}

Test(park, a_password_of_a_mount_that_has_gone_takes_no_room)
{
	int before;

	write_ann();
	for (int k = 0; k < 3; k++) {
		ASK(204, HTTP_POST, "sys/auth/other", "{\"type\":\"userpass\"}");
		before = rig.replies;
		for (int i = 0; i < 3; i++)
			rig_submit(HTTP_POST, "auth/other/login/nobody", NULL,
			           "{\"password\":\"wrong\"}");
		rig_run();
		cr_assert_eq(rig.replies, before);
		ASK(204, HTTP_DELETE, "sys/auth/other", NULL);
		wait_for(before + 4);
	}
	login_as_ann(200);
}
