/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_LAYOUT_H
#define AGENT_TEMPLATE_TMPL_LAYOUT_H
/* tmpl_layout - times written by example, as Go does: "Mon Jan 2 15:04:05 2006". */
#include "tmpl_run.h"

/** tmpl_put_time(b, ms, layout): ${ms} since 1970 in UTC; a layout of NULL is seconds
 * since then. */
void tmpl_put_time(struct tmpl_buf *b, int64_t ms, struct tmpl_str layout);

#endif
