/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head - is this head exactly one request, and to everybody the same one?
 *
 * libmicrohttpd 0.9.75 is lenient: it joins folded lines to the header NAME, ends lines
 * at a bare LF, cuts values at NUL, skips extra blanks, takes the first of two
 * Content-Length.  What it hands out are pointers into the bytes that it read, though,
 * with separators replaced by NUL.  So the parts must lie exactly where a strict head has
 * them:
 *
 *   METHOD 0 TARGET 0 VERSION 0 0 { NAME 0 [blanks] VALUE 0 0 } 0 0
 *
 * and add up to the size of the head.  A folded line has been moved elsewhere, a bare LF
 * is a byte short, a NUL leaves a gap: all are refused.  From 1.0 on libmicrohttpd
 * refuses them itself; there only the rules about names, values and repetitions are ours.
 *
 * Two things cannot be told from a line's end, because the bytes are gone: a NUL in place
 * of the CR, and a whole line of ":" and a bare LF, which ends a head that has had a
 * header. No proxy passes either on, and who sends them directly has no one to deceive.
 */
#include <string.h>
#include <strings.h>

#include "net.h"
#include "vault/limits.h"

#define OPENMETRICS "application/openmetrics-text"

struct head {
	struct conn *c;
	const char
		*next; /* where the next header line must begin; NULL: geometry unknown */
	const char *end; /* behind the head */
	const char *refused;
	unsigned headers;
	unsigned seen; /* bit per row of the table below */
	const char *transfer_encoding;
	const char *content_length;
};

enum once {
	ONCE_TOKEN,
	ONCE_AUTH,
	ONCE_HOST,
	ONCE_LENGTH,
	ONCE_TE,
	ONCE_TYPE,
	ONCE_WRAP,
	ONCE_NS,
	ONCE__MAX
};

static const struct {
	const char *name;
	size_t len;
} once[ONCE__MAX] = {
	[ONCE_TOKEN] = {"X-Vault-Token",      13},
	[ONCE_AUTH] = { "Authorization",     13},
	[ONCE_HOST] = { "Host",              4 },
	[ONCE_LENGTH] = { "Content-Length",    14},
	[ONCE_TE] = { "Transfer-Encoding", 17},
	[ONCE_TYPE] = { "Content-Type",      12},
	[ONCE_WRAP] = { "X-Vault-Wrap-TTL",  16},
	[ONCE_NS] = { "X-Vault-Namespace", 17},
};

/* RFC 9110 token characters. */
static bool is_tchar(unsigned char c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

bool http_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_tchar((unsigned char)s[i]))
			return false;
	return n > 0;
}

static bool has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* Does this header line begin at h->next, and is it nothing but NAME 0 [blanks] VALUE 0
 * 0? */
static bool line_adds_up(struct head *h, const char *name, size_t name_len,
                         const char *value, size_t value_len)
{
	const char *p = name + name_len + 1;

	if (h->next == NULL)
		return true;
	if (name != h->next || value < p || value + value_len + 2 > h->end)
		return false;
	while (p < value && (*p == ' ' || *p == '\t'))
		p++;
	if (p != value || value[value_len] != 0 || value[value_len + 1] != 0)
		return false;
	h->next = value + value_len + 2;
	return true;
}

static void keep(struct head *h, enum once which, const char *value, size_t len)
{
	struct conn *c = h->c;

	switch (which) {
	case ONCE_TOKEN:
		c->token = (char *)(uintptr_t)value;
		c->token_len = len;
		break;
	case ONCE_AUTH:
		c->authorization = (char *)(uintptr_t)value;
		c->authorization_len = len;
		break;
	case ONCE_LENGTH:
		h->content_length = value;
		break;
	case ONCE_TE:
		h->transfer_encoding = value;
		break;
	case ONCE_TYPE:
		c->content_type = value;
		break;
	case ONCE_WRAP:
		c->wrap_ttl = value;
		break;
	case ONCE_NS:
		c->name_space = value;
		break;
	case ONCE_HOST:
	case ONCE__MAX:
	default:
		break;
	}
}

