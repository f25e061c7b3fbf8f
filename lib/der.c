/* SPDX-License-Identifier: Apache-2.0 */
#include "der.h"

#define TAG_UTF8      0x0cu
#define TAG_PRINTABLE 0x13u
#define TAG_IA5       0x16u

/* The length behind a tag, ${*at} bytes into ${in}; false if it is not DER or too long.
 */
static bool take_length(const struct der *in, size_t *at, size_t *len)
{
	size_t bytes, v = 0;

	if (*at >= in->n)
		return false;
	v = in->p[(*at)++];
	if (v < 0x80) {
		*len = v;
		return true;
	}
	bytes = v & 0x7f;
	if (bytes == 0 || bytes > 4 || in->n - *at < bytes)
		return false;
	for (v = 0; bytes > 0; bytes--)
		v = v << 8 | in->p[(*at)++];
	*len = v;
	return v >= 0x80; /* a shorter form would have done for less */
}

bool der_next(struct der *in, unsigned *tag, struct der *out)
{
	size_t at = 1, len;

	if (in->n < 2 || (in->p[0] & 0x1f) == 0x1f)
		return false;
	if (!take_length(in, &at, &len) || in->n - at < len)
		return false;
	*tag = in->p[0];
	*out = (struct der){ in->p + at, len };
	in->p += at + len;
	in->n -= at + len;
	return true;
}

bool der_text(struct der in, struct der *out)
{
	unsigned tag;

	return der_next(&in, &tag, out) && in.n == 0 &&
	       (tag == TAG_UTF8 || tag == TAG_PRINTABLE || tag == TAG_IA5);
}
