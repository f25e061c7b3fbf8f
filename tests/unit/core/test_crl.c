/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists below TLS: their DER, who has signed them, whom they name. */
#include "core_rig.h"

#include "batch.h"
#include "crl.h"
#include "crl_pem.h"
#include "mounts.h"
#include "sha256.h"
#include "store.h"
#include "text.h"

static void setup(void)
{
	rig_start();
	ASK(204, HTTP_POST, "sys/auth/cert", "{\"type\":\"cert\"}");
	rig.verdict = IPC_V_SIGNED;
}

static void setup_plain(void)
{
	rig.a = arena_new((size_t)64 * 1024 * 1024);
}

TestSuite(crl, .init = setup, .fini = rig_stop, .timeout = 120);
TestSuite(crl_der, .init = setup_plain, .timeout = 60);

/* ---- lists made by hand ---- */

#define LIST_MAX 4096

struct made {
	unsigned char p[LIST_MAX];
	size_t n;
};

static void put(struct made *m, const void *p, size_t n)
{
	cr_assert_leq(m->n + n, LIST_MAX);
	memcpy(m->p + m->n, p, n);
	m->n += n;
}

static void put_der(struct made *m, unsigned tag, const void *p, size_t n)
{
	unsigned char head[4] = { (unsigned char)tag, (unsigned char)n };
	size_t h = 2;

	if (n >= 256) {
		head[1] = 0x82;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		h = 4;
	} else if (n >= 128) {
		head[1] = 0x81;
		head[2] = (unsigned char)n;
		h = 3;
	}
	put(m, head, h);
	put(m, p, n);
}

static void close_der(struct made *m, unsigned tag, const struct made *in)
{
	put_der(m, tag, in->p, in->n);
}

/* What differs from a plain list of version 2 by "CA". */
struct spec {
	const char *this_update, *next_update; /* "": none */
	const char *serials;    /* bytes, each a number; NULL: no entries */
	const char *extensions; /* DER of the list of them, or NULL */
	size_t extensions_n;
	const char *entry; /* the same in each entry */
	size_t entry_n;
	const char *version;
	const char *inner; /* algorithm in what is signed */
	const char *outer;
	unsigned unused; /* bits of the signature */
};

static const struct spec plain = {
	.this_update = "251201000000Z",
	.next_update = "270101000000Z",
	.serials = "\x05\x07",
	.version = "\x01",
	.inner = "\x06\x03\x2a\x03\x04",
	.outer = "\x06\x03\x2a\x03\x04",
};

static void put_time(struct made *m, const char *text)
{
	put_der(m, strlen(text) == 13 ? 0x17 : 0x18, text, strlen(text));
}

static void put_entries(struct made *m, const struct spec *s)
{
	struct made list = { .n = 0 };

	for (const char *p = s->serials; *p != '\0'; p++) {
		struct made one = { .n = 0 };

		put_der(&one, 0x02, p, 1);
		put_time(&one, "251115120000Z");
		if (s->entry != NULL)
			put_der(&one, 0x30, s->entry, s->entry_n);
		close_der(&list, 0x30, &one);
	}
	close_der(m, 0x30, &list);
}

static struct made *make(const struct spec *s)
{
	struct made in = { .n = 0 }, all = { .n = 0 }, extensions = { .n = 0 };
	struct made *out = arena_alloc(rig.a, sizeof(*out));
	unsigned char signature[9] = { (unsigned char)s->unused, 's', 'i', 'g' };

	cr_assert_not_null(out);
	if (s->version[0] != '\0')
		put_der(&in, 0x02, s->version, 1);
	put_der(&in, 0x30, s->inner, 5);
	put_der(&in, 0x30,
	        "\x0c\x02"
	        "CA",
	        4);
	put_time(&in, s->this_update);
	if (s->next_update[0] != '\0')
		put_time(&in, s->next_update);
	if (s->serials != NULL)
		put_entries(&in, s);
	if (s->extensions != NULL) {
		put_der(&extensions, 0x30, s->extensions, s->extensions_n);
		close_der(&in, 0xa0, &extensions);
	}
	close_der(&all, 0x30, &in);
	put_der(&all, 0x30, s->outer, 5);
	put_der(&all, 0x03, signature, sizeof(signature));
	out->n = 0;
	close_der(out, 0x30, &all);
	return out;
}

static struct made *numbers(const char *serials)
{
	struct spec s = plain;

