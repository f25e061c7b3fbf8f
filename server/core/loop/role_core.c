/* SPDX-License-Identifier: Apache-2.0 */
#include "role_core.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"
#include "clock_step.h"
#include "core.h"
#include "dev.h"
#include "frame.h"
#include "keymem.h"
#include "log.h"
#include "pwhash.h"
#include "role_impl.h"
#include "zone.h"

#define EXIT_UNKNOWN 70
#define CLOCK_STEP   (UINT64_MAX - 1) /* what epoll says of that descriptor */

static int say(struct role *ro, enum ipc_type type, const struct value *v)
{
	struct err e;

	return frame_send_fd(ro->control, type, 0, v, -1, &e);
}

static int fail_start(struct role *ro, const struct err *e)
{
	AUTO_ARENA a = arena_new(4096);

	if (a != NULL)
		(void)say(ro, IPC_FAILED, value_str(a, e->msg));
	return errclasses[e->code].exit_status;
}

static int receive_config(struct role *ro, struct err *e)
{
	enum ipc_type type;
	int fd = -1, rc;

	if ((rc = frame_recv_fd(ro->control, ro->config_arena, &type, &ro->config, &fd,
	                        e)) != ERR_OK)
		return rc;
	if (fd >= 0)
		close(fd);
	if (type != IPC_CONFIG)
		return err_set(e, ERR_INVALID,
		               "the supervisor did not send a configuration");
	log_init("core", value_bool_or(ro->config, "log_json", false));
	(void)log_set_level(
		value_cstr_or(ro->config_arena, ro->config, "log_level", "info"));
	return ERR_OK;
}

static int take_auto_key(struct role *ro, struct err *e)
{
	const struct value *key = value_get(ro->config, "auto_unseal_key");

	if (key == NULL || key->type == V_NULL)
		return ERR_OK;
	if (key->type != V_BYTES || key->len != 32)
		return err_set(e, ERR_INVALID, "auto_unseal: the key must have 32 bytes");
	ro->auto_key = keymem_alloc(32);
	if (ro->auto_key == NULL)
		return err_set(e, ERR_NOMEM, "out of key memory");
	memcpy(ro->auto_key, key->text, 32);
	return ERR_OK;
}

static int enter_sandbox(struct role *ro, const char *data_dir, struct err *e)
{
	const char *const rw[] = { data_dir, NULL };
	const char *const readable[] = { ZONE_DIR, NULL };
	const struct value *user = value_get(ro->config, "user");
	const struct sandbox_options o = {
		.profile = SANDBOX_CORE,
		.rw_paths = rw,
		.ro_paths = readable,
		.require = value_bool_or(ro->config, "require_sandbox", false),
		.drop_user = user != NULL && user->type == V_OBJECT,
		.uid = (uid_t)value_int_or(user, "uid", 65534),
		.gid = (gid_t)value_int_or(user, "gid", 65534),
	};

	return sandbox_enter(&o, &ro->sandbox, e);
}

static struct core_rate rate_of(const struct role *ro, const char *name)
{
	const struct value *v = value_get(ro->config, name);

	return (struct core_rate){
		.per_second = (unsigned)value_int_or(v, "per_second", 0),
		.burst = (unsigned)value_int_or(v, "burst", 0),
	};
}

static int start_core(struct role *ro, struct err *e)
{
	const char *data_dir = value_cstr_or(ro->config_arena, ro->config, "data_dir",
	                                     NULL);
	struct core_options o = { .clock = clock_system(),
		                  .reply = role_reply,
		                  .flush = role_flush,
		                  .state = role_state,
		                  .trust = role_trust,
		                  .crl = role_crl,
		                  .ctx = ro };
	int rc;

	if (data_dir == NULL || strlen(data_dir) >= sizeof(ro->data_dir))
		return err_set(e, ERR_INVALID, "data_dir is missing or too long");
	memcpy(ro->data_dir, data_dir, strlen(data_dir) + 1);
	if ((rc = keymem_init(value_bool_or(ro->config, "allow_unlocked", false), e)) !=
	            ERR_OK ||
	    (rc = take_auto_key(ro, e)) != ERR_OK ||
	    (rc = enter_sandbox(ro, data_dir, e)) != ERR_OK)
		return rc;
	o.data_dir = ro->data_dir;
	o.rotators = value_get(ro->config, "rotators");
	o.auto_unseal_key = ro->auto_key;
	o.token_rate = rate_of(ro, "rate_token");
	o.login_rate = rate_of(ro, "rate_login");
	o.init_anywhere = value_bool_or(ro->config, "init_anywhere", false);
	o.unauthenticated_rekey = value_bool_or(ro->config, "unauthenticated_rekey",
	                                        false);
	if ((rc = core_open(&o, &ro->core, e)) == ERR_OK)
		log_info("time zones", LOG_S("tzdata", zones_version(ro->core->zones)));
	return rc;
}

