/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIDR_H
#define CIDR_H
/* cidr - blocks of IP addresses as text: "10.0.0.0/8", "2001:db8::/32", "192.0.2.7". */
#include <stdbool.h>
#include <stddef.h>

struct cidr {
	unsigned char address[16]; /* IPv4 in the first four bytes */
	unsigned bits;             /* length of the prefix */
	bool v6;                   /* an IPv4-mapped IPv6 address counts as IPv4 */
};

/** cidr_parse(s, n, out): an address is a block of its own; 0 or -1. */
int cidr_parse(const char *s, size_t n, struct cidr *out);
/** cidr_contains(outer, inner): is every address of ${inner} in ${outer}? */
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);

#endif
