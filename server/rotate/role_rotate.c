/* SPDX-License-Identifier: Apache-2.0 */
#include "role_rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "arena.h"
#include "call.h"
#include "clock.h"
#include "frame.h"
#include "log.h"
#include "sandbox.h"
#include "vault/limits.h"
#include "wire.h"

#define OUT_MAX   (LIMIT_STEPS * 3u * LIMIT_STEP_REPLY)
#define PATHS_MAX 128
#define FDS_MAX   (3 + CALLS_POLL_MAX)

struct role {
	int control, signals, children;
	struct arena *a; /* of the configuration */
	struct value *config;
	struct sandbox_report sandbox;
	struct frame_conn *core; /* NULL: not there */
	struct calls *calls;
	bool core_lost; /* does not take what it is sent */
	bool stop;
};

static int say(const struct role *ro, enum ipc_type type, const struct value *v,
               struct err *e)
{
	return frame_send_fd(ro->control, type, 0, v, -1, e);
}

/* ---- start ---- */

static int receive_config(struct role *ro, struct err *e)
{
	enum ipc_type type;
	int fd = -1, rc = frame_recv_fd(ro->control, ro->a, &type, &ro->config, &fd, e);

	if (rc != ERR_OK)
		return rc;
	if (fd >= 0)
		close(fd);
	if (type != IPC_CONFIG)
		return err_set(e, ERR_INVALID,
		               "the supervisor did not send a configuration");
	log_init("rotate", value_bool_or(ro->config, "log_json", false));
	(void)log_set_level(value_cstr_or(ro->a, ro->config, "log_level", "info"));
	return ERR_OK;
}

/* The directories of the configured rotators: a file that is replaced stays in its own.
 */
static void add_rotators(struct role *ro, const char **paths, size_t n)
{
	const struct value *list = value_get(ro->config, "rotators");

	for (const struct value *v = list != NULL ? list->first : NULL;
	     v != NULL && n < PATHS_MAX - 1; v = v->next) {
		char *path = arena_str(ro->a, value_cstr_or(ro->a, v, "path", ""));
		char *slash = path != NULL ? strrchr(path, '/') : NULL;

		if (slash == NULL || slash == path)
			continue;
		*slash = '\0';
		paths[n++] = path;
	}
	paths[n] = NULL;
}

/* What the operator has named, of ${key}. */
static void add_named(struct role *ro, const char *key, const char **paths, size_t n)
{
	const struct value *list = value_get(ro->config, key);

	for (const struct value *v = list != NULL ? list->first : NULL;
	     v != NULL && n < PATHS_MAX - 1; v = v->next)
		if ((paths[n] = value_to_cstr(v, ro->a)) != NULL)
			n++;
	paths[n] = NULL;
}

/* Programs with their libraries; what resolvers and TLS libraries read; a directory to
 * work in; of what the operator has, only what was named. */
