/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_log - what `git log -p` prints: added lines of each hunk are a blob whose lines are
 * numbered as in the file of that commit; messages (which are indented) are searched too.
 *
 * Lines of any length are passed on in pieces.  In a hunk a line that begins with one of
 * " +-\" is content, so that no content passes for a header.
 */
#include <stdio.h>
#include <string.h>

#include "scanner/archive/stream.h"
#include "source.h"

#define HEADER_MAX  4400u
#define COLUMNS_MAX 32u
#define MESSAGE     "(commit message)"

enum mode { LINE_START, FEEDING, SKIPPING, HEADER };

struct git {
	struct work *w;
	enum mode mode;
	bool hunk;        /* content is allowed here */
	bool open;        /* a blob is */
	unsigned columns; /* of signs before a line of content: one for each parent */
	char line[HEADER_MAX + 1];
	size_t n;
	char path[HEADER_MAX + 1];
	char commit[72];
};

static void close_blob(struct git *g)
{
	if (g->open)
		work_end(g->w);
	g->open = false;
	g->w->line_base = 0;
}

static void open_blob(struct git *g, const char *path, uint64_t line)
{
	close_blob(g);
	g->w->line_base = line > 0 ? line - 1 : 0;
	work_begin(g->w, CHANNEL_GIT, path);
	g->open = true;
}

/* "@@ -1,2 +3,4 @@": the number behind the last '+'. */
static void hunk_header(struct git *g)
{
	size_t at = strspn(g->line, "@");
	const char *end = strstr(g->line + at, "@@"), *plus = NULL;

	for (const char *p = g->line + at; p != end && *p != '\0'; p++)
		if (*p == '+')
			plus = p;
	if (at < 2 || at > COLUMNS_MAX || plus == NULL)
		return;
	g->columns = (unsigned)at - 1;
	g->hunk = true;
	open_blob(g, g->path, strtoull(plus + 1, NULL, 10));
}

static bool begins(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static void header(struct git *g)
{
	const char *l = g->line;

	g->line[g->n] = '\0';
	if (begins(l, "@@")) {
		hunk_header(g);
	} else if (begins(l, "commit ")) {
		close_blob(g);
		g->hunk = false;
		(void)snprintf(g->commit, sizeof(g->commit), "%.64s", l + 7);
		g->w->source = g->commit;
	} else if (begins(l, "diff ")) {
		close_blob(g);
		g->hunk = false;
		(void)snprintf(g->path, sizeof(g->path), "%s", l + 5);
	} else if (begins(l, "+++ ")) {
		(void)snprintf(g->path, sizeof(g->path), "%s",
		               l + 4 + (begins(l + 4, "b/") ? 2 : 0));
		/* A tab marks the end of a name with blanks. */
		g->path[strcspn(g->path, "\t")] = '\0';
	} else if (begins(l, "Binary files ")) {
		work_skip(g->w, g->path, "git shows no difference of it");
	} else if (begins(l, "    ")) {
		if (!g->open)
			open_blob(g, MESSAGE, 1);
		work_feed(g->w, l + 4, g->n - 4);
		work_feed(g->w, "\n", 1);
	}
}

/* The signs before a line of content are complete. */
static void signs(struct git *g)
{
	bool added = memchr(g->line, '+', g->n) != NULL &&
	             memchr(g->line, '-', g->n) == NULL;

	g->n = 0;
	g->mode = added && g->open ? FEEDING : SKIPPING;
}

/* One byte at the start of a line; how it goes on is decided. */
static void start(struct git *g, uint8_t c)
{
	if (c == '\n') {
		g->n = 0;
		return;
	}
	g->line[g->n++] = (char)c;
	if (!g->hunk || strchr(" +-\\", g->line[0]) == NULL)
		g->mode = HEADER;
	else if (g->n == g->columns)
		signs(g);
}

/* The rest of a line, or what there is of it; how much was taken. */
static size_t rest(struct git *g, const uint8_t *p, size_t n)
{
	const uint8_t *nl = memchr(p, '\n', n);
	size_t len = nl != NULL ? (size_t)(nl - p) : n, keep = HEADER_MAX - g->n;

	if (g->mode == FEEDING) {
		work_feed(g->w, p, len + (nl != NULL));
	} else if (g->mode == HEADER) {
		keep = len < keep ? len : keep;
		memcpy(g->line + g->n, p, keep);
		g->n += keep;
		if (nl != NULL)
			header(g);
	}
	if (nl == NULL)
		return n;
	g->mode = LINE_START;
	g->n = 0;
	return len + 1;
}

void source_git(struct work *w, const struct job *j, unsigned i)
{
	struct git *g = calloc(1, sizeof(*g));
	struct stream_fd s;
	const uint8_t *p;
	size_t n;
	int more;

	if (g == NULL) {
		work_skip(w, j->name[i], "out of memory");
		return;
	}
	g->w = w;
	source_open(w, j, i, &s);
	while ((more = stream_next(&s.s, &p, &n)) > 0 && !w->gone) {
		while (n > 0) {
			size_t took = 1;

			if (g->mode == LINE_START)
				start(g, *p);
			else
				took = rest(g, p, n);
			p += took;
			n -= took;
		}
	}
	close_blob(g);
	w->source = j->source;
	if (more < 0)
		work_skip(w, j->name[i], s.s.why);
	free(g);
}
