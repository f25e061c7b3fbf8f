/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_scan - the leak scanner's commands. */
#include "cmd_scan.h"

#include <stdio.h>
#include <string.h>

#include "cpu.h"
#include "out.h"

#define EXCLUDES_MAX 64

typedef int (*source_fn)(struct scan_run *r, const char *what, struct err *e);

static int number(const char *text, unsigned max, unsigned *out, struct err *e)
{
	char *end;
	unsigned long v;

	if (text == NULL)
		return ERR_OK;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || v == 0 || v > max)
		return err_set(e, ERR_USAGE, "'%.20s' is not a number from 1 to %u", text,
		               max);
	*out = (unsigned)v;
	return ERR_OK;
}

/* One of ${n} words; ERR_USAGE lists them. */
static int word(const struct cli *c, const char *flag, const char *const *words, size_t n,
                size_t *out, struct err *e)
{
	const char *v = cli_flag(c, flag);
	char list[160] = "";
	size_t used = 0;

	for (size_t i = 0; v != NULL && i < n; i++) {
		if (strcmp(v, words[i]) == 0) {
			*out = i;
			return ERR_OK;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
		                         i > 0 ? ", " : "", words[i]);
	}
	return v == NULL ? ERR_OK
	                 : err_set(e, ERR_USAGE, "--%s: '%.40s' is none of %s", flag, v,
	                           list);
}

static int set_format(struct scan_run *r, struct err *e)
{
	const char *names[REPORT__MAX];
	size_t f = r->c->format == CLI_JSON ? REPORT_JSON : REPORT_TABLE;
	int rc;

	for (size_t i = 0; i < REPORT__MAX; i++)
		names[i] = report_format_name((enum report_format)i);
	rc = word(r->c, "format", names, REPORT__MAX, &f, e);
	r->format = (enum report_format)f;
	return rc;
}

/* Before anything is made for what this processor has. */
static int set_cpu(const struct cli *c, struct err *e)
{
	const char *names[CPU__ALL];
	size_t most = CPU__ALL;
	int rc;

	for (size_t i = 0; i < CPU__ALL; i++)
		names[i] = cpu_name((enum cpu)i);
	rc = word(c, "cpu", names, CPU__ALL, &most, e);
	if (rc == ERR_OK)
		cpu_limit((enum cpu)most);
	return rc;
}

static int set_looks(struct scan_run *r, struct err *e)
{
	static const char *const when[] = { "auto", "always", "never" };
	size_t color = 0, progress = 0;
	int rc = word(r->c, "color", when, ARRAY_LEN(when), &color, e);

	if (rc == ERR_OK)
		rc = word(r->c, "progress", when, ARRAY_LEN(when), &progress, e);
	if (rc == ERR_OK && (progress == 1 || (progress == 0 && r->c->err_tty)))
		r->progress = scan_progress_new();
	return rc;
}

/* Globs, parted by commas; they point into ${copy}.  More than ${max}: as if there were
 * one more. */
static size_t split(char *copy, const char **out, size_t max)
{
	size_t n = 0;
	char *rest = NULL;

	for (char *p = copy != NULL ? strtok_r(copy, ",", &rest) : NULL; p != NULL;
	     p = strtok_r(NULL, ",", &rest), n++) {
		if (n == max)
			return max + 1;
		out[n] = p;
	}
	return n;
}

/* Findings outrank a source that failed, and that outranks what was left out. */
static int status_of(const struct scan_totals *t, bool failed)
{
	if (t->findings > 0)
		return SCAN_FOUND;
	if (failed)
		return SCAN_BAD_SOURCE;
	return t->skipped > 0 ? SCAN_INCOMPLETE : SCAN_CLEAN;
}

/* All sources, also after one that failed. */
static bool read_sources(struct scan_run *r, source_fn source)
{
	struct err e = { 0 };
	bool failed = false;
	int i = 0;

	do {
		if (source(r, r->c->args > 0 ? r->c->arg[i] : NULL, &e) != ERR_OK) {
			scan_out_say(r, "%s", e.msg);
			failed = true;
		}
	} while (++i < r->c->args);
	return failed;
}

static int run_with(struct scan_run *r, const struct scan_config *o, source_fn source,
                    struct err *e)
{
	struct scan_totals totals = { 0 };
	bool failed;
	int rc;

