/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JUDGE_H
#define JUDGE_H
/*
 * judge - values that have no structure of their own: passwords, tokens without a prefix.
 *
 * Pure; thread safe.
 */
#include "verdict/verdict.h"

struct place;
struct shape;

/** judge_common(p, s, n): drops what is no secret whoever assigns it: references, masks,
 * placeholders, samples.  DROP_NONE if none of them. */
enum drop judge_common(const struct place *p, const char *s, size_t n);

/** judge_password(p, s, n): in a place where nothing but a password can be. */
enum drop judge_password(const struct place *p, const char *s, size_t n);

/** judge_strict(p, s, n): in a place that may as well hold a word or code. */
enum drop judge_strict(const struct place *p, const char *s, size_t n);

/** judge_strong(p, s, n): three classes of characters. */
enum drop judge_strong(const struct place *p, const char *s, size_t n);

/** judge_opaque(p, s, n): a token: random text. */
enum drop judge_opaque(const struct place *p, const char *s, size_t n);

/** judge_bearer(p, s, n): the same, or a UUID: in a place for tokens alone. */
enum drop judge_bearer(const struct place *p, const char *s, size_t n);

/** judge_assign(p, s, n): by the name before it. */
enum drop judge_assign(const struct place *p, const char *s, size_t n);

/** judge_url(p, s, n): the password of a URL, percent-encoded. */
enum drop judge_url(const struct place *p, const char *s, size_t n);

/** judge_phrase(s, n): words with spaces. */
enum drop judge_phrase(const struct place *p, const char *s, size_t n);

/** judge_k8s(p, s, n): a value under data of a Secret manifest. */
enum drop judge_k8s(const struct place *p, const char *s, size_t n);

/** judge_column(p, s, n): a cell of a table, if what its column is called promises a
 * secret; the names are looked for in the lines of ${p} before the value. */
enum drop judge_column(const struct place *p, const char *s, size_t n);

/** judge_encoded_words(s, n): is it base64 of words that examples are made of: "not my
 * real password"? */
bool judge_encoded_words(const char *s, size_t n);

/** judge_random(p, s, n, drop): is a literal, or a line of settings, random beyond doubt?
 * Then ${*drop} says what becomes of it, and nothing else is to be asked. */
bool judge_random(const struct place *p, const char *s, size_t n, enum drop *drop);

/** judge_code(p, s, n): is the value an expression of a programming language, a path, a
 * type or another thing that only looks like a value? */
bool judge_code(const struct place *p, const char *s, size_t n);
#endif