static int enter_sandbox(struct role *ro, const char *work_dir, struct err *e)
{
	static const char *const programs[] = { "/usr",   "/bin",   "/sbin",  "/lib",
		                                "/lib32", "/lib64", "/libx32" };
	static const char *const texts[] = {
		"/etc/ld.so.cache",     "/etc/ld.so.conf", "/etc/ld.so.conf.d",
		"/etc/resolv.conf",     "/etc/hosts",      "/etc/host.conf",
		"/etc/nsswitch.conf",   "/etc/gai.conf",   "/etc/services",
		"/etc/protocols",       "/etc/passwd",     "/etc/group",
		"/etc/localtime",       "/etc/ssl/certs",  "/etc/ssl/openssl.cnf",
		"/etc/ca-certificates", "/etc/pki/tls",    "/etc/pki/ca-trust",
		"/etc/crypto-policies", "/etc/gnutls",     "/etc/alternatives",
		"/run/systemd/resolve", "/dev/random",     "/etc/ssl/cert.pem",
	};
	const char *exec[PATHS_MAX], *read[PATHS_MAX];
	const char *write[PATHS_MAX] = { work_dir };
	const struct value *user = value_get(ro->config, "user");
	const struct sandbox_options o = {
		.profile = SANDBOX_ROTATE,
		.rw_paths = write,
		.ro_paths = read,
		.exec_paths = exec,
		.require = value_bool_or(ro->config, "require_sandbox", false),
		.drop_user = user != NULL && user->type == V_OBJECT,
		.uid = (uid_t)value_int_or(user, "uid", 65534),
		.gid = (gid_t)value_int_or(user, "gid", 65534),
	};

	memcpy(exec, programs, sizeof(programs));
	memcpy(read, texts, sizeof(texts));
	add_rotators(ro, exec, ARRAY_LEN(programs));
	add_named(ro, "read", read, ARRAY_LEN(texts));
	add_named(ro, "write", write, 1);
	return sandbox_enter(&o, &ro->sandbox, e);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at)
{
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

static void on_answer(void *ctx, uint64_t id, const struct value *reply)
{
	struct role *ro = ctx;

	if (ro->core != NULL && frame_put(ro->core, IPC_STEP_REPLY, id, reply) != ERR_OK)
		ro->core_lost = true;
}

static int take_signals(struct role *ro, struct err *e)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };
	sigset_t set;

	/* The supervisor decides when this ends. */
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return err_sys(e, ERR_IO, errno, "signals");
	ro->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (ro->signals < 0)
		return err_sys(e, ERR_IO, errno, "signals");
	/* What a rotator leaves behind becomes our child. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	ro->children = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	return ERR_OK;
}

static int tell_ready(const struct role *ro, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct value *ready, *missing;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ready = value_object(a);
	missing = value_array(a);
	for (size_t i = 0; i < ro->sandbox.n; i++)
		value_add(missing, value_str(a, ro->sandbox.missing[i]));
	value_set(ready, "sandbox", missing);
	return say(ro, IPC_READY, ready, e);
}

static int start(struct role *ro, struct err *e)
{
	struct calls_options o = { .answer = on_answer, .ctx = ro };
	int rc;

	if ((rc = receive_config(ro, e)) != ERR_OK ||
	    (rc = take_signals(ro, e)) != ERR_OK)
		return rc;
	o.work_dir = value_cstr_or(ro->a, ro->config, "work_dir", NULL);
	o.trusted = (uid_t)value_int_or(ro->config, "trusted_uid", 0);
	o.rotators = value_get(ro->config, "rotators");
	if (o.work_dir == NULL)
		return err_set(e, ERR_INVALID, "the working directory is missing");
	if ((rc = enter_sandbox(ro, o.work_dir, e)) != ERR_OK)
		return rc;
	/* Of one that was killed. */
	(void)nftw(o.work_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	ro->calls = calls_new(&o);
	if (ro->calls == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	return tell_ready(ro, e);
}

/* ---- core ---- */

static void drop_core(struct role *ro)
{
	frame_conn_free(ro->core);
	ro->core = NULL;
	ro->core_lost = false;
	calls_abandon(ro->calls);
}

static void add_core(struct role *ro, int fd)
{
	if (ro->core != NULL)
		drop_core(ro);
	ro->core = frame_conn_new(fd, OUT_MAX);
	if (ro->core == NULL)
		close(fd);
}

static bool on_frame(struct role *ro, const struct frame *f)
{
	AUTO_ARENA a = arena_new(4096);
	bool running_too = false;
	struct value *v;
	struct err e;

	switch (f->type) {
	case IPC_STEP:
		if (f->len > 2 * LIMIT_STEP_REQUEST)
			return false;
		calls_add(ro->calls, f->id, f->payload, f->len);
		return true;
	case IPC_STEP_CANCEL:
		if (a == NULL || value_decode(a, f->payload, f->len, &v, &e) != ERR_OK ||
		    value_to_bool(v, &running_too) != 0)
			return false;
		calls_cancel(ro->calls, f->id, running_too);
		return true;
	default:
		return false;
	}
}

static void on_core(struct role *ro)
{
	struct frame f;
	struct err e;
	int more;

	if (frame_read(ro->core, &e) != ERR_OK) {
		drop_core(ro);
		return;
	}
	while ((more = frame_next(ro->core, &f, &e)) == 1)
		if (!on_frame(ro, &f))
			break;
	if (more != 0) {
		log_error("core broke the frame rules");
		drop_core(ro);
	}
}

static void on_control(struct role *ro)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	enum ipc_type type;
	struct value *v;
	struct err e;
	int fd = -1;

	if (a == NULL || frame_recv_fd(ro->control, a, &type, &v, &fd, &e) != ERR_OK) {
		ro->stop = true;
		return;
	}
	if (type == IPC_PEER && fd >= 0) {
		add_core(ro, fd);
		return;
	}
	if (type == IPC_DRAIN)
		ro->stop = true;
	else if (type == IPC_LOGLEVEL)
		(void)log_set_level(value_to_cstr(v, a));
	if (fd >= 0)
		close(fd);
}

