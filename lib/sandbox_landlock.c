/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox_impl.h"

/*
 * The kernel's headers may be older than the kernel: what this file needs beyond ABI 1 is
 * spelled out here.  The size of struct ruleset tells the kernel which members we know.
 */
#define FS_ALL_ABI1         ((UINT64_C(1) << 13) - 1)
#define FS_REFER            (UINT64_C(1) << 13) /* ABI 2 */
#define FS_TRUNCATE         (UINT64_C(1) << 14) /* ABI 3 */
#define FS_IOCTL_DEV        (UINT64_C(1) << 15) /* ABI 5 */
#define NET_BIND_TCP        (UINT64_C(1) << 0)  /* ABI 4 */
#define NET_CONNECT_TCP     (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0) /* ABI 6 */
#define SCOPE_SIGNAL        (UINT64_C(1) << 1)

#define FS_READ    ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define FS_EXECUTE ((uint64_t)LANDLOCK_ACCESS_FS_EXECUTE)
#define FS_NEVER                                                                    \
	((uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK) | \
	 FS_IOCTL_DEV)
#define FS_ON_FILES                                                   \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE)

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;             /* ABI 6 */
};

static uint64_t fs_rights(long abi)
{
	uint64_t rights = FS_ALL_ABI1;

	if (abi >= 2)
		rights |= FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV;
	return rights;
}

static int make_ruleset(const struct sandbox_options *o, long abi)
{
	struct ruleset r = { .handled_access_fs = fs_rights(abi) };
	size_t size = abi >= 6   ? sizeof(r)
	              : abi >= 4 ? offsetof(struct ruleset, scoped)
	                         : offsetof(struct ruleset, handled_access_net);

	if (o->profile == SANDBOX_ROTATE)
		r.handled_access_net = abi >= 4 ? NET_BIND_TCP : 0;
	else if (o->profile != SANDBOX_AGENT)
		r.handled_access_net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0;
	if (o->profile != SANDBOX_AGENT)
		r.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
	return (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
}

/* 0; ERR_NOENT: no such path; anything else went wrong in the kernel. */
static int allow_path(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ERR_NOENT;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_ON_FILES;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule,
	               0) == 0
	               ? ERR_OK
	               : ERR_UNKNOWN;
}

static int allow_all(int ruleset, const char *const *paths, uint64_t rights,
                     bool must_exist, struct err *e)
{
	int rc;

	for (; paths != NULL && *paths != NULL; paths++) {
		rc = allow_path(ruleset, *paths, rights);
		if (rc == ERR_NOENT && must_exist)
			return err_sys(e, ERR_NOENT, errno, "%s", *paths);
		if (rc == ERR_UNKNOWN)
			return rc;
	}
	return ERR_OK;
}

static int allow_paths(int ruleset, const struct sandbox_options *o, long abi,
                       struct err *e)
{
	/* SQLite seeds its temporary names from here. */
	static const char *const devices[] = { "/dev/urandom", NULL };
	static const char *const null_device[] = { "/dev/null", NULL };
	bool starts = o->profile == SANDBOX_AGENT || o->profile == SANDBOX_ROTATE;
	uint64_t writing = fs_rights(abi) & ~(FS_NEVER | FS_EXECUTE);
	int rc;

	if ((rc = allow_all(ruleset, o->rw_paths, writing, true, e)) != ERR_OK ||
	    (rc = allow_all(ruleset, o->ro_paths, FS_READ, false, e)) != ERR_OK ||
	    (rc = allow_all(ruleset, o->exec_paths, FS_READ | FS_EXECUTE, false, e)) !=
	            ERR_OK)
		return rc;
	if (starts && (rc = allow_all(ruleset, null_device, writing, false, e)) != ERR_OK)
		return rc;
	if (starts || o->profile == SANDBOX_CORE)
		rc = allow_all(ruleset, devices, FS_READ, false, e);
	return rc;
}

int sandbox_landlock(const struct sandbox_options *o, bool *net_denied, struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	                   LANDLOCK_CREATE_RULESET_VERSION);
	AUTO_CLOSE int ruleset = -1;
	int rc;

	if (abi < 1)
		return ERR_UNKNOWN;
	ruleset = make_ruleset(o, abi);
	if (ruleset < 0)
		return ERR_UNKNOWN;
	if ((rc = allow_paths(ruleset, o, abi, e)) != ERR_OK)
		return rc;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return ERR_UNKNOWN;
	*net_denied = abi >= 4 && o->profile != SANDBOX_AGENT &&
	              o->profile != SANDBOX_ROTATE;
	return ERR_OK;
}
