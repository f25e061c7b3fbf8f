/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_LEAK_BITS_H
#define SERVER_CORE_LEAK_BITS_H
/* leak_bits - how hard a value is to guess, estimated so that it is not overestimated. */
#include <stddef.h>

#define LEAK_BITS_MIN 128u /* of a value that a pack may have */

/** leak_bits(p, n): entropy in whole bits that the bytes are taken to have; 0 where they
 * look like something that people have written.
 *
 * A byte counts what its alphabet allows (hexadecimal digits 4 bits, letters of both
 * cases and digits 5.9) if the bytes are as evenly spread as random ones would be: by
 * their Shannon entropy with Miller and Madow's correction for short samples (1955).  If
 * not, it counts that entropy.  Repetitions and runs (aaaa, abcd, 4321) count nothing.
 * Letters that may be a word count one bit each; if they are more than half of the text,
 * or it is several words, it is 0.  UUIDs count nothing.
 *
 * ':', '@', NUL and white space part a value: what counts is the part that has most. Text
 * in base64 or hexadecimal digits counts as the text does, also in each other.
 *
 * No byte counts more than six bits, so that what has LEAK_BITS_MIN has a part of at
 * least LEAK_RUN bytes (lib/leaktag.h). */
unsigned leak_bits(const void *p, size_t n);

#endif
