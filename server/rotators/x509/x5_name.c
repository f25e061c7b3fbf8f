/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "arena.h"
#include "cidr.h"
#include "text.h"
#include "x5.h"

#define DNS_MAX   253u
#define LABEL_MAX 63u

static const struct {
	const char *prefix;
	enum x5_kind kind;
} prefixes[] = {
	{"DNS:",    X5_DNS  },
	{ "IP:",    X5_IP   },
	{ "URI:",   X5_URI  },
	{ "email:", X5_EMAIL},
};

/* A host name of letters, digits, hyphens and (as service names have them) underscores;
 * "*" may stand for the first label. */
static bool dns_ok(const char *s, bool wildcard)
{
	size_t n = strlen(s);

	if (wildcard && n > 2 && s[0] == '*' && s[1] == '.')
		s += 2;
	if (n == 0 || n > DNS_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(s, ".");

		if (len == 0 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
				return false;
		if (s[len] == '\0')
			return true;
		s += len + 1;
	}
}

static bool ascii_word(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

/* One '@' alone: readers do not agree on which of several ends the mailbox. */
static const char *email_host(const char *s)
{
	const char *at = strchr(s, '@');

	return at != NULL && at > s && strchr(at + 1, '@') == NULL ? at + 1 : NULL;
}

/* The host of "scheme://user@host:port/path", in ${out}; false if there is none, or if
 * some readers would see another one: a backslash is a slash to browsers. */
static bool uri_host(const char *s, char out[DNS_MAX + 1])
{
	const char *start = strstr(s, "://"), *at;
	size_t n;

	if (start == NULL || start == s || strchr(s, '\\') != NULL)
		return false;
	start += 3;
	n = strcspn(start, "/?#");
	if ((at = memrchr(start, '@', n)) != NULL) {
		n -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	/* An address in brackets is no domain, and is within none. */
	n = start[0] == '[' ? 0 : strcspn(start, ":") < n ? strcspn(start, ":") : n;
	if (n == 0 || n > DNS_MAX)
		return false;
	memcpy(out, start, n);
	out[n] = '\0';
	return true;
}

static enum x5_kind guess(const char *s)
{
	unsigned char ip[16];

	if (inet_pton(AF_INET, s, ip) == 1 || inet_pton(AF_INET6, s, ip) == 1)
		return X5_IP;
	if (strstr(s, "://") != NULL)
		return X5_URI;
	return strchr(s, '@') != NULL ? X5_EMAIL : X5_DNS;
}

static bool parse_ip(struct x5_name *n)
{
	n->ip_len = 4;
	if (inet_pton(AF_INET, n->text, n->ip) == 1)
		return true;
	n->ip_len = 16;
	return inet_pton(AF_INET6, n->text, n->ip) == 1;
}

static bool kind_ok(struct x5_name *n)
{
	char host[DNS_MAX + 1];

	switch (n->kind) {
	case X5_DNS:
		return dns_ok(n->text, true);
	case X5_IP:
		return parse_ip(n);
	case X5_URI:
		return ascii_word(n->text) && uri_host(n->text, host) &&
		       dns_ok(host, false);
	case X5_EMAIL:
		return ascii_word(n->text) && email_host(n->text) != NULL &&
		       dns_ok(email_host(n->text), false);
	}
	return false;
}

static void lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

int x5_name_parse(struct arena *arena, const char *text, struct x5_name *out,
                  struct answer *a)
{
	struct x5_name n = { 0 };
	char *copy;

	if (strlen(text) > X5_TEXT_MAX)
		return answer_fail(a, CLASS_PERMANENT, "config: a name is too long");
	n.kind = guess(text);
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (strncasecmp(text, prefixes[i].prefix, strlen(prefixes[i].prefix)) !=
		    0)
			continue;
		n.kind = prefixes[i].kind;
		text += strlen(prefixes[i].prefix);
		break;
	}
	if ((copy = arena_str(arena, text)) == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if (n.kind == X5_DNS)
		lower(copy);
	n.text = copy;
	if (!kind_ok(&n))
		return answer_fail(
			a, CLASS_PERMANENT,
			"config: '%.80s' is no host name, address, URI or mailbox", text);
	*out = n;
	return 0;
}

static bool host_within(const char *host, const char *domain)
{
	bool below = domain[0] == '.';
	size_t n = strlen(host), d;

	domain += below;
	d = strlen(domain);
	if (d == 0 || n < d || strcasecmp(host + n - d, domain) != 0)
		return false;
	return n == d ? !below : host[n - d - 1] == '.';
}

static bool ip_within(const struct x5_name *n, const char *block)
{
	struct cidr outer, inner;

	return cidr_parse(block, strlen(block), &outer) == 0 &&
	       cidr_parse(n->text, strlen(n->text), &inner) == 0 &&
	       cidr_contains(&outer, &inner);
}

bool x5_name_within(const struct x5_name *n, const char *domain)
{
	char host[DNS_MAX + 1];

	switch (n->kind) {
	case X5_IP:
		return ip_within(n, domain);
	case X5_DNS:
		/* "*.example.com" is for what is below, so ".example.com" holds it. */
		if (n->text[0] == '*')
			return host_within(n->text + 2,
			                   domain[0] == '.' ? domain + 1 : domain);
		return host_within(n->text, domain);
	case X5_URI:
		return uri_host(n->text, host) && host_within(host, domain);
	case X5_EMAIL:
		if (strchr(domain, '@') != NULL)
			return strcmp(n->text, domain) == 0;
		return host_within(email_host(n->text), domain);
	}
	return false;
}

bool x5_name_equal(const struct x5_name *x, const struct x5_name *y)
{
	if (x->kind != y->kind)
		return false;
	if (x->kind == X5_IP)
		return x->ip_len == y->ip_len && memcmp(x->ip, y->ip, x->ip_len) == 0;
	return strcmp(x->text, y->text) == 0;
}
