/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's view of Docker on a loop of its own, for test_docker.py: commands come as
 * JSON arrays, one a line, on standard input; what happens goes to standard output as
 * JSON objects, one a line.
 *
 *   docker-driver SOCKET RUN_DIR [VOLUME_SOCKET STATE_DIR WAIT_MS]
 *
 *   ["kill", TAG, ID, SIGNAL, MS]  ["restart", TAG, ID, GRACE, MS]  ["stop", …]
 *   ["exec", TAG, ID, MS, [ARGV…], [ENV…]]  ["names", NAME…]  ["status"]  ["ready",
 * BINDING]
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "docker/containers.h"
#include "docker/docker.h"
#include "docker/volumes.h"
#include "http.h"
#include "log.h"

#define WORDS 32

static struct containers *table;
static struct volumes *volumes;
static char ready[256];

static void say(json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_COMPACT);
	(void)putchar('\n');
	(void)fflush(stdout);
	json_decref(o);
}

static json_t *mounts_of(const struct container *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_mounts; i++)
		(void)json_array_append_new(list,
		                            json_pack("{s:s, s:s, s:b}", "binding",
		                                      c->mounts[i].binding, "at",
		                                      c->mounts[i].destination, "pinned",
		                                      c->mounts[i].pinned));
	return list;
}

static void on_changed(void *ctx, const struct container *c, enum containers_change what)
{
	static const char *const words[] = { "new", "changed", "gone" };
	json_t *bindings = json_array();

	(void)ctx;
	for (size_t i = 0; i < c->n_bindings; i++)
		(void)json_array_append_new(bindings, json_string(c->bindings[i]));
	say(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:o, s:o}",
	              "event", words[what], "id", c->id, "name", c->name, "image",
	              c->image, "image_id", c->image_id, "service", c->service, "project",
	              c->project, "running", c->running, "health",
	              container_health_name(c->health), "restarts",
	              (json_int_t)c->restarts, "started", (json_int_t)c->started_ms,
	              "bindings", bindings, "mounts", mounts_of(c)));
}

static void on_listed(void *ctx)
{
	const struct docker_info *info = docker_about(containers_docker(table));

	(void)ctx;
	say(json_pack("{s:s, s:s, s:b, s:I, s:I}", "event", "listed", "api", info->api,
	              "userns", info->userns, "uid_base", (json_int_t)info->uid_base,
	              "gid_base", (json_int_t)info->gid_base));
}

static void on_done(void *ctx, const struct docker_result *r)
{
	char *tag = ctx;

	say(json_pack("{s:s, s:s, s:i, s:s, s:i, s:s#, s:b}", "event", "done", "tag", tag,
	              "rc", r->rc, "why", r->rc != ERR_OK ? r->e->msg : "", "code",
	              (int)r->exit_code, "output", r->output, r->output_len, "cut",
	              r->output_cut));
	free(tag);
}

/* --- commands ------------------------------------------------------------------------
 */

static const char *text_at(const json_t *command, size_t i)
{
	const char *s = json_string_value(json_array_get(command, i));

	return s != NULL ? s : "";
}

static int64_t number_at(const json_t *command, size_t i)
{
	return (int64_t)json_integer_value(json_array_get(command, i));
}

static void list_at(const json_t *list, const char *out[WORDS])
{
	size_t n = 0;

	for (; n < WORDS - 1 && n < json_array_size(list); n++)
		out[n] = text_at(list, n);
	out[n] = NULL;
}

static int call(const json_t *c, char *tag, struct err *e)
{
	struct docker *d = containers_docker(table);
	const char *verb = text_at(c, 0), *id = text_at(c, 2);
	const char *argv[WORDS], *env[WORDS];

	if (strcmp(verb, "kill") == 0)
		return docker_kill(d, id, text_at(c, 3), number_at(c, 4), on_done, tag,
		                   e);
	if (strcmp(verb, "restart") == 0)
		return docker_restart(d, id, (int)number_at(c, 3), number_at(c, 4),
		                      on_done, tag, e);
	if (strcmp(verb, "stop") == 0)
		return docker_stop(d, id, (int)number_at(c, 3), number_at(c, 4), on_done,
		                   tag, e);
	list_at(json_array_get(c, 4), argv);
	list_at(json_array_get(c, 5), env);
	return docker_exec(d, id, &(struct docker_command){ .argv = argv, .env = env },
	                   number_at(c, 3), on_done, tag, e);
}

