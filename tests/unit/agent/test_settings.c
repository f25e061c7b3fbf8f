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
	cr_assert_eq(s.heartbeat_ms, 55 * 1000);
	cr_assert_eq(s.docker.unused_ms, 60 * 1000);
	cr_assert_eq(s.tmpfs, TMPFS_AUTO);
	cr_assert_not(s.allow_disk);
}

Test(settings, reads_files)
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
	cr_assert_str_eq(f[0].path, "secret/app/db");
	cr_assert_str_eq(f[1].path, "secret/app/tls");
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
#define HEARTBEAT     "heartbeat: at least 30s, unless hosts_server is a loopback address"
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
	{ "files:\n- {path: secret/a, field: f}\n",
	  "files[0]: binding is missing" },
	{ "files:\n- {path: secret/a, binding: b}\n",
	  AT(2, "files[0]") "field is missing (the format is raw)" },
	{ "files:\n- {field: f, binding: b}\n",
	  AT(2, "files[0]") "path is missing" },
	{ "files:\n- {path: secret/a, binding: b, format: env}\n",
	  AT(2, "files[0]") "name is missing" },
	{ "files:\n- {path: secret/a, binding: b, format: csv}\n",
	  AT(2, "files[0].format") "must be one of raw, env, json, template" },
	{ FILES(", fields: [g]"),
	  AT(2, "files[0]") "fields goes with the formats env and json" },
	{ FILES(", format: json, name: x"),
	  AT(2, "files[0]") "field goes with the format raw" },
	{ "files:\n- {path: secret/a, fields: [x, x], binding: b, name: e, format: env}\n",
	  AT(2, "files[0]") "field 'x' is there twice" },
	{ "files:\n- {path: secret/a, template: /x, binding: b, name: e}\n",
	  AT(2, "files[0]") "a template has no path: it names its secrets" },
	{ "files:\n- {template: /x, template_text: y, binding: b, name: e}\n",
	  AT(2, "files[0]") "template and template_text exclude each other" },
	{ "files:\n- {template: x, binding: b, name: e}\n",
	  AT(2, "files[0].template") "must be an absolute path" },
	{ "files:\n- {template: /x, format: env, binding: b, name: e}\n",
	  AT(2, "files[0]") "a template has no other format" },
	{ FILES("") "bindings:\n- {name: c}\n",
	  "binding 'c' has no files: is there a typing error in its name?" },
	{ FILES("") "bindings:\n- {name: b}\n- {name: b}\n",
	  "binding 'b' is there twice" },
	{ FILES("") "bindings:\n- {name: b, reload: exec}\n",
	  AT(4, "bindings[0]") "command is missing" },
	{ FILES("") "bindings:\n- {name: b, reload: exec, command: [ls]}\n",
	  AT(4, "bindings[0]") "the command 'ls' is no absolute path" },
	{ FILES("") "bindings:\n- {name: b, command: [/bin/ls]}\n",
	  AT(4, "bindings[0]") "command goes with reload: exec or exec-in" },
	{ FILES("") "bindings:\n- {name: b, signal: HUP}\n",
	  AT(4, "bindings[0]") "signal goes with reload: signal or on_revoke: signal" },
	{ FILES("") "bindings:\n- {name: b, reload: signal, signal: KILL}\n",
	  AT(4, "bindings[0].signal") "must be the name of a signal that can be caught" },
	{ FILES("") "bindings:\n- {name: b, run_as: root}\n",
	  AT(4, "bindings[0]") "run_as goes with reload: exec" },
	{ FILES("") "bindings:\n- {name: b, reload: restart}\n",
	  "binding 'b': restart needs docker.socket" },
	{ FILES("") "bindings:\n- {name: b, containers: [../x]}\n",
	  AT(4, "bindings[0].containers[0]") "is no name of a container" },
	{ FILES("") "bindings:\n- {name: b, on_disconnect: wipe}\n",
	  AT(4, "bindings[0]") "on_disconnect: wipe needs wipe_after" },
	{ FILES("") "bindings:\n- {name: b, wipe_after: 1h}\n",
	  AT(4, "bindings[0]") "wipe_after goes with on_disconnect: wipe" },
	{ FILES("") "bindings:\n- {name: b, timeout: 0s}\n",
	  "agent.yaml:4: bindings[0].timeout: " },
	{ FILES(", quote: none"),
	  AT(2, "files[0]") "quote goes with format: env" },
	{ "heartbeat: 1s\n",
	  HEARTBEAT },
	{ "heartbeat: 29s\nhosts_server: https://v:8201\n",
	  HEARTBEAT },
	{ "heartbeat: 29s\nhosts_server: https://127.0.0.1.evil.net\n",
	  HEARTBEAT },
	{ "heartbeat: 61s\n",
	  "agent.yaml:1: heartbeat: " },
	{ "hosts_server: https://localhost\nheartbeat: 999ms\n",
	  "agent.yaml:2: heartbeat: " },
	{ "docker: {socket: /x, unused: 0s}\n",
	  "agent.yaml:1: docker.unused: " },
	{ "docker: {labels: true}\n",
	  AT(1, "docker") "socket is missing" },
	{ "template_dirs: [etc]\n",
	  AT(1, "template_dirs[0]") "must be an absolute path" },
	{ "allowed_commands: [ls]\n",
	  AT(1, "allowed_commands[0]") "must be an absolute path" },
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

