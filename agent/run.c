/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "deliver/files.h"
#include "deliver/tmpfs.h"
#include "hook/hook.h"
#include "identity.h"
#include "join.h"
#include "log.h"
#include "plan.h"
#include "session.h"
#include "status.h"
#include "template/template.h"
#include "witness.h"

#define READABLE_ARENA (8u * 1024 * 1024)

/* Everything that has to be given back, in the order in which it is acquired. */
struct agent {
	struct settings *s;
	const struct settings_source *from;
	struct hook *hook; /* or NULL */
	struct sandbox_report *report;
	struct identity *id;
	struct witness witness;
	struct floor floor;
	int run_fd;
	struct tmpfs_info tmpfs;
	struct uses *uses;
	struct grants grants;
	struct plan_input want;
	struct plan *plan;
	struct files *files;
	struct status_server *status;
	int signal_fd;
	struct session *session;
};

static int open_identity(struct agent *g, struct err *e)
{
	int rc;

	if ((g->id = identity_new()) == NULL)
		return err_set(e, ERR_NOMEM, "out of key memory");
	if ((rc = identity_load(g->s->state_dir, g->id, e)) != ERR_OK ||
	    (rc = join_finish(g->s->state_dir, g->id, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < g->s->pin_set.n; i++)
		if (!pins_add_raw(&g->id->pins, g->s->pin_set.pin[i]))
			log_warn("there are more pins than fit", LOG_N("most", PINS_MAX));
	if ((rc = floor_open(&g->floor, g->s->state_dir, e)) != ERR_OK)
		return rc;
	return witness_open(&g->witness, g->s->state_dir, g->id->audit_key, e);
}

static const struct render_engine templates = { template_parse, template_run };
static const struct render_engine *const engine = &templates;

/* What templates of a former run named is in the files' notes, so the plan is made
 * twice. */
static int plan_again(struct agent *g, struct err *e)
{
	struct plan *next;
	int rc;

	files_learn(g->files);
	if (!uses_changed(g->uses))
		return ERR_OK;
	if ((rc = plan_build(&g->want, &next, e)) != ERR_OK ||
	    (rc = files_replan(g->files, next, e)) != ERR_OK)
		return rc;
	plan_free(g->plan);
	g->plan = next;
	(void)uses_changed(g->uses);
	return ERR_OK;
}

/* What cannot be read is granted again. */
static void open_grants(struct agent *g)
{
	struct err e = { 0 };

	if (g->s->docker.socket != NULL && g->s->docker.labels &&
	    grants_open(&g->grants, g->s->state_dir, &e) != ERR_OK)
		log_warn("which bindings were granted is not known", LOG_S("why", e.msg));
}

static int open_files(struct agent *g, struct err *e)
{
	const struct tmpfs_options o = {
		.dir = g->s->run_dir,
		.mode = (enum tmpfs_mode)g->s->tmpfs,
		.allow_disk = g->s->allow_disk,
		.size = g->s->tmpfs_size,
	};
	struct files_options f = { .settings = g->s,
		                   .digest_key = g->id->digest_key,
		                   .engine = engine };
	int rc;

	if ((g->uses = uses_new()) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	f.uses = g->uses;
	open_grants(g);
	g->want = (struct plan_input){ .settings = g->s,
		                       .grants = g->grants.at,
		                       .n_grants = g->grants.n,
		                       .uses = g->uses,
		                       .engine = engine };
	if ((rc = plan_build(&g->want, &g->plan, e)) != ERR_OK ||
	    (rc = tmpfs_prepare(&o, &g->run_fd, &g->tmpfs, e)) != ERR_OK)
		return rc;
	f.plan = g->plan;
	f.run_fd = g->run_fd;
	rc = files_new(&f, &g->files, e);
	return rc == ERR_OK ? plan_again(g, e) : rc;
}

static int open_signals(struct agent *g, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		return err_sys(e, ERR_IO, errno, "taking signals");
	return ERR_OK;
}

static void warn_missing(const char *event, const struct sandbox_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		log_warn(event, LOG_S("what", r->missing[i]));
}

#define CAP(cap) (UINT64_C(1) << (cap))
/* Files are given to their owners, and taken back to be wiped. */
#define CAPS_FILES (CAP(CAP_CHOWN) | CAP(CAP_FOWNER))

/* Of the sockets of plugins, which go when we do: Docker waits for one that is dead.
 * NULL: there is none. */
static const char *volumes_directory(const struct settings *s, char buf[PATH_MAX])
{
	if (s->docker.socket == NULL || !s->docker.volumes)
		return NULL;
	(void)snprintf(buf, PATH_MAX, "%s", s->docker.volumes_socket);
	return dirname(buf);
}

static const char *driver_directory(const struct settings *s, char buf[PATH_MAX])
{
	if (!s->swarm.driver)
		return NULL;
	(void)snprintf(buf, PATH_MAX, "%s", s->swarm.driver_socket);
	return dirname(buf);
}

/* The directory of a file: editors replace files. */
static const char *dir_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return ".";
	return slash == path ? "/" : arena_printf(a, "%.*s", (int)(slash - path), path);
}

/* What libraries need to find the server, and what SIGHUP and templates read.  NULL: out
 * of memory. */
static const char **readable(const struct agent *g, struct arena *a)
{
	static const char *const always[] = { "/etc",        "/proc/self",
		                              "/proc/swaps", "/usr/lib",
		                              "/lib",        "/usr/share/zoneinfo",
		                              "/lib64",      "/run/systemd/resolve" };
	const char *const *dirs = g->s->template_dirs.items;
	const struct settings_file *f = settings_files(g->s);
	size_t n = ARRAY_LEN(always);
	const char **list = arena_alloc(
		a, (n + g->s->template_dirs.n + g->s->files.n + 2) * sizeof(*list));

	if (list == NULL)
		return NULL;
	memcpy(list, always, sizeof(always));
	for (size_t i = 0; i < g->s->template_dirs.n; i++)
		list[n++] = dirs[i];
	for (size_t i = 0; i < g->s->files.n; i++)
		if (f[i].template != NULL)
			list[n++] = dir_of(a, f[i].template);
	if (g->from->path != NULL)
		list[n++] = dir_of(a, g->from->path);
	list[n] = NULL;
	return arena_failed(a) ? NULL : list;
}

/* From here on only our own directories can be written. */
static int close_doors(struct agent *g, struct err *e)
{
	AUTO_ARENA a = arena_new(READABLE_ARENA);
	char volumes[PATH_MAX], driver[PATH_MAX];
	const char *rw[] = { g->s->state_dir, g->s->run_dir, NULL, NULL, NULL };
	size_t n = 2;
	const char **ro = a != NULL ? readable(g, a) : NULL;
	const struct sandbox_options o = {
		.profile = SANDBOX_AGENT,
		.rw_paths = rw,
		.ro_paths = ro,
		.require = g->s->require_sandbox,
		.caps = CAPS_FILES | (g->s->dac_override ? CAP(CAP_DAC_OVERRIDE) : 0),
	};
	int rc;

	if ((rw[n] = volumes_directory(g->s, volumes)) != NULL)
		n++;
	rw[n] = driver_directory(g->s, driver);
	rc = ro == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                : sandbox_enter(&o, g->report, e);

	if (rc == ERR_OK)
		warn_missing("not enforced here", g->report);
	if (rc == ERR_OK && g->hook != NULL)
		warn_missing("not enforced where commands run", hook_sandbox(g->hook));
	return rc;
}

static int open_session(struct agent *g, struct err *e)
{
	const struct session_options o = {
		.settings = g->s,
		.live = g->s,
		.source = g->from,
		.plan = &g->plan,
		.uses = g->uses,
		.want = &g->want,
		.grants = &g->grants,
		.identity = g->id,
		.files = g->files,
		.run_fd = g->run_fd,
		.witness = &g->witness,
		.floor = &g->floor,
		.status = g->status,
		.hook = g->hook,
		.tmpfs = &g->tmpfs,
		.sandbox = g->report,
		.signal_fd = g->signal_fd,
	};

	return session_new(&o, &g->session, e);
}

/* systemd's notification, where it is wanted. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = -1;
	size_t n;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    (n = strlen(path)) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		              (const struct sockaddr *)&to,
		              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

static int serve(struct agent *g, struct err *e)
{
	int rc;

	if ((rc = open_identity(g, e)) != ERR_OK || (rc = open_files(g, e)) != ERR_OK ||
	    (rc = status_listen(g->s->status_socket, &g->status, e)) != ERR_OK ||
	    (rc = open_signals(g, e)) != ERR_OK || (rc = open_session(g, e)) != ERR_OK)
		return rc;
	notify("READY=1");
	if ((rc = close_doors(g, e)) != ERR_OK)
		return rc;
	if (g->witness.alarm)
		log_error("no values are accepted", LOG_S("why", g->witness.why));
	files_recover(g->files);
	log_info("running", LOG_S("host", g->id->name), LOG_S("run_dir", g->s->run_dir),
	         LOG_N("files", (int64_t)g->s->files.n));
	rc = session_run(g->session, e);
	notify("STOPPING=1");
	return rc;
}

int run_check(const struct settings *s, struct err *e)
{
	struct plan_input want = { .settings = s, .uses = uses_new(), .engine = engine };
	struct plan *plan = NULL;
	int rc = want.uses == NULL ? err_set(e, ERR_NOMEM, "out of memory")
	                           : plan_build(&want, &plan, e);

	if (plan != NULL) {
		printf("%zu files in %zu bindings, made of %zu secrets\n", plan->n_files,
		       plan->n_bindings, plan->n_paths);
		plan_free(plan);
	}
	uses_free(want.uses);
	return rc;
}

int run_agent(struct settings *s, const struct settings_source *from, struct hook *hook,
              struct sandbox_report *report, struct err *e)
{
	struct agent g = { .s = s, .from = from, .hook = hook, .report = report };
	int rc;

	g.run_fd = g.signal_fd = -1;
	rc = serve(&g, e);

	session_free(g.session);
	if (g.signal_fd >= 0)
		close(g.signal_fd);
	status_free(g.status);
	files_free(g.files);
	plan_free(g.plan);
	uses_free(g.uses);
	grants_close(&g.grants);
	if (g.run_fd >= 0)
		close(g.run_fd);
	floor_close(&g.floor);
	identity_free(g.id);
	return rc;
}
