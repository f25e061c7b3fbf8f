/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VERIFY_FETCH_H
#define CLI_VERIFY_FETCH_H
/* verify_fetch - an export of the audit log, fetched from a server page by page. */
#include <stdio.h>

#include "cli.h"

/** verify_fetch(c, f, count, e): write the export up to the head that is signed now;
 * *count records. */
int verify_fetch(struct cli *c, FILE *f, long long *count, struct err *e) MUST_CHECK;

#endif
