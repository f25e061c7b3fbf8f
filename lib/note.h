/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NOTE_H
#define NOTE_H
/*
 * note - signed notes and tree heads as c2sp.org/signed-note and c2sp.org/tlog-checkpoint
 * define them, with Ed25519 signatures (type 0x01).
 *
 *   origin \n size \n base64(root) \n \n — name base64(key id || signature) \n
 *
 * A verifier ignores signatures of keys that it does not know, refuses a note in which a
 * known key's signature is wrong, and one without any by a known key.  No allocation.
 */
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define NOTE_NAME_MAX       128u
#define NOTE_MAX            (64u * 1024) /* bytes of a whole note */
#define NOTE_SIGNATURES_MAX 64u
#define NOTE_KEY_TEXT_MAX   (NOTE_NAME_MAX + 1 + 8 + 1 + 44 + 1)
#define NOTE_CHECKPOINT_MAX 640u /* a checkpoint with one signature, and its NUL */

struct note_key {
	char name[NOTE_NAME_MAX + 1];
	unsigned char id[4];
	unsigned char pub[32];
};

struct note_checkpoint {
	char origin[NOTE_NAME_MAX + 1];
	uint64_t size;
	unsigned char root[32];
};

/** note_key_make(name, pub, out, e): the key and its id; ERR_INVALID for a name that no
 * note can carry. */
int note_key_make(const char *name, const unsigned char pub[32], struct note_key *out,
                  struct err *e) MUST_CHECK;
/** note_key_parse(text, n, out, e): "name+hex id+base64(0x01 || key)"; the id must fit
 * the key. */
int note_key_parse(const char *text, size_t n, struct note_key *out, struct err *e)
	MUST_CHECK;
/** note_key_format(k, out): the verifier key text. */
void note_key_format(const struct note_key *k, char out[NOTE_KEY_TEXT_MAX]);

/**
 * note_verify(text, n, keys, nkeys, body_len, e): check every signature by one of
 * ${keys}. *body_len is the length of the signed text, final newline included.
 * ERR_VERIFY, or ERR_INVALID if it is no signed note.
 */
int note_verify(const char *text, size_t n, const struct note_key *keys, size_t nkeys,
                size_t *body_len, struct err *e) MUST_CHECK;

/** note_checkpoint_body(cp, out, cap): the text that is signed; returns its length, 0 if
 * it does not fit. */
size_t note_checkpoint_body(const struct note_checkpoint *cp, char *out, size_t cap);
/** note_sign_line(k, sig, out, cap): blank line and signature line, to follow the body;
 * length, 0 if it does not fit. */
size_t note_sign_line(const struct note_key *k, const unsigned char sig[64], char *out,
                      size_t cap);
/** note_checkpoint_parse(body, n, out, e): a signed text as a tree head; further lines
 * are allowed and ignored. */
int note_checkpoint_parse(const char *body, size_t n, struct note_checkpoint *out,
                          struct err *e) MUST_CHECK;
/** note_checkpoint_line(text, n, prefix, len): the extension line of a checkpoint that
 * begins with ${prefix}, without its newline, borrowed; NULL if there is none. */
const char *note_checkpoint_line(const char *text, size_t n, const char *prefix,
                                 size_t *len);
/** note_checkpoint_verify(text, n, k, out, e): signed by ${k}, well-formed, and of the
 * log that ${k} is named after. */
int note_checkpoint_verify(const char *text, size_t n, const struct note_key *k,
                           struct note_checkpoint *out, struct err *e) MUST_CHECK;

#endif
