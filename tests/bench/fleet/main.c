/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault-fleet --api PORT --hosts PORT --pin PIN --role ROLE --path PATH [--agents N]
 *             [--in-flight N] [--check-every N]
 *
 * The first line of standard input is an operator's token.  Each line after it is a
 * command, each answer one line of JSON:
 *
 *   enrol          all join and watch, IN-FLIGHT at a time
 *   acked V NS     all have put version V in place and said so: how long after NS
 *                  (CLOCK_MONOTONIC)
 *   back NS        all have been in sync again since NS, and watch: how long after it
 *   counts         requests, and what became of them
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "fleet.h"

#define EVENTS   512
#define TICK_MS  10
#define CHECK_MS 500
#define SCRATCH  ((size_t)4 * 1024 * 1024)
#define SPARE_FD 64u

struct command {
	enum { CMD_NONE, CMD_ENROL, CMD_ACKED, CMD_BACK } kind;
	int64_t version, since_ns;
};

int64_t fleet_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "vault-fleet: %s\n", what);
	exit(1);
}

/* ---- options ---- */

static unsigned number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max)
		die("a number is out of range");
	return (unsigned)n;
}

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_port = htons((uint16_t)number(port, 1, 65535));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sa;
}

static void read_options(struct fleet_options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{"api",          required_argument, NULL, 'a'},
		{ "hosts",       required_argument, NULL, 'h'},
		{ "pin",         required_argument, NULL, 'p'},
		{ "role",        required_argument, NULL, 'r'},
		{ "path",        required_argument, NULL, 's'},
		{ "agents",      required_argument, NULL, 'n'},
		{ "in-flight",   required_argument, NULL, 'f'},
		{ "check-every", required_argument, NULL, 'c'},
		{ NULL,          0,                 NULL, 0  },
	};
	int c;

	*o = (struct fleet_options){ .agents = 100, .in_flight = 32, .check_every = 1 };
	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'a':
			o->api = loopback(optarg);
			break;
		case 'h':
			o->hosts = loopback(optarg);
			break;
		case 'p':
			o->pin = optarg;
			break;
		case 'r':
			o->role = optarg;
			break;
		case 's':
			o->path = optarg;
			break;
		case 'n':
			o->agents = number(optarg, 1, 60000);
			break;
		case 'f':
			o->in_flight = number(optarg, 1, 10000);
			break;
		case 'c':
			o->check_every = number(optarg, 1, 100000);
			break;
		default:
			exit(2);
		}
	}
	if (o->api.sin_port == 0 || o->hosts.sin_port == 0 || o->pin == NULL ||
	    o->role == NULL || o->path == NULL)
		die("--api, --hosts, --pin, --role and --path are needed");
}

static void raise_files_limit(unsigned want)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		die("no limit of open files");
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur < want)
		die("the hard limit of open files is too low for so many agents");
}

/* ---- commands ---- */

