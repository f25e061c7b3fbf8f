/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_HELP_H
#define SERVER_CORE_HELP_H
/*
 * help - "GET path?help=1": what can be asked there, from the rows of the route table.
 */
#include "req.h"

/** help_mount(r): is the path that of a mount, with or without its slash?  It has one
 * then, and r->mount is set. */
bool help_mount(struct req *r);
/** help_route(r): let ${r} be answered by the help row; what the path's own row would ask
 * for is not asked, but a live token is. */
void help_route(struct req *r);

#endif