	r->scan = scan_new(o, scan_out_listener(), r, e);
	if (r->scan == NULL)
		return (int)e->code;
	failed = read_sources(r, source);
	if (scan_finish(r->scan, &totals, e) != ERR_OK) {
		scan_out_say(r, "%s", e->msg);
		failed = true;
	}
	if (json_array_size(r->known) > 0 &&
	    !scan_out_known(r, cli_flag(r->c, "rotate") != NULL))
		failed = true;
	scan_out_end(r, &totals, failed);
	if ((rc = scan_out_close(r, e)) == ERR_OK)
		rc = scan_filter_finish(r->filter, e);
	if (rc == ERR_OK)
		r->c->exit_status = status_of(&totals, failed);
	return rc;
}

/* The vault's own values are looked for where there is a token.  That it cannot be asked
 * ends the scan only if they were asked for. */
static int ask_vault(struct scan_run *r, struct known **known, struct err *e)
{
	struct cli *c = r->c;
	bool wanted = cli_flag(c, "known") != NULL || cli_flag(c, "rotate") != NULL;
	int rc;

	if (wanted && cli_flag(c, "no-known") != NULL)
		return err_set(e, ERR_USAGE,
		               "--no-known, and --known or --rotate: which?");
	if (c->token == NULL || cli_flag(c, "no-known") != NULL) {
		/* Workers are forked: they are not to inherit it. */
		cli_wipe(c->token);
		c->token = NULL;
		return wanted ? err_set(e, ERR_USAGE,
		                        "--known and --rotate need a token of the vault")
		              : ERR_OK;
	}
	rc = scan_vault_open(c, &r->vault, known, e);
	if (rc == ERR_OK || wanted)
		return rc;
	scan_out_say(r, "the vault's own secrets are not looked for: %s", e->msg);
	*e = (struct err){ 0 };
	return ERR_OK;
}

/* Everything that flags say; then the scan. */
static int configure(struct scan_run *r, struct scan_config *o, struct known **known,
                     struct err *e)
{
	const struct cli *c = r->c;
	unsigned stall = 0;
	int rc;

	if ((rc = set_format(r, e)) != ERR_OK || (rc = set_looks(r, e)) != ERR_OK ||
	    (rc = set_cpu(c, e)) != ERR_OK ||
	    (rc = number(cli_flag(c, "workers"), 64, &o->workers, e)) != ERR_OK ||
	    (rc = number(cli_flag(c, "stall"), 3600, &stall, e)) != ERR_OK ||
	    (rc = scan_filter_new(c, &r->filter, e)) != ERR_OK ||
	    (rc = ask_vault(r, known, e)) != ERR_OK)
		return rc;
	o->stall_ms = (int64_t)stall * 1000;
	o->known = *known;
	o->key = scan_filter_key(r->filter);
	return scan_out_open(r, e);
}

static void release(struct scan_run *r)
{
	scan_progress_free(r->progress);
	scan_out_drop(r);
	scan_free(r->scan);
	scan_filter_free(r->filter);
	scan_vault_close(r->vault);
	json_decref(r->known);
	json_decref(r->ids);
	json_decref(r->rows);
	json_decref(r->skipped);
}

/* Of Dockerfiles; ${*folder} is what ${o} has of it. */
static int set_context(const struct cli *c, char **folder, struct scan_config *o,
                       struct err *e)
{
	const char *dir = cli_flag(c, "context");

	if (dir != NULL && *dir == '\0')
		return err_set(e, ERR_USAGE, "--context: it is empty");
	if (dir != NULL && asprintf(folder, "%s/", dir) < 0)
		return err_set(e, ERR_NOMEM, "out of memory");
	o->context = *folder;
	return ERR_OK;
}

