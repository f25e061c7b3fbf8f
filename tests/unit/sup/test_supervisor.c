/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_roles.h"
#include "log.h"
#include "server/supervisor.h"

#define PATIENCE_MS 20000

static struct {
	char base[64], dir[80], config[80], output[80];
	int notify;
	pid_t pid;
	unsigned port;
	struct settings set;
	struct options options;
} t;

static void watch_notify(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", t.base);
	t.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(t.notify, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
}

static void setup(void)
{
	struct err e;

	memset(&t, 0, sizeof(t));
	snprintf(t.base, sizeof(t.base), "/tmp/test-sup-XXXXXX");
	cr_assert_not_null(mkdtemp(t.base));
	snprintf(t.dir, sizeof(t.dir), "%s/data", t.base);
	snprintf(t.config, sizeof(t.config), "%s/v.yaml", t.base);
	snprintf(t.output, sizeof(t.output), "%s/output", t.base);
	cr_assert_eq(mkdir(t.dir, 0700), 0);
	watch_notify();
	setenv("TMPDIR", t.base, 1);
	snprintf(t.set.data_dir, sizeof(t.set.data_dir), "%s", t.dir);
	snprintf(t.set.log_level, sizeof(t.set.log_level), "info");
	cr_assert_eq(address_parse("127.0.0.1:0", &t.set.listen[0], &e), ERR_OK);
	t.set.n_listen = 1;
	t.set.listen_hosts = t.set.listen[0];
	t.set.net_processes = 1;
	t.set.body_max = 1024;
	t.options.config = t.config;
}

static void teardown(void)
{
	char command[128];
	pid_t pid;

	if (t.pid > 0) {
		kill(t.pid, SIGKILL);
		waitpid(t.pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "%s", t.base);
	pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", command, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

TestSuite(supervisor, .init = setup, .fini = teardown, .timeout = 120);

static void start(void)
{
	t.pid = fork();
	cr_assert_geq(t.pid, 0);
	if (t.pid == 0) {
		struct err e = { .code = ERR_OK };
		int fd = open(t.output, O_RDWR | O_CREAT | O_TRUNC, 0600), rc;

		dup2(fd, 1);
		dup2(fd, 2);
		log_init("vaultd", false);
		rc = supervisor_run(&t.options, &t.set, &e);
		if (rc != ERR_OK)
			fprintf(stderr, "vaultd: %s\n", e.msg);
		fflush(NULL);
		_exit(errclasses[rc].exit_status);
	}
}

static const char *output(void)
{
	static char text[16384];
	int fd = open(t.output, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Wait for a notification that contains ${what}. */
static void await(const char *what)
{
	static char text[512];
	struct pollfd p = { .fd = t.notify, .events = POLLIN };
	const char *at;
	ssize_t n;

	do {
		cr_assert_eq(poll(&p, 1, PATIENCE_MS), 1, "no '%s'; output: %s", what,
		             output());
		n = recv(t.notify, text, sizeof(text) - 1, 0);
		cr_assert_gt(n, 0);
		text[n] = '\0';
	} while (strstr(text, what) == NULL);
	at = strstr(text, "://127.0.0.1:");
	if (at != NULL)
		t.port = (unsigned)strtoul(at + strlen("://127.0.0.1:"), NULL, 10);
}

static int await_end(void)
{
	int status = 0;

	cr_assert_eq(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	cr_assert(WIFEXITED(status), "signal %d; %s", WTERMSIG(status), output());
	return WEXITSTATUS(status);
}

/* Waits in the backlog while no net process is there to accept. */
static int ask(char command)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)t.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { PATIENCE_MS / 1000, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), answer = -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0,
	             "connect: %s; %s", strerror(errno), output());
	if (write(fd, &command, 1) != 1 ||
	    read(fd, &answer, sizeof(answer)) != sizeof(answer))
		answer = -1;
	close(fd);
	return answer;
}

static void stop(int sig)
{
	kill(t.pid, sig);
	cr_assert_eq(await_end(), 0, "%s", output());
}

static bool data_has(const char *name)
{
	return flag_file(t.dir, name);
}

Test(supervisor, serves_then_drains_net_before_core)
{
	start();
	await("READY=1");
	cr_assert_gt(ask('p'), 1);
	cr_assert_gt(ask('c'), 1);
	cr_assert_neq(ask('c'), ask('p'));
	cr_assert(data_has("sandbox"));
	kill(t.pid, SIGTERM);
	await("STOPPING=1");
	cr_assert_eq(await_end(), 0, "%s", output());
	cr_assert(data_has("drained"));
	cr_assert_not_null(strstr(output(), "serving"));
}

Test(supervisor, roles_inherit_nothing)
{
	setenv("CANARY", "secret", 1);
	cr_assert_geq(open("/dev/null", O_RDONLY), 0); /* not close-on-exec, on purpose */
	start();
	await("READY=1");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	cr_assert_eq(ask('e'), 1, "only the allocator's settings");
#endif
	/* 0 to 2, control, listener, core, this very connection. */
	cr_assert_eq(ask('f'), 7);
	stop(SIGINT);
}

Test(supervisor, a_dead_net_is_replaced)
{
	int net, core;

	start();
	await("READY=1");
	net = ask('p');
	core = ask('c');
	cr_assert_eq(ask('K'), -1);
	cr_assert_neq(ask('p'), net);
	cr_assert_eq(ask('c'), core);
	cr_assert_eq(ask('n'), 1);
	stop(SIGTERM);
}

Test(supervisor, a_dead_core_is_replaced_and_linked_to_the_same_net)
{
	int net, core, now;

	start();
	await("READY=1");
	net = ask('p');
	core = ask('c');
	cr_assert_eq(ask('C'), 1);
	do {
		now = ask('c');
	} while (now == core || now <= 0);
	cr_assert_eq(ask('p'), net);
	cr_assert_eq(ask('n'), 2);
	stop(SIGTERM);
}

Test(supervisor, gives_up_after_three_restarts)
{
	start();
	await("READY=1");
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ask('K'), -1);
	cr_assert_eq(await_end(), errclasses[ERR_INTERNAL].exit_status);
	cr_assert_not_null(strstr(output(), "vaultd: net was killed by signal 9"), "%s",
	                   output());
	cr_assert_not_null(strstr(output(), "giving up"));
	cr_assert(data_has("drained"));
}

Test(supervisor, a_core_that_cannot_start_ends_it_with_its_words_and_status)
{
	put_file(t.dir, "fail-at-start", "");
	start();
	cr_assert_eq(await_end(), errclasses[ERR_INTEGRITY].exit_status);
	cr_assert_str_eq(output(), "vaultd: the fake core was told to fail\n");
}

Test(supervisor, a_core_that_crashes_at_the_start_is_not_started_again)
{
	put_file(t.dir, "crash-at-start", "");
	start();
	cr_assert_eq(await_end(), errclasses[ERR_INTERNAL].exit_status);
	cr_assert_not_null(strstr(output(), "core was killed by signal 9"), "%s",
	                   output());
}

Test(supervisor, a_second_signal_does_not_wait_for_a_net_that_hangs)
{
	start();
	await("READY=1");
	cr_assert_gt(ask('h'), 1);
	kill(t.pid, SIGTERM);
	await("STOPPING=1");
	kill(t.pid, SIGTERM);
	cr_assert_eq(await_end(), 0, "%s", output());
	cr_assert(data_has("drained"));
}

Test(supervisor, a_port_in_use_is_one_line)
{
	struct sockaddr_in *sa = (struct sockaddr_in *)&t.set.listen[0].sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char want[128];

	cr_assert_eq(bind(fd, (struct sockaddr *)sa, t.set.listen[0].len), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)sa, &t.set.listen[0].len), 0);
	start();
	cr_assert_eq(await_end(), errclasses[ERR_CONFLICT].exit_status);
	snprintf(want, sizeof(want),
	         "vaultd: cannot listen on 127.0.0.1:%u: Address already in use\n",
	         ntohs(sa->sin_port));
	cr_assert_str_eq(output(), want);
}

