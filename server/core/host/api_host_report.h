/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_API_HOST_REPORT_H
#define SERVER_CORE_API_HOST_REPORT_H
/* api_host_report - handlers of other tables' rows. */
#include "route.h"

/** agent_take_report(r): what the host says of itself, signed. */
int agent_take_report(struct req *r);
/** host_where(r): which host, and which of its containers, has which version of the
 * secret that the path names. */
int host_where(struct req *r);

#endif
