/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_NET_ROLE_NET_H
#define SERVER_NET_ROLE_NET_H
/*
 * role_net - the process that speaks HTTP(S): one thread around libmicrohttpd's epoll
 * descriptor.  It holds the TLS key and nothing else of value; it turns requests into
 * frames for core and renders the replies.
 */

/**
 * net_role_main(control_fd): run the role until it is drained or the supervisor is gone.
 * ${control_fd} is the control socket; the first frame on it is IPC_CONFIG.  Returns the
 * exit status.
 */
int net_role_main(int control_fd);

#endif
