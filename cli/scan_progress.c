/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "clock.h"

#define EVERY_MS 100
#define BAR      20u
#define WIDE     60u /* columns from which on there is a bar */

struct scan_progress_bar {
	int64_t begun_ms, shown_ms;
	bool shown;
};

static int64_t now(void)
{
	return clock_boot(clock_system());
}

struct scan_progress_bar *scan_progress_new(void)
{
	struct scan_progress_bar *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->begun_ms = now();
	return b;
}

void scan_progress_free(struct scan_progress_bar *b)
{
	scan_progress_clear(b);
	free(b);
}

void scan_progress_clear(struct scan_progress_bar *b)
{
	static const char clear[] = "\r\033[2K";

	if (b == NULL || !b->shown)
		return;
	b->shown = false;
	(void)!write(STDERR_FILENO, clear, sizeof(clear) - 1);
}

static unsigned columns(void)
{
	struct winsize w = { 0 };

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void amount(double bytes, char out[16])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t u = 0;

	for (; bytes >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		bytes /= 1024;
	snprintf(out, 16, u == 0 ? "%.0f %s" : "%.1f %s", bytes, units[u]);
}

/* "[#####---------------] "; of layers, which are large, or else of jobs. */
static size_t bar(const struct scan_progress *p, char *out, size_t cap)
{
	uint64_t all = p->layers > 0 ? p->layers : p->jobs;
	uint64_t done = p->layers > 0 ? p->layers_done : p->jobs_done;
	size_t full = all > 0 ? (size_t)(done < all ? BAR * done / all : BAR) : 0;
	char cells[BAR + 1];

	memset(cells, '-', BAR);
	memset(cells, '#', full);
	cells[BAR] = '\0';
	return (size_t)snprintf(out, cap, "[%s] ", cells);
}

void scan_progress_text(const struct scan_progress *p, double seconds, unsigned columns,
                        char *out, size_t cap)
{
	char bytes[16], rate[16], layers[64] = "";
	size_t n = 0;

	if (cap > columns) /* the last column stays free: some terminals turn there */
		cap = columns;
	if (cap == 0)
		return;
	out[0] = '\0';
	amount((double)p->bytes, bytes);
	amount(seconds > 0 ? (double)p->bytes / seconds : 0, rate);
	if (p->layers > 0)
		snprintf(layers, sizeof(layers), ", %llu of %llu layers",
		         (unsigned long long)p->layers_done,
		         (unsigned long long)p->layers);
	if (columns >= WIDE)
		n = bar(p, out, cap);
	if (n < cap)
		snprintf(out + n, cap - n, "%s, %llu files%s, %s/s", bytes,
		         (unsigned long long)p->blobs, layers, rate);
}

void scan_progress_show(struct scan_progress_bar *b, const struct scan_progress *p)
{
	char text[256], line[300];
	int64_t ms;
	int n;

	if (b == NULL)
		return;
	ms = now();
	if (b->shown_ms != 0 && ms - b->shown_ms < EVERY_MS)
		return;
	b->shown_ms = ms;
	b->shown = true;
	scan_progress_text(p, (double)(ms - b->begun_ms) / 1000, columns(), text,
	                   sizeof(text));
	/* What is left of a longer line is erased behind it, not before: no flicker. */
	n = snprintf(line, sizeof(line), "\r%s\033[K", text);
	(void)!write(STDERR_FILENO, line, (size_t)n);
}
