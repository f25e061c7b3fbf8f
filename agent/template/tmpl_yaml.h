/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_TEMPLATE_TMPL_YAML_H
#define AGENT_TEMPLATE_TMPL_YAML_H
/* tmpl_yaml - what a plain scalar of YAML 1.1 stands for. */
#include "tmpl_run.h"

/** tmpl_yaml_resolve(s, out): the value of a scalar without quotes; a string if it is
 * nothing else.  ${*timestamp}: a date, which is kept as its text. */
struct tv tmpl_yaml_resolve(struct tmpl_str s, bool *timestamp);

/** tmpl_yaml_base60(s): "1:30", a number to some. */
bool tmpl_yaml_base60(struct tmpl_str s);

#endif