static void obey(const json_t *command)
{
	const char *verb = text_at(command, 0);
	struct err e = { ERR_OK, "" };
	const char *words[WORDS];
	char *tag;

	if (strcmp(verb, "status") == 0) {
		say(json_pack("{s:s, s:o}", "event", "status", "status",
		              containers_status(table)));
	} else if (strcmp(verb, "names") == 0) {
		list_at(command, words);
		(void)!containers_name(table, words + 1, json_array_size(command) - 1,
		                       &e);
	} else if (strcmp(verb, "ready") == 0) {
		snprintf(ready, sizeof(ready), "%s", text_at(command, 1));
	} else {
		tag = strdup(text_at(command, 1));
		if (call(command, tag, &e) != ERR_OK)
			on_done(tag, &(struct docker_result){
					     .rc = e.code, .e = &e, .output = "" });
	}
}

static bool on_input(void)
{
	static char line[65536];
	json_t *command;

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	command = json_loads(line, 0, NULL);
	obey(command);
	json_decref(command);
	return true;
}

/* --- volumes -------------------------------------------------------------------------
 */

static uint64_t on_want(void *ctx, const char *binding)
{
	(void)ctx;
	say(json_pack("{s:s, s:s}", "event", "want", "binding", binding));
	return 0;
}

static bool is_ready(void *ctx, const char *binding)
{
	(void)ctx;
	return strcmp(binding, ready) == 0;
}

static const char *why_not(void *ctx, const char *binding)
{
	(void)ctx;
	return strcmp(binding, "unknown") == 0 ? "no such binding" : NULL;
}

static const char *binding_of(void *ctx, const char *volume)
{
	(void)ctx;
	return volumes_binding(volumes, volume);
}

static int open_volumes(char **argv, int epoll_fd, struct err *e)
{
	const struct volumes_options o = {
		.socket = argv[3],
		.run_dir = argv[2],
		.state_dir = argv[4],
		.wait_ms = strtoll(argv[5], NULL, 10),
		.ops = {.want = on_want, .ready = is_ready, .why = why_not},
	};
	int rc = volumes_listen(&o, &volumes, e);

	return rc != ERR_OK ? rc : volumes_attach(volumes, epoll_fd, e);
}

/* --- the loop ------------------------------------------------------------------------
 */

static int until(int64_t at, long other, int64_t now)
{
	long ms = at < 0 ? -1 : at <= now ? 0 : (long)(at - now);

	if (other >= 0 && (ms < 0 || other < ms))
		ms = other;
	return (int)ms;
}

static int64_t due(int64_t now)
{
	int64_t a = containers_due(table, now);
	int64_t b = volumes != NULL ? volumes_due(volumes, now) : -1;

	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void loop(int epoll_fd, struct http_multi *multi)
{
	struct epoll_event ev[16];

	for (;;) {
		int64_t now = clock_boot(clock_system()), at = due(now);
		int n = epoll_wait(epoll_fd, ev, 16,
		                   until(at, http_multi_timeout_ms(multi), now));

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd == 0) {
				if (!on_input())
					return;
			} else if (volumes == NULL ||
			           !volumes_event(volumes, fd, ev[i].events)) {
				http_multi_event(multi, fd, ev[i].events);
			}
		}
		http_multi_tick(multi);
	}
}

int main(int argc, char **argv)
{
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event in = { .events = EPOLLIN, .data.fd = 0 };
	struct err e = { ERR_OK, "" };
	int status = 1;
	struct containers_options o = { .labels = true,
		                        .clock = clock_system(),
		                        .changed = on_changed,
		                        .listed = on_listed };

	log_init("docker-driver", false);
	setvbuf(stdin, NULL, _IONBF, 0);
	o.multi = http_multi_new(epoll_fd, &e);
	o.socket = argc >= 3 ? argv[1] : "";
	o.run_dir = argc >= 3 ? argv[2] : "";
	if (argc >= 6 && open_volumes(argv, epoll_fd, &e) == ERR_OK) {
		o.driver = volumes_driver(volumes);
		o.binding_of = binding_of;
	}
	if (e.code == ERR_OK && o.multi != NULL && argc >= 3 &&
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &in) == 0 &&
	    containers_new(&o, &table, &e) == ERR_OK) {
		loop(epoll_fd, o.multi);
		status = 0;
	} else {
		fprintf(stderr, "docker-driver: %s\n", e.msg);
	}
	volumes_free(volumes);
	containers_free(table);
	http_multi_free(o.multi);
	close(epoll_fd);
	return status;
}
