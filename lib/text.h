/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_H
#define TEXT_H
/*
 * text - hex, base64, base62, base32, percent-encoding and UTF-8.  Encoders, decoders and
 * the checksum do no table look-ups and no branches that depend on the data, but for
 * text_percent().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** text_hex(p, n, out): 2n lower-case digits and a NUL. */
void text_hex(const void *p, size_t n, char *out);
/** text_unhex(s, n, out, cap): bytes written, or -1 (odd length, bad digit, too long). */
long text_unhex(const char *s, size_t n, void *out, size_t cap);

#define TEXT_BASE64_LEN(n) ((((n) + 2) / 3) * 4)
/** text_base64(p, n, out): standard alphabet with padding (RFC 4648 section 4) and a NUL;
 * returns the length. */
size_t text_base64(const void *p, size_t n, char *out);
/** text_base64url(p, n, out): URL alphabet, no padding (RFC 4648 section 5), and a NUL;
 * returns the length. */
size_t text_base64url(const void *p, size_t n, char *out);
/** text_unbase64(s, n, out, cap): either alphabet but not both, padding optional, no
 * other bytes, no stray bits; bytes written, or -1. */
long text_unbase64(const char *s, size_t n, void *out, size_t cap);

#define TEXT_DECIMAL_BYTES 32u /* longest number */
#define TEXT_DECIMAL_LEN   78u /* its digits */
/** text_decimal(p, n, out): a big-endian number of at most TEXT_DECIMAL_BYTES bytes, none
 * negative, in decimal and a NUL, at most TEXT_DECIMAL_LEN digits; returns the length.
 * Not for secrets: its time depends on the number. */
size_t text_decimal(const void *p, size_t n, char *out);

#define TEXT_BASE32_LEN(n) (((n)*8 + 4) / 5)
/** text_base32(p, n, out): lower-case RFC 4648 alphabet, no padding, and a NUL; returns
 * the length. */
size_t text_base32(const void *p, size_t n, char *out);
/** text_unbase32(s, n, out, cap): any case, no padding, no stray bits; bytes or -1. */
long text_unbase32(const char *s, size_t n, void *out, size_t cap);

/** text_percent(p, n, keep, out): percent-encoded (RFC 3986 section 2.1): as they are
 * stay letters, digits, "-._~" and the bytes of ${keep}; the others become %XX.  And a
 * NUL.
 * ${out} NULL: nothing is written.  Returns the length, at most 3n. */
size_t text_percent(const void *p, size_t n, const char *keep, char *out);

#define TEXT_BASE62_MAX 64u /* bytes of a number that text_base62() takes */
/** text_base62(p, n, out, width): the big-endian number ${p} as exactly ${width} digits
 * 0-9A-Za-z and a NUL; 0, or -1 if it does not fit. */
int text_base62(const void *p, size_t n, char *out, size_t width);
/** text_base62_random(out, width): ${width} uniformly random digits and a NUL. */
void text_base62_random(char *out, size_t width);
/** text_base62_ok(s, n): are all ${n} bytes base62 digits? */
bool text_base62_ok(const char *s, size_t n);

/** text_utf8_ok(s, n): well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
 * NUL counts as a byte. */
bool text_utf8_ok(const char *s, size_t n);
/** text_utf8_put(out, cp): a code point as UTF-8; how many bytes. */
#define TEXT_UTF8_MAX 4
size_t text_utf8_put(char out[TEXT_UTF8_MAX], uint32_t cp);
/** text_printable(s, n): well-formed UTF-8 and no control characters (C0, DEL, C1). */
bool text_printable(const char *s, size_t n);
/** text_lines(s, n): the same, but line feeds, carriage returns and tabs are allowed. */
bool text_lines(const char *s, size_t n);
/** text_crc32(p, n): CRC-32 (IEEE 802.3), as zlib's. */
uint32_t text_crc32(const void *p, size_t n);

/** text_ieq(a, b): ASCII case-insensitive equality. */
bool text_ieq(const char *a, const char *b);

#endif
