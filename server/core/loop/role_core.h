/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_ROLE_CORE_H
#define SERVER_CORE_ROLE_CORE_H
/* role_core - the process around the core: control socket, sockets to net, epoll,
 * sandbox. */

/** core_role_main(control_fd): run the role until drained; returns the exit status (70:
 * an outcome is unknown). */
int core_role_main(int control_fd);

#endif
