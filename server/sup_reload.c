/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "log.h"
#include "notify.h"
#include "sup.h"
#include "vault/limits.h"

#define NAMES_MAX (4 + LISTENERS_MAX)

/* What a certificate of our own is good for, beside whatever a client pins. */
struct names {
	const char *name[NAMES_MAX];
	size_t n;
	char host[256];
	char texts[LISTENERS_MAX][ADDRESS_TEXT_MAX];
};

static bool named(const struct names *ns, const char *name)
{
	for (size_t i = 0; i < ns->n; i++)
		if (strcmp(ns->name[i], name) == 0)
			return true;
	return false;
}

static void add_listener_name(struct names *ns, const struct listener *l, size_t i)
{
	const char *colon = strrchr(l->text, ':');
	bool brackets = l->text[0] == '[';
	size_t n = colon != NULL ? (size_t)(colon - l->text) : 0;

	if (l->is_unix || n < 2 || n >= ADDRESS_TEXT_MAX)
		return;
	snprintf(ns->texts[i], sizeof(ns->texts[i]), "%.*s", (int)(n - 2 * brackets),
	         l->text + brackets);
	if (strcmp(ns->texts[i], "::") != 0 && strcmp(ns->texts[i], "0.0.0.0") != 0 &&
	    !named(ns, ns->texts[i]))
		ns->name[ns->n++] = ns->texts[i];
}

static void collect_names(const struct supervisor *s, struct names *ns)
{
	ns->n = 0;
	ns->name[ns->n++] = "localhost";
	ns->name[ns->n++] = "127.0.0.1";
	ns->name[ns->n++] = "::1";
	if (gethostname(ns->host, sizeof(ns->host)) == 0 && !named(ns, ns->host))
		ns->name[ns->n++] = ns->host;
	for (size_t i = 0; i < s->listeners.n; i++)
		add_listener_name(ns, &s->listeners.l[i], i);
}

int sup_load_tls(struct supervisor *s, struct arena *a, struct tls_files *out,
                 struct err *e)
{
	struct names names;

	*out = (struct tls_files){ .key = NULL };
	if (!s->set->tls)
		return ERR_OK;
	if (s->set->tls_cert[0] != '\0')
		return tlskey_read(a, s->set->tls_cert, s->set->tls_key, out, e);
	collect_names(s, &names);
	return tlskey_load(a, s->dir.tls_fd, names.name, names.n, out, e);
}

static void tell_level(struct supervisor *s)
{
	const struct value level = {
		.type = V_STRING,
		.text = s->set->log_level,
		.len = (uint32_t)strlen(s->set->log_level),
	};
	struct err e;

	(void)log_set_level(s->set->log_level);
	for (size_t i = 0; i < SUP_PROCS; i++)
		if (s->procs[i].pid != 0 && s->procs[i].state == ROLE_READY &&
		    role_send(&s->procs[i], IPC_LOGLEVEL, &level, -1, &e) != ERR_OK)
			log_warn("cannot set the log level", LOG_S("cause", e.msg));
}

static int reread(struct supervisor *s, struct err *e)
{
	struct settings *now = malloc(sizeof(*now));
	int rc;

	if (now == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = settings_load(s->options, now, e);
	if (rc == ERR_OK && now->tls != s->set->tls)
		rc = err_set(e, ERR_INVALID,
		             "%s: tls cannot be switched on or off by a reload",
		             now->file);
	if (rc == ERR_OK) {
		memcpy(s->set->log_level, now->log_level, sizeof(now->log_level));
		memcpy(s->set->tls_cert, now->tls_cert, sizeof(now->tls_cert));
		memcpy(s->set->tls_key, now->tls_key, sizeof(now->tls_key));
	}
	free(now);
	return rc;
}

static int start_replacements(struct supervisor *s, struct err *e)
{
	int rc = ERR_OK;

	arena_free(s->next_tls_arena);
	s->next_tls_arena = arena_new(4 * LIMIT_CONFIG_FILE);
	if (s->next_tls_arena == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = sup_load_tls(s, s->next_tls_arena, &s->next_tls, e)) != ERR_OK)
		return rc;
	for (size_t i = 0; i < s->n_slots && rc == ERR_OK; i++)
		if (sup_is_net(s->slots[i].kind) && s->slots[i].cur != NULL)
			rc = sup_start_slot(s, &s->slots[i], &s->next_tls, e);
	return rc;
}

static bool reloading(const struct supervisor *s)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].next != NULL)
			return true;
	return false;
}

static void finish(struct supervisor *s)
{
	char status[512];

	sup_status(s, status, sizeof(status));
	notify_ready(status);
	log_info("reloaded", LOG_S("serving", status));
}

void sup_reload(struct supervisor *s)
{
	struct err e;
	int rc;

	if (!s->serving || s->stopping || s->set->dev)
		return;
	if (reloading(s)) {
		s->reload_again = true;
		return;
	}
	notify_reloading();
	s->reload_refused = false;
	rc = reread(s, &e);
	if (rc == ERR_OK) {
		tell_level(s);
		rc = s->set->tls ? start_replacements(s, &e) : ERR_OK;
	}
	s->reload_refused = s->reload_refused || rc != ERR_OK;
	if (rc != ERR_OK)
		log_error("reload failed, the old settings stay", LOG_S("cause", e.msg));
	if (!reloading(s))
		finish(s);
}

void sup_reload_step(struct supervisor *s)
{
	if (s->stopping || reloading(s))
		return;
	/* From here on a net that must be started anew gets the new key. */
	if (s->next_tls_arena != NULL && !s->reload_refused) {
		arena_free(s->tls_arena);
		s->tls_arena = s->next_tls_arena;
		s->tls = s->next_tls;
		s->next_tls_arena = NULL;
	}
	finish(s);
	if (s->reload_again) {
		s->reload_again = false;
		sup_reload(s);
	}
}
