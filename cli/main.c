/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"
#include "sandbox.h"

/* jansson's memory holds secrets: every block knows its size and is wiped when it is
 * freed. */
#define PREFIX 16

static void *wiping_malloc(size_t n)
{
	unsigned char *p = n < SIZE_MAX - PREFIX ? malloc(n + PREFIX) : NULL;

	if (p == NULL)
		return NULL;
	memcpy(p, &n, sizeof(n));
	return p + PREFIX;
}

static void wiping_free(void *ptr)
{
	unsigned char *p = ptr;
	size_t n;

	if (p == NULL)
		return;
	memcpy(&n, p - PREFIX, sizeof(n));
	sodium_memzero(p, n);
	free(p - PREFIX);
}

/* --help or -h, before the arguments that "--" begins. */
static bool asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int run(struct cli *c, int argc, char **argv, struct err *e)
{
	static char word[] = "help";
	char *help[] = { word, NULL, NULL };
	const struct command *cmd;
	int used, rc;

	if (argc == 0 || asks_for_help(argc, argv)) {
		if (cli_find(argc, argv, &used) == NULL)
			used = argc > 0 && argv[0][0] != '-' ? 1 : 0;
		for (int i = 0; i < used; i++)
			help[1 + i] = argv[i];
		argv = help;
		argc = 1 + used;
	}
	if ((rc = cli_env(c, e)) != ERR_OK)
		return rc;
	cmd = cli_find(argc, argv, &used);
	if (cmd == NULL)
		return err_set(e, ERR_USAGE,
		               "unknown command '%.40s%s%.40s': see 'vaultctl help'",
		               argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	if ((rc = cli_parse(c, cmd, argc - used, argv + used, e)) != ERR_OK)
		return rc;
	return cmd->run(c, e);
}

int main(int argc, char **argv)
{
	struct sandbox_report report = { 0 };
	struct cli c = { 0 };
	struct err e = { 0 };
	int rc;

	sandbox_early(&report);
	if (sodium_init() < 0)
		return 1;
	json_set_alloc_funcs(wiping_malloc, wiping_free);
	rc = run(&c, argc - 1, argv + 1, &e);
	cli_free(&c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "vaultctl: writing the output failed\n");
		return c.unwritten_status != 0 ? c.unwritten_status
		                               : errclasses[ERR_IO].exit_status;
	}
	if (rc != ERR_OK && e.msg[0] != '\0')
		fprintf(stderr, "vaultctl: %s\n", e.msg);
	return c.exit_status != 0 ? c.exit_status : errclasses[rc].exit_status;
}
