/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_CORE_VERSION_HISTORY_H
#define SERVER_CORE_VERSION_HISTORY_H
/* version_history - which releases have opened this vault, and when each did so first:
 * sys/version-history. */
#include "core.h"

/** version_history_note(c, version, build_date, e): at unseal: store that this release is
 * there from now on, unless it was there before. */
int version_history_note(struct core *c, const char *version, const char *build_date,
                         struct err *e) MUST_CHECK;

#endif
