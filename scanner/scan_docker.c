/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_docker - what a Docker Engine has: images, containers, the swarm.
 *
 * Bodies are passed on to a worker as they come; nothing of them is read here.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "http.h"
#include "scan_impl.h"

#define SOCKET    "/var/run/docker.sock"
#define PATH_CAP  1024
#define ERROR_MAX 65536u
#define STALL_MS  30000
#define FIRST_MORE                                                           \
	20 /* times as long until an image begins: the Engine packs it first \
	    */

/* A job begins with the first byte of an answer: of what the Engine refuses, no worker
 * can say that it is damaged. */
struct fetch {
	struct scan *s;
	struct http_client *http;
	struct job *job;  /* that is to read it; or */
	const char *what; /* … without one, an image's archive */
	int out;          /* to the worker, -1 before that */
	int64_t last_ms;  /* when something came */
	bool any;
	struct err why; /* of writing to the worker */
};

static int64_t stall_ms(const struct scan *s)
{
	return s->o.stall_ms != 0 ? s->o.stall_ms : STALL_MS;
}

/* The job or the image gets the other end of a pipe. */
static int start(struct fetch *f, struct err *e)
{
	struct job *j = f->job;
	int pair[2], rc = scan_pipe(pair, e);

	if (rc != ERR_OK)
		return rc;
	f->out = pair[1];
	f->job = NULL;
	if (j == NULL)
		return scan_image_fd(f->s, pair[0], f->what, UINT64_MAX, e);
	j->streamed = true;
	if (job_add(j, pair[0], f->what))
		return scan_submit(f->s, j, e);
	job_free(j);
	return err_set(e, ERR_NOMEM, "out of memory");
}

static bool on_data(void *ctx, const char *p, size_t n)
{
	struct fetch *f = ctx;
	int rc = f->out < 0 ? start(f, &f->why) : ERR_OK;

	if (rc == ERR_OK)
		rc = scan_write(f->s, f->out, p, n, &f->why);
	f->any = true;
	f->last_ms = clock_boot(clock_system());
	return rc == ERR_OK;
}

/* Records are taken while the Engine thinks. */
static bool on_tick(void *ctx)
{
	struct fetch *f = ctx;
	int64_t quiet = clock_boot(clock_system()) - f->last_ms;

	scan_pump(f->s);
	return quiet < stall_ms(f->s) * (f->any ? 1 : FIRST_MORE);
}

static const char *socket_of(const struct scan *s)
{
	return s->o.docker_socket != NULL ? s->o.docker_socket : SOCKET;
}

static struct http_client *connect_to(const struct scan *s, struct err *e)
{
	const struct http_options o = { .base_url = "http://docker",
		                        .unix_socket = socket_of(s),
		                        .reply_max = ERROR_MAX };
	struct http_client *http = http_new(&o, e);

	if (http == NULL)
		err_wrap(e, "%s", socket_of(s));
	return http;
}

/* What an answer means that was none. */
static int judge(const struct fetch *f, const struct http_reply *r, const char *what,
                 struct err *e)
{
	if (r->status / 100 == 2)
		return ERR_OK;
	if (r->status == 404)
		return err_set(e, ERR_NOENT, "%.120s: the Docker Engine has none", what);
	if (r->status == 503)
		return err_set(e, ERR_INVALID,
		               "%.120s: the Docker Engine is in no swarm, or "
		               "no manager of it",
		               what);
	return err_set(e, ERR_IO, "%.120s: the Docker Engine at %s answers %ld", what,
	               socket_of(f->s), r->status);
}

/* GET ${path}, the body to f->out. */
static int get(struct fetch *f, const char *path, const char *what, struct err *e)
{
	struct http_reply reply = { 0 };
	int rc;

	f->last_ms = clock_boot(clock_system());
	f->any = false;
	http_stream(f->http, on_data, f);
	http_tick(f->http, on_tick, f);
	rc = http_call(f->http, "GET", path, NULL, NULL, 0, &reply, e);
	if (rc == ERR_OK)
		rc = judge(f, &reply, what, e);
	else if (f->why.code != ERR_OK)
		rc = err_set(e, f->why.code, "%.120s: %s", what, f->why.msg);
	else
		rc = err_set(e, (enum errcode)rc, "%.120s: %s: %s", what, socket_of(f->s),
		             rc == ERR_TIMEOUT ? "the Docker Engine has stalled"
		                               : "the Docker Engine does not answer, or "
		                                 "broke off");
	http_reply_clear(&reply);
	return rc;
}

/* One request whose body ${j}, or an image of the name ${what}, reads. */
static int fetch(struct fetch *f, const char *path, const char *what, struct job *j,
                 struct err *e)
{
	int rc;

