/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H
/* address - "HOST:PORT" of a listener: numeric, "localhost" or empty (all) host; no
 * look-ups. */
#include <stdbool.h>
#include <sys/socket.h>

#include "err.h"

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/** address_parse(text, out, e): "127.0.0.1:8200", "[::1]:8200", "localhost:8200",
 * ":8200"; port 0 lets the kernel choose.  ERR_INVALID quotes the text. */
int address_parse(const char *text, struct address *out, struct err *e) MUST_CHECK;

/** address_loopback(a): can only this machine reach it? */
bool address_loopback(const struct address *a);

/** address_port(a), address_set_port(a, port): in host order. */
unsigned address_port(const struct address *a);
void address_set_port(struct address *a, unsigned port);

#define ADDRESS_TEXT_MAX 64
/** address_format(a, out): the inverse of address_parse(). */
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);

#endif
