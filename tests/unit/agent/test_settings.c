/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/deliver/tmpfs.h"
#include "agent/settings.h"

#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct arena *a;
static struct settings s;

static void setup(void)
{
	a = arena_new(4 << 20);
	cr_assert_not_null(a);
}

static void teardown(void)
{
	arena_free(a);
}

TestSuite(settings, .init = setup, .fini = teardown, .timeout = 20);

static int parse(const char *text)
{
	return settings_parse(a, "agent.yaml", text, strlen(text), &s, &e);
}

Test(settings, has_working_defaults)
{
	cr_assert_eq(parse("{}\n"), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(s.state_dir, "/var/lib/vault-agent");
	cr_assert_str_eq(s.run_dir, "/run/vault-agent");
	cr_assert_str_eq(s.status_socket, "/run/vault-agent.sock");
	cr_assert_eq(s.grace_ms, 30000);
	cr_assert_eq(s.max_stale_ms, 24 * 3600 * 1000);
	cr_assert_eq(s.tmpfs, TMPFS_AUTO);
	cr_assert_not(s.allow_disk);
	cr_assert_eq(s.n_paths, 0);
}

Test(settings, reads_files_and_finds_each_secret_once)
{
	const struct settings_file *f;

	cr_assert_eq(
		parse("server: https://v:8200\nhosts_server: https://v:8201\npins: " PIN
	              "\nrun_dir: /dev/shm/x\ngrace: 5s\ntmpfs: existing\nfiles:\n"
	              "- {path: secret/app/db, field: user, binding: db}\n"
	              "- {path: secret/app/tls, field: key, binding: db, name: tls.key, mode: "
	              "0440}\n"
	              "- {path: secret/app/db, field: password, binding: db, name: pw}\n"),
		ERR_OK, "%s", e.msg);
	f = settings_files(&s);
	cr_assert_eq(s.files.n, 3);
	cr_assert_eq(s.n_paths, 2);
	cr_assert_str_eq(s.paths[0], "secret/app/db");
	cr_assert_str_eq(s.paths[1], "secret/app/tls");
	cr_assert_eq(f[0].path_index, 0);
	cr_assert_eq(f[1].path_index, 1);
	cr_assert_eq(f[2].path_index, 0);
	cr_assert_str_eq(f[0].name, "user");
	cr_assert_eq(f[0].mode, 0400);
	cr_assert_eq(f[1].mode, 0440);
	cr_assert_eq(f[0].dir_mode, 0711);
	cr_assert_eq(f[0].uid, geteuid());
	cr_assert_eq(s.pin_set.n, 1);
	cr_assert_eq(s.grace_ms, 5000);
	cr_assert_eq(s.tmpfs, TMPFS_EXISTING);
	cr_assert_str_eq(s.status_socket, "/dev/shm/x.sock");
}

#define FILES(rest) "files:\n- {path: secret/a, field: f, binding: b" rest "}\n"
struct bad_case {
	char text[200];
	char want[200];
};
#define AT(line, key) "agent.yaml:" #line ": " key ": "
#define HTTPS         "plain http:// is for loopback addresses alone: use https://"
#define URL           "must read https://HOST:PORT and nothing more"
/* clang-format off */
static const struct bad_case bad_cases[] = {
	{ "server: ftp://v\n",
	  AT(1, "server") "must begin with https://" },
	{ "server: http://vault:8200\n",
	  AT(1, "server") HTTPS },
	{ "server: http://127.0.0.1.evil.net\n",
	  AT(1, "server") HTTPS },
	{ "server: https://v:8200/x\n",
	  AT(1, "server") URL },
	{ "server: https://u@v\n",
	  AT(1, "server") URL },
	{ "server: https://v:99999\n",
	  AT(1, "server") URL },
	{ "state_dir: var\n",
	  AT(1, "state_dir") "must be an absolute path without a '/' at its end" },
	{ "tmpfs_size: 16m,mode=0777\n",
	  AT(1, "tmpfs_size") "must be a size such as 16m" },
	{ "log_level: loud\n",
	  AT(1, "log_level") "must be error, warn, info or debug" },
	{ FILES(", name: ../x"),
	  AT(2, "files[0].name") "it must be a plain name without '/'" },
	{ FILES(", name: ..data"),
	  AT(2, "files[0].name") "it must not be '.' or begin with '..'" },
	{ FILES(", owner: no-such-user"),
	  AT(2, "files[0].owner") "there is no user 'no-such-user'" },
	{ FILES(", group: no-such-group"),
	  AT(2, "files[0].group") "there is no group 'no-such-group'" },
	{ "files:\n- {path: secret, field: f, binding: b}\n",
	  AT(2, "files[0].path") "must name one secret, such as secret/app/db" },
	{ FILES("") "- {path: secret/b, field: g, binding: b, name: f}\n",
	  "file 'b/f' is there twice" },
	{ FILES("") "- {path: secret/b, field: g, binding: b, dir_mode: 0755}\n",
	  "binding 'b' has two different values of dir_mode" },
	{ FILES(", mode: 04755"),
	  "file 'b/f': mode must be at most 0777" },
};
/* clang-format on */

Test(settings, names_file_line_and_key)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];

		cr_expect_eq(parse(c->text), ERR_USAGE, "%s", c->text);
		cr_expect_not_null(strstr(e.msg, c->want), "wanted '%s', got '%s'",
		                   c->want, e.msg);
		cr_expect_eq(strncmp(e.msg, "agent.yaml:", 11), 0, "%s", e.msg);
	}
}

Test(settings, refuses_pins_that_are_none)
{
	cr_assert_eq(parse("pins: [sha256//AAAA]\n"), ERR_USAGE);
	cr_assert_not_null(strstr(e.msg, "agent.yaml:1: pins"), "%s", e.msg);
	cr_assert_not_null(strstr(e.msg, "is no pin"), "%s", e.msg);
}

Test(settings, lets_plain_http_reach_loopback)
{
	static const char *const good[] = { "http://127.0.0.1:8200", "http://localhost:1",
		                            "http://[::1]:8200",
		                            "https://vault.example" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_eq(settings_check_url(good[i], &e), ERR_OK, "%s: %s", good[i],
		             e.msg);
}

/* As an ordinary user: a file for somebody else is refused at once, by name. */
Test(settings, only_root_gives_files_away)
{
	const char *text = FILES(", owner: root");
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("needs root to become somebody else");
	cr_assert_eq(parse(text), ERR_OK, "%s", e.msg);
	cr_assert_geq(pid = fork(), 0);
	if (pid == 0) {
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(2);
		_exit(parse(text) == ERR_USAGE &&
		                      strstr(e.msg,
		                             "file 'b/f': only root can give a file to "
		                             "owner 'root'") != NULL
		              ? 0
		              : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%d", status);
}