static int run(struct cli *c, source_fn source, struct err *e)
{
	const char *exclude[EXCLUDES_MAX];
	struct known *known = NULL;
	struct scan_run r = { .c = c,
		              .rows = json_array(),
		              .skipped = json_array(),
		              .known = json_array(),
		              .ids = json_array() };
	struct scan_config o = { .exclude = exclude,
		                 .no_ignore = cli_flag(c, "no-ignore") != NULL,
		                 .show_filtered = cli_flag(c, "show-filtered") != NULL,
		                 .require_sandbox = cli_flag(c, "require-sandbox") !=
		                                    NULL,
		                 .docker_socket = cli_flag(c, "docker-socket"),
		                 .rules = cli_flag(c, "rules") };
	char *globs = NULL, *folder = NULL;
	int rc;

	c->unwritten_status = SCAN_BAD_SOURCE;
	if (cli_flag(c, "exclude") != NULL)
		globs = strdup(cli_flag(c, "exclude"));
	o.excludes = split(globs, exclude, EXCLUDES_MAX);
	rc = o.excludes <= EXCLUDES_MAX
	             ? set_context(c, &folder, &o, e)
	             : err_set(e, ERR_USAGE, "--exclude: more than %d globs",
	                       EXCLUDES_MAX);
	if (rc == ERR_OK)
		rc = configure(&r, &o, &known, e);
	if (rc == ERR_OK)
		rc = run_with(&r, &o, source, e);
	if (rc != ERR_OK)
		c->exit_status = e->code == ERR_USAGE ? SCAN_WRONG_USAGE
		                                      : SCAN_BAD_SOURCE;
	cli_wipe(c->token);
	c->token = NULL;
	release(&r);
	known_free(known);
	free(globs);
	free(folder);
	return rc;
}

static int one_path(struct scan_run *r, const char *what, struct err *e)
{
	if (strcmp(what, "-") == 0)
		return scan_fd(r->scan, STDIN_FILENO, "-", CHANNEL_STDIN, e);
	return scan_path(r->scan, what, e);
}

static int fs(struct cli *c, struct err *e)
{
	return run(c, one_path, e);
}

/* A file if there is one, or it is spelled like one; else a name for Docker. */
static int one_image(struct scan_run *r, const char *what, struct err *e)
{
	if (strcmp(what, "-") == 0 || strchr("./", what[0]) != NULL ||
	    access(what, F_OK) == 0)
		return scan_image_file(r->scan, what, e);
	return scan_docker_image(r->scan, what, e);
}

static int one_container(struct scan_run *r, const char *what, struct err *e)
{
	return what != NULL ? scan_docker_container(r->scan, what, e)
	                    : scan_docker_containers(r->scan, e);
}

static int swarm_of(struct scan_run *r, const char *what, struct err *e)
{
	(void)what;
	return scan_swarm(r->scan, e);
}

static int one_process(struct scan_run *r, const char *what, struct err *e)
{
	return scan_processes(r->scan, what, e);
}

static int one_compose(struct scan_run *r, const char *what, struct err *e)
{
	return scan_build_file(r->scan, what, true, e);
}

static int one_dockerfile(struct scan_run *r, const char *what, struct err *e)
{
	return scan_build_file(r->scan, what, false, e);
}

/* The files as they are, and what they were. */
static int one_tree(struct scan_run *r, const char *what, struct err *e)
{
	int rc = scan_path(r->scan, what, e);

	return rc != ERR_OK ? rc : scan_git(r->scan, what, cli_flag(r->c, "since"), e);
}

static int image(struct cli *c, struct err *e)
{
	return run(c, one_image, e);
}

static int container(struct cli *c, struct err *e)
{
	return run(c, one_container, e);
}

static int swarm(struct cli *c, struct err *e)
{
	return run(c, swarm_of, e);
}

static int env(struct cli *c, struct err *e)
{
	return run(c, one_process, e);
}

static int compose(struct cli *c, struct err *e)
{
	return run(c, one_compose, e);
}

static int dockerfile(struct cli *c, struct err *e)
{
	return run(c, one_dockerfile, e);
}

static int git(struct cli *c, struct err *e)
{
	return run(c, one_tree, e);
}

