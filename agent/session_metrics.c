/* SPDX-License-Identifier: Apache-2.0 */
/* What the status socket tells in numbers: Prometheus' text format.  No paths of secrets:
 * whoever collects these need not know them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session_impl.h"
#include "vault/version.h"

static const int64_t bounds_ms[SESSION_BUCKETS] = { 50,   100,  250,   500,  1000,
	                                            2500, 5000, 10000, 60000 };

void session_count_delivery(struct session *s, int64_t ms)
{
	size_t i = 0;

	while (i < SESSION_BUCKETS && ms > bounds_ms[i])
		i++;
	s->counts.deliver[i]++;
	s->counts.deliver_ms += ms;
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP vault_agent_%s %s\n# TYPE vault_agent_%s %s\n", name, help,
	        name, type);
}

static void one(FILE *f, const char *name, const char *type, const char *help, int64_t n)
{
	head(f, name, type, help);
	fprintf(f, "vault_agent_%s %lld\n", name, (long long)n);
}

static void put_seconds(FILE *f, int64_t ms)
{
	fprintf(f, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

static void put_deliveries(FILE *f, const struct session *s)
{
	int64_t n = 0;

	head(f, "deliver_seconds", "histogram", "From an event to its files in place.");
	for (size_t i = 0; i < SESSION_BUCKETS; i++) {
		n += s->counts.deliver[i];
		fprintf(f, "vault_agent_deliver_seconds_bucket{le=\"");
		put_seconds(f, bounds_ms[i]);
		fprintf(f, "\"} %lld\n", (long long)n);
	}
	n += s->counts.deliver[SESSION_BUCKETS];
	fprintf(f,
	        "vault_agent_deliver_seconds_bucket{le=\"+Inf\"} %lld\n"
	        "vault_agent_deliver_seconds_sum ",
	        (long long)n);
	put_seconds(f, s->counts.deliver_ms);
	fprintf(f, "\nvault_agent_deliver_seconds_count %lld\n", (long long)n);
}

static void put_secrets(FILE *f, const struct session *s)
{
	static const char *const states[] = { "applied", "delivered", "pending",
		                              "waiting", "rejected",  "no lease",
		                              "stale",   "revoked" };

	head(f, "secrets", "gauge", "Secrets by their state.");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		size_t n = 0;

		for (size_t j = 0; j < s->n_holdings; j++)
			n += strcmp(session_state(s, j), states[i]) == 0 ? 1 : 0;
		fprintf(f, "vault_agent_secrets{state=\"%s\"} %zu\n", states[i], n);
	}
}

/* When the generation in place was put there: its link is made anew each time. */
static int64_t age_ms(const struct session *s, const char *binding)
{
	char path[300];
	struct stat st;
	int64_t at;

	snprintf(path, sizeof(path), "%.255s/..data", binding);
	if (fstatat(s->o.run_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	at = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	at = clock_wall(s->clock) - at;
	return at > 0 ? at : 0;
}

/* ${metric}{binding="${name}"} and a blank; names are printable, no more. */
static void put_binding(FILE *f, const char *metric, const char *name)
{
	fprintf(f, "vault_agent_%s{binding=\"", metric);
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			fputc('\\', f);
		fputc(*name, f);
	}
	fprintf(f, "\"} ");
}

static void put_bindings(FILE *f, const struct session *s)
{
	head(f, "binding_version", "gauge", "Generation in place, 0 for none.");
	for (size_t i = 0; i < s->plan->n_bindings; i++) {
		const char *name = s->plan->bindings[i].set.name;

		put_binding(f, "binding_version", name);
		fprintf(f, "%u\n", files_generation(s->o.files, name));
	}
	head(f, "binding_age_seconds", "gauge", "Since when it is in place.");
	for (size_t i = 0; i < s->plan->n_bindings; i++) {
		const char *name = s->plan->bindings[i].set.name;
		int64_t age = age_ms(s, name);

		if (age < 0)
			continue;
		put_binding(f, "binding_age_seconds", name);
		put_seconds(f, age);
		fputc('\n', f);
	}
}

static int64_t rss_bytes(void)
{
	char text[128];
	AUTO_CLOSE int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *at;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	(void)strtoll(text, &at, 10);
	return strtoll(at, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void put_all(FILE *f, const struct session *s)
{
	int64_t now = session_now(s);
	size_t behind = 0, unplaced = 0;

	for (size_t i = 0; i < s->n_holdings; i++) {
		behind += strcmp(session_state(s, i), "pending") == 0 ? 1 : 0;
		unplaced += s->holdings[i].retry ? 1 : 0;
	}
	head(f, "info", "gauge", "The agent's version.");
	fprintf(f, "vault_agent_info{version=\"%s\"} 1\n", VAULT_VERSION);
	one(f, "connected", "gauge", "1 while the vault can be heard.",
	    session_lost(s, now) ? 0 : 1);
	one(f, "last_heard_seconds", "gauge", "Since the vault was heard last.",
	    (now - s->contact.at) / 1000);
	one(f, "rev", "gauge", "Newest revision that the vault has told.", s->rev);
	one(f, "rev_lag", "gauge", "Changes that are known and not in place.",
	    (int64_t)behind);
	one(f, "alarm", "gauge", "1 while there is an alarm.",
	    session_alarm_text(s)[0] != '\0' ? 1 : 0);
	one(f, "settings_error", "gauge", "1 while new settings were not taken over.",
	    s->settings_error.msg[0] != '\0' ? 1 : 0);
	put_secrets(f, s);
	one(f, "secrets_unplaced", "gauge",
	    "Secrets that had no room, or met another error that may pass.",
	    (int64_t)unplaced);
	put_bindings(f, s);
	put_deliveries(f, s);
	one(f, "deliveries_total", "counter", "Secrets put in place.", s->deliveries);
	one(f, "wipes_total", "counter", "Secrets wiped.", s->wipes);
	one(f, "rejected_total", "counter", "Generations found bad.", s->counts.rejected);
	one(f, "hook_failures_total", "counter", "Commands that failed.",
	    s->counts.hook_failures);
	one(f, "renew_failures_total", "counter", "Leases that were not renewed.",
	    s->counts.renew_failures);
	one(f, "disbelieved_total", "counter", "Replies that the vault had not signed.",
	    s->disbelieved);
	one(f, "keys_age_seconds", "gauge", "Age of the host's keys.",
	    (clock_wall(s->clock) - s->o.identity->keys_since) / 1000);
	one(f, "rss_bytes", "gauge", "Resident memory.", rss_bytes());
}

char *session_metrics(const struct session *s)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		return NULL;
	put_all(f, s);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}