	f->job = j;
	f->what = what;
	f->out = -1;
	rc = get(f, path, what, e);
	if (rc == ERR_OK && f->out < 0)
		rc = err_set(e, ERR_IO, "%.120s: the Docker Engine at %s says nothing",
		             what, socket_of(f->s));
	if (f->out >= 0)
		close(f->out);
	job_free(f->job);
	f->job = NULL;
	return rc;
}

static int fetch_job(struct fetch *f, const char *path, const char *what, struct job *j,
                     struct err *e)
{
	return j != NULL ? fetch(f, path, what, j, e)
	                 : err_set(e, ERR_NOMEM, "out of memory");
}

/* "/PREFIX/NAME/SUFFIX" with the name percent-encoded; slashes of it stay. */
static int path_with(char out[PATH_CAP], const char *prefix, const char *name,
                     const char *suffix, struct err *e)
{
	static const char keep[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789-._~/:@";
	size_t n = (size_t)snprintf(out, PATH_CAP, "%s", prefix);

	if (*name == '\0' || strstr(name, "..") != NULL)
		return err_set(e, ERR_INVALID,
		               "'%.120s' is no name of an image or container", name);
	for (; *name != '\0' && n + 4 < PATH_CAP; name++)
		n += (size_t)(strchr(keep, *name) != NULL
		                      ? snprintf(out + n, PATH_CAP - n, "%c", *name)
		                      : snprintf(out + n, PATH_CAP - n, "%%%02X",
		                                 (unsigned char)*name));
	if (*name != '\0' || n + strlen(suffix) >= PATH_CAP)
		return err_set(e, ERR_INVALID, "the name is too long");
	(void)snprintf(out + n, PATH_CAP - n, "%s", suffix);
	return ERR_OK;
}

int scan_docker_image(struct scan *s, const char *ref, struct err *e)
{
	struct fetch f = { .s = s };
	char path[PATH_CAP];
	int rc = path_with(path, "/images/", ref, "/get", e);

	if (rc != ERR_OK)
		return rc;
	f.http = connect_to(s, e);
	if (f.http == NULL)
		return (int)e->code;
	rc = fetch(&f, path, ref, NULL, e);
	http_free(f.http);
	return rc;
}

int scan_docker_container(struct scan *s, const char *id, struct err *e)
{
	struct fetch f = { .s = s };
	char path[PATH_CAP];
	int rc = path_with(path, "/containers/", id, "/json", e);

	if (rc != ERR_OK)
		return rc;
	f.http = connect_to(s, e);
	if (f.http == NULL)
		return (int)e->code;
	rc = fetch_job(&f, path, id, job_new(FORMAT_CONTAINER, CHANNEL_ENV, id, NULL), e);
	http_free(f.http);
	return rc;
}

/* Of one that has gone meanwhile there is nothing to tell. */
static int each_container(struct scan *s, struct err *e)
{
	int rc = ERR_OK;

	while (s->names != NULL && rc == ERR_OK) {
		struct scan_name *one = s->names;

		s->names = one->next;
		rc = scan_docker_container(s, one->text, e);
		if (rc == ERR_NOENT)
			rc = ERR_OK;
		free(one);
	}
	return rc;
}

int scan_docker_containers(struct scan *s, struct err *e)
{
	struct fetch f = { .s = s, .http = connect_to(s, e) };
	int rc;

	if (f.http == NULL)
		return (int)e->code;
	rc = fetch_job(&f, "/containers/json", "containers",
	               job_new(FORMAT_CONTAINERS, CHANNEL_ENV, "containers", NULL), e);
	http_free(f.http);
	if (rc == ERR_OK)
		rc = pool_drain(s->pool, e);
	return rc == ERR_OK ? each_container(s, e) : rc;
}

int scan_swarm(struct scan *s, struct err *e)
{
	static const struct {
		const char *path, *name;
		enum job_format format;
		enum scan_channel channel;
	} lists[] = {
		{"/services", "services", FORMAT_SERVICES, CHANNEL_SERVICE_SPEC},
		{ "/tasks",   "tasks",    FORMAT_SERVICES, CHANNEL_SERVICE_SPEC},
		{ "/configs", "configs",  FORMAT_CONFIGS,  CHANNEL_SWARM_CONFIG},
		{ "/secrets", "secrets",  FORMAT_SERVICES, CHANNEL_SERVICE_SPEC},
		{ "/nodes",   "nodes",    FORMAT_SERVICES, CHANNEL_SERVICE_SPEC},
	};
	struct fetch f = { .s = s, .http = connect_to(s, e) };
	int rc = ERR_OK;

	if (f.http == NULL)
		return (int)e->code;
	for (size_t i = 0; i < ARRAY_LEN(lists) && rc == ERR_OK; i++)
		rc = fetch_job(&f, lists[i].path, lists[i].name,
		               job_new(lists[i].format, lists[i].channel, "swarm", NULL),
		               e);
	http_free(f.http);
	return rc;
}