/* ---- loop ---- */

static void on_signal(struct role *ro)
{
	struct signalfd_siginfo si;

	while (read(ro->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		continue;
	calls_reap(ro->calls, ro->children);
}

static int sleep_ms(const struct role *ro)
{
	int64_t next = calls_next_ms(ro->calls), wait;

	if (next < 0)
		return -1;
	wait = next - clock_boot(clock_system());
	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

static void flush(struct role *ro)
{
	struct err e;

	if (ro->core != NULL && (ro->core_lost || (frame_pending(ro->core) > 0 &&
	                                           frame_flush(ro->core, &e) != ERR_OK)))
		drop_core(ro);
}

static void one_pass(struct role *ro)
{
	struct pollfd fds[FDS_MAX];
	nfds_t n;

	fds[0] = (struct pollfd){ ro->control, POLLIN, 0 };
	fds[1] = (struct pollfd){ ro->signals, POLLIN, 0 };
	fds[2] = (struct pollfd){ -1, 0, 0 };
	if (ro->core != NULL)
		fds[2] = (struct pollfd){
			frame_conn_fd(ro->core),
			(short)(POLLIN | (frame_pending(ro->core) > 0 ? POLLOUT : 0)), 0
		};
	n = calls_poll(ro->calls, fds + 3);
	if (poll(fds, 3 + n, sleep_ms(ro)) > 0) {
		calls_ready(ro->calls, fds + 3, n);
		if (fds[1].revents != 0)
			on_signal(ro);
		if (fds[2].revents & (POLLIN | POLLHUP | POLLERR))
			on_core(ro);
		if (fds[0].revents != 0)
			on_control(ro);
	}
	calls_tick(ro->calls);
	flush(ro);
}

static int fail_start(const struct role *ro, const struct err *e)
{
	AUTO_ARENA a = arena_new(4096);
	struct err ignored;

	if (a != NULL)
		(void)say(ro, IPC_FAILED, value_str(a, e->msg), &ignored);
	return errclasses[e->code].exit_status;
}

/* Nobody is left who could send anything: only ends are waited for. */
static void end_all(struct role *ro)
{
	drop_core(ro);
	while (calls_running(ro->calls) > 0) {
		struct pollfd fds[1 + CALLS_POLL_MAX];
		nfds_t n = calls_poll(ro->calls, fds + 1);

		fds[0] = (struct pollfd){ ro->signals, POLLIN, 0 };
		if (poll(fds, 1 + n, sleep_ms(ro)) > 0) {
			calls_ready(ro->calls, fds + 1, n);
			on_signal(ro);
		}
		calls_tick(ro->calls);
	}
	calls_reap(ro->calls, ro->children);
}

int rotate_role_main(int control_fd)
{
	struct role ro = { .control = control_fd, .signals = -1, .children = -1 };
	struct err e = { 0 };

	log_init("rotate", false);
	sandbox_early(&ro.sandbox);
	wire_init();
	ro.a = arena_new(1024u * 1024);
	if (sodium_init() < 0 || ro.a == NULL)
		return 1;
	if (start(&ro, &e) != ERR_OK)
		return fail_start(&ro, &e);
	while (!ro.stop)
		one_pass(&ro);
	end_all(&ro);
	calls_free(ro.calls);
	arena_free(ro.a);
	return 0;
}
