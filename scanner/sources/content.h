/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_CONTENT_H
#define SCANNER_CONTENT_H
/*
 * content - a file from wherever: an archive is opened, anything else searched.
 */
#include "scanner/archive/stream.h"
#include "scanner/worker/work.h"

/** content_plain(p, n): is what begins so to be searched as it is? */
bool content_plain(const uint8_t *p, size_t n) MUST_CHECK;
/** content_read(w, channel, path, s, depth): ${depth} archives are around it. */
void content_read(struct work *w, enum scan_channel channel, const char *path,
                  struct stream *s, unsigned depth);

#endif
