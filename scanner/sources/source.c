/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "content.h"
#include "scanner/archive/stream.h"

typedef void (*item_fn)(struct work *w, const struct job *j, unsigned i);

static const item_fn readers[FORMAT__MAX] = {
	[FORMAT_FILE] = source_file,
	[FORMAT_NUL] = source_nul,
	[FORMAT_IMAGE] = source_image,
	[FORMAT_LAYER] = source_layer,
	[FORMAT_CONTAINER] = source_container,
	[FORMAT_CONTAINERS] = source_containers,
	[FORMAT_SERVICES] = source_services,
	[FORMAT_CONFIGS] = source_configs,
	[FORMAT_DOCKERFILE] = source_dockerfile,
	[FORMAT_COMPOSE] = source_compose,
	[FORMAT_GIT] = source_git,
};

void source_run(struct work *w, const struct job *j)
{
	item_fn read_item = j->format < FORMAT__MAX ? readers[j->format] : NULL;

	for (unsigned i = 0; i < j->n && !w->gone; i++) {
		atomic_store_explicit(&w->status->item, i, memory_order_relaxed);
		work_at(w, j->name[i]);
		if (read_item != NULL)
			read_item(w, j, i);
		else
			work_skip(w, j->name[i], "its kind is not known");
	}
}

static void beat(void *ctx)
{
	work_beat(ctx);
}

void source_open(struct work *w, const struct job *j, unsigned i, struct stream_fd *s)
{
	stream_fd_init(s, j->fd[i], w->buffer, WORK_BUFFER);
	if (j->streamed) {
		s->beat = beat;
		s->ctx = w;
	}
}

static void held_file(struct work *w, const struct job *j, unsigned i)
{
	const struct job_span *span = &j->span[i];
	struct stream_mem s;
	const uint8_t *p;

	if (span->at > w->held_n || span->n > w->held_n - span->at) {
		work_skip(w, j->name[i], "it is not where it should be");
		return;
	}
	p = w->held + span->at;
	if (content_plain(p, span->n)) {
		work_text(w, j->channel, j->name[i], p, span->n);
		return;
	}
	stream_mem_init(&s, p, span->n);
	content_read(w, j->channel, j->name[i], &s.s, 0);
}

void source_file(struct work *w, const struct job *j, unsigned i)
{
	struct stream_fd s;

	if (j->fd[i] < 0) {
		held_file(w, j, i);
		return;
	}
	source_open(w, j, i, &s);
	content_read(w, j->channel, j->name[i], &s.s, 0);
}

/* One string a line. */
void source_nul(struct work *w, const struct job *j, unsigned i)
{
	struct stream_fd s;
	const uint8_t *p;
	size_t n;

	source_open(w, j, i, &s);
	work_begin(w, j->channel, j->name[i]);
	while (stream_next(&s.s, &p, &n) > 0) {
		uint8_t *text = w->buffer; /* nothing was peeked at: it is there */

		for (size_t k = 0; k < n; k++)
			if (text[k] == '\0')
				text[k] = '\n';
		work_feed(w, text, n);
	}
	work_end(w);
	/* A process that has ended meanwhile has nothing any more. */
}
