/* SPDX-License-Identifier: Apache-2.0 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "sandbox_impl.h"

/*
 * Allow-lists by name, so that one table serves every architecture: a name that an
 * architecture does not have is skipped.  Anything else gets EPERM.
 *
 * SANDBOX_ROTATE and SANDBOX_HOOK are the exceptions: what other people's programs need
 * cannot be known, so they have a list of what none of them may do.
 */
enum group {
	G_BASE = 1 << 0,    /* memory, time, own signals, inherited descriptors */
	G_LOOP = 1 << 1,    /* epoll and friends */
	G_FILES = 1 << 2,   /* files and directories, as far as Landlock lets through */
	G_SOCKETS = 1 << 3, /* use of inherited sockets */
	G_SERVE = 1 << 4,   /* accepting */
	G_AGENT = 1 << 5,   /* new sockets, owners, the end of a child */
	G_AT = 1 << 6,      /* reading a file that is shared with others */
};

static const unsigned groups_of[] = {
	[SANDBOX_CORE] = G_BASE | G_LOOP | G_FILES | G_SOCKETS,
	[SANDBOX_NET] = G_BASE | G_LOOP | G_SOCKETS | G_SERVE,
	[SANDBOX_AGENT] = G_BASE | G_LOOP | G_FILES | G_SOCKETS | G_SERVE | G_AGENT,
	[SANDBOX_WORKER] = G_BASE,
	[SANDBOX_SCAN] = G_BASE | G_AT,
	[SANDBOX_ROTATE] = 0,
	[SANDBOX_HOOK] = 0,
};

struct row {
	unsigned group;
	const char *names; /* separated by blanks */
};

/* clang-format off */
static const struct row allowed[] = {
	{ G_BASE, "read write readv writev close fstat fstat64 lseek _llseek "
	          "munmap mremap brk madvise mlock mlock2 munlock "
	          "futex futex_time64 restart_syscall exit exit_group "
	          "clock_gettime clock_gettime64 clock_getres gettimeofday time "
	          "clock_nanosleep clock_nanosleep_time64 nanosleep "
	          "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn sigaltstack "
	          "getpid gettid getppid getuid geteuid getgid getegid "
	          "getrandom sched_yield sched_getaffinity getcpu getrusage times sysinfo uname "
	          "fcntl fcntl64 poll ppoll ppoll_time64 sendmsg recvmsg sendto recvfrom shutdown "
	          "set_robust_list rseq" },
	{ G_LOOP, "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
	          "eventfd2 timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime "
	          "signalfd4 pipe2 dup dup3 dup2 select pselect6 "
	          "getrlimit ugetrlimit" },
	{ G_FILES, "open openat access faccessat faccessat2 stat lstat stat64 lstat64 "
	           "newfstatat fstatat64 statx statfs fstatfs statfs64 fstatfs64 "
	           "pread64 pwrite64 preadv pwritev fsync fdatasync sync_file_range "
	           "ftruncate ftruncate64 fallocate flock "
	           "unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir "
	           "link linkat getdents64 getcwd readlink readlinkat "
	           "chmod fchmod fchmodat fchown fchown32 utimensat umask" },
	{ G_SOCKETS, "getsockname getpeername getsockopt setsockopt sendmmsg recvmmsg" },
	{ G_SERVE, "accept accept4 newfstatat fstatat64 statx" },
	{ G_AGENT, "socket socketpair connect bind listen "
	           "chown lchown fchownat symlink symlinkat chdir fchdir sync syncfs "
	           "inotify_init1 inotify_add_watch inotify_rm_watch "
	           "wait4 waitid getpgid getpgrp getgroups getresuid getresgid "
	           "membarrier getpriority getxattr fgetxattr lgetxattr pipe" },
	{ G_AT, "pread64" },
};
/* clang-format on */

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *names)
{
	while (*names != '\0') {
		char name[32];
		size_t n = strcspn(names, " ");
		int nr;

		if (n >= sizeof(name))
			return -1;
		memcpy(name, names, n);
		name[n] = '\0';
		names += n + strspn(names + n, " ");
		nr = seccomp_syscall_resolve_name(name);
		if (nr >= 0 && seccomp_rule_add(ctx, action, nr, 0) != 0)
			return -1;
	}
	return 0;
}

static int add_if(scmp_filter_ctx ctx, const char *name, struct scmp_arg_cmp when)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &when);
}

