/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/listen.h"
#include "server/notify.h"

static char base[64], path[128];
static struct err e;

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/test-listen-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
}

static void teardown(void)
{
	(void)unlink(path);
	(void)rmdir(base);
}

TestSuite(listen, .init = setup, .fini = teardown, .timeout = 20);

static unsigned mode_of(const char *name)
{
	struct stat st;

	cr_assert_eq(stat(name, &st), 0, "%s", name);
	return st.st_mode & 07777;
}

Test(listen, unix_socket_replaces_a_stale_one_only)
{
	struct listeners ls = { .n = 0 }, second = { .n = 0 };
	int fd;

	snprintf(path, sizeof(path), "%s/s", base);
	umask(077);
	cr_assert_eq(listen_unix(&ls, path, geteuid(), getegid(), &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_eq(mode_of(path), 0660);
	cr_assert(ls.l[0].is_unix);
	cr_assert_eq(listen_unix(&second, path, geteuid(), getegid(), &e), ERR_CONFLICT);
	cr_assert_not_null(strstr(e.msg, "is in use"));
	close(ls.l[0].fd); /* as after kill -9: the name stays */
	cr_assert_eq(listen_unix(&second, path, geteuid(), getegid(), &e), ERR_OK, "%s",
	             e.msg);
	listen_close(&second);
	cr_assert_neq(access(path, F_OK), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	cr_assert_eq(listen_unix(&second, path, geteuid(), getegid(), &e), ERR_CONFLICT);
	cr_assert_not_null(strstr(e.msg, "is no socket"));
}

/* ---- socket activation: in a child, which may lay out its descriptors ---- */

static int a_listener(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 1) != 0)
		_exit(100);
	return fd;
}

static void activate(const char *pid, const char *fds, const char *names)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	setenv("LISTEN_PID", pid != NULL ? pid : self, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int inherits(void)
{
	struct listeners ls = { .n = 0 };
	int a = fcntl(a_listener(), F_DUPFD, 10), b = fcntl(a_listener(), F_DUPFD, 10);

	dup2(a, 3);
	dup2(b, 4);
	activate(NULL, "2", "api:hosts");
	if (listen_inherit(&ls, &e) != ERR_OK || ls.n != 2)
		return 1;
	if (ls.l[0].fd != 3 || ls.l[0].kind != LISTEN_API || ls.l[1].kind != LISTEN_HOSTS)
		return 2;
	if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 ||
	    (fcntl(4, F_GETFL) & O_NONBLOCK) == 0)
		return 3;
	if (strncmp(ls.l[0].text, "127.0.0.1:", 10) != 0 || getenv("LISTEN_FDS") != NULL)
		return 4;
	return listen_has(&ls, LISTEN_API) && listen_has(&ls, LISTEN_HOSTS) ? 0 : 5;
}

Test(listen, activated_sockets_are_taken_over)
{
	cr_assert_eq(in_child(inherits), 0);
}

static int not_ours(void)
{
	struct listeners ls = { .n = 0 };

	dup2(a_listener(), 3);
	activate("1", "1", "");
	return listen_inherit(&ls, &e) == ERR_OK && ls.n == 0 ? 0 : 1;
}

Test(listen, sockets_for_another_process_are_left_alone)
{
	cr_assert_eq(in_child(not_ours), 0);
}

static int not_listening(void)
{
	struct listeners ls = { .n = 0 };

	dup2(socket(AF_INET, SOCK_STREAM, 0), 3);
	activate(NULL, "1", "");
	return listen_inherit(&ls, &e) == ERR_INVALID ? 0 : 1;
}

Test(listen, a_socket_that_does_not_listen_is_an_error)
{
	cr_assert_eq(in_child(not_listening), 0);
}

/* ---- notify ---- */

Test(listen, notify_reaches_an_abstract_socket)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct pollfd p = { .fd = socket(AF_UNIX, SOCK_DGRAM, 0), .events = POLLIN };
	char name[64], text[256] = "";
	size_t n = (size_t)snprintf(name, sizeof(name), "@vaultd-test-%d", getpid());

	memcpy(sa.sun_path + 1, name + 1, n - 1);
	cr_assert_eq(bind(p.fd, (struct sockaddr *)&sa,
	                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	             0);
	setenv("NOTIFY_SOCKET", name, 1);
	notify_init();
	cr_assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready("fine");
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert_gt(recv(p.fd, text, sizeof(text) - 1, 0), 0);
	cr_assert_str_eq(text, "READY=1\nSTATUS=fine");
	notify_reloading();
	memset(text, 0, sizeof(text));
	cr_assert_gt(recv(p.fd, text, sizeof(text) - 1, 0), 0);
	cr_assert_eq(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0, "%s", text);
	cr_assert_gt(strtoll(text + 27, NULL, 10), 0);
	close(p.fd);
}