static int run_dev(struct role *ro, struct arena *a, struct value *ready, struct err *e)
{
	const struct value *dev = value_get(ro->config, "dev");
	struct dev_result *res = arena_alloc(a, sizeof(*res));
	struct value *out = value_object(a);
	int rc;

	if (dev == NULL || dev->type != V_OBJECT)
		return ERR_OK;
	if (res == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = dev_setup(ro->core, value_cstr_or(a, dev, "root_token", NULL), res, e);
	if (rc != ERR_OK)
		return rc;
	value_set_str(a, out, "root_token", res->root_token);
	value_set_str(a, out, "unseal_key", res->unseal_key);
	value_set(ready, "dev", out);
	return ERR_OK;
}

static int tell_ready(struct role *ro, struct err *e)
{
	AUTO_ARENA a = arena_new(64u * 1024);
	struct value *ready, *missing;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	ready = value_object(a);
	missing = value_array(a);
	for (size_t i = 0; i < ro->sandbox.n; i++)
		value_add(missing, value_str(a, ro->sandbox.missing[i]));
	value_set(ready, "sandbox", missing);
	if ((rc = run_dev(ro, a, ready, e)) != ERR_OK)
		return rc;
	return frame_send_fd(ro->control, IPC_READY, 0, ready, -1, e);
}

static void keep_sandbox(struct role *ro, const struct value *v)
{
	struct arena *a = arena_new(64u * 1024);

	if (a == NULL)
		return;
	arena_free(ro->core->sandbox_arena);
	ro->core->sandbox_arena = a;
	ro->core->sandbox = value_copy(a, v);
}

static void on_control(struct role *ro)
{
	AUTO_ARENA a = arena_new(1024u * 1024);
	enum ipc_type type;
	struct value *v;
	struct err e;
	int fd = -1;

	if (a == NULL || frame_recv_fd(ro->control, a, &type, &v, &fd, &e) != ERR_OK) {
		ro->lost_supervisor = true;
		return;
	}
	switch (type) {
	case IPC_PEER:
		if (fd >= 0)
			role_peer_add(ro, (uint64_t)value_int_or(v, "id", 1), fd,
			              value_is_str(value_get(v, "role"), "rotate"));
		return;
	case IPC_DRAIN:
		ro->drain = true;
		break;
	case IPC_LOGLEVEL:
		(void)log_set_level(value_to_cstr(v, a));
		break;
	case IPC_SANDBOX:
		keep_sandbox(ro, v);
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static int one_pass(struct role *ro, struct err *e)
{
	struct epoll_event ev[PEERS_MAX];
	int64_t wait = core_wait_ms(ro->core);
	int n = epoll_wait(ro->epoll, ev, PEERS_MAX, wait > 60000 ? 60000 : (int)wait);
	int rc;

	for (int i = 0; i < n; i++) {
		struct peer *p;

		if (ev[i].data.u64 == 0) {
			on_control(ro);
			continue;
		}
		if (ev[i].data.u64 == CLOCK_STEP)
			clock_step_seen(ro->clock_step);
		p = role_peer(ro, ev[i].data.u64);
		if (p != NULL && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
		    (rc = role_peer_read(ro, p, e)) != ERR_OK)
			return rc;
	}
	if ((rc = core_run_batch(ro->core, e)) != ERR_OK)
		return rc;
	role_flush(ro);
	return ERR_OK;
}

/* What is queued is still answered; parked requests are not waited for. */
static int drain(struct role *ro, struct err *e)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && core_wait_ms(ro->core) == 0)
		rc = core_run_batch(ro->core, e);
	role_flush(ro);
	return rc;
}

static int serve(struct role *ro)
{
	struct err e;
	int rc = ERR_OK;

	while (rc == ERR_OK && !ro->drain && !ro->lost_supervisor)
		rc = one_pass(ro, &e);
	if (rc == ERR_OK)
		rc = drain(ro, &e);
	if (rc == ERR_OK)
		return 0;
	log_error("the outcome of a batch is unknown: this process ends",
	          LOG_S("class", errclasses[rc].wire), LOG_S("cause", e.msg));
	_exit(EXIT_UNKNOWN);
}

static int start(struct role *ro, struct err *e)
{
	int rc;

	if ((rc = receive_config(ro, e)) != ERR_OK ||
	    (rc = start_core(ro, e)) != ERR_OK || (rc = tell_ready(ro, e)) != ERR_OK)
		return rc;
	arena_free(ro->config_arena);
	ro->config_arena = NULL;
	ro->clock_step = clock_step_open();
	ro->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ro->epoll < 0 ||
	    role_watch(ro, EPOLL_CTL_ADD, ro->control, EPOLLIN, 0) != 0 ||
	    role_watch(ro, EPOLL_CTL_ADD, pwhash_fd(ro->core), EPOLLIN, UINT64_MAX) !=
	            0 ||
	    (ro->clock_step >= 0 &&
	     role_watch(ro, EPOLL_CTL_ADD, ro->clock_step, EPOLLIN, CLOCK_STEP) != 0))
		return err_sys(e, ERR_IO, errno, "epoll");
	return ERR_OK;
}

/* The supervisor decides when core ends: Ctrl-C in its terminal reaches the whole group.
 */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

int core_role_main(int control_fd)
{
	struct role ro = { .control = control_fd, .epoll = -1, .clock_step = -1 };
	struct err e = { 0 };
	int status;

	log_init("core", false);
	sandbox_early(&ro.sandbox);
	ignore_signals();
	if (sodium_init() < 0)
		return 1;
	ro.config_arena = arena_new(1024u * 1024);
	if (ro.config_arena == NULL)
		return 1;
	if (start(&ro, &e) != ERR_OK) {
		status = fail_start(&ro, &e);
		core_close(ro.core);
		return status;
	}
	status = serve(&ro);
	core_close(ro.core);
	role_peers_free(&ro);
	arena_free(ro.trust_arena);
	keymem_free(ro.auto_key, 32);
	close(ro.epoll);
	return status;
}
