/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate roles below TLS: patterns, what a lying net may say, what net is told. */
#include "core_rig.h"

#include "cert_match.h"
#include "cert_pem.h"
#include "cert_trust.h"
#include "server/core/loop/batch.h"
#include "sha256.h"
#include "text.h"

#define NO_CLIENT "[invalid certificate or no client certificate supplied]"
#define NO_CHAIN \
	"[no chain matching all constraints could be found for this login certificate]"

static void setup(void)
{
	rig_start();
	ASK(204, HTTP_POST, "sys/auth/cert", "{\"type\":\"cert\"}");
}

TestSuite(cert, .init = setup, .fini = rig_stop, .timeout = 120);
TestSuite(cert_plain, .timeout = 60);

/* ---- certificates as far as core reads them ---- */

struct made {
	unsigned char der[8192];
	size_t n;
	unsigned char sha256[32];
	char pem[12000]; /* in one line of JSON */
};

static size_t wrap(unsigned char *out, unsigned tag, const unsigned char *p, size_t n)
{
	size_t h = n < 128 ? 2 : 4;

	memmove(out + h, p, n);
	out[0] = (unsigned char)tag;
	if (h == 2) {
		out[1] = (unsigned char)n;
	} else {
		out[1] = 0x82;
		out[2] = (unsigned char)(n >> 8);
		out[3] = (unsigned char)n;
	}
	return n + h;
}

/* Number ${id} of ${size} bytes or some more; with basic constraints if it is a CA's. */
static struct made *make(uint32_t id, bool ca, size_t size)
{
	static const unsigned char constraints[] = { 0xa3, 0x13, 0x30, 0x11, 0x30, 0x0f,
		                                     0x06, 0x03, 0x55, 0x1d, 0x13, 0x01,
		                                     0x01, 0xff, 0x04, 0x05, 0x30, 0x03,
		                                     0x01, 0x01, 0xff };
	struct made *m = arena_alloc(rig.a, sizeof(*m));
	unsigned char body[8192] = { 0 };
	char base64[11000];
	size_t n;

	cr_assert(m != NULL && size < 8000);
	memcpy(body, &id, sizeof(id));
	n = wrap(m->der, 0x02, body, size < 8 ? 8 : size);
	if (ca) {
		memcpy(m->der + n, constraints, sizeof(constraints));
		n += sizeof(constraints);
	}
	n = wrap(m->der, 0x30, m->der, n);
	m->n = wrap(m->der, 0x30, m->der, n);
	sha256_of(m->sha256, m->der, m->n);
	text_base64(m->der, m->n, base64);
	snprintf(m->pem, sizeof(m->pem),
	         "-----BEGIN CERTIFICATE-----\\n%s\\n-----END CERTIFICATE-----\\n",
	         base64);
	return m;
}

static char *role_body(const char *pem, const char *more)
{
	return arena_printf(rig.a, "{\"certificate\":\"%s\"%s}", pem, more);
}

static void role(const char *name, const struct made *m, const char *more)
{
	ASK(204, HTTP_POST, arena_printf(rig.a, "auth/cert/certs/%s", name),
	    role_body(m->pem, more));
}

/* ---- patterns ---- */

struct glob_case {
	char pattern[24], text[40];
	bool want;
};

