/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_SCAN_BUILD_H
#define SCANNER_SCAN_BUILD_H
/* scan_build - files that a Dockerfile or a Compose file names. */
#include "scan_impl.h"

/** scan_build_reference(s, j, path): job ${j} (FORMAT_DOCKERFILE or FORMAT_COMPOSE) names
 * a file or a directory; in a Dockerfile, it may be a pattern.  It is scanned if it is
 * below the context, or the directory of the Compose file. */
void scan_build_reference(struct scan *s, const struct job *j, const char *path);
/** scan_build_left_out(c, path, directory): does a .dockerignore keep ${path}, which
 * begins with the directory of ${c}, out of the build?  With all that is in it, if it may
 * be a
 * ${directory}.  ${c} NULL: no. */
bool scan_build_left_out(const struct scan_context *c, const char *path, bool directory);
/** scan_build_first(s, path): false if the file ${path} was asked for before. */
bool scan_build_first(struct scan *s, const char *path);
/** scan_build_free(s): what was kept of Dockerfiles. */
void scan_build_free(struct scan *s);

#endif