Test(supervisor, a_second_server_on_the_same_data_is_refused)
{
	pid_t first;

	start();
	await("READY=1");
	first = t.pid;
	start();
	cr_assert_eq(await_end(), errclasses[ERR_CONFLICT].exit_status);
	cr_assert_not_null(strstr(output(), "another vaultd uses"), "%s", output());
	t.pid = first;
	stop(SIGTERM);
}

Test(supervisor, several_net_processes_share_the_listener)
{
	t.set.net_processes = 3;
	start();
	await("READY=1");
	for (int i = 0; i < 20; i++)
		cr_assert_gt(ask('c'), 1);
	stop(SIGTERM);
}

/* ---- dev mode ---- */

static int dev_directories(void)
{
	DIR *d = opendir(t.base);
	struct dirent *de;
	int n = 0;

	while ((de = readdir(d)) != NULL)
		n += strncmp(de->d_name, "vaultd-dev-", 11) == 0;
	closedir(d);
	return n;
}

static void start_dev(void)
{
	t.set.dev = true;
	t.set.dev_root_token = "my-root";
	t.set.hosts_follow = true;
	start();
}

Test(supervisor, dev_prints_what_to_export_and_leaves_nothing)
{
	char want[80];

	start_dev();
	await("READY=1");
	cr_assert_eq(dev_directories(), 1);
	snprintf(want, sizeof(want), "export VAULT_ADDR='http://127.0.0.1:%u'", t.port);
	cr_assert_not_null(strstr(output(), want), "%s", output());
	cr_assert_not_null(strstr(output(), "export VAULT_TOKEN='my-root'"));
	cr_assert_not_null(strstr(output(), "Unseal Key: fake-unseal-key"));
	stop(SIGINT);
	cr_assert_eq(dev_directories(), 0);
}

