/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BASELINE_H
#define SCANNER_BASELINE_H
/*
 * baseline - findings that are known, so that a scan reports only what is new.
 *
 * An entry is rule, path and a keyed hash of the secret.  The key is not in the baseline
 * but in a file of its own: who has the baseline alone can test no guess, however weak
 * the secret.  An entry cannot be made for a secret without the key either.
 */
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "scanner/finding.h"

#define BASELINE_KEY      32u
#define BASELINE_FILE_MAX (64u << 20)
#define BASELINE_ENTRIES  1000000u

struct baseline;

/** baseline_new(key_path, make, out, e): empty, with the key of a file (64 hexadecimal
 * digits, mode 0600).  ${make}: a file that is not there is made.  ERR_NOENT, ERR_DENIED,
 * ERR_INVALID. */
int baseline_new(const char *key_path, bool make, struct baseline **out, struct err *e)
	MUST_CHECK;
void baseline_free(struct baseline *b);

/** baseline_read(b, path, e): adds the entries of a file.  ERR_INVALID: it is none, or
 * was made with another key. */
int baseline_read(struct baseline *b, const char *path, struct err *e) MUST_CHECK;
/** baseline_parse(b, name, text, n, e): the same from memory. */
int baseline_parse(struct baseline *b, const char *name, const char *text, size_t n,
                   struct err *e) MUST_CHECK;

/** baseline_scan_key(b, out): of the fingerprints of a scan that goes with it. */
void baseline_scan_key(const struct baseline *b, unsigned char out[BASELINE_KEY]);

/** baseline_add(b, rule, path, fingerprint, e): one that is there already is no error. */
int baseline_add(struct baseline *b, const char *rule, const char *path,
                 const unsigned char fingerprint[FINDING_FINGERPRINT], struct err *e)
	MUST_CHECK;
/** baseline_has(b, …). */
bool baseline_has(const struct baseline *b, const char *rule, const char *path,
                  const unsigned char fingerprint[FINDING_FINGERPRINT]);
/** baseline_write(b, path, e): all of it, sorted; mode 0600, all or nothing. */
int baseline_write(struct baseline *b, const char *path, struct err *e) MUST_CHECK;

#endif
