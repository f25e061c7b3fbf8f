/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_BUILD_H
#define SCANNER_SCAN_BUILD_H
/* scan_build - files that a Dockerfile or a Compose file names. */
#include "scan_impl.h"

/** scan_build_reference(s, j, path): job ${j} (FORMAT_DOCKERFILE or FORMAT_COMPOSE) names
 * a file: it is scanned if it is below the directory of ${j}'s. */
void scan_build_reference(struct scan *s, const struct job *j, const char *path);

#endif
