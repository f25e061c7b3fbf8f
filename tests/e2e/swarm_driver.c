/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's part in a Swarm on a loop of its own, for test_swarm.py, which plays the
 * vault: commands come as JSON objects, one a line, on standard input; rows to store and
 * what else happens go to standard output as JSON objects, one a line.
 *
 *   swarm-driver SOCKET
 *
 *   {"binding": {name, version, value, path, target, services, soak_ms, …}}
 *   {"row": {…}}   one that was stored, before it leads
 *   {"lead": EPOCH}   {"purge": NAME}   {"retry": NAME}   {"status": true}
 *   {"skew": MS}   so much later is it from now on
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/reply.h"
#include "agent/swarm/engine.h"
#include "agent/swarm/machine.h"
#include "clock.h"
#include "http.h"
#include "log.h"

#define LINE_MAX_ (2 * 1024 * 1024)

static struct engine *engine;
static struct machine *machine;
static struct engine_about about;
static json_t *bindings, *rows;
static int64_t epoch, skew, pending[256];
static size_t n_pending;

static int64_t wall_now(void *ctx UNUSED)
{
	return clock_wall(clock_system());
}

static int64_t boot_now(void *ctx UNUSED)
{
	return clock_boot(clock_system()) + skew;
}

static const struct clock watch = { wall_now, boot_now, NULL };

static int64_t now(void)
{
	return clock_boot(&watch);
}

static void say(json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_COMPACT);
	(void)putchar('\n');
	(void)fflush(stdout);
	json_decref(o);
}

/* --- what the machine wants ----------------------------------------------------------
 */

static int on_start(void *ctx, const struct machine_call *c, struct err *e)
{
	const struct machine_row *r = c->row;

	(void)ctx;
	if (c->kind != MACHINE_STORE)
		return engine_start(engine, c, e);
	say(json_pack("{s:{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}, s:I}", "row",
	              "binding", r->binding, "service", r->service, "name", r->name,
	              "state", machine_state_name(r->state), "version",
	              (json_int_t)r->version, "good", (json_int_t)r->good, "index",
	              (json_int_t)r->index, "reason", r->reason, "at",
	              (json_int_t)now()));
	if (n_pending == sizeof(pending) / sizeof(*pending))
		return err_set(e, ERR_BUSY, "too much at once");
	pending[n_pending++] = (int64_t)c->token;
	return ERR_OK;
}

static bool on_window(void *ctx, const char *binding)
{
	(void)ctx;
	(void)binding;
	return true;
}

static uint32_t on_dice(void *ctx)
{
	static uint32_t n = 1;

	(void)ctx;
	n = n * 1103515245u + 12345u;
	return n;
}

static int on_secret(void *ctx, const struct machine_call *c, engine_make_fn make,
                     void *make_ctx, struct err *e)
{
	const json_t *b = json_object_get(bindings, c->binding);
	const char *value = reply_str(b, "value");
	struct engine_secret s = { .path = reply_str(b, "path"),
		                   .format = "raw",
		                   .fp = "0123456789abcdef",
		                   .epoch = (uint64_t)epoch,
		                   .value = value,
		                   .n = value != NULL ? strlen(value) : 0 };

	(void)ctx;
	if (value == NULL || reply_int(b, "version", 0) != c->version)
		return err_set(e, ERR_NOENT, "no such version");
	return make(make_ctx, &s, e);
}

static void on_about(void *ctx, const struct engine_about *a)
{
	(void)ctx;
	about = *a;
	say(json_pack("{s:{s:b, s:b, s:s, s:s}}", "about", "manager", a->manager,
	              "leader", a->leader, "cluster", a->cluster, "why", a->why));
}

static void on_event(void *ctx, const char *service)
{
	(void)ctx;
	if (machine != NULL)
		machine_event(machine, service, now());
}

static void on_changed(void *ctx)
{
	struct err e;

	(void)ctx;
	if (engine_up(engine) && engine_ask(engine, &e) != ERR_OK)
		say(json_pack("{s:s}", "error", e.msg));
}

/* --- commands ------------------------------------------------------------------------
 */

/* [[name, uid, mode], …], or one called ${target}. */
static void read_targets(const json_t *b, struct machine_binding *d)
{
	const json_t *item;
	size_t i;

	d->targets[0] = (struct machine_target){ reply_str(b, "target"), "0", "0", 292 };
	d->n_targets = 1;
	json_array_foreach(json_object_get(b, "targets"), i, item)
	{
		const char *uid = json_string_value(json_array_get(item, 1));
		json_int_t mode = json_integer_value(json_array_get(item, 2));

		d->targets[i] = (struct machine_target){ json_string_value(
								 json_array_get(item, 0)),
			                                 uid, uid, (unsigned)mode };
		d->n_targets = i + 1;
	}
}

static void tell(const json_t *b)
{
	const json_t *list = json_object_get(b, "services");
	const char *services[16];
	struct machine_binding d = {
		.name = reply_str(b, "name"),
		.version = reply_int(b, "version", 0),
		.services = services,
		.max_services = (unsigned)reply_int(b, "max_services", 1),
		.keep = 1,
		.deadline_ms = reply_int(b, "deadline_ms", 0),
		.soak_ms = reply_int(b, "soak_ms", 0),
		.gate_ms = 60000,
		.jobs = json_is_true(json_object_get(b, "jobs")),
		.enforce = json_is_true(json_object_get(b, "enforce")),
	};
	struct err e;

	read_targets(b, &d);
	for (size_t i = 0; i < json_array_size(list) && i < 16; i++)
		services[d.n_services++] = json_string_value(json_array_get(list, i));
	if (machine != NULL && machine_binding(machine, &d, now(), &e) != ERR_OK)
		say(json_pack("{s:s}", "error", e.msg));
}

