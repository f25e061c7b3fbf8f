/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "call_impl.h"
#include "clock.h"
#include "log.h"
#include "text.h"
#include "wire.h"

#define TERM_MS     2000
#define MESSAGE_MAX 1024u
/* JSON may need six bytes for one. */
#define REQUEST_MAX (6u * LIMIT_STEP_REQUEST + 4096u)

/* ---- answers ---- */

static void release(struct call *k)
{
	k->state = CALL_ENDED;
	call_close(&k->proc.in);
	call_close(&k->proc.out);
	call_close(&k->proc.err);
	buf_free(&k->in);
	buf_free(&k->out);
	buf_free(&k->said);
}

static void answer(struct call *k, struct arena *a, struct value *reply)
{
	static const unsigned char none[32];

	value_set(reply, "sha256",
	          memcmp(k->sha256, none, 32) != 0 ? value_bytes(a, k->sha256, 32)
	                                           : value_null(a));
	if (!k->silent)
		k->calls->o.answer(k->calls->o.ctx, k->id, reply);
	release(k);
}

void call_unknown(struct call *k, bool started, const char *fmt, ...)
{
	AUTO_ARENA a = arena_new(16u * 1024);
	char reason[512];
	struct value *v;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	log_warn("the outcome of a rotator is unknown", LOG_S("rotator", k->name),
	         LOG_S("op", k->op), LOG_S("attempt", k->attempt),
	         LOG_S("cause", reason));
	if (a == NULL) {
		release(k);
		return;
	}
	v = value_object(a);
	value_set_str(a, v, "outcome", "unknown");
	value_set_bool(a, v, "started", started);
	value_set_str(a, v, "reason", reason);
	answer(k, a, v);
}

/* What people read: no values, no control characters, bounded. */
static struct value *message(struct call *k, struct arena *a, const struct value *v)
{
	char *text;
	size_t n;

	if (v == NULL || v->type != V_STRING)
		return value_str(a, "");
	text = arena_dup(a, v->text, v->len);
	if (text == NULL)
		return NULL;
	n = scrub_text(&k->scrub, text, v->len);
	if (n > MESSAGE_MAX)
		n = MESSAGE_MAX;
	while (n > 0 && !text_utf8_ok(text, n))
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	return value_strn(a, text, n);
}

static void answer_reply(struct call *k)
{
	AUTO_ARENA a = arena_new(16u * LIMIT_STEP_REPLY);
	struct value *said = NULL, *v;
	struct err e;

	if (a == NULL) {
		call_unknown(k, true, "out of memory for its reply");
		return;
	}
	if (wire_reply(a, k->out.p != NULL ? (const char *)k->out.p + k->out.start : NULL,
	               k->out.len, &said, &e) != ERR_OK) {
		call_unknown(k, true, "%s", e.msg);
		return;
	}
	scrub_add_tree(&k->scrub, k->a, value_get(said, "fields"));
	v = value_object(a);
	value_set_str(a, v, "outcome", "reply");
	value_set_bool(a, v, "started", true);
	for (struct value *m = said->first, *next; m != NULL; m = next) {
		next = m->next;
		value_setn(v, m->key, m->key_len,
		           m->key_len == 7 && memcmp(m->key, "message", 7) == 0
		                   ? message(k, a, m)
		                   : m);
	}
	if (arena_failed(a))
		call_unknown(k, true, "out of memory for its reply");
	else
		answer(k, a, v);
}

/* ---- start ---- */

static int vet(struct call *k, struct vetted *file, struct err *e)
{
	const struct value *pin = value_get(k->row, "sha256");
	const struct vet_order o = {
		.path = value_cstr_or(k->a, k->row, "path", ""),
		.pin = pin != NULL && pin->type == V_BYTES && pin->len == 32
		               ? (const unsigned char *)pin->text
		               : NULL,
		.trusted = k->calls->o.trusted,
	};
	int rc = vet_file(&o, file, e);

	if (rc == ERR_OK)
		memcpy(k->sha256, file->sha256, 32);
	return rc;
}

static int make_dir(struct call *k, struct err *e)
{
	snprintf(k->dir, sizeof(k->dir), "%s/step-XXXXXX", k->calls->o.work_dir);
	if (mkdtemp(k->dir) != NULL)
		return ERR_OK;
	k->dir[0] = '\0';
	return err_sys(e, ERR_IO, errno, "a directory for a rotator");
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
	(void)remove(path);
	return 0;
}

static void remove_dir(struct call *k)
{
	if (k->dir[0] != '\0')
		(void)nftw(k->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	k->dir[0] = '\0';
}

/* Everything that is known and must not be read in a log. */
static void learn_values(struct call *k)
{
	static const char *const holders[] = { "admin", "current", "pending",
		                               "previous" };

	for (size_t i = 0; i < ARRAY_LEN(holders); i++)
		scrub_add_tree(&k->scrub, k->a, value_get(k->request, holders[i]));
}

static int try_start(struct call *k, struct err *e)
{
	int64_t now = clock_boot(clock_system());
	int64_t longest = value_int_or(k->row, "timeout_ms", LIMIT_STEP_MS);
	struct vetted file = { .fd = -1 };
	struct spawn_order o = { .name = k->name, .dir = k->dir, .file = &file };
	int rc;

	if (k->deadline_ms > now + longest)
		k->deadline_ms = now + longest;
	learn_values(k);
	k->in.max = REQUEST_MAX;
	k->out.max = LIMIT_STEP_REPLY + 1;
	k->said.max = LIMIT_STEP_LOG;
	if (arena_failed(k->a))
		return err_set(e, ERR_NOMEM, "out of memory for its request");
	if ((rc = wire_request(&k->in, k->request, k->deadline_ms - now, e)) != ERR_OK ||
	    (rc = make_dir(k, e)) != ERR_OK || (rc = vet(k, &file, e)) != ERR_OK)
		return rc;
	rc = spawn_run(&o, &k->proc, e);
	close(file.fd);
	return rc;
}

void call_start(struct call *k)
{
	struct err e;

	if (try_start(k, &e) == ERR_OK) {
		k->state = CALL_RUNNING;
		k->calls->running++;
		return;
	}
	remove_dir(k);
	call_unknown(k, false, "%s", e.msg);
}

/* ---- end ---- */

void call_kill(const struct call *k)
{
	(void)kill(-k->proc.pid, SIGKILL);
}

void call_end(struct call *k, const char *why, int64_t now)
{
	if (k->state != CALL_RUNNING)
		return;
	k->state = CALL_ENDING;
	k->why = why;
	k->kill_at_ms = now + TERM_MS;
	(void)kill(-k->proc.pid, SIGTERM);
}

void call_ended(struct call *k, int status)
{
	k->calls->running--;
	call_read(k);
	call_listen(k);
	call_last_words(k);
	remove_dir(k);
	if (k->state == CALL_ENDING)
		call_unknown(k, true, "%s", k->why);
	else if (WIFSIGNALED(status))
		call_unknown(k, true, "it was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		call_unknown(k, true, "it ended with status %d", WEXITSTATUS(status));
	else
		answer_reply(k);
}
