/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define DIGEST_MAX 128u
#define TEXT_MAX   5000u /* of one text of a record */

struct job_head {
	uint32_t id;
	uint16_t format;
	uint16_t channel;
	uint16_t items;
	uint16_t streamed;
	uint64_t offset;
	uint64_t size;
	/* source, layer, digest and the names follow, each with its NUL */
};

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

bool job_add(struct job *j, int fd, const char *name)
{
	char *copy = job_fits(j, name) ? strdup(name) : NULL;

	if (copy == NULL) {
		close(fd);
		return false;
	}
	j->names_len += strlen(name) + 1;
	j->name[j->n] = copy;
	j->fd[j->n++] = fd;
	return true;
}

void job_free(struct job *j)
{
	if (j == NULL)
		return;
	for (unsigned i = 0; i < j->n; i++) {
		close(j->fd[i]);
		free(j->name[i]);
	}
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
		{&head, sizeof(head)},
                { text, 0           }
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };

	put_text(&w, j->source, WIRE_PATH_MAX);
	put_text(&w, j->layer, DIGEST_MAX);
	put_text(&w, j->digest, DIGEST_MAX);
	for (unsigned i = 0; i < j->n; i++)
		put_text(&w, j->name[i], WIRE_PATH_MAX);
	iov[1].iov_len = w.n;
	if (j->n > 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(j->n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), j->fd, j->n * sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(j->n * sizeof(int));
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

static struct job *decode_job(const struct job_head *h, const char *p, const char *end,
                              const int *fd, unsigned fds)
{
	struct job *j = job_new((enum job_format)h->format, (enum scan_channel)h->channel,
	                        NULL, NULL);
	unsigned used = 0;
	bool ok = j != NULL;

	if (ok) {
		j->id = h->id;
		j->offset = h->offset;
		j->size = h->size;
		j->streamed = h->streamed != 0;
		j->source = copy_or_null(take_text(&p, end));
		j->layer = copy_or_null(take_text(&p, end));
		j->digest = copy_or_null(take_text(&p, end));
	}
	while (ok && used < fds) {
		const char *name = take_text(&p, end);

		ok = name != NULL && job_add(j, fd[used], name);
		used += name != NULL;
	}
	if (ok && fds == h->items)
		return j;
	for (; used < fds; used++)
		close(fd[used]);
	job_free(j);
	return NULL;
}

int wire_recv_job(int sock, struct job **out, struct err *e)
{
	static char text[WIRE_MAX];
	struct job_head head;
	int fd[WIRE_ITEMS_MAX];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(fd))];
	} control;
	struct iovec iov[] = {
		{&head, sizeof(head)},
                { text, sizeof(text)}
	};
	struct msghdr m = { .msg_iov = iov,
		            .msg_iovlen = ARRAY_LEN(iov),
		            .msg_control = &control,
		            .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(head))
		return err_set(e, ERR_UNREACHABLE, "the main process has gone");
	*out = decode_job(&head, text, text + (n - (ssize_t)sizeof(head)), fd,
	                  take_fds(&m, fd));
	return *out != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "a job could not be taken");
}

int wire_send_record(int sock, const struct record *r)
{
	char text[WIRE_TEXTS * (TEXT_MAX + 1)];
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
