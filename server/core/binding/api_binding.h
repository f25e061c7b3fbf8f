/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_BINDING_H
#define SERVER_CORE_API_BINDING_H
/* api_binding - the agent's half of the API of bindings (api_agent_bind.c). */
#include "route.h"

#define BIND_PAIRS 2000u              /* of a container and a binding in one request */
#define BIND_NAMES 256u               /* different bindings in one request */
#define BIND_TOTAL (4u * 1024 * 1024) /* definitions in one answer, encoded */

/** agent_bind(r): which of the bindings that the containers of a host ask for it gets. */
int agent_bind(struct req *r);

#endif
