/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_NUMBERS_H
#define CLI_NUMBERS_H
/*
 * numbers - JSON in which every number stays as it was written.
 *
 * jansson keeps integers of 64 bits and doubles: it refuses longer integers and writes
 * 0.1 as 0.10000000000000001.  What a secret holds must come back as it is, so every
 * number but a plain integer of up to 18 digits is a string inside, marked by a prefix
 * that is random in each process.  All JSON that comes from a user or the server goes in
 * by numbers_load() and out by numbers_dump().
 */
#include <jansson.h>
#include <stddef.h>

#include "err.h"

/** numbers_load(text, n, flags, why): json_loadb(); the caller json_decref()s it. */
json_t *numbers_load(const char *text, size_t n, size_t flags, json_error_t *why)
	MUST_CHECK;
/** numbers_dump(v, flags): json_dumps(); the caller cli_wipe()s it; NULL: out of memory.
 */
char *numbers_dump(const json_t *v, size_t flags) MUST_CHECK;
/** numbers_text(v): the digits of a number that was kept as text, else NULL; borrowed. */
const char *numbers_text(const json_t *v);

#endif
