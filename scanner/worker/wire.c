/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "held.h"

#define DIGEST_MAX 128u
#define TEXT_MAX   5000u /* of one text of a record */

struct job_head {
	uint32_t id;
	uint16_t format;
	uint16_t channel;
	uint16_t items;
	uint16_t streamed;
	uint32_t held; /* a bit of each item that is a span */
	uint64_t offset;
	uint64_t size;
	/* a span of each item, and source, layer, digest and the names, each with its
	   NUL, follow */
};

_Static_assert(WIRE_ITEMS_MAX <= 32, "as many bits");

struct record_head {
	uint32_t type;
	uint32_t job;
	uint32_t texts_n; /* bytes of all texts with their NULs */
	uint32_t bytes_n;
	uint64_t number[WIRE_NUMBERS];
};

struct job *job_new(enum job_format format, enum scan_channel channel, const char *source,
                    const char *layer)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->format = format;
	j->channel = channel;
	if ((source != NULL && (j->source = strndup(source, WIRE_PATH_MAX)) == NULL) ||
	    (layer != NULL && (j->layer = strndup(layer, DIGEST_MAX)) == NULL)) {
		job_free(j);
		return NULL;
	}
	return j;
}

bool job_fits(const struct job *j, const char *name)
{
	size_t n = strlen(name);

	return j->n < WIRE_ITEMS_MAX && n <= WIRE_PATH_MAX &&
	       j->names_len + n + 1 <= WIRE_NAMES_MAX;
}

static bool add_item(struct job *j, int fd, struct job_span span, const char *name)
{
	char *copy = job_fits(j, name) ? strdup(name) : NULL;

	if (copy == NULL)
		return false;
	j->names_len += strlen(name) + 1;
	j->name[j->n] = copy;
	j->span[j->n] = span;
	j->fd[j->n++] = fd;
	return true;
}

bool job_add(struct job *j, int fd, const char *name)
{
	if (add_item(j, fd, (struct job_span){ 0 }, name))
		return true;
	close(fd);
	return false;
}

bool job_add_span(struct job *j, struct job_span span, const char *name)
{
	return add_item(j, -1, span, name);
}

void job_free(struct job *j)
{
	if (j == NULL)
		return;
	for (unsigned i = 0; i < j->n; i++) {
		if (j->fd[i] >= 0)
			close(j->fd[i]);
		free(j->name[i]);
	}
	held_give_back(j);
	free(j->source);
	free(j->layer);
	free(j->digest);
	free(j);
}

/* A message under construction. */
struct writer {
	char *p;
	size_t n;
};

static void put_text(struct writer *w, const char *s, size_t max)
{
	size_t n = s != NULL ? strnlen(s, max) : 0;

	if (n > 0)
		memcpy(w->p + w->n, s, n);
	w->p[w->n + n] = '\0';
	w->n += n + 1;
}

static int send_all(int sock, struct msghdr *m)
{
	ssize_t sent;

	do
		sent = sendmsg(sock, m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

int wire_send_job(int sock, const struct job *j, struct err *e)
{
	static char text[WIRE_NAMES_MAX + WIRE_PATH_MAX + 2 * DIGEST_MAX + 3];
	struct job_head head = { .id = j->id,
		                 .format = (uint16_t)j->format,
		                 .channel = (uint16_t)j->channel,
		                 .items = (uint16_t)j->n,
		                 .streamed = j->streamed,
		                 .offset = j->offset,
		                 .size = j->size };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(WIRE_ITEMS_MAX * sizeof(int))];
	} control = { 0 };
	struct writer w = { .p = text };
	struct iovec iov[] = {
		{&head,                       sizeof(head)             },
		{ (void *)(uintptr_t)j->span, j->n * sizeof(j->span[0])},
		{ text,                       0                        }
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };
	int fd[WIRE_ITEMS_MAX];
	unsigned fds = 0;

	put_text(&w, j->source, WIRE_PATH_MAX);
	put_text(&w, j->layer, DIGEST_MAX);
	put_text(&w, j->digest, DIGEST_MAX);
	for (unsigned i = 0; i < j->n; i++)
		put_text(&w, j->name[i], WIRE_PATH_MAX);
	iov[2].iov_len = w.n;
	for (unsigned i = 0; i < j->n; i++) {
		if (j->fd[i] < 0)
			head.held |= UINT32_C(1) << i;
		else
			fd[fds++] = j->fd[i];
	}
	if (fds > 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fd, fds * sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(fds * sizeof(int));
	}
	return send_all(sock, &m) == 0 ? ERR_OK
	                               : err_sys(e, ERR_IO, errno, "sending to a worker");
}