static int by_size(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* The times, once there is one for every agent. */
static bool collect(const struct fleet *f, const struct command *c, int64_t *ns)
{
	for (unsigned i = 0; i < f->o.agents; i++) {
		const struct agent *a = &f->agent[i];

		if (c->kind == CMD_ACKED ? a->acked < c->version
		                         : !agent_watches(a) || a->back_ns < c->since_ns)
			return false;
		ns[i] = (c->kind == CMD_ACKED ? a->acked_ns : a->back_ns) - c->since_ns;
	}
	qsort(ns, f->o.agents, sizeof(*ns), by_size);
	return true;
}

static double ms_of(int64_t ns)
{
	return (double)ns / 1e6;
}

static void answer(struct fleet *f, struct command *c)
{
	unsigned n = f->o.agents;
	int64_t *ns;

	if (c->kind == CMD_NONE || (ns = calloc(n, sizeof(*ns))) == NULL)
		return;
	if (collect(f, c, ns)) {
		printf("{\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
		       ms_of(ns[n / 2]), ms_of(ns[n * 99 / 100]), ms_of(ns[n - 1]));
		c->kind = CMD_NONE;
		f->enrol = false;
	}
	free(ns);
}

static void print_counts(const struct fleet *f)
{
	const struct counts *n = &f->counts;

	printf("{\"connections\": %" PRIu64 ", \"requests\": %" PRIu64
	       ", \"ok\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"unavailable\": %" PRIu64 ", \"unreachable\": %" PRIu64
	       ", \"timeouts\": %" PRIu64 ", \"distrusted\": %" PRIu64
	       ", \"offline\": %" PRIu64 ", \"disbelieved\": %" PRIu64
	       ", \"checked\": %" PRIu64 "}\n",
	       n->connections, n->requests, n->answered[2],
	       n->answered[0] + n->answered[1] + n->answered[3] + n->answered[4],
	       n->answered[5], n->ended[CONN_UNREACHABLE], n->ended[CONN_TIMEOUT],
	       n->ended[CONN_DISTRUSTED], n->offline, n->disbelieved, n->checked);
}

static void on_line(struct fleet *f, struct command *c, const char *line)
{
	if (strcmp(line, "enrol") == 0) {
		*c = (struct command){ .kind = CMD_ENROL, .since_ns = fleet_ns() };
		f->enrol = true;
	} else if (sscanf(line, "acked %" SCNd64 " %" SCNd64, &c->version,
	                  &c->since_ns) == 2) {
		c->kind = CMD_ACKED;
	} else if (sscanf(line, "back %" SCNd64, &c->since_ns) == 1) {
		c->kind = CMD_BACK;
	} else if (strcmp(line, "counts") == 0) {
		print_counts(f);
	} else {
		die("no such command");
	}
}

/* Whole lines from standard input; its end is ours. */
static void on_input(struct fleet *f, struct command *c)
{
	static char buf[4096];
	static size_t n;
	ssize_t got = read(STDIN_FILENO, buf + n, sizeof(buf) - 1 - n);
	char *end;

	if (got <= 0)
		exit(0);
	n += (size_t)got;
	buf[n] = '\0';
	while ((end = strchr(buf, '\n')) != NULL) {
		*end = '\0';
		if (f->o.operator_token == NULL)
			f->o.operator_token = strdup(buf);
		else
			on_line(f, c, buf);
		n -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, n + 1);
	}
}

/* ---- the loop ---- */

static void start_some(struct fleet *f)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < f->started; i++)
		busy += !agent_watches(&f->agent[i]);
	while (f->enrol && busy < f->o.in_flight && f->started < f->o.agents) {
		agent_go(&f->agent[f->started++]);
		busy++;
	}
}

static void tick(struct fleet *f, struct command *c)
{
	static int64_t checked;
	bool check = f->now - checked >= CHECK_MS;

	checked = check ? f->now : checked;
	for (unsigned i = 0; (check || f->resting > 0) && i < f->started; i++) {
		struct agent *a = &f->agent[i];

		if (a->offline && f->now >= a->retry_at)
			agent_go(a);
		if (check) {
			conn_check(&a->main);
			conn_check(&a->side);
		}
	}
	if (f->enrol)
		start_some(f);
	answer(f, c);
}

static void run(struct fleet *f)
{
	struct epoll_event ev[EVENTS];
	struct command c = { CMD_NONE, 0, 0 };
	int64_t ticked = 0;

	for (;;) {
		int n = epoll_wait(f->epoll_fd, ev, EVENTS, TICK_MS);

		f->now = clock_boot(clock_system());
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == NULL)
				on_input(f, &c);
			else
				conn_event(ev[i].data.ptr);
		}
		if (f->now - ticked >= TICK_MS) {
			ticked = f->now;
			tick(f, &c);
		}
	}
}

static void set_up(struct fleet *f)
{
	static const char priorities[] =
		"NONE:+VERS-TLS1.3:+AEAD:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:"
		"+GROUP-X25519:+SIGN-EDDSA-ED25519:+SIGN-ECDSA-SECP256R1-SHA256:"
		"+SIGN-RSA-PSS-RSAE-SHA256:+CTYPE-X509:%NO_TICKETS";
	struct epoll_event ev = { .events = EPOLLIN };

	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->scratch = arena_new(SCRATCH);
	f->agent = calloc(f->o.agents, sizeof(*f->agent));
	if (f->epoll_fd < 0 || f->scratch == NULL || f->agent == NULL ||
	    epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &ev) != 0 ||
	    gnutls_certificate_allocate_credentials(&f->credentials) != 0 ||
	    gnutls_priority_init(&f->priorities, priorities, NULL) != 0)
		die("cannot start");
	for (unsigned i = 0; i < f->o.agents; i++)
		agent_init(&f->agent[i], f, i);
}

int main(int argc, char **argv)
{
	static struct fleet f;

	if (sodium_init() < 0)
		die("no libsodium");
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_options(&f.o, argc, argv);
	raise_files_limit(2 * f.o.in_flight + f.o.agents + SPARE_FD);
	set_up(&f);
	run(&f);
}
