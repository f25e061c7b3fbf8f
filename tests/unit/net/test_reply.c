/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sodium.h>
#include <string.h>

#include "server/net/net.h"

static struct arena *a;
static struct err e;

static void setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	a = arena_new((size_t)16 << 20);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(reply, .init = setup, .fini = teardown, .timeout = 20);

static struct value *from_json(const char *text)
{
	struct value *v;

	cr_assert_eq(json_parse(a, text, strlen(text), &v, &e), ERR_OK, "%s: %s", text,
	             e.msg);
	return v;
}

#define HEAD \
	"{\"request_id\":\"id-1\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,"

struct reply_case {
	char name[24];
	int status;
	int kind;
	char body[256];
	char text[512];
};

ParameterizedTestParameters(reply, golden)
{
	static struct reply_case c[] = {
		{"empty",        204, IPC_K_EMPTY,    "null",                                              ""								     },
		{ "nothing set", 200, IPC_K_ENVELOPE, "{}",
                 HEAD "\"data\":null,\"wrap_info\":null,\"warnings\":null,\"auth\":null,"
		       "\"mount_type\":\"\"}\n"																   },
		{ "data",        200, IPC_K_ENVELOPE,
                 "{\"mount_type\":\"kv\",\"data\":{\"n\":1.50},\"warnings\":[\"w\"],\"auth\":null}",
                 HEAD "\"data\":{\"n\":1.50},\"wrap_info\":null,\"warnings\":[\"w\"],"
		       "\"auth\":null,\"mount_type\":\"kv\"}\n"														   },
		{ "lease",       200, IPC_K_ENVELOPE,
                 "{\"lease_id\":\"l/1\",\"renewable\":true,\"lease_duration\":3600}",		      "{\"request_id\":\"id-1\",\"lease_id\":\"l/1\",\"renewable\":true,"
		  "\"lease_duration\":3600,\"data\":null,\"wrap_info\":null,\"warnings\":null,"
		  "\"auth\":null,\"mount_type\":\"\"}\n"                                     },
		{ "wrapped",     200, IPC_K_ENVELOPE, "{\"wrap_info\":{\"token\":\"t\"}}",
                 "{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,"
		  "\"data\":null,\"wrap_info\":{\"token\":\"t\"},\"warnings\":null,\"auth\":null,"
		  "\"mount_type\":\"\"}\n"																	},
		{ "inject",      200, IPC_K_ENVELOPE,
                 "{\"data\":{\"secret/\":{\"type\":\"kv\"},\"auth\":1,\"request_id\":2},\"inject\":true}",
                 HEAD
		  "\"data\":{\"secret/\":{\"type\":\"kv\"},\"auth\":1,\"request_id\":2},\"wrap_info\":null,"
		  "\"warnings\":null,\"auth\":null,\"mount_type\":\"\","
		  "\"secret/\":{\"type\":\"kv\"}}\n"															      },
		{ "bare",        200, IPC_K_BARE,     "{\"initialized\":true}",
                 "{\"initialized\":true}\n"																       },
		{ "errors",      403, IPC_K_ERRORS,
                 "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}",		    "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n"},
		{ "no errors",   404, IPC_K_ERRORS,   "{\"errors\":[]}",
                 "{\"errors\":[]}\n"																	      },
	};

	return cr_make_param_array(struct reply_case, c, ARRAY_LEN(c));
}

static struct value *frame(int status, int kind, const char *body)
{
	struct value *v = value_array(a);

	value_add(v, value_int(a, status));
	value_add(v, value_int(a, kind));
	value_add(v, value_str(a, "id-1"));
	value_add(v, from_json(body));
	value_add(v, value_int(a, 7));
	return v;
}

