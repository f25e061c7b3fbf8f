/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_MEMBER_PATH_H
#define SCANNER_MEMBER_PATH_H
/*
 * member_path - names of archives' members in one form: no "." or "..", no empty parts,
 * never above the root.  They are only compared and shown.
 */
#include <stddef.h>

#include "scanner/bounds.h"

#define MEMBER_PATH_CAP (2 * SCAN_TAR_NAME + 2)

/** member_path(name, out): at most MEMBER_PATH_CAP bytes with the NUL; returns the
 * length.  "" is the root. */
size_t member_path(const char *name, char out[MEMBER_PATH_CAP]);
/** member_path_link(name, link, out): what a link of member ${name} to ${link} means. */
size_t member_path_link(const char *name, const char *link, char out[MEMBER_PATH_CAP]);

#endif
