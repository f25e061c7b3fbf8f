/* SPDX-License-Identifier: Apache-2.0 */
/* vaultd: the supervisor, or one of the roles that it executes this program as. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "options.h"
#include "role_proc.h"
#include "server/core/loop/role_core.h"
#include "server/net/role_net.h"
#include "server/rotate/role_rotate.h"
#include "settings.h"
#include "supervisor.h"
#include "tlskey.h"
#include "vault/version.h"

static const struct {
	const char *name;
	int (*run)(int control_fd);
} roles[] = {
	{"core",    core_role_main  },
	{ "net",    net_role_main   },
	{ "rotate", rotate_role_main},
	{ "tlskey", tlskey_role_main},
};

static int run_role(const char *name)
{
	if (fcntl(ROLE_CONTROL_FD, F_SETFD, FD_CLOEXEC) != 0) {
		fprintf(stderr, "vaultd: --role is for the supervisor's own use\n");
		return errclasses[ERR_USAGE].exit_status;
	}
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].run(ROLE_CONTROL_FD);
	fprintf(stderr, "vaultd: there is no role '%s'\n", name);
	return errclasses[ERR_USAGE].exit_status;
}

/* Descriptors 0 to 2 must be something, or a listener could become standard error. */
static int open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) > 0)
			(void)fcntl(fd, F_SETFD, 0);
	return 0;
}

static int fail(const struct err *e)
{
	fprintf(stderr, "vaultd: %s\n", e->msg);
	return errclasses[e->code].exit_status;
}

static int finish_stdout(void)
{
	if (fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "vaultd: cannot write to standard output: %s\n", strerror(errno));
	return errclasses[ERR_IO].exit_status;
}

static int serve(const struct options *o, struct settings *s, struct err *e)
{
	int rc = settings_load(o, s, e);

	if (rc != ERR_OK)
		return fail(e);
	if (o->check_config) {
		printf("%s: ok\n", s->file[0] != '\0' ? s->file : "no file, defaults");
		return finish_stdout();
	}
	log_init("vaultd", s->log_json);
	(void)log_set_level(s->log_level);
	return supervisor_run(o, s, e) == ERR_OK ? 0 : fail(e);
}

int main(int argc, char *argv[])
{
	static struct settings settings;
	struct options o;
	struct err e = { .code = ERR_OK };

	if (open_standard() != 0 || sodium_init() < 0)
		return errclasses[ERR_INTERNAL].exit_status;
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return run_role(argv[2]);
	if (options_parse(argc, argv, &o, &e) != ERR_OK)
		return fail(&e);
	if (o.help) {
		options_help(stdout);
		return finish_stdout();
	}
	if (o.version) {
		printf("vaultd %s (Vault API %s)\n", VAULT_VERSION, VAULT_API_VERSION);
		return finish_stdout();
	}
	return serve(&o, &settings, &e);
}
