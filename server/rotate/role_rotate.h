/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_ROLE_ROTATE_H
#define SERVER_ROLE_ROTATE_H
/*
 * role_rotate - the process that runs rotators: it has the network and no keys.
 *
 * core sends calls (IPC_STEP), each with exactly the values that one step needs.  At most
 * LIMIT_STEPS_RUNNING run at once, the others wait.  Nothing is stored; when core's end
 * of the connection closes, or the supervisor's, everything that runs is ended.
 */

/** rotate_role_main(control_fd): the role; its exit status. */
int rotate_role_main(int control_fd);

#endif
