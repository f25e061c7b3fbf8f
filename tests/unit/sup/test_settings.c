/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "server/settings.h"

static char base[64], file[80];
static struct settings s;
static struct options o;
static struct err e;

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/test-settings-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	snprintf(file, sizeof(file), "%s/v.yaml", base);
	memset(&o, 0, sizeof(o));
	o.config = file;
	setenv("XDG_DATA_HOME", base, 1);
}

static void teardown(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", base, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

TestSuite(settings, .init = setup, .fini = teardown, .timeout = 20);

static void put(const char *name, const char *text, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	f = fopen(path, "w");
	cr_assert(f != NULL && fwrite(text, 1, n, f) == n && fclose(f) == 0);
}

static int load(const char *text)
{
	put("v.yaml", text, strlen(text));
	e.msg[0] = '\0';
	return settings_load(&o, &s, &e);
}

static const char *listen_text(size_t i)
{
	static char text[ADDRESS_TEXT_MAX];

	address_format(&s.listen[i], text);
	return text;
}

static void check_defaults(void)
{
	cr_assert(s.tls);
	cr_assert_str_eq(s.tls_cert, "");
	cr_assert_eq(s.n_listen, 1);
	cr_assert_str_eq(listen_text(0), "127.0.0.1:8200");
	cr_assert_eq(address_port(&s.listen_hosts), 8201);
	cr_assert_str_eq(s.log_level, "info");
	cr_assert_not(s.log_json);
	cr_assert_eq(s.body_max, 1024 * 1024);
	cr_assert_eq(s.net_processes, 1);
	cr_assert_eq(s.rate[RATE_REQUESTS].per_second, 2000);
	cr_assert_eq(s.rate[RATE_REQUESTS].burst, 10000);
	cr_assert_eq(s.rate[RATE_CONNECTIONS].per_second, 500);
	cr_assert_eq(s.rate[RATE_CONNECTIONS].burst, 5000);
	cr_assert_eq(s.rate[RATE_HOSTS].per_second, 2000);
	cr_assert_eq(s.rate[RATE_HOSTS].burst, 40000);
	cr_assert_eq(s.rate[RATE_TOKEN].per_second, 0);
	cr_assert_eq(s.rate[RATE_TOKEN].burst, 1000);
	cr_assert_eq(s.rate[RATE_LOGIN].per_second, 50);
	cr_assert_eq(s.rate[RATE_LOGIN].burst, 500);
	cr_assert_not(s.rate_loopback);
	cr_assert_not(s.init_anywhere);
	cr_assert_not(s.unauthenticated_rekey);
	cr_assert_str_eq(s.unix_socket, "");
	cr_assert_str_eq(s.auto_unseal_file, "");
	cr_assert_str_eq(s.user, "");
}

Test(settings, an_empty_file_is_the_default_host)
{
	char want[128];

	cr_assert_eq(load("# nothing\n"), ERR_OK, "%s", e.msg);
	check_defaults();
	snprintf(want, sizeof(want), "%s/vaultd", base);
	cr_assert_str_eq(s.data_dir, geteuid() == 0 ? "/var/lib/vaultd" : want);
}

Test(settings, a_missing_default_file_is_no_error_a_named_one_is)
{
	if (access(SETTINGS_DEFAULT_FILE, F_OK) == 0)
		cr_skip_test("this machine has a configuration");
	o.config = NULL;
	cr_assert_eq(settings_load(&o, &s, &e), ERR_OK, "%s", e.msg);
	check_defaults();
	cr_assert_str_eq(s.file, "");
	o.config = "/no/such/file.yaml";
	cr_assert_eq(settings_load(&o, &s, &e), ERR_NOENT);
	cr_assert_not_null(strstr(e.msg, "/no/such/file.yaml"), "%s", e.msg);
}

Test(settings, the_sample_is_what_is_there_without_it)
{
	o.config = "deploy/vaultd.yaml";
	cr_assert_eq(settings_load(&o, &s, &e), ERR_OK, "%s", e.msg);
	check_defaults();
	cr_assert_str_eq(s.data_dir, "/var/lib/vaultd");
}

Test(settings, every_key_arrives)
{
	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/vaultd", 1);
	cr_assert_eq(
		load("data_dir: /srv/v\n"
	             "listen: [ '0.0.0.0:1', '[::1]:2' ]\n"
	             "listen_hosts: 10.0.0.1:3\n"
	             "unix_socket: /run/v.sock\n"
	             "tls: { cert: /c.pem, key: /k.pem }\n"
	             "auto_unseal: { credential: unseal }\n"
	             "log: { format: json, level: debug }\n"
	             "body_max: 2MiB\n"
	             "rate_limit: { requests: 7, hosts_burst: 9, login: 0, loopback: yes }\n"
	             "user: alice\n"
	             "group: staff\n"
	             "init_anywhere: true\n"
	             "unauthenticated_rekey: true\n"
	             "net_processes: 4\n"),
		ERR_OK, "%s", e.msg);
	cr_assert_str_eq(s.data_dir, "/srv/v");
	cr_assert_eq(s.n_listen, 2);
	cr_assert_str_eq(listen_text(0), "0.0.0.0:1");
	cr_assert_str_eq(listen_text(1), "[::1]:2");
	cr_assert_eq(address_port(&s.listen_hosts), 3);
	cr_assert_str_eq(s.unix_socket, "/run/v.sock");
	cr_assert(s.tls);
	cr_assert_str_eq(s.tls_cert, "/c.pem");
	cr_assert_str_eq(s.tls_key, "/k.pem");
	cr_assert_str_eq(s.auto_unseal_file, "/run/credentials/vaultd/unseal");
	cr_assert(s.auto_unseal_credential && s.log_json && s.init_anywhere);
	cr_assert(s.unauthenticated_rekey);
	cr_assert_str_eq(s.log_level, "debug");
	cr_assert_eq(s.body_max, 2 * 1024 * 1024);
	cr_assert_eq(s.rate[RATE_REQUESTS].per_second, 7);
	cr_assert_eq(s.rate[RATE_REQUESTS].burst, 10000, "the others keep their default");
	cr_assert_eq(s.rate[RATE_HOSTS].burst, 9);
	cr_assert_eq(s.rate[RATE_LOGIN].per_second, 0);
	cr_assert(s.rate_loopback);
	cr_assert_str_eq(s.user, "alice");
	cr_assert_str_eq(s.group, "staff");
	cr_assert_eq(s.net_processes, 4);
	cr_assert_str_eq(s.file, file);
}

Test(settings, plain_http_on_loopback)
{
	cr_assert_eq(load("tls: false\nlisten: [ '127.0.0.1:1', '[::1]:1' ]\n"), ERR_OK,
	             "%s", e.msg);
	cr_assert_not(s.tls);
}

struct bad_case {
	char text[160];
	char want[160]; /* after the name of the file */
};

/* clang-format off */
static struct bad_case bad[] = {
	{ "data_dri: /x\n", ":1: data_dri: " },
	{ "\n\ndata_dir: x\n", ":3: data_dir: 'x' is no absolute path" },
	{ "listen: 127.0.0.1\n", ":1: listen: '127.0.0.1' is no HOST:PORT" },
	{ "listen:\n- 127.0.0.1:1\n- example.org:2\n",
	  ":3: listen[1]: 'example.org:2': the host must be an IP address" },
	{ "listen_hosts: ':99999'\n", ":1: listen_hosts: ':99999' is no HOST:PORT" },
	{ "unix_socket: v.sock\n", ":1: unix_socket: 'v.sock' is no absolute path" },
	{ "tls: true\n", ":1: tls: 'true' is neither false nor a mapping of cert and key" },
	{ "tls: { cert: /c }\n", ":1: tls: cert and key go together" },
	{ "tls:\n  cert: c.pem\n  key: /k\n", ":2: tls.cert: 'c.pem' is no absolute path" },
	{ "listen: 0.0.0.0:1\n\ntls: false\n",
	  ":3: tls: false is accepted for loopback addresses only, and 0.0.0.0:1 is none" },
	{ "tls: false\nlisten_hosts: 10.1.1.1:1\n",
	  ":1: tls: false is accepted for loopback addresses only, and 10.1.1.1:1 is none" },
	{ "auto_unseal: {}\n", ":1: auto_unseal: one of key_file and credential is needed" },
	{ "auto_unseal: { key_file: /a, credential: b }\n",
	  ":1: auto_unseal: one of key_file and credential is needed" },
	{ "auto_unseal: { credential: ../x }\n",
	  ":1: auto_unseal.credential: '../x' is no name of a credential" },
	{ "auto_unseal: { credential: x }\n",
	  ": auto_unseal.credential: CREDENTIALS_DIRECTORY is not set" },
	{ "log:\n  level: loud\n", ":2: log.level: " },
	{ "log:\n  format: xml\n", ":2: log.format: " },
	{ "body_max: 64MiB\n", ":1: body_max: " },
	{ "body_max: 10\n", ":1: body_max: " },
	{ "rate_limit: { requests: -1 }\n", ":1: rate_limit.requests: " },
	{ "rate_limit:\n  token_burst: 0\n", ":2: rate_limit.token_burst: " },
	{ "rate_limit: { request: 1 }\n", ":1: rate_limit.request: " },
	{ "net_processes: 0\n", ":1: net_processes: " },
	{ "net_processes: 9\n", ":1: net_processes: " },
	{ "init_anywhere: maybe\n", ":1: init_anywhere: " },
	{ "listen: []\n", ": listen: 1 to 7 addresses are needed" },
	{ "user: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx\n", ": user: the name is too long" },
	{ "log: [\n", ":" },
};
/* clang-format on */

ParameterizedTestParameters(settings, bad_lines)
{
	return cr_make_param_array(struct bad_case, bad, sizeof(bad) / sizeof(bad[0]));
}

ParameterizedTest(struct bad_case *c, settings, bad_lines)
{
	char want[320];

	unsetenv("CREDENTIALS_DIRECTORY");
	cr_assert_neq(load(c->text), ERR_OK, "%s", c->text);
	snprintf(want, sizeof(want), "%s%s", file, c->want);
	cr_assert_eq(strncmp(e.msg, want, strlen(want)), 0, "\n%s\nwanted\n%s", e.msg,
	             want);
	cr_assert_null(strchr(e.msg, '\n'));
}

Test(settings, dev_mode_reads_no_file)
{
	o = (struct options){ .dev = true, .dev_root_token = "root" };
	cr_assert_eq(settings_load(&o, &s, &e), ERR_OK, "%s", e.msg);
	cr_assert(s.dev && !s.tls && s.hosts_follow && s.allow_unlocked);
	cr_assert_str_eq(listen_text(0), "127.0.0.1:8200");
	cr_assert_str_eq(s.dev_root_token, "root");
	o.dev_listen = "0.0.0.0:9";
	cr_assert_eq(settings_load(&o, &s, &e), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(listen_text(0), "0.0.0.0:9");
	o.dev_listen = "here";
	cr_assert_eq(settings_load(&o, &s, &e), ERR_INVALID);
	cr_assert_str_eq(e.msg, "--dev-listen-address: 'here' is no HOST:PORT");
}

/* ---- the auto-unseal key ---- */

static int read_key(const char *text, size_t n, mode_t mode, unsigned char key[32])
{
	put("key", text, n);
	snprintf(s.auto_unseal_file, sizeof(s.auto_unseal_file), "%s/key", base);
	cr_assert_eq(chmod(s.auto_unseal_file, mode), 0);
	return settings_auto_unseal(&s, key, &e);
}

Test(settings, auto_unseal_key_forms)
{
	static const char raw[32] = "\x01\x02zzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
	char hex[66];
	unsigned char key[32];

	cr_assert_eq(read_key(raw, 32, 0600, key), ERR_OK, "%s", e.msg);
	cr_assert_eq(memcmp(key, raw, 32), 0);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	hex[64] = '\n';
	memset(key, 0, sizeof(key));
	cr_assert_eq(read_key(hex, 65, 0600, key), ERR_OK, "%s", e.msg);
	cr_assert_eq(memcmp(key, raw, 32), 0);
	cr_assert_eq(read_key(hex, 64, 0400, key), ERR_OK, "%s", e.msg);
	cr_assert_eq(read_key(raw, 31, 0600, key), ERR_INVALID);
	cr_assert_eq(read_key(hex, 63, 0600, key), ERR_INVALID);
	hex[3] = 'g';
	cr_assert_eq(read_key(hex, 64, 0600, key), ERR_INVALID);
	cr_assert_null(strstr(e.msg, "7a7a"), "the key is not for the log");
	cr_assert_eq(strncmp(e.msg, "auto_unseal: ", 13), 0);
}

Test(settings, auto_unseal_key_file_is_private)
{
	unsigned char key[32];

	cr_assert_eq(read_key("01234567890123456789012345678901", 32, 0640, key),
	             ERR_DENIED);
	s.auto_unseal_credential = true;
	cr_assert_eq(read_key("01234567890123456789012345678901", 32, 0640, key), ERR_OK,
	             "%s", e.msg);
	snprintf(s.auto_unseal_file, sizeof(s.auto_unseal_file), "%s/none", base);
	cr_assert_eq(settings_auto_unseal(&s, key, &e), ERR_NOENT);
}