static void lead(void)
{
	const struct machine_ops ops = { on_start, on_window, on_dice, NULL };
	const char *name;
	json_t *b, *r;
	size_t i;
	struct err e;

	engine_serve(engine, NULL, NULL);
	machine_free(machine);
	machine = NULL;
	n_pending = 0;
	if (machine_new(&ops, &machine, &e) != ERR_OK)
		return;
	json_object_foreach(bindings, name, b) tell(b);
	json_array_foreach(rows, i, r)
	{
		struct machine_row row = { .binding = reply_str(r, "binding"),
			                   .service = reply_str(r, "service"),
			                   .name = reply_str(r, "name"),
			                   .version = reply_int(r, "version", 0),
			                   .good = reply_int(r, "good", 0),
			                   .index = (uint64_t)reply_int(r, "index", 0),
			                   .reason = reply_str(r, "reason") };

		if (machine_state_parse(reply_str(r, "state"), &row.state) &&
		    machine_restore(machine, &row, &e) != ERR_OK)
			say(json_pack("{s:s}", "error", e.msg));
	}
	engine_serve(engine, machine, about.cluster);
}

static void on_command(const char *line, size_t n)
{
	json_error_t why;
	json_t *o = json_loadb(line, n, 0, &why), *b = json_object_get(o, "binding");

	if (b != NULL) {
		json_object_set(bindings, reply_str(b, "name"), b);
		tell(b);
	} else if (json_object_get(o, "row") != NULL) {
		json_array_append(rows, json_object_get(o, "row"));
	} else if (json_object_get(o, "lead") != NULL) {
		epoch = reply_int(o, "lead", 1);
		lead();
	} else if (json_object_get(o, "purge") != NULL && machine != NULL) {
		machine_purge(machine, reply_str(o, "purge"), now());
	} else if (json_object_get(o, "retry") != NULL && machine != NULL) {
		machine_retry(machine, reply_str(o, "retry"), now());
	} else if (json_object_get(o, "skew") != NULL) {
		skew += reply_int(o, "skew", 0);
	} else if (json_object_get(o, "status") != NULL && machine != NULL) {
		say(json_pack("{s:o, s:b, s:I}", "status", machine_status(machine),
		              "rest", machine_rest(machine), "calls",
		              (json_int_t)engine_calls(engine)));
	}
	json_decref(o);
}

static bool on_input(void)
{
	static char buf[LINE_MAX_];
	static size_t have;
	ssize_t n = read(0, buf + have, sizeof(buf) - have);
	char *end;

	if (n <= 0)
		return false;
	have += (size_t)n;
	while ((end = memchr(buf, '\n', have)) != NULL) {
		size_t line = (size_t)(end - buf);

		on_command(buf, line);
		have -= line + 1;
		memmove(buf, end + 1, have);
	}
	return true;
}

/* --- the loop ------------------------------------------------------------------------
 */

static int64_t turn(void)
{
	int64_t next = -1, at;

	while (n_pending > 0)
		machine_done(machine, (uint64_t)pending[--n_pending], ERR_OK, "", now());
	if (machine != NULL)
		next = machine_due(machine, now());
	if (n_pending > 0)
		return now();
	at = engine_due(engine, now());
	return next < 0 || (at >= 0 && at < next) ? at : next;
}

static void loop(int epoll_fd, struct http_multi *multi)
{
	struct epoll_event ev[16];

	for (;;) {
		int64_t at = turn(), t = now();
		long wait = http_multi_timeout_ms(multi);
		long ms = at < 0 ? -1 : at <= t ? 0 : (long)(at - t);
		int n;

		if (wait >= 0 && (ms < 0 || wait < ms))
			ms = wait;
		n = epoll_wait(epoll_fd, ev, 16, (int)ms);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd != 0)
				http_multi_event(multi, ev[i].data.fd, ev[i].events);
			else if (!on_input())
				return;
		}
		http_multi_tick(multi);
	}
}

int main(int argc, char **argv)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event in = { .events = EPOLLIN, .data.fd = 0 };
	struct engine_options o = {
		.socket = argc > 1 ? argv[1] : "/run/docker.sock",
		.clock = &watch,
		.ops = {.secret = on_secret,
                        .about = on_about,
                        .event = on_event,
                        .changed = on_changed}
	};
	struct err e;

	reply_init();
	bindings = json_object();
	rows = json_array();
	o.multi = http_multi_new(epoll_fd, &e);
	if (o.multi == NULL || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &in) != 0 ||
	    engine_new(&o, &engine, &e) != ERR_OK)
		return 1;
	loop(epoll_fd, o.multi);
	engine_serve(engine, NULL, NULL);
	machine_free(machine);
	engine_free(engine);
	http_multi_free(o.multi);
	json_decref(bindings);
	json_decref(rows);
	return 0;
}
