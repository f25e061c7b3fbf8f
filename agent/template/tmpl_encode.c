/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and digests. */
#include "tmpl_run.h"

#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <string.h>

#include "sha256.h"
#include "text.h"

static int encode(struct tmpl_run *r, struct tmpl_str s, bool url, struct tv *out)
{
	size_t n = TEXT_BASE64_LEN(s.n), used;
	char *p;

	if (n > TEMPLATE_STRING_MAX)
		return tmpl_fail(r, ERR_TOO_BIG, "more than %u bytes are made",
		                 TEMPLATE_STRING_MAX);
	if ((p = tmpl_alloc(r, n + 1)) == NULL)
		return r->rc;
	used = url ? text_base64url(s.p, s.n, p) : text_base64(s.p, s.n, p);
	while (used < n)
		p[used++] = '=';
	*out = tv_str(p, n);
	return ERR_OK;
}

/* Line ends may be anywhere, padding must be there, and the alphabet is one of the two.
 */
static int decode(struct tmpl_run *r, struct tmpl_str s, const char *others,
                  const char *name, struct tv *out)
{
	char *clean, *p;
	size_t n = 0;
	long len;

	if ((clean = tmpl_alloc(r, s.n + 1)) == NULL ||
	    (p = tmpl_alloc(r, s.n + 1)) == NULL)
		return r->rc;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n')
			continue;
		if (s.p[i] == '\0' || strchr(others, s.p[i]) != NULL)
			return tmpl_fail(r, ERR_INVALID, "%s: illegal data", name);
		clean[n++] = s.p[i];
	}
	len = n % 4 == 0 ? text_unbase64(clean, n, p, s.n + 1) : -1;
	if (len < 0)
		return tmpl_fail(r, ERR_INVALID, "%s: illegal data", name);
	*out = tv_str(p, (size_t)len);
	return ERR_OK;
}

int tmpl_fn_base64_encode(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                          struct tv *out)
{
	return encode(r, args[0].s, false, out);
}

int tmpl_fn_base64url_encode(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                             struct tv *out)
{
	return encode(r, args[0].s, true, out);
}

int tmpl_fn_base64_decode(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                          struct tv *out)
{
	return decode(r, args[0].s, "-_", "base64Decode", out);
}

int tmpl_fn_base64url_decode(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                             struct tv *out)
{
	return decode(r, args[0].s, "+/", "base64URLDecode", out);
}

static int hex(struct tmpl_run *r, const unsigned char *digest, size_t n, struct tv *out)
{
	char *p = tmpl_alloc(r, 2 * n + 1);

	if (p == NULL)
		return r->rc;
	text_hex(digest, n, p);
	*out = tv_str(p, 2 * n);
	return ERR_OK;
}

int tmpl_fn_sha256_hex(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                       struct tv *out)
{
	unsigned char digest[SHA256_BYTES];
	int rc = tmpl_spend(r, args[0].s.n);

	sha256_of(digest, args[0].s.p, args[0].s.n);
	return rc != ERR_OK ? rc : hex(r, digest, sizeof(digest), out);
}

int tmpl_fn_hmac_sha256_hex(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                            struct tv *out)
{
	unsigned char digest[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;
	int rc = tmpl_spend(r, args[0].s.n + args[1].s.n);

	hmac_sha256_set_key(&ctx, args[1].s.n, (const uint8_t *)args[1].s.p);
	hmac_sha256_update(&ctx, args[0].s.n, (const uint8_t *)args[0].s.p);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	explicit_bzero(&ctx, sizeof(ctx));
	return rc != ERR_OK ? rc : hex(r, digest, sizeof(digest), out);
}

/* No security rests on it here: templates use it for names of files and cache keys. */
int tmpl_fn_md5sum(struct tmpl_run *r, const struct tv *args, size_t n UNUSED,
                   struct tv *out)
{
	unsigned char digest[MD5_DIGEST_SIZE];
	struct md5_ctx ctx;
	int rc = tmpl_spend(r, args[0].s.n);

	md5_init(&ctx);
	md5_update(&ctx, args[0].s.n, (const uint8_t *)args[0].s.p);
	md5_digest(&ctx, sizeof(digest), digest);
	explicit_bzero(&ctx, sizeof(ctx));
	return rc != ERR_OK ? rc : hex(r, digest, sizeof(digest), out);
}
