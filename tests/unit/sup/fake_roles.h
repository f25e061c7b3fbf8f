/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SUP_FAKE_ROLES_H
#define TESTS_UNIT_SUP_FAKE_ROLES_H
/*
 * fake_roles - roles of the test's own for the real supervisor: it executes
 * /proc/self/exe, which is the test program, and role_constructor() is what "--role" then
 * runs.
 *
 * A fake net answers single bytes on its listener:
 *   p  its process id              c  the core's process id
 *   n  how many cores it has had   e  how many environment variables it has
 *   f  how many descriptors        t  whether it got a TLS key
 *   K  nothing: it dies            C  nothing: it has the core die
 *   h  its process id; from then on it does not obey IPC_DRAIN
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"
#include "frame.h"
#include "server/role_proc.h"
#include "server/tlskey.h"

static void say(enum ipc_type type, const struct value *v)
{
	struct err e;

	if (frame_send_fd(ROLE_CONTROL_FD, type, 0, v, -1, &e) != ERR_OK)
		_exit(90);
}

static int hear(struct arena *a, enum ipc_type *type, struct value **v)
{
	struct err e;
	int fd = -1;

	if (frame_recv_fd(ROLE_CONTROL_FD, a, type, v, &fd, &e) != ERR_OK)
		_exit(91);
	return fd;
}

static bool flag_file(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		_exit(92);
}

static void ready(struct arena *a, const struct value *config, bool core)
{
	struct value *v = value_object(a), *list = value_array(a), *dev = value_object(a);
	const struct value *tls = value_get(config, "tls"),
			   *cert = value_get(tls, "cert");
	static unsigned char spki[32];

	value_add(list, value_str(a, "fake"));
	value_set(v, "sandbox", list);
	if (core && value_get(value_get(config, "dev"), "root_token") != NULL) {
		value_set(dev, "root_token",
		          value_copy(a,
		                     value_get(value_get(config, "dev"), "root_token")));
		value_set_str(a, dev, "unseal_key", "fake-unseal-key");
		value_set(v, "dev", dev);
	}
	if (cert != NULL) {
		memset(spki, cert->text[cert->len / 2], sizeof(spki));
		value_set_bytes(a, v, "spki", spki, sizeof(spki));
	}
	say(IPC_READY, v);
}

static void core_control(struct arena *a, const char *dir, struct pollfd *fds, nfds_t *n)
{
	enum ipc_type type;
	struct value *v;
	int fd = hear(a, &type, &v);

	if (type == IPC_PEER)
		fds[(*n)++] = (struct pollfd){ .fd = fd, .events = POLLIN };
	if (type == IPC_LOGLEVEL)
		put_file(dir, "level", value_to_cstr(v, a));
	if (type == IPC_SANDBOX)
		put_file(dir, "sandbox", value_cstr_or(a, v, "swap", "?"));
	if (type == IPC_DRAIN) {
		put_file(dir, "drained", "");
		_exit(0);
	}
}

static void core_peer(struct pollfd *p)
{
	pid_t me = getpid();
	char byte;

	if (read(p->fd, &byte, 1) != 1) {
		close(p->fd);
		p->fd = -1;
	} else if (byte == 'k') {
		raise(SIGKILL);
	} else if (write(p->fd, &me, sizeof(me)) != (ssize_t)sizeof(me)) {
		_exit(93);
	}
}

static void fake_core(void)
{
	struct arena *a = arena_new(1u << 20);
	struct pollfd fds[32] = {
		{.fd = ROLE_CONTROL_FD, .events = POLLIN}
	};
	enum ipc_type type;
	struct value *config;
	nfds_t n = 1;
	const char *dir;

	(void)hear(a, &type, &config);
	dir = value_cstr_or(a, config, "data_dir", "?");
	if (flag_file(dir, "crash-at-start"))
		raise(SIGKILL);
	if (flag_file(dir, "fail-at-start")) {
		say(IPC_FAILED, value_str(a, "the fake core was told to fail"));
		_exit(errclasses[ERR_INTEGRITY].exit_status);
	}
	ready(a, config, true);
	for (;;) {
		poll(fds, n, -1);
		if (fds[0].revents != 0)
			core_control(a, dir, fds, &n);
		for (nfds_t i = 1; i < n; i++)
			if (fds[i].revents != 0)
				core_peer(&fds[i]);
	}
}

struct fake_net {
	int core, listener, cores;
	bool hang, tls;
};

static void net_control(struct arena *a, struct fake_net *f)
{
	enum ipc_type type;
	struct value *v;
	int fd = hear(a, &type, &v);

	if (type == IPC_DRAIN && !f->hang)
		_exit(0);
	if (type != IPC_PEER)
		return;
	if (value_is_str(value_get(v, "role"), "listener")) {
		f->listener = fd;
		return;
	}
	if (f->core >= 0)
		close(f->core);
	f->core = fd;
	f->cores++;
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int environment_size(void)
{
	int n = 0;

	while (environ[n] != NULL)
		n++;
	return n;
}

static int core_pid(struct fake_net *f)
{
	pid_t pid = 0;

	if (write(f->core, "i", 1) != 1 ||
	    read(f->core, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		return 0;
	return pid;
}

static int net_answer(struct fake_net *f, char command)
{
	switch (command) {
	case 'c':
		return core_pid(f);
	case 'n':
		return f->cores;
	case 'e':
		return environment_size();
	case 'f':
		return open_descriptors();
	case 't':
		return f->tls;
	case 'h':
		f->hang = true;
		return getpid();
	case 'C':
		return write(f->core, "k", 1) == 1;
	case 'K':
		raise(SIGKILL);
		return 0;
	default:
		return getpid();
	}
}

static void net_client(struct fake_net *f)
{
	int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC), answer;
	char command;

	if (fd < 0)
		return;
	if (read(fd, &command, 1) == 1) {
		answer = net_answer(f, command);
		if (write(fd, &answer, sizeof(answer)) < 0)
			_exit(94);
	}
	close(fd);
}

static void fake_net(void)
{
	struct arena *a = arena_new(1u << 20);
	struct fake_net f = { .core = -1, .listener = -1 };
	enum ipc_type type;
	struct value *config;
	const struct value *tls;

	signal(SIGPIPE, SIG_IGN);
	(void)hear(a, &type, &config);
	tls = value_get(config, "tls");
	f.tls = tls != NULL && tls->type == V_OBJECT;
	while (f.core < 0)
		net_control(a, &f);
	/* A certificate of one byte stands for one that core refuses. */
	if (f.tls && value_get(tls, "cert")->len == 1) {
		say(IPC_FAILED, value_str(a, "this key was not announced"));
		_exit(4);
	}
	ready(a, config, false);
	for (;;) {
		struct pollfd fds[2] = {
			{.fd = ROLE_CONTROL_FD, .events = POLLIN},
			{ .fd = f.listener,     .events = POLLIN}
		};

		poll(fds, 2, -1);
		if (fds[0].revents != 0)
			net_control(a, &f);
		if (fds[1].revents != 0)
			net_client(&f);
	}
}

/* One that has nothing to do. */
static void fake_rotate(void)
{
	struct arena *a = arena_new(1u << 20);
	enum ipc_type type = 0;
	struct value *v;

	(void)hear(a, &type, &v);
	ready(a, v, false);
	for (;;) {
		int fd = hear(a, &type, &v);

		if (type == IPC_DRAIN)
			_exit(0);
		if (fd >= 0)
			close(fd);
	}
}

__attribute__((constructor)) static void role_constructor(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--role") != 0)
		return;
	if (strcmp(argv[2], "core") == 0)
		fake_core();
	if (strcmp(argv[2], "net") == 0)
		fake_net();
	if (strcmp(argv[2], "rotate") == 0)
		fake_rotate();
	_exit(tlskey_role_main(ROLE_CONTROL_FD));
}

#endif
