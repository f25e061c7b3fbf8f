/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H
/*
 * notify - the service manager's protocol (sd_notify(3)) without its library.
 *
 * $NOTIFY_SOCKET names a datagram socket (a leading '@' means the abstract name space);
 * a datagram holds lines such as "READY=1".  Without a manager every call does nothing.
 */

/** notify_init(): remember $NOTIFY_SOCKET and take it out of the environment. */
void notify_init(void);

/** notify_ready(status): serving (also after a reload); ${status} is one line for people.
 */
void notify_ready(const char *status);

/** notify_reloading(): a reload has begun; notify_ready() ends it. */
void notify_reloading(void);

/** notify_stopping(): the way down has begun. */
void notify_stopping(void);

#endif
