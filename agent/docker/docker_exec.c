/* SPDX-License-Identifier: Apache-2.0 */
/* A command in a container: create it, start it and read what it says until it says no
 * more, then ask how it ended. */
#include <stdio.h>
#include <string.h>

#include "docker_impl.h"

#define POLL_MIN_MS 20
#define POLL_MAX_MS 1000
#define WORDS_MAX   256u

static json_t *words(const char *const *list)
{
	json_t *out = json_array();

	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		if (i == WORDS_MAX ||
		    json_array_append_new(out, json_string(list[i])) != 0) {
			json_decref(out);
			return NULL;
		}
	return out;
}

/* The body is dumped with jansson's allocator: ours is freed with free(). */
static char *body_of(const struct docker_command *cmd)
{
	json_t *argv = words(cmd->argv), *env = words(cmd->env);
	json_t *doc = NULL;
	size_t n = 0;
	char *text = NULL;

	if (argv != NULL && env != NULL)
		doc = json_pack("{s:b, s:b, s:b, s:O, s:O}", "AttachStdout", 1,
		                "AttachStderr", 1, "Tty", 0, "Cmd", argv, "Env", env);
	if (doc != NULL && cmd->user != NULL &&
	    json_object_set_new(doc, "User", json_string(cmd->user)) != 0) {
		json_decref(doc);
		doc = NULL;
	}
	if (doc != NULL && (n = json_dumpb(doc, NULL, 0, JSON_COMPACT)) > 0 &&
	    (text = calloc(1, n + 1)) != NULL)
		(void)json_dumpb(doc, text, n, JSON_COMPACT);
	json_decref(argv);
	json_decref(env);
	json_decref(doc);
	return text;
}

int docker_exec(struct docker *d, const char *id, const struct docker_command *cmd,
                int64_t timeout_ms, docker_done_fn done, void *ctx, struct err *e)
{
	struct docker_call *c;

	if (!docker_id_ok(id) || cmd->argv == NULL || cmd->argv[0] == NULL)
		return err_set(e, ERR_USAGE, "this is no container's id, or no command");
	if ((c = docker_call_new(d, timeout_ms, done, ctx, e)) == NULL)
		return (int)e->code;
	c->step = CALL_CREATE;
	if (asprintf(&c->path, "/containers/%s/exec", id) < 0)
		c->path = NULL;
	c->body = body_of(cmd);
	if (c->path == NULL || c->body == NULL) {
		docker_call_free(c);
		return err_set(e, ERR_USAGE, "the command is too long, or not UTF-8");
	}
	docker_call_add(c);
	return ERR_OK;
}

/* The first request was prepared when the call was made. */
int exec_prepare(struct docker_call *c, struct err *e)
{
	bool begin = c->step == CALL_START;

	if (c->step == CALL_CREATE)
		return ERR_OK;
	free(c->path);
	free(c->body);
	c->body = begin ? strdup("{\"Detach\":false,\"Tty\":false}") : NULL;
	if (asprintf(&c->path, "/exec/%s/%s", c->exec_id, begin ? "start" : "json") < 0)
		c->path = NULL;
	c->method = begin ? "POST" : "GET";
	return c->path == NULL || (begin && c->body == NULL)
	               ? err_set(e, ERR_NOMEM, "out of memory")
	               : ERR_OK;
}

bool exec_data(void *ctx, const char *p, size_t n)
{
	struct docker_call *c = ctx;

	return demux_feed(&c->output, p, n);
}

static bool created(struct docker_call *c, const json_t *doc, struct err *e)
{
	const char *id = json_string_value(json_object_get(doc, "Id"));

	if (!docker_id_ok(id)) {
		err_set(e, ERR_INVALID, "Docker's answer cannot be read");
		return true;
	}
	memcpy(c->exec_id, id, sizeof(c->exec_id));
	c->step = CALL_START;
	return false;
}

/* A command may close its output long before it ends, and Docker hears of the end a
 * little after that of the output. */
static bool exited(struct docker_call *c, const json_t *doc, struct docker_result *r,
                   struct err *e)
{
	const json_t *code = json_object_get(doc, "ExitCode");
	int64_t wait = (int64_t)POLL_MIN_MS << (c->asked < 6 ? c->asked : 6);

	if (json_is_true(json_object_get(doc, "Running"))) {
		c->asked++;
		c->not_before = clock_boot(c->d->o.clock) +
		                (wait < POLL_MAX_MS ? wait : POLL_MAX_MS);
		return false;
	}
	if (!json_is_integer(code) || json_integer_value(code) < INT32_MIN ||
	    json_integer_value(code) > INT32_MAX)
		err_set(e, ERR_INVALID, "Docker's answer cannot be read");
	else
		r->exit_code = (long)json_integer_value(code);
	return true;
}

bool exec_step(struct docker_call *c, const struct http_reply *reply,
               struct docker_result *r, struct err *e)
{
	json_t *doc;
	bool over;

	if (c->step == CALL_START) {
		c->step = CALL_EXITED;
		return false;
	}
	doc = docker_parse(reply->body, reply->len);
	over = c->step == CALL_CREATE ? created(c, doc, e) : exited(c, doc, r, e);
	json_decref(doc);
	return over;
}