Test(supervisor, dev_leaves_nothing_after_giving_up_either)
{
	start_dev();
	await("READY=1");
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ask('K'), -1);
	cr_assert_eq(await_end(), errclasses[ERR_INTERNAL].exit_status);
	cr_assert_eq(dev_directories(), 0);
}

/* ---- TLS and reload ---- */

static void load_pem(const char *name, gnutls_datum_t *out)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/tls/%s", t.dir, name);
	cr_assert_eq(stat(path, &st), 0, "%s", path);
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(gnutls_load_file(path, out), 0);
}

Test(supervisor, makes_a_key_once_and_stores_its_pin)
{
	gnutls_datum_t pem, again;
	gnutls_x509_crt_t crt;
	unsigned bits;

	t.set.tls = true;
	start();
	await("READY=1");
	cr_assert_eq(ask('t'), 1);
	stop(SIGTERM);
	load_pem("cert.pem", &pem);
	gnutls_x509_crt_init(&crt);
	cr_assert_eq(gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM), 0);
	cr_assert_eq(gnutls_x509_crt_get_pk_algorithm(crt, &bits), GNUTLS_PK_ECDSA);
	cr_assert_eq(bits, 256);
	cr_assert(gnutls_x509_crt_check_hostname(crt, "localhost"));
	cr_assert(gnutls_x509_crt_check_hostname(crt, "127.0.0.1"));
	cr_assert_not(gnutls_x509_crt_check_hostname(crt, "example.org"));
	cr_assert(data_has("tls/server.pin"));
	gnutls_x509_crt_deinit(crt);
	gnutls_free(pem.data);
	load_pem("key.pem", &pem);
	start();
	await("READY=1");
	stop(SIGTERM);
	load_pem("key.pem", &again);
	cr_assert(pem.size == again.size && memcmp(pem.data, again.data, pem.size) == 0);
	gnutls_free(pem.data);
	gnutls_free(again.data);
}

/* A configuration that SIGHUP reads: ${level}, and one letter as certificate and key. */
static void configure(const char *level, const char *cert)
{
	char text[512], path[128];

	put_file(t.base, "cert.pem", cert);
	put_file(t.base, "key.pem", "key");
	snprintf(path, sizeof(path), "%s/key.pem", t.base);
	cr_assert_eq(chmod(path, 0600), 0);
	snprintf(
		text, sizeof(text),
		"data_dir: %s\nlog: { level: %s }\ntls: { cert: %s/cert.pem, key: %s/key.pem }\n",
		t.dir, level, t.base, t.base);
	put_file(t.base, "v.yaml", text);
	snprintf(t.set.tls_cert, sizeof(t.set.tls_cert), "%s/cert.pem", t.base);
	snprintf(t.set.tls_key, sizeof(t.set.tls_key), "%s/key.pem", t.base);
	t.set.tls = true;
}

Test(supervisor, reload_brings_new_nets_and_the_log_level)
{
	int net, core;

	configure("info", "AAAA");
	start();
	await("READY=1");
	net = ask('p');
	core = ask('c');
	configure("debug", "BBBB");
	kill(t.pid, SIGHUP);
	await("RELOADING=1");
	await("READY=1");
	/* The old one stops accepting when it drains; until then either may answer. */
	while (kill(net, 0) == 0)
		(void)ask('p');
	cr_assert_neq(ask('p'), net);
	cr_assert_eq(ask('c'), core);
	cr_assert(data_has("level"));
	stop(SIGTERM);
}

Test(supervisor, a_refused_key_keeps_the_old_nets)
{
	int net;

	configure("info", "AAAA");
	start();
	await("READY=1");
	net = ask('p');
	configure("info", "B");
	kill(t.pid, SIGHUP);
	await("RELOADING=1");
	await("READY=1");
	cr_assert_eq(ask('p'), net);
	cr_assert_not_null(strstr(output(), "this key was not announced"), "%s",
	                   output());
	/* And what must be started anew gets the key that was good. */
	cr_assert_eq(ask('K'), -1);
	cr_assert_gt(ask('p'), 1);
	stop(SIGTERM);
}

Test(supervisor, a_bad_file_at_reload_changes_nothing)
{
	int net;

	configure("info", "AAAA");
	start();
	await("READY=1");
	net = ask('p');
	put_file(t.base, "v.yaml", "data_dri: x\n");
	kill(t.pid, SIGHUP);
	await("RELOADING=1");
	await("READY=1");
	cr_assert_eq(ask('p'), net);
	cr_assert_not_null(strstr(output(), "data_dri"), "%s", output());
	stop(SIGTERM);
}