/* The next text of a message, or NULL if it does not end. */
static const char *take_text(const char **p, const char *end)
{
	const char *s = *p, *nul = s < end ? memchr(s, '\0', (size_t)(end - s)) : NULL;

	if (nul == NULL)
		return NULL;
	*p = nul + 1;
	return s;
}

static char *copy_or_null(const char *s)
{
	return s == NULL || *s == '\0' ? NULL : strdup(s);
}

/* How many descriptors came, at most WIRE_ITEMS_MAX; the rest the kernel did not give. */
static unsigned take_fds(struct msghdr *m, int *fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fd, CMSG_DATA(c), n * sizeof(int));
	return (unsigned)n;
}

/* A job as it came. */
struct message {
	struct job_head head;
	const char *p, *end;
	int fd[WIRE_ITEMS_MAX];
	unsigned fds, used; /* descriptors, and how many of them are items' */
};

static bool take_item(struct message *m, struct job *j, const char *spans)
{
	const char *name = take_text(&m->p, m->end);
	struct job_span span;

	if (name == NULL)
		return false;
	if ((m->head.held >> j->n & 1) == 0)
		return m->used < m->fds && job_add(j, m->fd[m->used++], name);
	memcpy(&span, spans + j->n * sizeof(span), sizeof(span));
	return job_add_span(j, span, name);
}

static struct job *decode_job(struct message *m)
{
	const struct job_head *h = &m->head;
	struct job *j = job_new((enum job_format)h->format, (enum scan_channel)h->channel,
	                        NULL, NULL);
	const char *spans = m->p;
	bool ok = j != NULL && h->items <= WIRE_ITEMS_MAX &&
	          h->items * sizeof(j->span[0]) <= (size_t)(m->end - m->p);

	if (ok) {
		m->p += h->items * sizeof(j->span[0]);
		j->id = h->id;
		j->offset = h->offset;
		j->size = h->size;
		j->streamed = h->streamed != 0;
		j->source = copy_or_null(take_text(&m->p, m->end));
		j->layer = copy_or_null(take_text(&m->p, m->end));
		j->digest = copy_or_null(take_text(&m->p, m->end));
	}
	while (ok && j->n < h->items)
		ok = take_item(m, j, spans);
	if (ok && m->used == m->fds)
		return j;
	for (; m->used < m->fds; m->used++)
		close(m->fd[m->used]);
	job_free(j);
	return NULL;
}

int wire_recv_job(int sock, struct job **out, struct err *e)
{
	static char text[WIRE_MAX];
	struct message job = { .p = text };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(job.fd))];
	} control;
	struct iovec iov[] = {
		{&job.head, sizeof(job.head)},
                { text,     sizeof(text)    }
	};
	struct msghdr m = { .msg_iov = iov,
		            .msg_iovlen = ARRAY_LEN(iov),
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(job.head))
		return err_set(e, ERR_UNREACHABLE, "the main process has gone");
	job.end = text + (n - (ssize_t)sizeof(job.head));
	job.fds = take_fds(&m, job.fd);
	*out = decode_job(&job);
	return *out != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "a job could not be taken");
}

int wire_send_record(int sock, const struct record *r)
{
	static char text[WIRE_TEXTS * (TEXT_MAX + 1)];
	struct record_head head = { .type = (uint32_t)r->type,
		                    .job = r->job,
		                    .bytes_n = (uint32_t)r->bytes_n };
	struct writer w = { .p = text };
	struct iovec iov[] = {
		{&head,                        sizeof(head)},
		{ text,			0           },
		{ (void *)(uintptr_t)r->bytes, r->bytes_n  }
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };

	memcpy(head.number, r->number, sizeof(head.number));
	for (unsigned i = 0; i < WIRE_TEXTS; i++)
		put_text(&w, r->text[i], TEXT_MAX);
	iov[1].iov_len = w.n;
	head.texts_n = (uint32_t)w.n;
	return send_all(sock, &m);
}

int wire_get_record(const void *p, size_t n, struct record *r)
{
	const char *text = (const char *)p + sizeof(struct record_head), *end;
	struct record_head head;

	if (n < sizeof(head))
		return -1;
	memcpy(&head, p, sizeof(head));
	if (head.type >= RECORD__MAX || head.texts_n > n - sizeof(head) ||
	    head.bytes_n != n - sizeof(head) - head.texts_n)
		return -1;
	r->type = (enum record_type)head.type;
	r->job = head.job;
	memcpy(r->number, head.number, sizeof(r->number));
	end = text + head.texts_n;
	for (unsigned i = 0; i < WIRE_TEXTS; i++)
		if ((r->text[i] = take_text(&text, end)) == NULL)
			return -1;
	r->bytes = end;
	r->bytes_n = head.bytes_n;
	return 0;
}
