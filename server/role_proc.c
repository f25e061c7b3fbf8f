/* SPDX-License-Identifier: Apache-2.0 */
#include "role_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vault/limits.h"

#define READY_MAX (512u * 1024)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

const char *role_name(enum role_kind kind)
{
	static const char *const names[] = {
		[ROLE_CORE] = "core",     [ROLE_NET_API] = "net",
		[ROLE_NET_HOSTS] = "net", [ROLE_ROTATE] = "rotate",
		[ROLE_TLSKEY] = "tlskey",
	};

	return names[kind];
}

/*
 * Net's libraries keep plaintext in buffers that nobody wipes; with these two every block
 * is overwritten when it is freed (the thread cache would leave small ones as they are).
 */
static char net_malloc[] =
	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=165";

static bool for_sanitizer(const char *var)
{
	return SANITIZED &&
	       (strncmp(var, "ASAN_", 5) == 0 || strncmp(var, "LSAN_", 5) == 0 ||
	        strncmp(var, "TSAN_", 5) == 0 || strncmp(var, "UBSAN_", 6) == 0);
}

/* Filled before fork(): afterwards only async-signal-safe calls are allowed. */
static void environment(enum role_kind kind, char *env[16])
{
	size_t n = 0;

	if (!SANITIZED && (kind == ROLE_NET_API || kind == ROLE_NET_HOSTS))
		env[n++] = net_malloc;
	for (size_t i = 0; environ[i] != NULL && n < 15; i++)
		if (for_sanitizer(environ[i]))
			env[n++] = environ[i];
	env[n] = NULL;
}

/* In the child: descriptors 0 and 1 empty, 2 kept, 3 the control socket, no others. */
static void become(enum role_kind kind, int control, char *env[])
{
	static char program[] = "vaultd", option[] = "--role";
	char role[8];
	char *argv[] = { program, option, role, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Core and rotate end by themselves, in good order, when the supervisor is gone.
	 */
	if (kind != ROLE_CORE && kind != ROLE_ROTATE)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(role); i++)
		role[i] = '\0';
	memcpy(role, role_name(kind), strlen(role_name(kind)));
	if (control == ROLE_CONTROL_FD)
		(void)fcntl(control, F_SETFD, 0);
	else if (dup2(control, ROLE_CONTROL_FD) < 0)
		_exit(127);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(127);
	(void)close_range(ROLE_CONTROL_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execve("/proc/self/exe", argv, env);
	_exit(127);
}

int role_spawn(struct role_proc *p, enum role_kind kind, struct err *e)
{
	const struct timeval patience = { ROLE_SEND_SECONDS, 0 };
	char *env[16];
	int pair[2];

	*p = (struct role_proc){ .kind = kind, .kill_at = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, ERR_IO, errno, "control socket");
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	environment(kind, env);
	p->pid = fork();
	if (p->pid == 0)
		become(kind, pair[1], env);
	close(pair[1]);
	p->control = p->pid > 0 ? frame_conn_new(pair[0], LIMIT_CONFIG_FILE) : NULL;
	if (p->control != NULL)
		return ERR_OK;
	close(pair[0]);
	if (p->pid < 0) {
		p->pid = 0;
		return err_sys(e, ERR_IO, errno, "fork");
	}
	role_kill(p);
	(void)role_reap(p);
	return err_set(e, ERR_NOMEM, "out of memory");
}

int role_send(struct role_proc *p, enum ipc_type type, const struct value *v, int fd,
              struct err *e)
{
	int sock, flags, rc;

	if (p->control == NULL)
		return err_set(e, ERR_UNREACHABLE, "%s has hung up", role_name(p->kind));
	sock = frame_conn_fd(p->control);
	flags = fcntl(sock, F_GETFL);
	(void)fcntl(sock, F_SETFL, flags & ~O_NONBLOCK);
	rc = frame_send_fd(sock, type, 0, v, fd, e);
	(void)fcntl(sock, F_SETFL, flags);
	if (rc == ERR_OK)
		return ERR_OK;
	role_kill(p);
	return err_wrap(e, "%s", role_name(p->kind));
}

static void note_failed(struct role_proc *p, const struct frame *f)
{
	AUTO_ARENA a = arena_new(16u * 1024);
	struct value *v;
	const char *text = NULL;
	struct err e;

	if (a != NULL && value_decode(a, f->payload, f->len, &v, &e) == ERR_OK)
		text = value_to_cstr(v, a);
	snprintf(p->failed, sizeof(p->failed), "%s",
	         text != NULL ? text : "no reason given");
}

static bool note_ready(struct role_proc *p, const struct frame *f)
{
	struct err e;
	void *copy;

	if (p->state != ROLE_STARTING)
		return false;
	p->ready_arena = arena_new(2 * READY_MAX);
	if (p->ready_arena == NULL)
		return false;
	copy = arena_dup(p->ready_arena, f->payload, f->len);
	if (copy == NULL ||
	    value_decode(p->ready_arena, copy, f->len, &p->ready, &e) != ERR_OK)
		return false;
	p->state = ROLE_READY;
	p->kill_at = -1;
	return true;
}

static void hang_up(struct role_proc *p)
{
	frame_conn_free(p->control);
	p->control = NULL;
	/* A role ends on its own soon after it closed its end; an honest one gets the
	 * time. */
	if (p->state != ROLE_DRAINING && p->failed[0] == '\0')
		role_kill(p);
}

bool role_receive(struct role_proc *p)
{
	bool became_ready = false;
	struct frame f;
	struct err e;
	int more;

	if (p->control == NULL)
		return false;
	if (frame_read(p->control, &e) != ERR_OK) {
		hang_up(p);
		return false;
	}
	while ((more = frame_next(p->control, &f, &e)) == 1) {
		if (f.type == IPC_FAILED)
			note_failed(p, &f);
		else if (f.type == IPC_READY && f.len <= READY_MAX)
			became_ready = note_ready(p, &f) || became_ready;
		else
			more = -1;
		if (more < 0)
			break;
	}
	if (more < 0 || frame_buffered(p->control) > READY_MAX)
		hang_up(p);
	return became_ready;
}

bool role_ended(const struct role_proc *p)
{
	siginfo_t si = { .si_pid = 0 };

	return p->pid > 0 &&
	       waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid != 0;
}

int role_reap(struct role_proc *p)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	p->pid = 0;
	return status;
}

void role_kill(const struct role_proc *p)
{
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

void role_forget(struct role_proc *p)
{
	frame_conn_free(p->control);
	arena_free(p->ready_arena);
	*p = (struct role_proc){ .kill_at = -1 };
}

void role_describe_end(int status, char *out, size_t cap)
{
	if (WIFSIGNALED(status))
		snprintf(out, cap, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(out, cap, "ended with status %d", WEXITSTATUS(status));
}
