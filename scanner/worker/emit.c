/* SPDX-License-Identifier: Apache-2.0 */
#include "emit.h"

#include "record_finding.h"
#include "scanner/match/scan_stream.h"

static void on_finding(void *ctx, const struct finding *f)
{
	struct work *w = ctx;
	unsigned char bytes[RECORD_FINDING_BYTES];
	struct record r;

	record_put_finding(&r, f, bytes);
	record_move_line(&r, w->line_base);
	work_send(w, &r);
}

struct scan_stream *emit_stream_new(const struct scan_engine *engine,
                                    const struct scan_options *options, struct work *w)
{
	struct scan_stream *s = scan_stream_new(engine, options, on_finding, w);

	if (s != NULL)
		scan_stream_prepare(s);
	return s;
}