	s.serials = serials;
	return make(&s);
}

/* ---- DER ---- */

static int read_list(const struct made *m, struct crl_der *out, struct err *e)
{
	return crl_der_read(m->p, m->n, out, e);
}

Test(crl_der, a_list_taken_apart)
{
	struct made *m = make(&plain);
	struct der left, serial;
	struct crl_der d;
	struct err e = { 0 };

	cr_assert_eq(read_list(m, &d, &e), ERR_OK, "%s", e.msg);
	cr_assert(d.issuer.n == 6 && memcmp(d.issuer.p,
	                                    "\x30\x04\x0c\x02"
	                                    "CA",
	                                    6) == 0);
	cr_assert(d.algorithm.n == 3 && memcmp(d.algorithm.p, "\x2a\x03\x04", 3) == 0);
	cr_assert(d.signature.n == 8 && memcmp(d.signature.p, "sig", 3) == 0);
	cr_assert_eq(d.signed_.p, m->p + (m->p[1] < 0x80 ? 2 : 3));
	cr_assert_eq(d.signed_.p[0], 0x30);
	cr_assert_eq(d.signed_.n, 2u + d.signed_.p[1]);
	cr_assert_eq(d.this_ms, INT64_C(1764547200000));
	cr_assert_eq(d.next_ms, INT64_C(1798761600000));
	cr_assert_eq(d.n, 2);
	left = d.entries;
	cr_assert(crl_der_next(&left, &serial) && serial.n == 1 && serial.p[0] == 5);
	cr_assert(crl_der_next(&left, &serial) && serial.n == 1 && serial.p[0] == 7);
	cr_assert_not(crl_der_next(&left, &serial));
}

Test(crl_der, times)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} cases[] = {
		{"500101000000Z",    INT64_C(-631152000000)},
		{ "491231235959Z",   INT64_C(2524607999000)},
		{ "20500101000000Z", INT64_C(2524608000000)},
		{ "2512010000Z",     -1                    },
		{ "251301000000Z",   -1                    },
		{ "251201000000+",   -1                    },
		{ "2512010000.0Z",   -1                    },
		{ "25120100000aZ",   -1                    },
		{ "2025120100000Z",  -1                    },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spec s = plain;
		struct crl_der d;
		struct err e = { 0 };
		int rc;

		s.this_update = cases[i].text;
		rc = read_list(make(&s), &d, &e);
		cr_assert_eq(rc, cases[i].ms == -1 ? ERR_INVALID : ERR_OK, "%s",
		             cases[i].text);
		cr_assert(rc != ERR_OK || d.this_ms == cases[i].ms, "%s", cases[i].text);
	}
}

#define MALFORMED "failed to parse CRL: it is malformed"
#define CRITICAL  "the revocation list has a critical extension that is not supported"
#define DELTA     "the revocation list is a delta: complete ones are supported alone"
#define INDIRECT                                                                       \
	"the revocation list is an indirect one: lists of the issuers themselves are " \
	"supported alone"

/* An extension by its number below 2.5.29, critical or not, with a value of five bytes.
 */
#define EXTENSION(id, value) "\x30\x0c\x06\x03\x55\x1d" id "\x04\x05" value
#define CRITICAL_EXTENSION(id, value) \
	"\x30\x0f\x06\x03\x55\x1d" id "\x01\x01\xff\x04\x05" value
#define FIVE       \
	"\x04\x03" \
	"abc"

