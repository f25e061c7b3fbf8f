/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAKE_ENGINE_H
#define TEST_FAKE_ENGINE_H
/*
 * fake_engine - an engine of one rule, "SECRET", for tests of what is around the engine;
 * and inputs that are too much for it: CRASH, HANG, SPIN, EAT.  One file of a program
 * includes it.
 */
#include <stdlib.h>
#include <string.h>

#include "match/scan_stream.h"

struct scan_stream {
	scan_sink sink;
	void *ctx;
	struct blob blob;
	uint64_t line;
	unsigned char room[64 * 1024];
};

static struct rule fake_rule;
static struct rule_set fake_rules = { &fake_rule, 1 };
static char fake_id[] = "fake";

static bool word(const unsigned char *p, size_t n, const char *w)
{
	return memmem(p, n, w, strlen(w)) != NULL;
}

/* All memory that there is, in use. */
static void eat(void)
{
	size_t n = 8u << 20;
	void *p;

	while ((p = malloc(n)) != NULL)
		memset(p, 1, n);
	abort();
}

static void suffer(const unsigned char *p, size_t n)
{
	volatile unsigned spin = 1;

	if (word(p, n, "CRASH"))
		abort();
	if (word(p, n, "EAT"))
		eat();
	while (word(p, n, "SPIN"))
		spin++;
	while (word(p, n, "HANG"))
		usleep(1000);
}

struct scan_stream *scan_stream_new(const struct scan_engine *g,
                                    const struct scan_options *options, scan_sink sink,
                                    void *ctx)
{
	struct scan_stream *s = calloc(1, sizeof(*s));

	(void)g;
	(void)options;
	if (s != NULL) {
		s->sink = sink;
		s->ctx = ctx;
	}
	return s;
}

void scan_stream_prepare(struct scan_stream *s)
{
	(void)s;
}

int scan_stream_begin(struct scan_stream *s, const struct blob *b)
{
	s->blob = *b;
	s->line = 1;
	return ERR_OK;
}

int scan_stream_feed(struct scan_stream *s, const unsigned char *p, size_t n)
{
	const unsigned char *at = p, *end = p + n, *hit;

	suffer(p, n);
	while ((hit = memmem(at, (size_t)(end - at), "SECRET", 6)) != NULL) {
		struct finding f = { .rule = &fake_rule, .blob = &s->blob };

		for (; at < hit; at++)
			s->line += *at == '\n';
		f.line = s->line;
		s->sink(s->ctx, &f);
		at = hit + 6;
	}
	for (; at < end; at++)
		s->line += *at == '\n';
	return ERR_OK;
}

int scan_stream_whole(struct scan_stream *s, const unsigned char *p, size_t n)
{
	return scan_stream_feed(s, p, n);
}

unsigned char *scan_stream_room(struct scan_stream *s, size_t *n)
{
	*n = sizeof(s->room);
	return s->room;
}

int scan_stream_filled(struct scan_stream *s, size_t n)
{
	return scan_stream_feed(s, s->room, n);
}

int scan_stream_end(struct scan_stream *s)
{
	(void)s;
	return ERR_OK;
}

void scan_stream_untold(const struct scan_stream *s, struct scan_untold *out)
{
	(void)s;
	*out = (struct scan_untold){ 0 };
}

int scan_engine_new(const struct rule_set *rules, struct scan_engine **out, struct err *e)
{
	(void)rules;
	(void)e;
	*out = NULL;
	return ERR_OK;
}

void scan_engine_free(struct scan_engine *g)
{
	(void)g;
}

int rules_builtin(struct rule_set *out, struct err *e)
{
	(void)e;
	fake_rule.id = fake_rule.title = fake_id;
	*out = fake_rules;
	return ERR_OK;
}

int rules_add_file(struct rule_set *set, const char *path, struct err *e)
{
	(void)set;
	return err_set(e, ERR_NOENT, "%s: there are no files of rules here", path);
}

void rules_free(struct rule_set *set)
{
	(void)set;
}

#endif