/* clang-format off */
#define COMMON_FLAGS \
	{ "format",          FLAG_STRING, "NAME",    "table, json, jsonl, sarif, junit, gitlab or html" }, \
	{ "output",          FLAG_STRING, "FILE",    "for the report, mode 0600; also -o FILE" }, \
	{ "o",               FLAG_STRING, "FILE",    "the same" }, \
	{ "color",           FLAG_STRING, "WHEN",    "auto, always or never: in a table" }, \
	{ "progress",        FLAG_STRING, "WHEN",    "auto, always or never: on standard error" }, \
	{ "rules",           FLAG_STRING, "FILE",    "more rules; those of the same id replace built-in ones" }, \
	{ "baseline",        FLAG_STRING, "FILE",    "leave out the findings that are in it" }, \
	{ "write-baseline",  FLAG_STRING, "FILE",    "of what is found now" }, \
	{ "baseline-key",    FLAG_STRING, "FILE",    "of the baseline; its name with .key if not given" }, \
	{ "ignore-file",     FLAG_STRING, "FILE",    "what to leave out; .vaultscanignore if not given" }, \
	{ "no-ignore",       FLAG_BOOL,   NULL,      "no ignore files" }, \
	{ "workers",         FLAG_STRING, "N",       "processes, one per processor if not given" }, \
	{ "stall",           FLAG_STRING, "SECONDS", "give up what makes no progress for so long, 30 if not given" }, \
	{ "cpu",             FLAG_STRING, "NAME",    "plain, avx2 or vbmi: no newer instructions in our own code" }, \
	{ "show-filtered",   FLAG_BOOL,   NULL,      "also what was filtered out, and why" }, \
	{ "require-sandbox", FLAG_BOOL,   NULL,      "scan nothing if the sandbox is incomplete" }, \
	{ "known",           FLAG_BOOL,   NULL,      "fail if the vault's own secrets cannot be recognised" }, \
	{ "no-known",        FLAG_BOOL,   NULL,      "do not ask the vault for what recognises its own secrets" }, \
	{ "rotate",          FLAG_BOOL,   NULL,      "have the vault rotate its own secrets that are found" }

static const struct flag fs_flags[] = {
	COMMON_FLAGS,
	{ "exclude",         FLAG_STRING, "GLOB,…",  "paths and names to leave out" },
	{ 0 },
};

static const struct flag docker_flags[] = {
	COMMON_FLAGS,
	{ "docker-socket",   FLAG_STRING, "PATH",    "of the Docker Engine, /var/run/docker.sock if not given" },
	{ 0 },
};

static const struct flag git_flags[] = {
	COMMON_FLAGS,
	{ "exclude",         FLAG_STRING, "GLOB,…",  "paths and names of the working tree to leave out" },
	{ "since",           FLAG_STRING, "DATE",    "no older commits, as git log takes it" },
	{ 0 },
};

static const struct flag dockerfile_flags[] = {
	COMMON_FLAGS,
	{ "context",         FLAG_STRING, "DIR",     "of the build; the directory of each FILE if not given" },
	{ 0 },
};

static const struct flag plain_flags[] = {
	COMMON_FLAGS,
	{ 0 },
};

#define STATUSES \
	"Exit status: 0 nothing found, 1 secrets found, 2 wrong usage (rules, baselines and\n" \
	"ignore files too), 3 a source could not be read or the report not be written, 4 parts\n" \
	"were not scanned (which ones is in the report)."

static const struct command rows[] = {
	{ "scan", "fs", fs, 1, -1, fs_flags, "PATH… | -", "find secrets in files, trees and standard input",
	  "Links below a path are not followed. Archives are opened.\n" STATUSES },
	{ "scan", "image", image, 1, -1, docker_flags, "FILE|NAME…", "find secrets in container images",
	  "FILE is docker save's archive or an OCI layout (archive or directory), - standard input;\n"
	  "NAME an image of the Docker Engine. All images and platforms in it, configuration and\n"
	  "layers, also what later layers delete.\n" STATUSES },
	{ "scan", "container", container, 0, -1, docker_flags, "[NAME…]",
	  "find secrets in the configuration of containers",
	  "Environment, labels, commands, health checks and what they said; of all containers\n"
	  "that run if none is named.\n" STATUSES },
	{ "scan", "swarm", swarm, 0, 0, docker_flags, "", "find secrets in a swarm's services and configs",
	  "Needs the Docker Engine of a manager.\n" STATUSES },
	{ "scan", "env", env, 0, -1, plain_flags, "[PID…]", "find secrets in the environment of processes",
	  "All processes if none is named, and their command lines.\n" STATUSES },
	{ "scan", "compose", compose, 1, -1, plain_flags, "FILE…", "find secrets in Compose and stack files",
	  "And in the env_file and file entries that they name, below their directory.\n" STATUSES },
	{ "scan", "dockerfile", dockerfile, 1, -1, dockerfile_flags, "FILE…", "find secrets in Dockerfiles",
	  "And in the files and directories that COPY and ADD name, also by patterns and variables,\n"
	  "below the context, but for what a .dockerignore leaves out.\n" STATUSES },
	{ "scan", "git", git, 1, -1, git_flags, "PATH…", "find secrets in a working tree and its history",
	  "Uses the git program; nothing that the repository names is run.\n" STATUSES },
};
/* clang-format on */

const struct command_set commands_scan = { rows, ARRAY_LEN(rows) };
