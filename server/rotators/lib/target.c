/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"

static const struct {
	const char *text;
	enum tls_mode mode;
} spellings[] = {
	{"disable",      TLS_OFF        },
        { "allow",       TLS_PREFER     },
	{ "prefer",      TLS_PREFER     },
        { "preferred",   TLS_PREFER     },
	{ "require",     TLS_REQUIRE    },
        { "skip-verify", TLS_REQUIRE    },
	{ "verify-ca",   TLS_VERIFY_CA  },
        { "verify-full", TLS_VERIFY_FULL},
	{ "true",        TLS_VERIFY_FULL},
        { "false",       TLS_OFF        },
};

int target_tls_parse(const char *s, enum tls_mode *mode)
{
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		if (strcmp(s, spellings[i].text) != 0)
			continue;
		*mode = spellings[i].mode;
		return 0;
	}
	return -1;
}

static int read_tls(const struct request *r, struct target *t, struct answer *a)
{
	const json_t *tls = json_object_get(r->config, "tls");
	const char *text = NULL;
	int rc;

	if ((rc = config_text(r, "sslmode", NULL, &text, a)) != 0)
		return rc;
	if (text == NULL && json_is_boolean(tls))
		text = json_is_true(tls) ? "true" : "false";
	else if (text == NULL && (rc = config_text(r, "tls", NULL, &text, a)) != 0)
		return rc;
	if (text != NULL && target_tls_parse(text, &t->tls) != 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config: '%.20s' is no way to use TLS", text);
	return 0;
}

/* Client libraries read certificates from files only. */
static int ca_from_text(struct request *r, const char *pem, const char **path,
                        struct answer *a)
{
	size_t n = strlen(pem);
	int fd = memfd_create("ca", 0); /* open until the process ends */

	if (fd < 0 || write(fd, pem, n) != (ssize_t)n)
		return answer_fail(a, CLASS_RETRYABLE, "config.ca: %m");
	*path = arena_printf(r->arena, "/proc/self/fd/%d", fd);
	return *path != NULL ? 0 : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

int target_read_ca(struct request *r, struct target *t, struct answer *a)
{
	static const char *const keys[] = { "ca", "tls_ca", "ca_cert" };
	const char *ca = NULL;
	int rc;

	for (size_t i = 0; ca == NULL && i < ARRAY_LEN(keys); i++)
		if ((rc = config_text(r, keys[i], NULL, &ca, a)) != 0)
			return rc;
	if (ca == NULL || ca[0] == '\0')
		return 0;
	if (strstr(ca, "-----BEGIN") != NULL)
		return ca_from_text(r, ca, &t->ca, a);
	if (ca[0] != '/')
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.ca is neither PEM text nor an absolute path");
	t->ca = ca;
	return 0;
}

int target_read(struct request *r, struct target *t, struct answer *a)
{
	int rc;

	*t = (struct target){ 0 };
	if ((rc = config_text(r, "connection_url", NULL, &t->url, a)) != 0 ||
	    (rc = config_text(r, "host", NULL, &t->host, a)) != 0 ||
	    (rc = config_int(r, "port", 0, 65535, &t->port, a)) != 0 ||
	    (rc = config_text(r, "database", NULL, &t->database, a)) != 0 ||
	    (rc = read_tls(r, t, a)) != 0 || (rc = target_read_ca(r, t, a)) != 0)
		return rc;
	if (t->url != NULL && t->url[0] == '\0')
		t->url = NULL;
	if (t->host != NULL && t->host[0] == '\0')
		t->host = NULL;
	if (t->url == NULL && t->host == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration has neither 'connection_url' nor "
		                   "'host'");
	if (t->url != NULL && t->host != NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration has both 'connection_url' and "
		                   "'host'");
	return 0;
}

bool target_is_local(const char *host)
{
	return host == NULL || host[0] == '/' || host[0] == '\0' ||
	       strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	       (strncmp(host, "127.", 4) == 0 &&
	        strspn(host, "0123456789.") == strlen(host));
}

int target_tls_url(struct target *t, enum tls_mode mode, struct answer *a)
{
	if (mode == TLS_DEFAULT)
		return 0;
	if (t->tls != TLS_DEFAULT && t->tls != mode)
		return answer_fail(a, CLASS_PERMANENT,
		                   "connection_url and the rest of the configuration "
		                   "disagree about TLS");
	t->tls = mode;
	return 0;
}

enum tls_mode target_tls(enum tls_mode mode, const char *host, const char *ca)
{
	if (host != NULL && host[0] == '/')
		return TLS_OFF;
	if (mode != TLS_DEFAULT)
		return mode;
	if (ca != NULL)
		return TLS_VERIFY_FULL;
	return target_is_local(host) ? TLS_PREFER : TLS_REQUIRE;
}

int target_cut_user(struct arena *arena, const char *url, char **out, struct answer *a)
{
	const char *scheme = strstr(url, "://"),
		   *start = scheme != NULL ? scheme + 3 : url, *end, *at = NULL;

	/* In a URL the first slash ends the authority; a DSN has sockets' paths before
	 * its last one, and passwords as they are. */
	end = scheme != NULL ? start + strcspn(start, "/?") : strrchr(start, '/');
	if (end == NULL)
		end = start + strlen(start);
	for (const char *p = start; p < end; p++)
		if (*p == '@')
			at = p;
	*out = at == NULL
	               ? arena_str(arena, url)
	               : arena_printf(arena, "%.*s%s", (int)(start - url), url, at + 1);
	return *out != NULL ? 0 : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}