/* No memory becomes code, limits and names are our own only, signals go to ourselves. */
static int add_checked(scmp_filter_ctx ctx)
{
	static const int ioctls[] = { TCGETS, FIONREAD, FIONBIO };
	scmp_datum_t self = (scmp_datum_t)getpid();
	int rc = 0;

	rc |= add_if(ctx, "mmap", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= add_if(ctx, "mmap2", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= add_if(ctx, "mprotect", SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= add_if(ctx, "prlimit64", SCMP_A0_64(SCMP_CMP_EQ, 0));
	rc |= add_if(ctx, "tgkill", SCMP_A0_64(SCMP_CMP_EQ, self));
	rc |= add_if(ctx, "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME));
	rc |= add_if(ctx, "prctl", SCMP_A0_64(SCMP_CMP_EQ, PR_GET_DUMPABLE));
	for (size_t i = 0; i < ARRAY_LEN(ioctls); i++)
		rc |= add_if(ctx, "ioctl",
		             SCMP_A1_32(SCMP_CMP_EQ, (scmp_datum_t)ioctls[i]));
	return rc;
}

/* Names are found by libraries that are loaded when they are needed, in threads; code is
 * never written to. */
static int add_agent(scmp_filter_ctx ctx)
{
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;

	/* openat2 is openat that stays below a directory: for templates' files. */
	return add_if(ctx, "clone",
	              SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)) |
	       add_names(ctx, SCMP_ACT_ALLOW, "openat2") |
	       add_if(ctx, "mmap", SCMP_A2_64(SCMP_CMP_MASKED_EQ, both, PROT_EXEC)) |
	       add_if(ctx, "mmap2", SCMP_A2_64(SCMP_CMP_MASKED_EQ, both, PROT_EXEC)) |
	       add_if(ctx, "ioctl", SCMP_A1_32(SCMP_CMP_EQ, SIOCGIFINDEX));
}

static int add_profile(scmp_filter_ctx ctx, enum sandbox_profile profile)
{
	const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

	switch (profile) {
	case SANDBOX_CORE: /* one helper thread; never a process */
		return add_if(ctx, "clone",
		              SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	case SANDBOX_NET:
		return add_if(ctx, "openat",
		              SCMP_A2_64(SCMP_CMP_MASKED_EQ, writing, O_RDONLY)) |
		       add_if(ctx, "open",
		              SCMP_A1_64(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	case SANDBOX_AGENT:
		return add_agent(ctx);
	case SANDBOX_WORKER:
	case SANDBOX_SCAN:
	case SANDBOX_ROTATE:
	case SANDBOX_HOOK:
		break;
	}
	return 0;
}

static int fill(scmp_filter_ctx ctx, enum sandbox_profile profile)
{
	unsigned groups = groups_of[profile];

	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if ((allowed[i].group & groups) != 0 &&
		    add_names(ctx, SCMP_ACT_ALLOW, allowed[i].names) != 0)
			return -1;
	if (add_profile(ctx, profile) != 0)
		return -1;
	/* glibc asks for these first and falls back when it hears ENOSYS. */
	if (add_names(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3 memfd_secret close_range") !=
	            0 ||
	    (profile != SANDBOX_AGENT &&
	     add_names(ctx, SCMP_ACT_ERRNO(ENOSYS), "openat2") != 0) ||
	    add_names(ctx, SCMP_ACT_KILL_PROCESS,
	              "execve execveat ptrace process_vm_readv "
	              "process_vm_writev") != 0)
		return -1;
	return add_checked(ctx);
}

/* Other processes' memory, name spaces, the kernel itself, its newest corners. */
static const char denied[] =
	"ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise "
	"mount umount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig "
	"fsmount fspick mount_setattr unshare setns "
	"open_by_handle_at name_to_handle_at quotactl quotactl_fd swapon swapoff acct "
	"reboot kexec_load kexec_file_load init_module finit_module delete_module "
	"bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
	"add_key request_key keyctl fanotify_init syslog personality vhangup "
	"iopl ioperm modify_ldt settimeofday clock_settime clock_adjtime adjtimex stime "
	"sethostname setdomainname mknod mknodat nfsservctl lookup_dcookie uselib";

static int fill_denied(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	const uint32_t no = SCMP_ACT_ERRNO(EPERM);
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID |
	                            CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
	                            CLONE_NEWCGROUP;
	int rc = add_names(ctx, no, denied), from = 0;

	/* clone3's flags cannot be looked at: glibc falls back to clone. */
	rc |= add_names(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3");
	for (int bit = 0; bit < 32; bit++)
		if (spaces >> bit & 1)
			rc |= seccomp_rule_add(ctx, no, SCMP_SYS(clone), 1,
			                       SCMP_A0_64(SCMP_CMP_MASKED_EQ,
			                                  (scmp_datum_t)1 << bit,
			                                  (scmp_datum_t)1 << bit));
	rc |= seccomp_rule_add(ctx, no, SCMP_SYS(ioctl), 1,
	                       SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		for (; from < families[i]; from++)
			rc |= seccomp_rule_add(
				ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				SCMP_A0_32(SCMP_CMP_EQ, (scmp_datum_t)from));
		from = families[i] + 1;
	}
	return rc | seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
	                             1, SCMP_A0_32(SCMP_CMP_GE, (scmp_datum_t)from));
}

int sandbox_seccomp(enum sandbox_profile profile)
{
	bool listed = profile != SANDBOX_ROTATE && profile != SANDBOX_HOOK;
	scmp_filter_ctx ctx = seccomp_init(listed ? SCMP_ACT_ERRNO(EPERM)
	                                          : SCMP_ACT_ALLOW);
	int rc = -1;

	if (ctx == NULL)
		return -1;
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	    /* Its helper threads are there already. */
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, profile == SANDBOX_SCAN) == 0 &&
	    (listed ? fill(ctx, profile) : fill_denied(ctx)) == 0)
		rc = seccomp_load(ctx) == 0 ? 0 : -1;
	seccomp_release(ctx);
	return rc;
}