static const char *judge_header(struct head *h, const char *name, size_t name_len,
                                const char *value, size_t value_len)
{
	if (++h->headers > LIMIT_HEADERS)
		return "too many headers";
	if (!http_token(name, name_len))
		return "malformed header name";
	if (!line_adds_up(h, name, name_len, value, value_len))
		return "malformed header line";
	if (has_control(value, value_len))
		return "control character in a header";
	if (name_len == 6 && strncasecmp(name, "Accept", 6) == 0)
		h->c->wants_text |= memmem(value, value_len, OPENMETRICS,
		                           sizeof(OPENMETRICS) - 1) != NULL;
	for (unsigned i = 0; i < ONCE__MAX; i++) {
		if (name_len != once[i].len ||
		    strncasecmp(name, once[i].name, name_len) != 0)
			continue;
		if ((h->seen & 1u << i) != 0)
			return "repeated header";
		h->seen |= 1u << i;
		keep(h, (enum once)i, value, value_len);
	}
	return NULL;
}

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
	struct head *h = cls;

	(void)kind;
	h->refused = judge_header(h, name, name_len, value != NULL ? value : "",
	                          value_len);
	return h->refused == NULL ? MHD_YES : MHD_NO;
}

/* 0.9.x hands out pointers into the head as it was read. */
static bool geometry_known(void)
{
	static int known = -1;

	if (known < 0)
		known = strncmp(MHD_get_version(), "0.9.", 4) == 0;
	return known == 1;
}

/* Check METHOD 0 TARGET 0 VERSION 0 0 and note where the headers begin and end. */
static bool request_line_adds_up(struct head *h, const char *method, const char *url,
                                 const char *version)
{
	const union MHD_ConnectionInfo *info;

	if (!geometry_known())
		return true;
	info = MHD_get_connection_info(h->c->mhd,
	                               MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (info == NULL || url != method + strlen(method) + 1 ||
	    version != url + h->c->target_len + 1)
		return false;
	h->next = version + strlen(version) + 2;
	h->end = method + info->header_size;
	return h->next + 2 <= h->end && h->next[-1] == 0 && h->next[-2] == 0;
}

static const char *judge_framing(const struct head *h, const char *version)
{
	bool v11 = strcmp(version, "HTTP/1.1") == 0;

	if (!v11 && strcmp(version, "HTTP/1.0") != 0)
		return "unsupported HTTP version";
	if (v11 && (h->seen & 1u << ONCE_HOST) == 0)
		return "no Host header";
	if (h->transfer_encoding == NULL)
		return NULL;
	if (!v11 || h->content_length != NULL ||
	    strcasecmp(h->transfer_encoding, "chunked") != 0)
		return "ambiguous length";
	return NULL;
}

static bool target_is_plain(const struct conn *c)
{
	for (size_t i = 0; i < c->target_len; i++)
		if ((unsigned char)c->target[i] <= 0x20 ||
		    (unsigned char)c->target[i] >= 0x7f)
			return false;
	return c->target_len <= LIMIT_REQUEST_LINE;
}

const char *head_check(struct conn *c, const char *method, const char *url,
                       const char *version)
{
	struct head h = { .c = c };
	const char *why;

	if (!http_token(method, strlen(method)) || strlen(method) > 16)
		return "malformed method";
	if (!target_is_plain(c))
		return "malformed request target";
	if (!request_line_adds_up(&h, method, url, version))
		return "malformed request line";
	MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, on_header, &h);
	if (h.refused != NULL)
		return h.refused;
	if (h.next != NULL && (h.next + 2 != h.end || h.next[0] != 0 || h.next[1] != 0))
		return "malformed header line";
	if ((why = judge_framing(&h, version)) != NULL)
		return why;
	c->chunked = h.transfer_encoding != NULL;
	c->content_length = h.content_length;
	return NULL;
}
