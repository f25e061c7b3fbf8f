/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H
/*
 * status - on a Unix socket: GET /status says what the agent holds and how it is, as
 * JSON, GET /metrics the same in numbers, POST /rekey wants new keys for the host; and
 * the client that asks.  A handful of connections.
 */
#include <stdbool.h>

#include "err.h"

struct session;
struct status_server;

/** status_listen(path, out, e): bind (mode 0660) before the sandbox closes; a stale
 * socket is replaced, a live one is ERR_BUSY. */
int status_listen(const char *path, struct status_server **out, struct err *e) MUST_CHECK;
void status_free(struct status_server *st);

/** status_attach(st, epoll_fd, e): from now on its events come to the loop. */
int status_attach(struct status_server *st, int epoll_fd, struct err *e) MUST_CHECK;

/** status_event(st, fd, events, s): true if ${fd} is one of its descriptors. */
bool status_event(struct status_server *st, int fd, unsigned events, struct session *s);

/** status_print(path, json, e): ask the agent at ${path} and print what it says. */
int status_print(const char *path, bool json, struct err *e) MUST_CHECK;

/** status_rekey(path, e): tell the agent at ${path} to get new keys, and wait for them.
 */
int status_rekey(const char *path, struct err *e) MUST_CHECK;

#endif
