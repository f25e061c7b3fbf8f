/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_note - signed notes, checkpoints and verifier keys from anybody. */
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "note.h"

#define KEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_key(const char *text, size_t n)
{
	char again[NOTE_KEY_TEXT_MAX];
	struct note_key k, same;
	struct err e;

	if (note_key_parse(text, n, &k, &e) != ERR_OK)
		return;
	note_key_format(&k, again);
	if (note_key_parse(again, strlen(again), &same, &e) != ERR_OK ||
	    memcmp(&k, &same, sizeof(k)) != 0)
		abort();
}

static void try_checkpoint(const char *text, size_t n)
{
	struct note_checkpoint cp, same;
	char again[NOTE_CHECKPOINT_MAX];
	struct err e;
	size_t len;

	if (note_checkpoint_parse(text, n, &cp, &e) != ERR_OK)
		return;
	len = note_checkpoint_body(&cp, again, sizeof(again));
	if (len == 0 || note_checkpoint_parse(again, len, &same, &e) != ERR_OK ||
	    memcmp(&cp, &same, sizeof(cp)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct note_checkpoint cp;
	struct note_key k;
	struct err e;
	size_t body = 0;

	if (sodium_init() < 0 || note_key_parse(KEY, strlen(KEY), &k, &e) != ERR_OK)
		abort();
	if (note_verify(text, size, &k, 1, &body, &e) == ERR_OK &&
	    (body == 0 || body >= size))
		abort();
	if (note_checkpoint_verify(text, size, &k, &cp, &e) == ERR_OK &&
	    strcmp(cp.origin, k.name) != 0)
		abort();
	try_key(text, size);
	try_checkpoint(text, size);
	return 0;
}
