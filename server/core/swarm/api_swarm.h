/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_SWARM_H
#define SERVER_CORE_API_SWARM_H
/* api_swarm - what hosts on managers of a Swarm ask and say (api_agent_swarm.c). */
#include "route.h"

int agent_swarm_lead(struct req *r);
int agent_swarm_plan(struct req *r);
int agent_swarm_state(struct req *r);
int agent_swarm_tasks(struct req *r);

#endif
