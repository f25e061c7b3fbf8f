/* SPDX-License-Identifier: Apache-2.0 */
/* What one address may ask of net, before core hears of it. */
#include "rig.h"

#define HOST  "Host: localhost\r\n"
#define BURST 3

static struct rig rig;

static void start(const struct rig_options *o)
{
	rig_start(&rig, o);
}

static void setup(void)
{
	start(&(struct rig_options){ .rate = 1, .burst = BURST, .rate_loopback = true });
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(rate_limit, .init = setup, .fini = teardown, .timeout = 60);

#define HEALTH "GET /v1/sys/health HTTP/1.1\r\n" HOST "\r\n"

static int health(int fd)
{
	struct rig_reply out;

	rig_put(fd, HEALTH);
	rig_get(fd, &out);
	return out.status;
}

/* Ask until it is refused: time that passes lets one more through now and then.  How
 * often it was not. */
static int use_up(int fd)
{
	int n = 0;

	while (health(fd) == 200)
		cr_assert_lt(++n, 100, "never refused");
	return n;
}

/* The refusal of ${text}; ${fd} is a fresh connection for each attempt. */
static int refusal(int fd, const char *text, struct rig_reply *out)
{
	for (int i = 0; i < 100; i++) {
		use_up(fd);
		rig_put(fd, text);
		rig_get(fd, out);
		if (out->status == 429)
			return fd;
		close(fd);
		fd = rig_dial(&rig);
	}
	cr_assert_fail("never refused");
	return fd;
}

Test(rate_limit, beyond_the_burst_is_429)
{
	int fd = rig_dial(&rig);
	struct rig_reply out;

	cr_assert_geq(use_up(fd), BURST);
	fd = refusal(fd, "GET /v1/sys/leader?x=1 HTTP/1.1\r\n" HOST "\r\n", &out);
	cr_assert_str_eq(out.body, "{\"errors\":[\"request path \\\"sys/leader\\\": "
	                           "rate limit quota exceeded\"]}\n");
	cr_assert_not_null(strstr(out.head, "\r\nRetry-After: 1\r\n"), "%s", out.head);
	cr_assert_not_null(strstr(out.head, "\r\nContent-Type: application/json\r\n"));
	rig_no_request(&rig, 30);
	/* without a body to read the connection lives on */
	cr_assert_neq(health(fd), 0);
	close(fd);
}

Test(rate_limit, a_body_is_not_read)
{
	int fd = rig_dial(&rig);
	struct rig_reply out;

	/* were it let through, net would refuse the path once it had read the body */
	fd = refusal(fd,
	             "POST /v1/a//b HTTP/1.1\r\n" HOST
	             "Content-Length: 7\r\n\r\n{\"a\":1}",
	             &out);
	cr_assert_not_null(strstr(out.head, "\r\nConnection: close\r\n"), "%s", out.head);
	close(fd);
}

Test(rate_limit, the_unix_socket_has_a_bucket_of_its_own)
{
	struct sockaddr_un sa;
	int fd = rig_dial(&rig), local = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_geq(use_up(fd), BURST);
	rig_unix_address(&rig, &sa);
	cr_assert_eq(connect(local, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_geq(use_up(local), BURST);
	close(local);
	close(fd);
}

Test(rate_limit, addresses_have_buckets_of_their_own)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(rig.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = rig_dial(&rig), other = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_geq(use_up(fd), BURST);
	inet_pton(AF_INET, "127.0.0.77", &from.sin_addr);
	cr_assert_eq(bind(other, (struct sockaddr *)&from, sizeof(from)), 0);
	cr_assert_eq(connect(other, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_geq(use_up(other), BURST);
	close(other);
	close(fd);
}

Test(rate_limit, refusals_are_counted)
{
	struct value *v;
	int fd = rig_dial(&rig);

	cr_assert_geq(use_up(fd), BURST);
	cr_assert(rig_core_wait(&rig, 3000, IPC_REJECTED, NULL, &v));
	cr_assert(value_equal(v, rig_json(&rig, "{\"address\":\"127.0.0.1\",\"reason\":"
	                                        "\"too many requests\",\"count\":1}")));
	close(fd);
}

Test(rate_exempt, loopback_is_not_limited_unless_told_so, .fini = teardown, .timeout = 60)
{
	int fd;

	start(&(struct rig_options){ .rate = 1, .burst = BURST });
	fd = rig_dial(&rig);
	for (int i = 0; i < 10 * BURST; i++)
		cr_assert_eq(health(fd), 200);
	close(fd);
}

Test(rate_connect, new_connections_beyond_the_burst_are_closed, .fini = teardown,
     .timeout = 60)
{
	int served = 0;

	start(&(struct rig_options){
		.connect_rate = 1, .connect_burst = BURST, .rate_loopback = true });
	for (int i = 0; i < 10 * BURST; i++) {
		int fd = rig_dial(&rig);

		served += health(fd) == 200;
		close(fd);
	}
	/* the clock may let one more through for each second that this took */
	cr_assert_geq(served, BURST);
	cr_assert_lt(served, 5 * BURST);
}
