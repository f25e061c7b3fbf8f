/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_rotator - what a rotator reads: the request, and an operator's statements with
 * values of the request filled in.  A value that was filled in ends no quotation, and no
 * secret value is left in a message.
 */
#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "server/rotators/lib/rotator.h"
#include "server/rotators/lib/statement.h"
#include "server/rotators/lib/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t quotes(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += strchr("'\"`\\;$", *s) != NULL;
	return n;
}

static void fill(struct request *r)
{
	const struct variable v[] = {
		{.name = "name",        .value = r->pending.username  },
		{ .name = "password",   .value = r->pending.password  },
		{ .name = "expiration", .value = r->pending.expiration},
	};

	for (size_t i = 0; i < r->statements; i++) {
		struct answer a = { 0 };
		char *out = NULL;

		if (statement_fill(r->arena, r->statement[i], v, ARRAY_LEN(v), &out,
		                   &a) != 0)
			assert(a.class != CLASS_NONE && out == NULL);
		else
			assert(quotes(out) == quotes(r->statement[i]));
	}
}

static void scrub(struct request *r)
{
	const char *secret = r->pending.password;
	struct answer a = { 0 };
	char *text;

	if (secret == NULL || strlen(secret) < 4 || strlen(secret) > 100 ||
	    strchr(secret, '*') != NULL)
		return;
	answer_fail(&a, CLASS_PERMANENT, "the target said: '%s' is no password, %s%s",
	            secret, secret, secret);
	request_scrub(r, a.message);
	assert(strstr(a.message, secret) == NULL);
	text = answer_text(&a);
	assert(text != NULL);
	answer_release(text);
}

static void cut(struct request *r)
{
	const char *url = NULL;
	struct answer a = { 0 };
	char *out = NULL;

	if (config_text(r, "connection_url", NULL, &url, &a) != 0 || url == NULL)
		return;
	if (target_cut_user(r->arena, url, &out, &a) == 0)
		assert(strlen(out) <= strlen(url));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = arena_new((size_t)16 << 20);
	enum strategy strategy;
	struct answer a = { 0 };
	struct request r;

	if (arena == NULL || sodium_init() < 0)
		return 0;
	if (request_parse((const char *)data, size, &r, &a) == 0) {
		r.arena = arena;
		if (rotator_strategy(&r, &strategy, &a) != 0)
			assert(a.class == CLASS_PERMANENT);
		assert(r.pending.username == NULL || r.accounts == 0 ||
		       request_allows(&r, r.account[0], &a) == 0);
		fill(&r);
		scrub(&r);
		cut(&r);
	} else {
		assert(a.class == CLASS_PERMANENT && a.message[0] != '\0');
	}
	request_free(&r);
	return 0;
}
