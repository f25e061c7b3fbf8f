/* SPDX-License-Identifier: Apache-2.0 */
/* The net role as a process: requests in, frames out, replies back. */
#include "rig.h"

#include "vault/version.h"

#define HOST "Host: v\r\n"
#define DATA "{\"data\":{\"a\":\"b\"},\"mount_type\":\"kv\"}"

static struct rig rig;

static void setup(void)
{
	rig_start(&rig, &(struct rig_options){ .body_max = 1 << 20 });
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(role, .init = setup, .fini = teardown, .timeout = 60);

static const struct value *field(struct rig_request q, enum ipc_request_field f)
{
	return value_at(q.v, f);
}

static void expect(int fd, int status, const char *body)
{
	static struct rig_reply out;

	rig_get(fd, &out);
	cr_assert_eq(out.status, status, "%s\n%s", out.head, out.body);
	if (body != NULL)
		cr_assert_str_eq(out.body, body);
}

Test(role, a_connection_carries_many_requests)
{
	int fd = rig_dial(&rig);

	for (int i = 0; i < 5; i++) {
		struct rig_request q;

		rig_put(fd,
		        "GET /v1/secret/data/a%20b?version=2&x=1&x=2 HTTP/1.1\r\n" HOST
		        "X-Vault-Token: tok-1\r\n\r\n");
		q = rig_request(&rig);
		cr_assert_eq(rig_int(field(q, IPC_RQ_METHOD)), HTTP_GET);
		cr_assert(rig_text_is(field(q, IPC_RQ_PATH), "secret/data/a b"));
		cr_assert(rig_text_is(field(q, IPC_RQ_TOKEN), "tok-1"));
		cr_assert(rig_text_is(field(q, IPC_RQ_REMOTE), "127.0.0.1"));
		cr_assert(value_equal(
			field(q, IPC_RQ_QUERY),
			rig_json(&rig, "{\"version\":\"2\",\"x\":[\"1\",\"2\"]}")));
		cr_assert_eq(field(q, IPC_RQ_BODY)->type, V_NULL);
		cr_assert_eq(rig_int(field(q, IPC_RQ_LISTENER)), IPC_ON_API);
		cr_assert_eq(rig_int(field(q, IPC_RQ_FLAGS)), IPC_F_LOOPBACK);
		rig_answer(&rig, q.id, 200, IPC_K_ENVELOPE, DATA);
		expect(fd, 200,
		       "{\"request_id\":\"6a4f0b7e-0000-4000-8000-000000000001\","
		       "\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,"
		       "\"data\":{\"a\":\"b\"},\"wrap_info\":null,\"warnings\":null,"
		       "\"auth\":null,\"mount_type\":\"kv\"}\n");
	}
	close(fd);
}

Test(role, headers_of_a_reply_are_exact)
{
	int fd = rig_dial(&rig);
	struct rig_reply out;

	rig_put(fd, "GET /v1/x HTTP/1.1\r\n" HOST "\r\n");
	rig_answer(&rig, rig_request(&rig).id, 204, IPC_K_EMPTY, NULL);
	rig_get(fd, &out);
	cr_assert_eq(out.status, 204);
	cr_assert(strstr(out.head, "\r\nContent-Type: application/json\r\n") != NULL,
	          "%s", out.head);
	cr_assert(strstr(out.head, "\r\nCache-Control: no-store\r\n") != NULL, "%s",
	          out.head);
	close(fd);
}

Test(role, pipelined_requests_are_answered_in_order)
{
	int fd = rig_dial(&rig);

	rig_put(fd,
	        "GET /v1/p1 HTTP/1.1\r\n" HOST "\r\nPOST /v1/p2 HTTP/1.1\r\n" HOST
	        "Content-Length: 7\r\n\r\n{\"a\":1}GET /v1/p3 HTTP/1.1\r\n" HOST "\r\n");
	for (int i = 1; i <= 3; i++) {
		char want[16];
		struct rig_request q = rig_request(&rig);

		snprintf(want, sizeof(want), "p%d", i);
		cr_assert(rig_text_is(field(q, IPC_RQ_PATH), want));
		rig_answer(&rig, q.id, 200 + i, IPC_K_BARE, "{}");
	}
	expect(fd, 201, "{}\n");
	expect(fd, 202, "{}\n");
	expect(fd, 203, "{}\n");
	close(fd);
}

Test(role, chunked_bodies_are_put_together)
{
	int fd = rig_dial(&rig);
	struct rig_request q;

	rig_put(fd, "PUT /v1/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	            "4\r\n{\"a\"\r\n");
	poll(NULL, 0, 20);
	rig_put(fd, "3\r\n: 1\r\n6\r\n234.50\r\n1\r\n}\r\n0\r\n\r\n");
	q = rig_request(&rig);
	cr_assert_eq(rig_int(field(q, IPC_RQ_METHOD)), HTTP_POST);
	cr_assert(value_equal(field(q, IPC_RQ_BODY), rig_json(&rig, "{\"a\":1234.50}")));
	rig_answer(&rig, q.id, 204, IPC_K_EMPTY, NULL);
	expect(fd, 204, NULL);
	close(fd);
}

Test(role, large_bodies_pass_and_larger_ones_do_not)
{
	size_t n = 1 << 20;
	char *body = malloc(n + 1);
	char head[128];
	int fd = rig_dial(&rig);
	struct rig_request q;

	memset(body, 'x', n);
	memcpy(body, "{\"k\":\"", 6);
	memcpy(body + n - 2, "\"}", 2);
	snprintf(head, sizeof(head),
	         "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n);
	rig_put(fd, head);
	rig_put_n(fd, body, n);
	q = rig_request(&rig);
	cr_assert_eq(value_get(field(q, IPC_RQ_BODY), "k")->len, n - 8);
	rig_answer(&rig, q.id, 204, IPC_K_EMPTY, NULL);
	expect(fd, 204, NULL);

	snprintf(head, sizeof(head),
	         "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", n + 1);
	rig_put(fd, head);
	rig_put_n(fd, body, n);
	rig_put(fd, "x");
	expect(fd, 413, "{\"errors\":[\"http: request body too large\"]}\n");
	close(fd);

	fd = rig_dial(&rig);
	rig_put(fd, "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: 10737418240\r\n\r\n");
	expect(fd, 413, "{\"errors\":[\"http: request body too large\"]}\n");
	cr_assert(rig_closed(fd, 1000));
	close(fd);
	rig_no_request(&rig, 50);
	free(body);
}

Test(role, the_limit_of_a_chunked_body_is_exact)
{
	for (size_t over = 0; over < 2; over++) {
		size_t n = (1 << 20) + over;
		char *body = malloc(n + 2);
		char head[160];
		int fd = rig_dial(&rig);

		memset(body, ' ', n);
		memcpy(body, "{}", 2);
		memcpy(body + n, "\r\n", 2);
		snprintf(head, sizeof(head),
		         "PUT /v1/x HTTP/1.1\r\n" HOST
		         "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
		         n);
		rig_put(fd, head);
		rig_put_n(fd, body, n + 2);
		rig_put(fd, "0\r\n\r\n");
		if (over == 0)
			rig_answer(&rig, rig_request(&rig).id, 204, IPC_K_EMPTY, NULL);
		expect(fd, over == 0 ? 204 : 413, NULL);
		close(fd);
		free(body);
	}
}

Test(role, endless_chunked_body_is_cut)
{
	static char chunk[65536 + 9];
	int fd = rig_dial(&rig);
	size_t sent = 0;

	memcpy(chunk, "10000\r\n", 7);
	memset(chunk + 7, 'x', 65536);
	memcpy(chunk + 7 + 65536, "\r\n", 2);
	rig_put(fd, "PUT /v1/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	while (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) == (ssize_t)sizeof(chunk)) {
		sent += 65536;
		cr_assert_lt(sent, (size_t)64 << 20, "never cut");
	}
	rig_no_request(&rig, 50);
	close(fd);
}

/* plain data: parameters reach another process */
struct http_case {
	char name[40];
	char request[512];
	int status;
	char body[160];
};

ParameterizedTestParameters(role, is_answered_without_core)
{
	static struct http_case c[] = {
		{"outside of /v1/",    "GET /ui/ HTTP/1.1\r\n" HOST "\r\n",                          404,
                 "{\"errors\":[]}\n"											 },
		{ "unknown method",    "OPTIONS /v1/x HTTP/1.1\r\n" HOST "\r\n",                     405,
                 "{\"errors\":[]}\n"											 },
		{ "list and scan",     "GET /v1/x?list=1&scan=true HTTP/1.1\r\n" HOST "\r\n",
                 400,										     "{\"errors\":[]}\n"},
		{ "list is no bool",   "GET /v1/x?list=yes HTTP/1.1\r\n" HOST "\r\n",                400,
                 "{\"errors\":[]}\n"											 },
		{ "patch type",
                 "PATCH /v1/x HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
		  "Content-Length: 2\r\n\r\n{}",		                                     415,
                 "{\"errors\":[\"PATCH requires Content-Type of application/merge-patch+json, "
		  "provided application/json\"]}\n"									  },
		{ "no patch type",
                 "PATCH /v1/x HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}",                      400,
                 "{\"errors\":[\"mime: no media type\"]}\n"								  },
		{ "bad JSON",
                 "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\n{\"a\":}",                 400,
                 "{\"errors\":[\"failed to decode JSON input: invalid number at offset 5\"]}\n"                              },
		{ "JSON array",
                 "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n[]",                       400,
                 "{\"errors\":[\"failed to decode JSON input: expected an object at offset 0\"]}\n"                          },
		{ "negative wrap ttl",
                 "GET /v1/x HTTP/1.1\r\n" HOST "X-Vault-Wrap-TTL: -5\r\n\r\n",                       400,
                 "{\"errors\":[\"error parsing X-Vault-Wrap-TTL header: requested ttl can not be "
		  "negative\"]}\n"											   },
		{ "namespace",
                 "GET /v1/x HTTP/1.1\r\n" HOST "X-Vault-Namespace: team-a\r\n\r\n",                  404,
                 "{\"errors\":[]}\n"											 },
		{ "leader",            "GET /v1/sys/leader HTTP/1.1\r\n" HOST "\r\n",                200, ""                 },
		{ "seal-status",       "GET /v1/sys/seal-status HTTP/1.1\r\n" HOST "\r\n",           200,
                 ""													  },
		{ "health",            "GET /v1/sys/health?activecode=299 HTTP/1.1\r\n" HOST "\r\n",
                 299,										     ""                 },
		{ "health code",
                 "GET /v1/sys/health?activecode=x HTTP/1.1\r\n" HOST "\r\n",                         400,
                 "{\"errors\":[]}\n"											 },
	};

	return cr_make_param_array(struct http_case, c, ARRAY_LEN(c));
}

ParameterizedTest(struct http_case *c, role, is_answered_without_core)
{
	int fd = rig_dial(&rig);

	for (int i = 0; i < 2; i++) { /* the connection stays usable */
		rig_put(fd, c->request);
		expect(fd, c->status, c->body[0] != '\0' ? c->body : NULL);
	}
	rig_no_request(&rig, 20);
	close(fd);
}

struct raw_case {
	char name[40];
	unsigned char request[300];
	unsigned len;
};

#define RAW(name, text)                      \
	{                                    \
		name, text, sizeof(text) - 1 \
	}
#define CANARY "GET /v1/canary HTTP/1.1\r\n" HOST "\r\n"

ParameterizedTestParameters(role, refuses_and_closes)
{
	static struct raw_case c[] = {
		RAW("CL.CL", "POST /v1/x HTTP/1.1\r\n" HOST
		             "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" CANARY),
		RAW("CL.CL differing",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Content-Length: 2\r\nContent-Length: 45\r\n\r\n{}" CANARY),
		RAW("CL.TE",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE.CL",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE.TE",
		    "POST /v1/x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE of two",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE unknown", "POST /v1/x HTTP/1.1\r\n" HOST
		                  "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE space colon",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE tab", "POST /v1/x HTTP/1.1\r\n" HOST
		              "Transfer-Encoding:\tchunked\t\r\n\r\n0\r\n\r\n" CANARY),
		RAW("TE in HTTP/1.0",
		    "POST /v1/x HTTP/1.0\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" CANARY),
		RAW("CL plus",
		    "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: +2\r\n\r\n{}" CANARY),
		RAW("CL list", "POST /v1/x HTTP/1.1\r\n" HOST
		               "Content-Length: 2,2\r\n\r\n{}" CANARY),
		RAW("CL space",
		    "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length : 2\r\n\r\n{}" CANARY),
		RAW("CL empty",
		    "POST /v1/x HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n" CANARY),
		RAW("fold makes a token",
		    "GET /v1/x HTTP/1.1\r\n" HOST "X-Vault: t\r\n -Token\r\n\r\n" CANARY),
		RAW("fold in front", "GET /v1/x HTTP/1.1\r\n" HOST
		                     "X-Vault: t\r\n -Token\r\nAccept: a\r\n\r\n" CANARY),
		RAW("fold with tab",
		    "GET /v1/x HTTP/1.1\r\n" HOST "Accept: a\r\n\tb\r\n\r\n" CANARY),
		RAW("fold first",
		    "GET /v1/x HTTP/1.1\r\n Accept: a\r\n" HOST "\r\n" CANARY),
		RAW("bare LF in head",
		    "GET /v1/x HTTP/1.1\r\nHost: v\nAccept: a\r\n\r\n" CANARY),
		RAW("bare LF after line", "GET /v1/x HTTP/1.1\nHost: v\r\n\r\n" CANARY),
		RAW("bare LF at the end", "GET /v1/x HTTP/1.1\r\nHost: v\r\n\n" CANARY),
		RAW("all bare LF", "GET /v1/x HTTP/1.1\nHost: v\n\n" CANARY),
		RAW("bare CR in value",
		    "GET /v1/x HTTP/1.1\r\nHost: v\rX: y\r\n\r\n" CANARY),
		RAW("NUL in value", "GET /v1/x HTTP/1.1\r\nHost: v\0w\r\n\r\n" CANARY),
		RAW("NULs in the first value",
		    "GET /v1/x HTTP/1.1\r\nA: v\0\0w\r\nHost: v\r\n\r\n" CANARY),
		RAW("NULs in the last value",
		    "GET /v1/x HTTP/1.1\r\nHost: v\0\0\0\0w\r\n\r\n" CANARY),
		RAW("NUL in name",
		    "GET /v1/x HTTP/1.1\r\nHost: v\r\nA\0: b\r\n\r\n" CANARY),
		RAW("NUL in target", "GET /v1/x\0y HTTP/1.1\r\n" HOST "\r\n" CANARY),
		RAW("control in value",
		    "GET /v1/x HTTP/1.1\r\nHost: v\x01\r\n\r\n" CANARY),
		RAW("control in method", "G\x01T /v1/x HTTP/1.1\r\n" HOST "\r\n" CANARY),
		RAW("tab in target", "GET /v1/x\ty HTTP/1.1\r\n" HOST "\r\n" CANARY),
		RAW("two spaces", "GET  /v1/x HTTP/1.1\r\n" HOST "\r\n" CANARY),
		RAW("space in target", "GET /v1/x y HTTP/1.1\r\n" HOST "\r\n" CANARY),
		RAW("space after version", "GET /v1/x HTTP/1.1 \r\n" HOST "\r\n" CANARY),
		RAW("no host", "GET /v1/x HTTP/1.1\r\n\r\n" CANARY),
		RAW("two hosts", "GET /v1/x HTTP/1.1\r\n" HOST "Host: w\r\n\r\n" CANARY),
		RAW("two tokens", "GET /v1/x HTTP/1.1\r\n" HOST
		                  "X-Vault-Token: a\r\nX-Vault-Token: a\r\n\r\n" CANARY),
		RAW("two authorizations",
		    "GET /v1/x HTTP/1.1\r\n" HOST
		    "Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n" CANARY),
		RAW("name with bracket",
		    "GET /v1/x HTTP/1.1\r\n" HOST "X[a]: b\r\n\r\n" CANARY),
		RAW("empty name", "GET /v1/x HTTP/1.1\r\n" HOST ": b\r\n\r\n" CANARY),
		RAW("no colon", "GET /v1/x HTTP/1.1\r\n" HOST "oops\r\n\r\n" CANARY),
		RAW("chunk size sign",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" CANARY),
		RAW("chunk size 0x",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" CANARY),
		RAW("chunk too long",
		    "POST /v1/x HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n" CANARY),
	};

	return cr_make_param_array(struct raw_case, c, ARRAY_LEN(c));
}

/* Everything until the connection ends. */
static size_t read_all(int fd, char *out, size_t cap, const char *name)
{
	size_t n = 0;
	ssize_t got;

	do {
		struct pollfd p = { fd, POLLIN, 0 };

		cr_assert_eq(poll(&p, 1, RIG_WAIT_MS), 1, "%s: still open", name);
		got = recv(fd, out + n, cap - 1 - n, 0);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	out[n] = '\0';
	return n;
}

ParameterizedTest(struct raw_case *c, role, refuses_and_closes)
{
	static char out[8192];
	int fd = rig_dial(&rig);

	rig_put_n(fd, c->request, c->len);
	read_all(fd, out, sizeof(out), c->name);
	cr_assert_eq(strncmp(out, "HTTP/1.1 400", 12), 0, "%s: %s", c->name, out);
	cr_assert_null(strstr(out + 1, "HTTP/1.1"), "%s: more than one: %s", c->name,
	               out);
	cr_assert_not_null(strstr(out, "\r\n\r\n{\"errors\":[\""), "%s: %s", c->name,
	                   out);
	rig_no_request(&rig, 30);
	close(fd);
}

Test(role, refusals_are_counted)
{
	struct value *v;
	int fd = rig_dial(&rig);
	struct rig_reply out;

	for (int i = 0; i < 3; i++) {
		rig_put(fd, "GET /nowhere HTTP/1.1\r\n" HOST "\r\n");
		rig_get(fd, &out);
	}
	cr_assert(rig_core_wait(&rig, 3000, IPC_REJECTED, NULL, &v));
	cr_assert(value_equal(v, rig_json(&rig, "{\"address\":\"127.0.0.1\",\"reason\":"
	                                        "\"path outside /v1/\",\"count\":3}")));
	close(fd);
}

/* What libmicrohttpd refuses by itself is ours all the same: answered once, and counted.
 */
Test(role, refusals_of_the_library_are_ours)
{
	static const struct {
		const char *request;
		const char *reason;
		int status;
	} c[] = {
		{"POST /v1/x HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n",
                 "malformed request",										400},
		{ "POST /v1/x HTTP/1.1\r\n" HOST
		  "Content-Length: 99999999999999999999\r\n\r\n",   "http: request body too large", 413},
		{ "GET /v1/x HTTP/3.0\r\n" HOST "\r\n",                              "unsupported HTTP version",     505},
		{ "POST /v1/x HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "malformed request",            400},
	};
	char want[128];
	struct value *v;

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		struct rig_reply out;
		int fd = rig_dial(&rig);

		rig_put(fd, c[i].request);
		rig_get(fd, &out);
		snprintf(want, sizeof(want), "{\"errors\":[\"%s\"]}\n", c[i].reason);
		cr_assert_eq(out.status, c[i].status, "%s", c[i].request);
		cr_assert_str_eq(out.body, want);
		cr_assert_not_null(
			strstr(out.head, "\r\nContent-Type: application/json\r\n"));
		cr_assert(rig_closed(fd, RIG_WAIT_MS));
		close(fd);
		cr_assert(rig_core_wait(&rig, 3000, IPC_REJECTED, NULL, &v));
		cr_assert(value_is_str(value_get(v, "reason"), c[i].reason));
		cr_assert_eq(value_int_or(v, "count", 0), 1);
	}
}

/* A head that leaves the library no room for an answer is answered all the same. */
Test(role, no_head_is_too_large_for_an_answer)
{
	static char text[20000];

	for (int size = 15000; size < 16600; size += 16) {
		struct rig_reply out;
		int fd = rig_dial(&rig), n = snprintf(text, sizeof(text), "GET /v1/x?a=");

		memset(text + n, 'v', (size_t)size);
		n += size;
		snprintf(text + n, sizeof(text) - (size_t)n, " HTTP/1.1\r\n" HOST "\r\n");
		rig_put(fd, text);
		rig_get(fd, &out);
		cr_assert(out.status == 400 || out.status == 414 || out.status == 431,
		          "%d: %d", size, out.status);
		cr_assert(rig_closed(fd, RIG_WAIT_MS));
		close(fd);
	}
}

/* The library runs out of memory in the middle of its parsing. */
Test(role, a_query_of_countless_parameters_is_refused_at_once)
{
	static char text[6000];
	struct rig_reply out;
	int fd = rig_dial(&rig), n = snprintf(text, sizeof(text), "GET /v1/x?");

	while (n < 5000)
		text[n++] = '&';
	snprintf(text + n, sizeof(text) - (size_t)n, " HTTP/1.1\r\n" HOST "\r\n");
	rig_put(fd, text);
	rig_get(fd, &out);
	cr_assert_eq(out.status, 431, "%d", out.status);
	cr_assert_str_eq(out.body, "{\"errors\":[\"request header too large\"]}\n");
	cr_assert(rig_closed(fd, RIG_WAIT_MS));
	close(fd);
	fd = rig_dial(&rig);
	rig_put(fd, "GET /v1/sys/leader HTTP/1.1\r\n" HOST "\r\n");
	expect(fd, 200, NULL);
	close(fd);
}

Test(role, form_bodies_bearer_tokens_and_lists)
{
	int fd = rig_dial(&rig);
	struct rig_request q;

	rig_put(fd, "POST /v1/x HTTP/1.1\r\n" HOST "Authorization: bearer tok-2\r\n"
	            "Content-Type: application/x-www-form-urlencoded\r\n"
	            "Content-Length: 9\r\n\r\na=b%20c+d");
	q = rig_request(&rig);
	cr_assert(rig_text_is(field(q, IPC_RQ_TOKEN), "tok-2"));
	cr_assert(
		value_equal(field(q, IPC_RQ_BODY), rig_json(&rig, "{\"a\":\"b c d\"}")));
	rig_answer(&rig, q.id, 204, IPC_K_EMPTY, NULL);
	expect(fd, 204, NULL);
	rig_put(fd, "GET /v1/x/?list=1&after=a HTTP/1.1\r\n" HOST
	            "X-Vault-Wrap-TTL: 5m\r\n\r\n");
	q = rig_request(&rig);
	cr_assert_eq(rig_int(field(q, IPC_RQ_METHOD)), HTTP_LIST);
	cr_assert_eq(rig_int(field(q, IPC_RQ_WRAP_TTL)), 300);
	cr_assert_eq(field(q, IPC_RQ_TOKEN)->type, V_NULL);
	cr_assert(
		value_equal(field(q, IPC_RQ_QUERY), rig_json(&rig, "{\"after\":\"a\"}")));
	rig_answer(&rig, q.id, 404, IPC_K_ERRORS, "{\"errors\":[]}");
	expect(fd, 404, "{\"errors\":[]}\n");
	close(fd);
}

Test(role, unix_socket_is_local)
{
	struct sockaddr_un sa;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct rig_request q;

	rig_unix_address(&rig, &sa);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	rig_put(fd, "GET /v1/x HTTP/1.1\r\n" HOST "X-Forwarded-For: 10.1.2.3\r\n\r\n");
	q = rig_request(&rig);
	cr_assert_eq(rig_int(field(q, IPC_RQ_LISTENER)), IPC_ON_UNIX);
	cr_assert_eq(rig_int(field(q, IPC_RQ_FLAGS)), IPC_F_LOOPBACK);
	cr_assert(rig_text_is(field(q, IPC_RQ_REMOTE), "unix"));
	rig_answer(&rig, q.id, 200, IPC_K_BARE, "{}");
	expect(fd, 200, "{}\n");
	close(fd);
}

Test(role, health_follows_the_state_of_core)
{
	int fd = rig_dial(&rig);
	struct rig_reply out;

	rig_state(&rig, "{\"initialized\":false,\"sealed\":true}");
	poll(NULL, 0, 50);
	rig_put(fd, "GET /v1/sys/health HTTP/1.1\r\n" HOST "\r\n");
	expect(fd, 501, NULL);
	rig_state(&rig,
	          "{\"initialized\":true,\"sealed\":true,\"type\":\"shamir\",\"t\":2,"
	          "\"n\":3,\"progress\":1,\"nonce\":\"abc\"}");
	poll(NULL, 0, 50);
	rig_put(fd, "HEAD /v1/sys/health HTTP/1.1\r\n" HOST "\r\n");
	{
		char text[512];
		ssize_t n;

		poll(NULL, 0, 100);
		n = recv(fd, text, sizeof(text) - 1, 0);
		cr_assert_gt(n, 0);
		text[n] = '\0';
		cr_assert_eq(strncmp(text, "HTTP/1.1 503", 12), 0);
		cr_assert_str_eq(text + n - 4, "\r\n\r\n", "a HEAD reply has no body");
	}
	rig_put(fd, "GET /v1/sys/seal-status HTTP/1.1\r\n" HOST "\r\n");
	rig_get(fd, &out);
	cr_assert_eq(out.status, 200);
	cr_assert_str_eq(
		out.body,
		"{\"type\":\"shamir\",\"initialized\":true,\"sealed\":true,\"t\":2,"
		"\"n\":3,\"progress\":1,\"nonce\":\"abc\",\"version\":\"1.17.0\","
		"\"build_date\":\"" VAULT_BUILD_DATE
		"\",\"migration\":false,\"recovery_seal\":false,"
		"\"storage_type\":\"sqlite\"}\n");
	close(fd);
}
