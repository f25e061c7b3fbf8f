/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of real scripts, without a sandbox around them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "call.h"
#include "wire.h"

#define REPLY "echo '{\"v\":1,\"status\":\"ok\",\"message\":\"'\"$said\"'\"}'"

static struct {
	char dir[64], work[96], script[96], log[96];
	struct arena *a;
	struct calls *calls;
	struct value *answers[16];
	uint64_t ids[16];
	size_t n;
} t;

static void on_answer(void *ctx, uint64_t id, const struct value *reply)
{
	(void)ctx;
	cr_assert_lt(t.n, ARRAY_LEN(t.answers));
	t.ids[t.n] = id;
	t.answers[t.n++] = value_copy(t.a, reply);
}

static void setup(void)
{
	struct value *list, *row;
	struct calls_options o = { .work_dir = t.work,
		                   .trusted = geteuid(),
		                   .answer = on_answer };

	signal(SIGPIPE, SIG_IGN);
	wire_init();
	snprintf(t.dir, sizeof(t.dir), "/tmp/calls-XXXXXX");
	cr_assert_not_null(mkdtemp(t.dir));
	snprintf(t.work, sizeof(t.work), "%s/work", t.dir);
	cr_assert_eq(mkdir(t.work, 0700), 0);
	snprintf(t.script, sizeof(t.script), "%s/rotator", t.dir);
	snprintf(t.log, sizeof(t.log), "%s/log", t.dir);
	t.a = arena_new((size_t)64 * 1024 * 1024);
	list = value_array(t.a);
	row = value_object(t.a);
	value_set_str(t.a, row, "name", "fake");
	value_set_str(t.a, row, "path", t.script);
	value_set(row, "sha256", value_null(t.a));
	value_set_int(t.a, row, "timeout_ms", 60000);
	value_add(list, row);
	o.rotators = list;
	t.calls = calls_new(&o);
	cr_assert_not_null(t.calls);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void teardown(void)
{
	calls_free(t.calls);
	arena_free(t.a);
	nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(calls, .init = setup, .fini = teardown, .timeout = 120);

static void write_script(const char *body)
{
	FILE *f = fopen(t.script, "we");

	cr_assert_not_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	cr_assert_eq(chmod(t.script, 0755), 0);
}

static struct value *request(void)
{
	struct value *v = value_object(t.a), *cred = value_object(t.a),
		     *fields = value_object(t.a), *admin = value_object(t.a);

	value_set_int(t.a, v, "v", 1);
	value_set_str(t.a, v, "op", "set");
	value_set_str(t.a, v, "attempt", "0123456789abcdef0123456789abcdef");
	value_set_str(t.a, admin, "password", "admins-own-word");
	value_set(v, "admin", admin);
	value_set_str(t.a, admin, "username", "the-admin");
	value_set_str(t.a, fields, "password", "hunter22/+");
	value_set_int(t.a, cred, "version", 7);
	value_set(cred, "fields", fields);
	value_set(v, "pending", cred);
	return v;
}

static void add(uint64_t id, const char *name, int64_t timeout_ms)
{
	struct value *v = value_object(t.a);
	unsigned char *p;
	size_t n;

	value_set_str(t.a, v, "rotator", name);
	value_set_int(t.a, v, "timeout_ms", timeout_ms);
	value_set(v, "request", request());
	p = value_pack(t.a, v, &n);
	calls_add(t.calls, id, p, n);
}

static void pass(void)
{
	struct pollfd fds[CALLS_POLL_MAX];
	nfds_t n;

	calls_tick(t.calls);
	n = calls_poll(t.calls, fds);
	(void)poll(fds, n, 5);
	calls_ready(t.calls, fds, n);
	calls_reap(t.calls, -1);
}

static const struct value *wait_answers(size_t n)
{
	while (t.n < n)
		pass();
	return t.answers[n - 1];
}

/* What is logged meanwhile is in t.log. */
static const struct value *run(const char *body, int64_t timeout_ms)
{
	int saved = dup(2),
	    fd = open(t.log, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	const struct value *v;

	cr_assert(saved >= 0 && fd >= 0 && dup2(fd, 2) == 2);
	write_script(body);
	add(1, "fake", timeout_ms);
	v = wait_answers(t.n + 1);
	cr_assert_eq(dup2(saved, 2), 2);
	close(saved);
	close(fd);
	return v;
}

static const char *logged(void)
{
	static char text[256 * 1024];
	FILE *f = fopen(t.log, "re");
	size_t n;

	cr_assert_not_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void is_reply(const struct value *v)
{
	cr_assert(value_is_str(value_get(v, "outcome"), "reply"), "%s",
	          value_cstr_or(t.a, v, "reason", "?"));
}

static void is_unknown(const struct value *v, bool started, const char *reason)
{
	const char *got = value_cstr_or(t.a, v, "reason", "-");

	cr_assert(value_is_str(value_get(v, "outcome"), "unknown"));
	cr_assert_eq(value_bool_or(v, "started", !started), started);
	cr_assert_not_null(strstr(got, reason), "%s", got);
}

Test(calls, values_come_by_standard_input_alone)
{
	const struct value *v = run(
		"cat >in; tr '\\0' ' ' </proc/$$/cmdline >cmdline; "
		"tr '\\0' '\\n' </proc/$$/environ >environ\n"
		"grep -q hunter22 in || said='no value in the request'\n"
		"grep -q hunter22 cmdline environ && said='a value where it must not be'\n"
		"grep -q admins cmdline environ && said='a value where it must not be'\n"
		/* those of sanitizers go on to the programs that they watch */
		"[ $(grep -vc '^[A-Z]*SAN_OPTIONS=' environ) -le 5 ] || said=\"$(cut -d= -f1 environ | tr '\\n' ' ')\"\n" REPLY,
		10000);

	is_reply(v);
	if (!value_is_str(value_get(v, "message"), ""))
		cr_assert_fail("%s", value_cstr_or(t.a, v, "message", "?"));
	cr_assert_eq(value_get(v, "sha256")->len, 32);
}

Test(calls, values_are_taken_out_of_what_is_said)
{
	static const char *const secrets[] = { "hunter22", "68756e74", "aHVudGVyM",
		                               "admins-own-word", "made-here" };
	const struct value *v = run(
		"cat >/dev/null; w='hunter22/+'; exec 3>&1 >&2\n"
		"echo \"as it is: $w.\"; printf 'hex: '; printf %s \"$w\" | od -An -tx1 | tr -d ' '\n"
		"printf 'base64: '; printf %s \"me:$w\" | base64; echo 'url: hunter22%2F%2B'\n"
		"printf 'admins-own-word without an end'\n"
		"exec >&3; echo '{\"v\":1,\"status\":\"ok\",\"fields\":{\"key\":\"made-here\"},"
		"\"message\":\"the-admin: hunter22/+ and made-here\"}'",
		10000);
	const char *log;

	is_reply(v);
	cr_assert(value_is_str(value_get(v, "message"), "the-admin: *** and ***"));
	cr_assert(value_is_str(value_get(value_get(v, "fields"), "key"), "made-here"));
	log = logged();
	cr_assert_not_null(strstr(log, "as it is: ***."), "%s", log);
	cr_assert_not_null(strstr(log, "hex: ***"), "%s", log);
	cr_assert_not_null(strstr(log, "base64: "), "%s", log);
	cr_assert_not_null(strstr(log, "url: ***"), "%s", log);
	cr_assert_not_null(strstr(log, "*** without an end"), "%s", log);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		cr_assert_null(strstr(log, secrets[i]), "%s in %s", secrets[i], log);
}

Test(calls, a_value_that_is_cut_off_is_not_logged)
{
	const struct value *v = run(
		"cat >/dev/null\n"
		"i=0; while [ $i -lt 1023 ]; do echo '...............................................................'; "
		"i=$((i+1)); done >&2\n"
		"printf '%s' '..........................................................hunter22/+ and more' >&2\n" REPLY,
		30000);

	is_reply(v);
	cr_assert_null(strstr(logged(), "hunter"), "half a value was logged");
	cr_assert_not_null(strstr(logged(), "more than is logged"));
}

Test(calls, an_end_without_a_reply_is_unknown)
{
	is_unknown(run("exit 7", 10000), true, "status 7");
	is_unknown(run("kill -9 $$", 10000), true, "signal 9");
	is_unknown(run("echo hunter22", 10000), true, "not one JSON document");
	cr_assert_null(strstr(logged(), "hunter22"));
}

Test(calls, a_request_that_nobody_reads_stops_nobody)
{
	struct value *big = value_object(t.a);
	static char text[200000];
	unsigned char *p;
	size_t n;
	struct value *v = value_object(t.a);

	write_script(REPLY);
	memset(text, 'x', sizeof(text));
	value_set(big, "config", value_strn(t.a, text, sizeof(text)));
	value_set_str(t.a, v, "rotator", "fake");
	value_set_int(t.a, v, "timeout_ms", 10000);
	value_set(v, "request", big);
	p = value_pack(t.a, v, &n);
	calls_add(t.calls, 1, p, n);
	is_reply(wait_answers(1));
}

Test(calls, the_deadline_ends_it)
{
	is_unknown(run("exec sleep 100", 100), true, "before the deadline");
	is_unknown(run("trap '' TERM; sleep 100 & wait; wait; wait", 100), true,
	           "before the deadline");
	cr_assert_eq(calls_running(t.calls), 0);
}

static void let_go(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/go", t.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
}

Test(calls, wait_for_their_turn)
{
	write_script("cat >/dev/null; touch ../../started-$$; "
	             "while [ ! -e ../../go ]; do sleep 0.02; done; " REPLY);
	for (uint64_t id = 1; id <= 12; id++)
		add(id, "fake", 60000);
	for (int i = 0; i < 40; i++)
		pass();
	cr_assert_eq(calls_running(t.calls), LIMIT_STEPS_RUNNING);
	cr_assert_eq(t.n, 0);
	calls_cancel(t.calls, 12, false);
	let_go();
	wait_answers(11);
	for (size_t i = 0; i < 11; i++) {
		is_reply(t.answers[i]);
		cr_assert_neq(t.ids[i], 12, "that one was cancelled while it waited");
	}
}

Test(calls, that_run_are_ended_on_request_alone)
{
	write_script("exec sleep 100");
	add(1, "fake", 60000);
	pass();
	calls_cancel(t.calls, 1, false);
	pass();
	cr_assert_eq(calls_running(t.calls), 1);
	calls_cancel(t.calls, 1, true);
	while (calls_running(t.calls) > 0)
		pass();
	cr_assert_eq(t.n, 0, "a cancelled call is not answered");
	add(2, "fake", 60000);
	add(3, "fake", 60000);
	pass();
	calls_abandon(t.calls);
	while (calls_running(t.calls) > 0)
		pass();
	cr_assert_eq(t.n, 0);
}

Test(calls, that_cannot_be_run_have_not_begun)
{
	const struct value *v;

	add(1, "nobody", 1000);
	is_unknown(wait_answers(1), false, "no rotator of this name");
	calls_add(t.calls, 2, "\x07\xff", 2);
	is_unknown(wait_answers(2), false, "cannot be understood");
	add(3, "fake", 1000);
	is_unknown(wait_answers(3), false, "cannot open");
	write_script(REPLY);
	cr_assert_eq(chmod(t.script, 0777), 0);
	add(4, "fake", 1000);
	v = wait_answers(4);
	is_unknown(v, false, "can be written by others");
	cr_assert_eq(value_get(v, "sha256")->type, V_NULL);
	add(5, "fake", 0);
	is_unknown(wait_answers(5), false, "before the deadline");
}
