/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox_impl.h"

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

static bool reported(const struct sandbox_report *r, const char *what)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->missing[i], what) == 0)
			return true;
	return false;
}

static void missing(struct sandbox_report *r, const char *what)
{
	if (r->n < SANDBOX_MISSING_MAX && !reported(r, what))
		r->missing[r->n++] = what;
}

void sandbox_early(struct sandbox_report *report)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		missing(report, "no-core");
	/* LeakSanitizer traces its own process, which needs it to be dumpable. */
	if (SANDBOX_SANITIZED || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		missing(report, "dumpable");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		missing(report, "no-new-privs");
}

/* Are user and group really what was asked for, with no way back? */
static bool user_is(uid_t uid, gid_t gid)
{
	uid_t r, ef, s;
	gid_t rg, eg, sg;

	return getresuid(&r, &ef, &s) == 0 && r == uid && ef == uid && s == uid &&
	       getresgid(&rg, &eg, &sg) == 0 && rg == gid && eg == gid && sg == gid &&
	       getgroups(0, NULL) == 0 && setresuid(0, 0, 0) != 0;
}

/* The agent gives files to their owners and its hook process becomes other users: they
 * stay root on purpose. */
static bool stays_root(const struct sandbox_options *o)
{
	return o->profile == SANDBOX_AGENT || o->profile == SANDBOX_HOOK;
}

static void drop_user(const struct sandbox_options *o, struct sandbox_report *r)
{
	if (geteuid() != 0)
		return;
	if (!o->drop_user) {
		if (!stays_root(o))
			missing(r, "user");
		return;
	}
	if (setgroups(0, NULL) != 0 || setresgid(o->gid, o->gid, o->gid) != 0 ||
	    setresuid(o->uid, o->uid, o->uid) != 0 || !user_is(o->uid, o->gid))
		missing(r, "user");
}

static int set_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], want[2] = { 0 };

	if (syscall(SYS_capget, &head, now) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		want[i].permitted = want[i].effective = now[i].permitted &
		                                        (uint32_t)(keep >> (32 * i));
	return (int)syscall(SYS_capset, &head, want);
}

/* First the bounding set (that needs CAP_SETPCAP); the rest once the user is dropped. */
static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			return errno == EINVAL ? 0 : -1;
		if (has == 1 && (keep & CAPS_BIT(cap)) == 0 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return -1;
	}
	return 0;
}

static void drop_privileges(const struct sandbox_options *o, struct sandbox_report *r)
{
	uint64_t keep = stays_root(o) ? o->caps : 0;

	if (geteuid() == 0 && drop_bounding(keep) != 0)
		missing(r, "capabilities");
	drop_user(o, r);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (set_caps(keep) != 0)
		missing(r, "capabilities");
	/* A change of user resets these two. */
	if (!SANDBOX_SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		missing(r, "dumpable");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		missing(r, "no-new-privs");
}

static int enter_filters(const struct sandbox_options *o, struct sandbox_report *r,
                         struct err *e)
{
	bool net_denied = false;
	/* What configured programs need is anywhere. */
	bool files = o->profile != SANDBOX_HOOK;
	int rc = !files              ? ERR_OK
	         : SANDBOX_SANITIZED ? ERR_UNKNOWN
	                             : sandbox_landlock(o, &net_denied, e);

	if (rc != ERR_OK && rc != ERR_UNKNOWN)
		return rc;
	if (rc == ERR_UNKNOWN)
		missing(r, "landlock");
	if (o->start_threads != NULL)
		o->start_threads(o->ctx);
	if (!SANDBOX_SANITIZED && sandbox_seccomp(o->profile) == 0)
		return ERR_OK;
	/* Without seccomp only a new Landlock keeps these roles from connecting. */
	missing(r, "seccomp");
	if (!net_denied && !stays_root(o) && o->profile != SANDBOX_ROTATE)
		missing(r, "network");
	return ERR_OK;
}

int sandbox_enter(const struct sandbox_options *o, struct sandbox_report *report,
                  struct err *e)
{
	int rc;

	drop_privileges(o, report);
	if ((rc = enter_filters(o, report, e)) != ERR_OK)
		return rc;
	if (o->require && report->n > 0)
		return err_set(e, ERR_DENIED,
		               "the sandbox is incomplete ('%s' is missing) and "
		               "--require-sandbox was given",
		               report->missing[0]);
	return ERR_OK;
}