Test(settings, reads_every_format)
{
	const struct settings_file *f;

	cr_assert_eq(
		parse("files:\n"
	              "- {path: secret/a, fields: [y, x], binding: b, name: e, format: env}\n"
	              "- {path: secret/a, binding: b, name: j, format: json}\n"
	              "- {template: /etc/x.tmpl, binding: b, name: t}\n"
	              "- binding: b\n"
	              "  name: u\n"
	              "  template_text: |\n"
	              "    {{ with secret \"secret/data/a\" }}\n"
	              "    \tx{{ end }}\n"),
		ERR_OK, "%s", e.msg);
	f = settings_files(&s);
	cr_assert_eq(f[0].format, FORMAT_ENV);
	cr_assert_eq(f[0].fields.n, 2);
	cr_assert_eq(f[1].format, FORMAT_JSON);
	cr_assert_eq(f[2].format, FORMAT_TEMPLATE);
	cr_assert_str_eq(f[2].template, "/etc/x.tmpl");
	cr_assert_str_eq(f[3].template_text,
	                 "{{ with secret \"secret/data/a\" }}\n\tx{{ end }}\n");
}

static const char binding_text[] =
	FILES("") "docker: {socket: /run/docker.sock, volumes: true}\n"
		  "max_stale: 2h\n"
		  "bindings:\n"
		  "- name: b\n"
		  "  containers: [web, worker-1]\n"
		  "  reload: signal\n"
		  "  signal: USR1\n"
		  "  timeout: 5s\n"
		  "  health: 10s\n"
		  "  settle: 1s\n"
		  "  on_unhealthy: keep\n"
		  "  canary: false\n"
		  "  debounce: 50ms\n"
		  "  min_interval: 0s\n"
		  "  splay: 3s\n"
		  "  on_revoke: stop\n"
		  "  on_disconnect: wipe\n"
		  "  wipe_after: 1h\n"
		  "  on_expiry: wipe\n"
		  "  cache: encrypted\n";

