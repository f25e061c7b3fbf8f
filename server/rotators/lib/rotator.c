/* SPDX-License-Identifier: Apache-2.0 */
#include "rotator.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "arena.h"
#include "buf.h"
#include "sandbox.h"
#include "wiped.h"

#define ARENA_MAX      (4u * 1024 * 1024)
#define READ_SECONDS   30 /* until the whole request is here */
#define EXIT_NO_REPLY  1
#define STRATEGY_COUNT 4
#define NOTE_MAX       600

static const struct {
	const char *name;
	enum strategy strategy;
} strategies[STRATEGY_COUNT] = {
	{"single",     STRATEGY_SINGLE   },
	{ "dual_user", STRATEGY_DUAL_USER},
	{ "dual_key",  STRATEGY_DUAL_KEY },
	{ "reissue",   STRATEGY_REISSUE  },
};

json_t *rotator_describe(const struct rotator *self)
{
	json_t *doc = json_object(), *list = json_array(), *ops = json_array();
	json_t *mine = json_array(), *config = json_array();
	bool overlap = (self->strategies & ~(unsigned)STRATEGY_SINGLE) != 0;

	for (size_t i = 0; i < STRATEGY_COUNT; i++)
		if ((self->strategies & (unsigned)strategies[i].strategy) != 0)
			json_array_append_new(list, json_string(strategies[i].name));
	for (int i = 0; i < OP__MAX; i++)
		if (i == OP_DESCRIBE || self->run[i] != NULL)
			json_array_append_new(ops, json_string(op_name((enum op)i)));
	json_object_set_new(doc, "strategies", list);
	json_object_set_new(doc, "overlap", json_boolean(overlap));
	json_object_set_new(doc, "needs_admin", json_boolean(self->needs_admin));
	json_object_set_new(doc, "ops", ops);
	for (const char *const *k = self->per_secret; k != NULL && *k != NULL; k++)
		json_array_append_new(mine, json_string(*k));
	json_object_set_new(doc, "per_secret", mine);
	json_array_extend(config, mine);
	for (const char *const *k = self->settings; k != NULL && *k != NULL; k++)
		json_array_append_new(config, json_string(*k));
	if (self->settings != NULL)
		json_object_set(doc, "config", config);
	json_decref(config);
	if (self->value_max == 0)
		return doc;
	json_object_set_new(
		doc, "value",
		json_pack("{s:I, s:I, s:s}", "min", (json_int_t)self->value_min, "max",
	                  (json_int_t)self->value_max, "forbid", self->value_forbid));
	return doc;
}

int rotator_strategy(const struct request *r, enum strategy *s, struct answer *a)
{
	const char *name = NULL;
	int rc = config_text(r, "strategy", NULL, &name, a);

	if (rc != 0)
		return rc;
	*s = r->accounts == 2 ? STRATEGY_DUAL_USER : STRATEGY_SINGLE;
	if (name == NULL)
		return 0;
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		if (strcmp(name, strategies[i].name) != 0)
			continue;
		if ((strategies[i].strategy == STRATEGY_DUAL_USER) != (r->accounts == 2))
			return answer_fail(a, CLASS_PERMANENT,
			                   "config.strategy '%s' does not fit the number "
			                   "of accounts",
			                   strategies[i].name);
		*s = strategies[i].strategy;
		return 0;
	}
	return answer_fail(a, CLASS_PERMANENT, "config.strategy '%.20s' is unknown",
	                   name);
}

void rotator_note(const struct request *r, const char *fmt, ...)
{
	char text[NOTE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	request_scrub(r, text);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	fprintf(stderr, "%s\n", text);
}

/* The default action of SIGALRM ends the process: nothing of it runs on by then. */
static void arm(int64_t ms)
{
	struct itimerval t = {
		.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000},
	};

	sigset_t alarm_set;

	sigemptyset(&alarm_set);
	sigaddset(&alarm_set, SIGALRM);
	(void)sigprocmask(SIG_UNBLOCK, &alarm_set,
	                  NULL); /* whoever started us may block it */
	(void)setitimer(ITIMER_REAL, &t, NULL);
}

/* All of standard input; false if it is too much or cannot be read. */
static bool read_request(struct buf *b)
{
	for (;;) {
		ssize_t n;

		if (buf_room(b) == 0 && !buf_reserve(b, b->cap > 0 ? b->cap : 8192))
			return false;
		n = read(STDIN_FILENO, buf_tail(b), buf_room(b));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && b->len <= REQUEST_MAX;
		b->len += (size_t)n;
		if (b->len > REQUEST_MAX)
			return false;
	}
}

static bool write_reply(const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t put = write(STDOUT_FILENO, text, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		text += put;
		n -= (size_t)put;
	}
	return true;
}

static void run(const struct rotator *self, struct request *r, struct answer *a)
{
	int rc = 0;

	arm(r->deadline_ms);
	if (r->op == OP_DESCRIBE)
		a->describe = rotator_describe(self);
	else if (self->run[r->op] == NULL)
		rc = answer_fail(a, CLASS_PERMANENT, "%s does not support '%s'",
		                 self->name, op_name(r->op));
	else
		rc = self->run[r->op](r, a);
	if (rc == 0)
		a->class = CLASS_NONE;
}

static void serve(const struct rotator *self, struct arena *arena, struct answer *a)
{
	AUTO_BUF in = { .max = 2 * REQUEST_MAX };
	struct request r = { 0 };

	if (!read_request(&in)) {
		answer_fail(a, CLASS_PERMANENT,
		            "bad request: it cannot be read, or has over %u bytes",
		            REQUEST_MAX);
		return;
	}
	if (request_parse((const char *)in.p + in.start, in.len, &r, a) == 0) {
		buf_free(&in);
		r.arena = arena;
		run(self, &r, a);
		request_scrub(&r, a->message);
	}
	request_free(&r);
}

int rotator_main(const struct rotator *self)
{
	struct sandbox_report report = { 0 };
	struct answer a = { 0 };
	char *text;
	bool written;

	sandbox_early(&report);
	/* Client libraries take addresses, accounts and files from there. */
	(void)clearenv();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	arm(READ_SECONDS * 1000);
	if (sodium_init() < 0)
		return EXIT_NO_REPLY;
	wiped_init();
	AUTO_ARENA arena = arena_new(ARENA_MAX);
	if (arena == NULL)
		return EXIT_NO_REPLY;
	serve(self, arena, &a);
	text = answer_text(&a);
	written = text != NULL && write_reply(text) && write_reply("\n");
	answer_release(text);
	answer_free(&a);
	return written ? EXIT_SUCCESS : EXIT_NO_REPLY;
}
