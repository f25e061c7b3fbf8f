/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLACEHOLDER_H
#define PLACEHOLDER_H
/*
 * placeholder - values that stand where a secret will be, or say where it is.
 *
 * Pure; thread safe.  Values are borrowed and need not end in a NUL.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** placeholder_public(s, n): a key or name that is meant to be known: pk_live_, ssh-rsa,
 * age1, a client id. */
bool placeholder_public(const char *s, size_t n);

/** placeholder_redacted(s, n): masked: a run of stars, x or dots, or a word that says so.
 */
bool placeholder_redacted(const char *s, size_t n);

/** placeholder_variable(s, n, literal): $NAME.  In a literal, where nothing replaces it
 * (single quotes), only what can be nothing else. */
bool placeholder_variable(const char *s, size_t n, bool literal);

/** placeholder_reference(s, n): a template, path of a secret store or a call
 * that yields the secret. */
bool placeholder_reference(const char *s, size_t n);

/** placeholder_elsewhere(s, n): it says where the secret is: a path of a store, a call.
 */
bool placeholder_elsewhere(const char *s, size_t n);

/** placeholder_words(s, n): made of the words that examples are made of ("changeme",
 * "your-api-key-here", "secret"), which cover most of its letters. */
bool placeholder_words(const char *s, size_t n);

/** placeholder_pattern(s, n): counts up, or repeats itself. */
bool placeholder_pattern(const char *s, size_t n);

/** placeholder_standard(s, n): made of names of algorithms and standards, and numbers:
 * "PBKDF2-SHA256", "32-64 bytes". */
bool placeholder_standard(const char *s, size_t n);

/** placeholder_interface(s, n): keys to press, the rules of a form's field, or a word of
 * a translation. */
bool placeholder_interface(const char *s, size_t n);

/** placeholder_sample(s, n): a documented sample, compared by its hash, or one that its
 * vendor marked with EXAMPLE. */
bool placeholder_sample(const char *s, size_t n);

/** placeholder_public_key(p, n): a private key, decoded, that packages of a distribution
 * carry, as for self-tests; compared by its hash (tools/public-keys). */
bool placeholder_public_key(const uint8_t *p, size_t n);
#endif