ParameterizedTestParameters(cert_plain, globs)
{
	static struct glob_case c[] = {
		{"",               "",                   true },
		{ "",              "a",                  false},
		{ "*",             "",                   true },
		{ "*",             "anything",           true },
		{ "**",            "x",                  true },
		{ "abc",           "abc",                true },
		{ "abc",           "abcd",               false},
		{ "abc",           "ab",                 false},
		{ "abc",           "ABC",                false},
		{ "a*",            "a",                  true },
		{ "a*",            "ba",                 false},
		{ "*c",            "abc",                true },
		{ "*c",            "abcd",               false},
		{ "a*c",           "ac",                 true },
		{ "a*c",           "abcbc",              true },
		{ "a*b*c",         "aXbYbZc",            true },
		{ "a*b*c",         "acb",                false},
		{ "*.example.org", "a.example.org",      true },
		{ "*.example.org", "example.org",        false},
		{ "*.example.org", "a.example.org.evil", false},
		{ "*ab*ab",        "abab",               true },
		{ "*ab*ab",        "aab",                false},
		{ "*aab",          "aaab",               true },
		{ "a?c",           "abc",                false},
		{ "[ab]",          "a",                  false},
	};
	return cr_make_param_array(struct glob_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct glob_case *c, cert_plain, globs)
{
	cr_expect_eq(cert_glob(c->pattern, strlen(c->pattern), c->text, strlen(c->text)),
	             c->want, "'%s' and '%s'", c->pattern, c->text);
}

/* ---- logins, with what net says ---- */

static struct value *bytes(const void *p, size_t n)
{
	return value_bytes(rig.a, arena_dup(rig.a, p, n), n);
}

/* A client whom ${anchor} vouches for; ${self}: it is the client's own certificate. */
static struct value *client(const struct made *anchor, bool self)
{
	struct value *v = rig_json(
		"{\"serial_number\":\"4711\",\"common_name\":\"web1\","
		"\"organizational_units\":[\"ops\"],"
		"\"dns_names\":[\"web1.example.org\"],\"email_addresses\":[\"r@x\"],"
		"\"uris\":[\"spiffe://x/web1\"],\"not_before\":1,\"not_after\":2}");
	struct value *anchors = value_array(rig.a), *list = value_array(rig.a);
	struct value *x = rig_json("{\"oid\":\"1.2.3\",\"critical\":false,"
	                           "\"text\":\"rack\"}");
	struct value *y = rig_json("{\"oid\":\"1.2.4\",\"critical\":true,\"text\":null}");

	value_set(v, "sha256",
	          self ? bytes(anchor->sha256, 32)
	               : bytes("digest of the client's, 32 bytes", 32));
	value_set(v, "spki_sha256", bytes("digest of the client's key 32 by", 32));
	value_set(v, "serial", bytes("\x12\x67", 2));
	value_set(v, "subject_key_id", bytes("\x01\xab\xff", 3));
	value_set(v, "authority_key_id", value_null(rig.a));
	value_set(x, "value", bytes("\x0c\x04rack", 6));
	value_set(y, "value", bytes("\x05\x00", 2));
	value_add(list, x);
	value_add(list, y);
	value_set(v, "extensions", list);
	value_set(v, "chain", value_array(rig.a));
	value_add(anchors, bytes(anchor->sha256, 32));
	value_set(v, "anchors", anchors);
	value_set(v, "issued", rig_json("[{}]"));
	value_set(value_get(v, "issued")->first, "issuer",
	          bytes("digest of its name, so many bytes", 32));
	value_set(value_get(v, "issued")->first, "serial", bytes("\x12\x67", 2));
	return v;
}

static int login(struct value *k, const char *fields)
{
	rig.client = k;
	return rig_ask_as(NULL, HTTP_POST, "auth/cert/login", fields);
}

static void refused(struct value *k, const char *fields, const char *text)
{
	int status = login(k, fields);

	cr_assert_eq(status, 400, "status %d, %s", status, rig_got(""));
	GOT("errors", text);
}

Test(cert, a_client_that_is_vouched_for)
{
	struct made *ca = make(1, true, 0);

	role("web", ca, ",\"allowed_metadata_extensions\":\"1.2.3,1.2.4,1.2.5\"");
	cr_assert_eq(login(client(ca, false), "{}"), 200, "%s", rig_got(""));
	GOT("auth.metadata",
	    "{cert_name:web,common_name:web1,serial_number:4711,"
	    "subject_key_id:01:ab:ff,authority_key_id:,1-2-3:rack,1-2-4:}");
	refused(client(make(2, true, 0), false), "{}", NO_CLIENT);
	refused(NULL, "{}", NO_CLIENT);
}

/* net says that a pinned certificate has signed another: it is no CA's. */
Test(cert, a_pinned_certificate_vouches_for_itself_alone)
{
	struct made *leaf = make(1, false, 0);

	role("pin", leaf, "");
	refused(client(leaf, false), "{}", NO_CLIENT);
	refused(client(leaf, false), "{\"name\":\"pin\"}", NO_CLIENT);
	cr_assert_eq(login(client(leaf, true), "{}"), 200, "%s", rig_got(""));
}

struct list_case {
	char more[90];
	bool want;
};

ParameterizedTestParameters(cert, lists)
{
	static struct list_case c[] = {
		{"",							true },
		{ ",\"allowed_names\":\"web1\"",                            true },
		{ ",\"allowed_names\":\"*.example.org\"",                   true },
		{ ",\"allowed_names\":\"r@*\"",                             true },
		{ ",\"allowed_names\":\"ops\"",                             false},
		{ ",\"allowed_names\":\"spiffe*\"",                         false},
		{ ",\"allowed_common_names\":\"x,w*1\"",                    true },
		{ ",\"allowed_common_names\":\"web1.example.org\"",         false},
		{ ",\"allowed_dns_sans\":\"web1*\"",                        true },
		{ ",\"allowed_dns_sans\":\"web1\"",                         false},
		{ ",\"allowed_email_sans\":\"*@x\"",                        true },
		{ ",\"allowed_email_sans\":\"web1\"",                       false},
		{ ",\"allowed_uri_sans\":\"spiffe://x/*\"",                 true },
		{ ",\"allowed_uri_sans\":\"spiffe://y/*\"",                 false},
		{ ",\"allowed_organizational_units\":\"ops\"",              true },
		{ ",\"allowed_organizational_units\":\"web1\"",             false},
		{ ",\"required_extensions\":\"1.2.3:ra*\"",                 true },
		{ ",\"required_extensions\":\"1.2.3:ra*,1.2.3:*ck\"",       true },
		{ ",\"required_extensions\":\"1.2.3:ra*,1.2.5:*\"",         false},
		{ ",\"required_extensions\":\"1.2.3:rack7\"",               false},
		{ ",\"required_extensions\":\"1.2.4:*\"",                   false},
		{ ",\"required_extensions\":\"hex:1.2.4:0500\"",            true },
		{ ",\"required_extensions\":\"hex:1.2.3:0c04*6b\"",         true },
		{ ",\"required_extensions\":\"hex:1.2.3:0c04\"",            false},
		{ ",\"required_extensions\":\"hex:1.2.4:05\"",              false},
		{ ",\"allowed_names\":\"web1\",\"allowed_uri_sans\":\"x\"", false},
	};
	return cr_make_param_array(struct list_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct list_case *c, cert, lists)
{
	struct made *ca = make(1, true, 0);

	role("web", ca, c->more);
	if (c->want)
		cr_assert_eq(login(client(ca, false), "{}"), 200, "%s", c->more);
	else
		refused(client(ca, false), "{}", NO_CHAIN);
}

/* ---- a net that lies, or speaks another language ---- */

static struct value *replaced(const struct value *from, const char *key,
                              struct value *with)
{
	struct value *out = value_object(rig.a);

	for (const struct value *m = from->first; m != NULL; m = m->next)
		if (m->key_len != strlen(key) || memcmp(m->key, key, m->key_len) != 0)
			value_setn(out, m->key, m->key_len, value_copy(rig.a, m));
	if (with != NULL)
		value_set(out, key, with);
	return out;
}

static struct value *repeated(const struct value *item, int n)
{
	struct value *list = value_array(rig.a);

	for (int i = 0; i < n; i++)
		value_add(list, value_copy(rig.a, item));
	return list;
}

static struct value *nested(struct value *in)
{
	struct value *list = value_array(rig.a);

	value_add(list, in);
	return list;
}

/* Members that core reads, and whether null is one of their values. */
static const struct {
	const char *key;
	bool nullable;
} members[] = {
	{"sha256",                false},
	{ "serial_number",        false},
	{ "common_name",          false},
	{ "organizational_units", false},
	{ "dns_names",            false},
	{ "email_addresses",      false},
	{ "uris",                 false},
	{ "subject_key_id",       true },
	{ "authority_key_id",     true },
	{ "extensions",           false},
	{ "anchors",              false},
	{ "issued",               false},
};

Test(cert, members_that_are_missing_or_of_another_type)
{
	struct made *ca = make(1, true, 0);
	struct value *good = client(ca, false);

	role("web", ca, "");
	cr_assert_eq(login(good, "{}"), 200, "%s", rig_got(""));
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *key = members[i].key;

		refused(replaced(good, key, NULL), "{}", NO_CLIENT);
		refused(replaced(good, key, value_int(rig.a, 1)), "{}", NO_CLIENT);
		refused(replaced(good, key, value_object(rig.a)), "{}", NO_CLIENT);
		refused(replaced(good, key, nested(value_int(rig.a, 1))), "{}",
		        NO_CLIENT);
		refused(replaced(good, key, nested(value_array(rig.a))), "{}", NO_CLIENT);
		cr_assert_eq(login(replaced(good, key, value_null(rig.a)), "{}"),
		             members[i].nullable ? 200 : 400, "%s", key);
	}
}

static struct value *extension(const char *oid, struct value *text)
{
	struct value *x = value_object(rig.a);

	value_set_str(rig.a, x, "oid", oid);
	value_set_bool(rig.a, x, "critical", false);
	value_set(x, "value", bytes("\x05\x00", 2));
	value_set(x, "text", text);
	return x;
}

static struct value *issued(const char *digest, size_t digest_n, size_t serial_n)
{
	struct value *one = value_object(rig.a);
	char *serial = arena_alloc(rig.a, 64);

	value_set(one, "issuer", bytes(digest, digest_n));
	value_set(one, "serial", bytes(serial, serial_n));
	return one;
}

Test(cert, members_that_are_out_of_bounds)
{
	struct made *ca = make(1, true, 0);
	struct value *good = client(ca, false);
	struct value *name = value_str(rig.a, "a"), *none = value_null(rig.a);
	char *text = arena_alloc(rig.a, 600);

	memset(text, 'a', 599);
	role("web", ca, "");
	refused(replaced(good, "sha256", bytes(text, 31)), "{}", NO_CLIENT);
	refused(replaced(good, "sha256", bytes(text, 33)), "{}", NO_CLIENT);
	refused(replaced(good, "anchors", nested(bytes(text, 31))), "{}", NO_CLIENT);
	refused(replaced(good, "anchors", value_array(rig.a)), "{}", NO_CLIENT);
	refused(replaced(good, "anchors", repeated(bytes(text, 32), IPC_TRUST_CAS + 1)),
	        "{}", NO_CLIENT);
	refused(replaced(good, "common_name", value_str(rig.a, text)), "{}", NO_CLIENT);
	refused(replaced(good, "common_name", value_str(rig.a, "a\nb")), "{}", NO_CLIENT);
	refused(replaced(good, "common_name", value_strn(rig.a, "a\0b", 3)), "{}",
	        NO_CLIENT);
	refused(replaced(good, "common_name", value_str(rig.a, "a\xff")), "{}",
	        NO_CLIENT);
	refused(replaced(good, "serial_number", value_str(rig.a, "")), "{}", NO_CLIENT);
	refused(replaced(good, "serial_number", value_str(rig.a, "12:34")), "{}",
	        NO_CLIENT);
	refused(replaced(good, "issued", value_array(rig.a)), "{}", NO_CLIENT);
	refused(replaced(good, "issued", nested(issued(text, 31, 1))), "{}", NO_CLIENT);
	refused(replaced(good, "issued", nested(issued(text, 32, 0))), "{}", NO_CLIENT);
	refused(replaced(good, "issued", nested(issued(text, 32, 33))), "{}", NO_CLIENT);
	refused(replaced(good, "issued", repeated(issued(text, 32, 1), 9)), "{}",
	        NO_CLIENT);
	cr_assert_eq(login(replaced(good, "issued", repeated(issued(text, 32, 32), 8)),
	                   "{}"),
	             200);
	refused(replaced(good, "subject_key_id", bytes(text, 65)), "{}", NO_CLIENT);
	refused(replaced(good, "dns_names", repeated(name, 257)), "{}", NO_CLIENT);
	refused(replaced(good, "dns_names", nested(value_str(rig.a, "a\x7f"))), "{}",
	        NO_CLIENT);
	refused(replaced(good, "extensions", repeated(extension("1.2.3", none), 2)), "{}",
	        NO_CLIENT);
	refused(replaced(good, "extensions", nested(extension("1.2.", none))), "{}",
	        NO_CLIENT);
	refused(replaced(good, "extensions",
	                 nested(extension("1.2.3", value_str(rig.a, "a\tb")))),
	        "{}", NO_CLIENT);
	refused(replaced(good, "extensions", nested(value_object(rig.a))), "{}",
	        NO_CLIENT);
	cr_assert_eq(login(replaced(good, "extensions",
	                            nested(extension("1.2.3", value_null(rig.a)))),
	                   "{}"),
	             200, "%s", rig_got(""));
}

/* ---- what net is told ---- */

static size_t trusted(void)
{
	return rig.trusted != NULL ? rig.trusted->len : 0;
}

static bool trusts(const struct made *m)
{
	for (const struct value *v = rig.trusted->first; v != NULL; v = v->next)
		if (v->len == m->n && memcmp(v->text, m->der, m->n) == 0)
			return true;
	return false;
}

Test(cert, net_hears_of_each_change_once)
{
	struct made *one = make(1, true, 0), *two = make(2, true, 0);
	int pushes = rig.pushes;

	cr_assert_geq(pushes, 1, "it heard at unseal");
	cr_assert_eq(trusted(), 0);
	role("a", one, "");
	cr_assert_eq(rig.pushed_at, rig.replies - 1, "before the reply");
	cr_assert(rig.pushes == pushes + 1 && trusted() == 1 && trusts(one));
	role("b", one, "");
	role("a", one, ",\"token_ttl\":60");
	cr_assert_eq(rig.pushes, pushes + 1, "nothing is new");
	role("a", two, "");
	cr_assert(rig.pushes == pushes + 2 && trusted() == 2 && trusts(two));
	ASK(204, HTTP_DELETE, "auth/cert/certs/b", NULL);
	cr_assert(rig.pushes == pushes + 3 && trusted() == 1 && trusts(two));
	ASK(204, HTTP_DELETE, "auth/cert/certs/a", NULL);
	cr_assert_eq(trusted(), 0);
}

Test(cert, net_trusts_nobody_while_sealed)
{
	struct made *one = make(1, true, 0);

	role("a", one, "");
	ASK(204, HTTP_POST, "sys/seal", NULL);
	cr_assert_eq(trusted(), 0);
	rig_unseal();
	cr_assert(trusted() == 1 && trusts(one));
	rig_reopen();
	cr_assert(trusted() == 1 && trusts(one));
}

static void run_jobs(void)
{
	for (int i = 0; i < 200; i++) {
		rig_advance(1000);
		rig_run();
	}
}

Test(cert, a_mount_that_is_gone_is_not_trusted)
{
	struct made *one = make(1, true, 0), *two = make(2, true, 0);

	ASK(204, HTTP_POST, "sys/auth/other", "{\"type\":\"cert\"}");
	ASK(204, HTTP_POST, "auth/other/certs/a", role_body(one->pem, ""));
	role("b", two, "");
	cr_assert_eq(trusted(), 2);
	ASK(204, HTTP_DELETE, "sys/auth/other", NULL);
	run_jobs();
	cr_assert(trusted() == 1 && trusts(two));
}

static int change_and_fail(struct core *c, void *arg, struct err *e)
{
	struct cert_set *set = arg;
	int rc = cert_trust_change(c, NULL, set, e);

	cr_assert_eq(rc, ERR_OK);
	rc = cert_trust_change(c, rig_json("[]"), set, e);
	cr_assert_eq(rc, ERR_OK);
	return err_set(e, ERR_CONFLICT, "and now something else fails");
}

Test(cert, a_change_is_undone_with_its_savepoint)
{
	struct made *one = make(1, true, 0), *two = make(2, true, 0), *three;
	struct value *both =
		rig_json(arena_printf(rig.a, "[\"%s%s\"]", one->pem, two->pem));
	char *pem = value_to_cstr(value_at(both, 0), rig.a);
	struct cert_set set;
	struct err e = { 0 };

	role("a", one, "");
	cr_assert_eq(cert_pem_read(rig.a, pem, strlen(pem), &set, &e), ERR_OK);
	cr_assert_eq(set.n, 2);
	cr_assert_eq(batch_alone(rig.core, change_and_fail, &set, &e), ERR_CONFLICT);
	three = make(3, true, 0);
	role("c", three, "");
	cr_assert(trusted() == 2 && trusts(one) && trusts(three), "%zu", trusted());
	ASK(204, HTTP_DELETE, "auth/cert/certs/a", NULL);
	cr_assert(trusted() == 1 && trusts(three));
}

static char *bundle(uint32_t first, int n, size_t size)
{
	char *out = arena_str(rig.a, "");

	for (int i = 0; i < n; i++)
		out = arena_printf(rig.a, "%s%s", out,
		                   make(first + (uint32_t)i, true, size)->pem);
	return out;
}

static int write_bundle(int role_no, int n, size_t size)
{
	return rig_ask(HTTP_POST, arena_printf(rig.a, "auth/cert/certs/r%d", role_no),
	               role_body(bundle(1000u * (uint32_t)role_no, n, size), ""));
}

static void fill_up(int n, size_t size, int roles)
{
	for (int i = 0; i < roles; i++)
		cr_assert_eq(write_bundle(i, n, size), 204, "role %d: %s", i,
		             rig_got(""));
	cr_assert_eq(write_bundle(roles, n, size), 400);
	GOT("errors", "[the roles of all certificate auth methods together may trust 512 "
	              "different certificates of 2097152 bytes]");
	cr_assert_eq(trusted(), (size_t)(n * roles));
	ASK(404, HTTP_GET, arena_printf(rig.a, "auth/cert/certs/r%d", roles), NULL);
	/* what is there already may be written again, and may go */
	cr_assert_eq(write_bundle(1, n, size), 204, "%s", rig_got(""));
	ASK(204, HTTP_DELETE, "auth/cert/certs/r0", NULL);
	cr_assert_eq(write_bundle(roles, n, size), 204, "%s", rig_got(""));
	cr_assert_eq(trusted(), (size_t)(n * roles));
}

Test(cert, as_many_certificates_as_net_takes)
{
	fill_up(32, 0, IPC_TRUST_CAS / 32);
}

Test(cert, as_many_bytes_as_net_takes)
{
	size_t each = make(1, true, 5000)->n * 8;

	fill_up(8, 5000, (int)(IPC_TRUST_BYTES / each));
}

/* ---- PEM ---- */

Test(cert, a_clients_own_certificate_stands_alone)
{
	struct made *leaf = make(1, false, 0), *ca = make(2, true, 0);

	ASK(400, HTTP_POST, "auth/cert/certs/x",
	    role_body(arena_printf(rig.a, "%s%s", ca->pem, leaf->pem), ""));
	GOT("errors", "['certificate' must be certificates of CAs, or one certificate of "
	              "a client alone]");
	ASK(204, HTTP_POST, "auth/cert/certs/x",
	    role_body(arena_printf(rig.a, "%s%s", leaf->pem, leaf->pem), ""));
	cr_assert_eq(trusted(), 1, "each once");
}

Test(cert_plain, der_that_is_cut_anywhere)
{
	struct made *m;
	struct cert_set set;
	struct err e;
	char base64[400], pem[600];

	cr_assert_geq(sodium_init(), 0);
	rig.a = arena_new((size_t)64 * 1024 * 1024);
	m = make(7, true, 40);
	for (size_t n = 0; n <= m->n; n++) {
		text_base64(m->der, n, base64);
		snprintf(pem, sizeof(pem),
		         "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n",
		         base64);
		cr_assert_eq(cert_pem_read(rig.a, pem, strlen(pem), &set, &e),
		             n == m->n ? ERR_OK : ERR_INVALID, "%zu bytes", n);
	}
	cr_assert(set.n == 1 && set.at[0].ca && set.at[0].client_auth);
	cr_assert_eq(memcmp(set.at[0].sha256, m->sha256, 32), 0);
	arena_free(rig.a);
}
