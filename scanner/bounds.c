/* SPDX-License-Identifier: Apache-2.0 */
#include "scanner/bounds.h"

const struct scan_limits scan_limits_default = {
	.output = UINT64_C(20) << 30,
	.file = UINT64_C(2) << 30,
	.entries = 1000000,
	.ratio = 200,
	.depth = 5,
	.json = 8u << 20,
	.json_all = 32u << 20,
};