Test(crl_der, extensions)
{
	static const struct {
		const char *p;
		size_t n;
		const char *list, *entry; /* texts, NULL: accepted */
	} cases[] = {
		{EXTENSION("\x14",           FIVE),                 14,						 NULL,                                                   NULL },
		{ CRITICAL_EXTENSION("\x14",                         FIVE),                     17,                                          NULL,									  CRITICAL },
		{ EXTENSION("\x1b",                  FIVE),                                      14,									DELTA,                               NULL },
		{ CRITICAL_EXTENSION("\x1b",                     FIVE),                                      17,                DELTA,               CRITICAL },
		{ EXTENSION("\x63",                        FIVE),   14,                              NULL,								     NULL },
		{ CRITICAL_EXTENSION("\x63",FIVE),               17,                                CRITICAL,              CRITICAL },
		{ CRITICAL_EXTENSION("\x1c", "\x30\x03\x84\x01\xff"),                    17,                                                      INDIRECT,
                 CRITICAL },
		{ CRITICAL_EXTENSION("\x1c",                         "\x30\x03\x84\x01\x00"),                     17,                                                NULL,
                 CRITICAL },
		{ CRITICAL_EXTENSION("\x1c",                   "\x30\x03\x81\x01\xff"),                                       17,                                                                NULL,
                 CRITICAL },
		{ CRITICAL_EXTENSION("\x1c",                      "\x30\x03\x81\x02\xff"),                                          17,											   MALFORMED,
                 CRITICAL },
		{ EXTENSION("\x14",                        FIVE),   13,											      MALFORMED,																		   MALFORMED },
		{ "\x30\x07\x06\x03\x55\x1d\x14\x04\x05",9,MALFORMED,MALFORMED																		     },
		{ "\x05\x00",          2,   MALFORMED,						 MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		const char *want = i % 2 == 0 ? cases[i / 2].list : cases[i / 2].entry;
		struct spec s = plain;
		struct crl_der d;
		struct err e = { 0 };
		int rc;

		*(i % 2 == 0 ? &s.extensions : &s.entry) = cases[i / 2].p;
		*(i % 2 == 0 ? &s.extensions_n : &s.entry_n) = cases[i / 2].n;
		rc = read_list(make(&s), &d, &e);
		cr_assert_eq(rc, want == NULL ? ERR_OK : ERR_INVALID, "%zu: %s", i,
		             e.msg);
		cr_assert(want == NULL || strcmp(e.msg, want) == 0, "%zu: %s", i, e.msg);
	}
}

Test(crl_der, other_forms)
{
	struct crl_der d;
	struct err e = { 0 };
	struct spec s = plain;

	s.version = s.next_update = "";
	s.serials = NULL;
	cr_assert_eq(read_list(make(&s), &d, &e), ERR_OK, "%s", e.msg);
	cr_assert(d.next_ms == 0 && d.n == 0);
	s = plain;
	s.version = "\x02";
	cr_assert_eq(read_list(make(&s), &d, &e), ERR_INVALID);
	s = plain;
	s.outer = "\x06\x03\x2a\x03\x05";
	cr_assert_eq(read_list(make(&s), &d, &e), ERR_INVALID, "two algorithms");
	s = plain;
	s.unused = 1;
	cr_assert_eq(read_list(make(&s), &d, &e), ERR_INVALID);
}

/* Cut short, or with any byte changed: refused, or read to its end. */
Test(crl_der, damage_is_harmless)
{
	struct made *m = make(&plain);
	struct crl_der d;
	struct err e = { 0 };

	for (size_t n = 0; n < m->n; n++)
		cr_assert_eq(crl_der_read(m->p, n, &d, &e), ERR_INVALID, "%zu", n);
	for (size_t i = 0; i < m->n * 255; i++) {
		unsigned char was = m->p[i / 255];
		struct der serial;
		size_t seen = 0;

		m->p[i / 255] = (unsigned char)(was + 1 + i % 255);
		if (read_list(m, &d, &e) == ERR_OK) {
			while (crl_der_next(&d.entries, &serial))
				seen++;
			cr_assert(seen == d.n && d.entries.n == 0, "%zu", i);
		}
		m->p[i / 255] = was;
	}
}

/* ---- written ---- */

static char *body(const struct made *m, const char *more)
{
	char *text = arena_alloc(rig.a, TEXT_BASE64_LEN(LIST_MAX) + 1);

	text_base64(m->p, m->n, text);
	return arena_printf(rig.a, "{\"crl\":\"%s\"%s}", text, more);
}

static char *path(const char *name)
{
	return arena_printf(rig.a, "auth/cert/crls/%s", name);
}

static void write_list(const char *name, const struct made *m)
{
	ASK(204, HTTP_POST, path(name), body(m, ""));
}

static void refused(const char *name, const struct made *m, int status, const char *text)
{
	ASK(status, HTTP_POST, path(name), body(m, ""));
	GOT("errors", arena_printf(rig.a, "[%s]", text));
}

static const unsigned char *mount(void)
{
	return mounts_at(rig.core, "auth/cert/")->id;
}

/* Does a list name number ${serial} of "CA"? */
static bool names(const char *serial, size_t n)
{
	static const unsigned char issuer[] = "\x30\x04\x0c\x02"
					      "CA";
	struct value *list = value_array(rig.a), *one = value_object(rig.a);
	unsigned char *hash = arena_alloc(rig.a, 32);

	sha256_of(hash, issuer, 6);
	value_set_bytes(rig.a, one, "issuer", hash, 32);
	value_set_bytes(rig.a, one, "serial", serial, n);
	value_add(list, one);
	return crl_lists_any(rig.core, mount(), list);
}

Test(crl, the_signature_is_asked_for_once)
{
	struct made *m = numbers("\x05");
	struct crl_der d;
	struct err e;

	cr_assert_eq(read_list(m, &d, &e), ERR_OK);
	write_list("a", m);
	cr_assert_eq(rig.asks, 1);
#define SAYS(key, der)                                         \
	cr_assert(value_get(rig.asked, key)->len == (der).n && \
	          memcmp(value_get(rig.asked, key)->text, (der).p, (der).n) == 0)
	SAYS("issuer", d.issuer);
	SAYS("signed", d.signed_);
	SAYS("algorithm", d.algorithm);
	SAYS("signature", d.signature);
	cr_assert_eq(value_get(rig.asked, "given")->len, 0);
	cr_assert(names("\x05", 1) && !names("\x06", 1));
	cr_assert(names("\x00\x05", 2), "the same number");
	cr_assert_not(names("\x05\x00", 2));
	cr_assert_not(names("\x00", 1));
}

Test(crl, verdicts)
{
	static const struct {
		int verdict, status;
		const char *text;
	} cases[] = {
		{IPC_V_STRANGER,   400,
                 "the issuer of the revocation list is not known: no role trusts its certificate; put that beside the list, PEM, if a trusted CA has issued it"},
		{ IPC_V_FORGED,    400,
                 "the signature of the revocation list is not its issuer's"										    },
		{ IPC_V_FORBIDDEN, 400,
                 "the certificate of the issuer is not for signing revocation lists"                                                                           },
		{ IPC_V_ALGORITHM, 400,
                 "the revocation list is signed with an algorithm that is not accepted"                                                                        },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rig.verdict = cases[i].verdict;
		refused("a", numbers("\x05"), cases[i].status, cases[i].text);
		cr_assert_not(names("\x05", 1));
	}
	cr_assert_eq(store_count(rig.core, KIND_CRL), 0);
}

static void submit(const char *name, const struct made *m)
{
	rig_submit(HTTP_POST, path(name), rig.root, body(m, ""));
	rig_run();
}

Test(crl, only_who_was_asked_can_answer)
{
	int before = rig.replies;
	struct value *bad = value_object(rig.a);

	rig.verdict = 0;
	submit("a", numbers("\x05"));
	cr_assert_eq(rig.asks, 1);
	rig_verdict(2, IPC_V_SIGNED);
	rig_verdict(1, 0);
	rig_verdict(1, IPC_V__MAX);
	core_signer(rig.core, 1, bad);
	core_signer(rig.core, 1, value_null(rig.a));
	value_set_int(rig.a, bad, "verdict", IPC_V_SIGNED);
	value_set(bad, "ask", value_copy(rig.a, value_get(rig.asked, "ask")));
	core_signer(rig.core, 1, bad);
	rig_run();
	cr_assert_eq(rig.replies, before, "nobody has said who has signed it");
	rig_verdict(1, IPC_V_SIGNED);
	rig_verdict(1, IPC_V_FORGED);
	rig_run();
	cr_assert_eq(rig.replies, before + 1);
	cr_assert_eq(rig.status, 204, "%s", rig_got(""));
	rig_verdict(1, IPC_V_SIGNED);
}

Test(crl, net_that_does_not_answer)
{
	rig.verdict = 0;
	submit("a", numbers("\x05"));
	rig_advance(14000);
	rig_run();
	cr_assert_eq(rig.asks, 1);
	rig_advance(1500);
	rig_run();
	cr_assert_eq(rig.status, 504, "%s", rig_got(""));
	rig_verdict(1, IPC_V_SIGNED);
	rig.verdict = IPC_V_SIGNED;
	write_list("a", numbers("\x05"));
}

Test(crl, so_many_at_once)
{
	uint64_t first = rig.next_id + 1;

	rig.verdict = 0;
	for (unsigned i = 0; i < LIMIT_CRL_ASKED; i++)
		submit("a", numbers("\x05"));
	refused("b", numbers("\x05"), 503, "too many revocation lists are written");
	cr_assert_eq(rig.asks, (int)LIMIT_CRL_ASKED);
	core_cancel(rig.core, 1, first);
	submit("b", numbers("\x05"));
	cr_assert_eq(rig.asks, (int)LIMIT_CRL_ASKED + 1);
	core_drop_peer(rig.core, 1);
	rig.verdict = IPC_V_SIGNED;
	write_list("a", numbers("\x05"));
}

Test(crl, sealed_while_it_is_asked_for)
{
	int before = rig.replies;

	rig.verdict = 0;
	submit("a", numbers("\x05"));
	ASK(204, HTTP_POST, "sys/seal", NULL);
	rig_run();
	cr_assert(rig.replies == before + 2 && rig.status == 503);
	rig_verdict(1, IPC_V_SIGNED);
	rig_run();
	rig_unseal();
	cr_assert_eq(store_count(rig.core, KIND_CRL), 0);
}

Test(crl, it_outlives_seal_and_restart)
{
	write_list("a", numbers("\x05\x07"));
	write_list("b", numbers("\x09"));
	for (int i = 0; i < 2; i++) {
		cr_assert(names("\x05", 1) && names("\x09", 1) && !names("\x06", 1));
		if (i == 0) {
			ASK(204, HTTP_POST, "sys/seal", NULL);
			rig_unseal();
		}
	}
	ASK(204, HTTP_DELETE, path("b"), NULL);
	rig_reopen();
	cr_assert(names("\x07", 1) && !names("\x09", 1));
	ASK(200, HTTP_GET, path("a"), NULL);
	GOT("data.serials", "{5:{},7:{}}");
	GOT("data.this_update", "2025-12-01T00:00:00Z");
	GOT("data.next_update", "2027-01-01T00:00:00Z");
}

struct both {
	struct made *m;
	const char *name;
};

static int put_and_fail(struct core *c, void *arg, struct err *e)
{
	const struct both *b = arg;
	int rc = crl_put(
		c, mount(), b->name,
		&(struct crl_new){
			b->m->p, b->m->n,
			(const unsigned char *)"digest of the certificate of it." },
		e);

	cr_assert_eq(rc, ERR_OK, "%s", e->msg);
	cr_assert(names("\x09", 1));
	return err_set(e, ERR_CONFLICT, "and now something else fails");
}

static int delete_and_fail(struct core *c, void *arg, struct err *e)
{
	int rc = crl_delete(c, rig.a, mount(), arg, e);

	cr_assert_eq(rc, ERR_OK, "%s", e->msg);
	cr_assert_not(names("\x05", 1));
	return err_set(e, ERR_CONFLICT, "and now something else fails");
}

Test(crl, a_change_is_undone_with_its_savepoint)
{
	struct both new = { numbers("\x09"), "b" }, over = { numbers("\x09"), "a" };
	char name[] = "a";
	struct err e = { 0 };

	write_list("a", numbers("\x05"));
	cr_assert_eq(batch_alone(rig.core, put_and_fail, &new, &e), ERR_CONFLICT);
	cr_assert_eq(batch_alone(rig.core, put_and_fail, &over, &e), ERR_CONFLICT);
	cr_assert_eq(batch_alone(rig.core, delete_and_fail, name, &e), ERR_CONFLICT);
	cr_assert(names("\x05", 1) && !names("\x09", 1));
	write_list("a", numbers("\x09"));
	cr_assert(!names("\x05", 1) && names("\x09", 1));
}

Test(crl, it_goes_with_its_mount)
{
	struct made *m = numbers("\x05");

	ASK(204, HTTP_POST, "sys/auth/other", "{\"type\":\"cert\"}");
	for (int i = 0; i < 5; i++)
		ASK(204, HTTP_POST, arena_printf(rig.a, "auth/other/crls/l%d", i),
		    body(m, ""));
	cr_assert_not(names("\x05", 1), "of another mount");
	write_list("a", m);
	ASK(204, HTTP_DELETE, "sys/auth/other", NULL);
	for (int i = 0; i < 200; i++) {
		rig_advance(1000);
		rig_run();
	}
	cr_assert_eq(store_count(rig.core, KIND_CRL), 1);
	cr_assert(names("\x05", 1));
	for (unsigned i = 1; i < LIMIT_CRLS; i++)
		write_list(arena_printf(rig.a, "l%u", i), m);
	refused("more", m, 400,
	        "all certificate auth methods together may have 64 revocation lists of "
	        "8388608 bytes");
}
