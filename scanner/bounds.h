/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_BOUNDS_H
#define SCANNER_BOUNDS_H
/*
 * bounds - what the scanner reads at most of input that others have made.  What lies
 * beyond is a "not scanned" record with the reason, and the result is incomplete.
 */
#include <stddef.h>
#include <stdint.h>

struct scan_limits {
	uint64_t output;   /* bytes out of all decompressors, per job */
	uint64_t file;     /* bytes of one member of an archive */
	uint64_t entries;  /* members of archives, per job */
	uint64_t ratio;    /* of a decompressor, over each ratio_window of output */
	unsigned depth;    /* archives in archives */
	uint64_t json;     /* bytes of one manifest or configuration */
	uint64_t json_all; /* of all in one image archive that cannot seek */
};

#define SCAN_RATIO_WINDOW (1u << 20)
#define SCAN_ZSTD_WINDOW  25u         /* log2 of the largest window */
#define SCAN_XZ_MEMORY    (80u << 20) /* what the xz decoder may take */
#define SCAN_TAR_NAME     4096u       /* bytes of a name or link */
#define SCAN_TAR_EXTENDED (64u << 10) /* bytes of extended headers of one entry */
#define SCAN_TAR_SPARSE   1024u       /* regions of a sparse file */
#define SCAN_IMAGES       256u        /* of one archive */
#define SCAN_IMAGE_LAYERS 512u        /* of one image */
#define SCAN_BLOBS        65536u      /* members of an image archive */
#define SCAN_JSON_DEPTH   64u
#define SCAN_WALK_DEPTH   256u

/* What is used unless the caller says otherwise. */
extern const struct scan_limits scan_limits_default;

#endif
