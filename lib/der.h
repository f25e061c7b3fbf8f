/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DER_H
#define DER_H
/*
 * der - a reader for the few DER structures that are looked into by hand: subject
 * alternative names and extensions that hold one string (net), and whether a certificate
 * that an operator trusts is a CA's (core).
 *
 * Definite lengths of at most four bytes and tags of one byte; everything else is an
 * error.  One pass, no allocation: what a certificate costs is linear in its size, which
 * library calls by index are not.
 */
#include <stdbool.h>
#include <stddef.h>

struct der {
	const unsigned char *p;
	size_t n;
};

/** der_next(in, tag, out): take the next element off ${in}; false at its end and at
 * anything malformed (then in->n is not 0). */
bool der_next(struct der *in, unsigned *tag, struct der *out);

/** der_text(in, out): the content of a value that is one UTF8String, PrintableString or
 * IA5String and nothing else. */
bool der_text(struct der in, struct der *out);

#endif
