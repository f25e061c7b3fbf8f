/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_EMIT_H
#define SCANNER_EMIT_H
/* emit - findings of the engine in a worker become records for the main process. */
#include "work.h"

struct scan_engine;
struct scan_options;

/** emit_stream_new(engine, options, w): the worker's matcher, whose findings are records
 * of
 * ${w}'s job; NULL if out of memory. */
struct scan_stream *emit_stream_new(const struct scan_engine *engine,
                                    const struct scan_options *options, struct work *w)
	MUST_CHECK;

#endif