ParameterizedTest(struct reply_case *c, reply, golden)
{
	struct jbuf b = { NULL, 0, 0, false };
	unsigned status = 0;
	int retry = 0;

	cr_assert(reply_render(frame(c->status, c->kind, c->body), &status, &retry, &b));
	cr_assert_eq(status, (unsigned)c->status);
	cr_assert_eq(retry, 7);
	cr_assert(jbuf_room(&b, 1)); /* an empty body has no memory to compare */
	cr_assert(b.len == strlen(c->text) && memcmp(b.p, c->text, b.len) == 0,
	          "%s: %.*s", c->name, (int)b.len, b.p);
	jbuf_free(&b);
}

Test(reply, what_is_no_reply_is_not_rendered)
{
	struct jbuf b = { NULL, 0, 0, false };
	unsigned status;
	int retry;

	cr_assert(!reply_render(NULL, &status, &retry, &b));
	cr_assert(!reply_render(value_object(a), &status, &retry, &b));
	cr_assert(!reply_render(from_json("[200,1,\"x\",null]"), &status, &retry, &b));
	cr_assert(
		!reply_render(from_json("[200,1,\"x\",null,0,0]"), &status, &retry, &b));
	cr_assert(!reply_render(from_json("[99,1,\"x\",null,0]"), &status, &retry, &b));
	cr_assert(!reply_render(from_json("[600,1,\"x\",null,0]"), &status, &retry, &b));
	cr_assert(!reply_render(from_json("[200,9,\"x\",null,0]"), &status, &retry, &b));
	cr_assert(!reply_render(from_json("[200,1,5,null,0]"), &status, &retry, &b));
	cr_assert(
		!reply_render(from_json("[\"a\",1,\"x\",null,0]"), &status, &retry, &b));
	jbuf_free(&b);
}

Test(reply, errors_are_escaped)
{
	struct jbuf b = { NULL, 0, 0, false };

	reply_error_text(&b, "a \"quoted\"\n");
	reply_error_text(&b, NULL);
	cr_assert(
		b.len > 0 &&
			memcmp(b.p,
	                       "{\"errors\":[\"a \\\"quoted\\\"\\n\"]}\n{\"errors\":[]}\n",
	                       b.len) == 0,
		"%.*s", (int)b.len, b.p);
	jbuf_free(&b);
}

Test(reply, addresses_are_keyed_and_shown)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	unsigned char k1[16], k2[16];
	char text[INET6_ADDRSTRLEN];
	struct addr_table *t = addr_table_new();

	v4.sin_addr.s_addr = htonl(0x7f000001);
	cr_assert(addr_key((struct sockaddr *)&v4, sizeof(v4), k1));
	cr_assert(addr_is_loopback(k1));
	memcpy(v6.sin6_addr.s6_addr, k1, 16); /* ::ffff:127.0.0.1 */
	cr_assert(addr_key((struct sockaddr *)&v6, sizeof(v6), k2));
	cr_assert(memcmp(k1, k2, 16) == 0);
	addr_text((struct sockaddr *)&v6, sizeof(v6), text);
	cr_assert_str_eq(text, "127.0.0.1");
	v6.sin6_addr = in6addr_loopback;
	cr_assert(addr_key((struct sockaddr *)&v6, sizeof(v6), k1) &&
	          addr_is_loopback(k1));
	memset(&v6.sin6_addr, 0, 16);
	v6.sin6_addr.s6_addr[0] = 0x20;
	v6.sin6_addr.s6_addr[15] = 1;
	cr_assert(addr_key((struct sockaddr *)&v6, sizeof(v6), k1));
	v6.sin6_addr.s6_addr[15] = 2;
	cr_assert(addr_key((struct sockaddr *)&v6, sizeof(v6), k2));
	cr_assert(memcmp(k1, k2, 16) == 0, "one /64 is one client");
	cr_assert(!addr_is_loopback(k1));
	cr_assert(addr_add(t, k1) && addr_add(t, k2));
	cr_assert_eq(addr_count(t, k1), 2);
	addr_remove(t, k1);
	addr_remove(t, k1);
	addr_remove(t, k1);
	cr_assert_eq(addr_count(t, k2), 0);
	addr_table_free(t);
}
