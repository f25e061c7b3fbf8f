/* SPDX-License-Identifier: Apache-2.0 */
#include "cidr.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Up to three digits; -1 for anything else. */
static int small_number(const char *s, size_t n)
{
	int out = 0;

	if (n == 0 || n > 3)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		out = out * 10 + (s[i] - '0');
	}
	return out;
}

static int parse_address(const char *s, size_t n, struct cidr *c)
{
	char text[INET6_ADDRSTRLEN];

	if (n == 0 || n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return -1;
	memcpy(text, s, n);
	text[n] = '\0';
	memset(c, 0, sizeof(*c));
	c->v6 = memchr(s, ':', n) != NULL;
	c->bits = c->v6 ? 128 : 32;
	return inet_pton(c->v6 ? AF_INET6 : AF_INET, text, c->address) == 1 ? 0 : -1;
}

static void unmap(struct cidr *c)
{
	if (!c->v6 || c->bits < 96 || memcmp(c->address, mapped, sizeof(mapped)) != 0)
		return;
	memmove(c->address, c->address + 12, 4);
	memset(c->address + 4, 0, 12);
	c->bits -= 96;
	c->v6 = false;
}

int cidr_parse(const char *s, size_t n, struct cidr *out)
{
	const char *slash = memchr(s, '/', n);
	size_t len = slash != NULL ? (size_t)(slash - s) : n;
	struct cidr c;
	int bits;

	if (parse_address(s, len, &c) != 0)
		return -1;
	if (slash != NULL) {
		bits = small_number(slash + 1, n - len - 1);
		if (bits < 0 || (unsigned)bits > c.bits)
			return -1;
		c.bits = (unsigned)bits;
	}
	unmap(&c);
	*out = c;
	return 0;
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	unsigned bytes = outer->bits / 8, rest = outer->bits % 8;
	unsigned char mask = (unsigned char)(0xff00u >> rest);

	if (outer->v6 != inner->v6 || inner->bits < outer->bits)
		return false;
	if (memcmp(outer->address, inner->address, bytes) != 0)
		return false;
	return rest == 0 || ((outer->address[bytes] ^ inner->address[bytes]) & mask) == 0;
}
