/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static int parse_port(const char *s, unsigned *port)
{
	char *end;
	unsigned long n;

	if (*s < '0' || *s > '9')
		return -1;
	n = strtoul(s, &end, 10);
	if (*end != '\0' || n > 65535)
		return -1;
	*port = (unsigned)n;
	return 0;
}

static int parse_host(const char *host, struct address *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sa;

	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (*host == '\0')
		host = "::";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		out->len = sizeof(*v4);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		out->len = sizeof(*v6);
		return 0;
	}
	return -1;
}

int address_parse(const char *text, struct address *out, struct err *e)
{
	const char *colon = strrchr(text, ':');
	struct address a = { .len = 0 };
	char host[ADDRESS_TEXT_MAX];
	size_t n = colon != NULL ? (size_t)(colon - text) : 0;
	bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
	unsigned port;

	if (colon == NULL || n >= sizeof(host) || parse_port(colon + 1, &port) != 0)
		return err_set(e, ERR_INVALID, "'%s' is no HOST:PORT", text);
	memcpy(host, text + brackets, n - 2 * brackets);
	host[n - 2 * brackets] = '\0';
	if ((!brackets && memchr(host, ':', n) != NULL) || parse_host(host, &a) != 0)
		return err_set(
			e, ERR_INVALID,
			"'%s': the host must be an IP address ([…] around IPv6) or localhost",
			text);
	address_set_port(&a, port);
	*out = a;
	return ERR_OK;
}

bool address_loopback(const struct address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;

	if (a->sa.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

unsigned address_port(const struct address *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

void address_set_port(struct address *a, unsigned port)
{
	if (a->sa.ss_family == AF_INET)
		((struct sockaddr_in *)&a->sa)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)&a->sa)->sin6_port = htons((uint16_t)port);
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->sa.ss_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->sa)->sin_addr, host,
		          sizeof(host));
		snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", host, address_port(a));
		return;
	}
	inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, host,
	          sizeof(host));
	snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, address_port(a));
}