Test(settings, reads_what_holds_for_a_binding)
{
	struct settings_binding b;

	cr_assert_eq(parse(binding_text), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(s.docker.socket, "/run/docker.sock");
	cr_assert(s.docker.labels && s.docker.volumes);
	cr_assert_str_eq(s.docker.volumes_socket, "/run/docker/plugins/vault.sock");
	settings_binding_of(&s, "b", &b);
	cr_assert_eq(b.containers.n, 2);
	cr_assert_eq(b.reload, RELOAD_SIGNAL);
	cr_assert_str_eq(b.signal, "USR1");
	cr_assert(b.timeout_ms == 5000 && b.health_ms == 10000 && b.settle_ms == 1000);
	cr_assert(b.debounce_ms == 50 && b.min_interval_ms == 0 && b.splay_ms == 3000);
	cr_assert(b.on_unhealthy == UNHEALTHY_KEEP && !b.canary);
	cr_assert(b.on_revoke == REVOKE_STOP && b.on_expiry == EXPIRY_WIPE);
	cr_assert(b.on_disconnect == DISCONNECT_WIPE && b.wipe_after_ms == 3600 * 1000);
	cr_assert_eq(b.cache, CACHE_ENCRYPTED);
	cr_assert_eq(b.max_stale_ms, 2 * 3600 * 1000, "as for all");
}

Test(settings, a_vault_on_this_machine_may_be_asked_often)
{
	cr_assert_eq(parse("hosts_server: https://[::1]:8201\nheartbeat: 1s\n"), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(s.heartbeat_ms, 1000);
	cr_assert_eq(parse("hosts_server: https://v:8201\nheartbeat: 30s\n"), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(s.heartbeat_ms, 30000);
}

Test(settings, a_binding_without_a_row_has_defaults)
{
	struct settings_binding b;

	cr_assert_eq(parse(FILES("")), ERR_OK, "%s", e.msg);
	settings_binding_of(&s, "b", &b);
	cr_assert_str_eq(b.name, "b");
	cr_assert(b.reload == RELOAD_NONE && b.canary && b.debounce_ms == 200);
	cr_assert(b.timeout_ms == 30000 && b.health_ms == 60000 && b.settle_ms == 5000);
	cr_assert_eq(b.min_interval_ms, 10000);
	cr_assert_eq(b.max_stale_ms, s.max_stale_ms);
	cr_assert_eq(b.run_uid, geteuid());
}

static int grant(const char *text, struct settings_grant *g)
{
	return settings_grant_parse(a, &s, "web", text, strlen(text), g, &e);
}

Test(settings, reads_a_binding_of_the_server)
{
	struct settings_grant g;
	const struct settings_file *f;

	cr_assert_eq(parse("allowed_commands: [/bin/reload]\nallowed_root: true\n"),
	             ERR_OK, "%s", e.msg);
	cr_assert_eq(grant("{\"files\":[{\"path\":\"secret/a\",\"name\":\"e\","
	                   "\"format\":\"env\"},{\"name\":\"t\","
	                   "\"template_text\":\"a\\n\\tb\"}],\"reload\":\"exec\","
	                   "\"command\":[\"/bin/reload\",\"x\"],\"timeout\":\"7s\"}",
	                   &g),
	             ERR_OK, "%s", e.msg);
	f = g.files.items;
	cr_assert_eq(g.files.n, 2);
	cr_assert_str_eq(f[0].binding, "web");
	cr_assert_str_eq(f[1].template_text, "a\n\tb");
	cr_assert_str_eq(g.binding.name, "web");
	cr_assert_eq(g.binding.timeout_ms, 7000);
}

Test(settings, the_server_may_run_only_what_the_host_allows)
{
	struct settings_grant g;

	cr_assert_eq(parse("allowed_commands: [/bin/reload]\n"), ERR_OK, "%s", e.msg);
	cr_assert_eq(grant("{\"files\":[],\"reload\":\"exec\","
	                   "\"command\":[\"/bin/reload2\"]}",
	                   &g),
	             ERR_DENIED);
	cr_assert_not_null(strstr(e.msg, "'/bin/reload2' is not in allowed_commands"),
	                   "%s", e.msg);
	if (geteuid() == 0) {
		static const char as_root[] = "{\"files\":[],\"reload\":\"exec\","
					      "\"command\":[\"/bin/reload\"]}";
		static const char as_nobody[] =
			"{\"files\":[],\"reload\":\"exec\",\"run_as\":\"nobody\","
			"\"command\":[\"/bin/reload\"]}";

		cr_assert_eq(grant(as_root, &g), ERR_DENIED);
		cr_assert_not_null(strstr(e.msg, "would run as root"), "%s", e.msg);
		cr_assert_eq(grant(as_nobody, &g), ERR_OK, "%s", e.msg);
	}
	cr_assert_eq(grant("{\"files\":[{\"name\":\"t\",\"template\":\"/etc/shadow\"}]}",
	                   &g),
	             ERR_DENIED);
	cr_assert_eq(grant("{\"files\":[{\"name\":\"../t\",\"template_text\":\"\"}]}",
	                   &g),
	             ERR_USAGE);
	cr_assert_eq(grant("{\"files\":[],\"reload\":\"restart\"}", &g), ERR_USAGE);
	cr_assert_not_null(strstr(e.msg, "needs docker.socket"), "%s", e.msg);
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
