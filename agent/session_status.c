/* SPDX-License-Identifier: Apache-2.0 */
/* What the status socket tells: states, versions and errors; never a value, token or key.
 */
#include "keymem.h"
#include "session_impl.h"
#include "text.h"
#include "vault/version.h"

static const char *phase_name(const struct session *s)
{
	switch (s->phase) {
	case PHASE_READY:
		return "connected";
	case PHASE_REVOKED:
		return "revoked";
	case PHASE_OFFLINE:
		return "offline";
	case PHASE_CHALLENGE:
	case PHASE_LOGIN:
	case PHASE_SYNC:
		break;
	}
	return "connecting";
}

const char *session_state(const struct session *s, size_t i)
{
	const struct holding *h = &s->holdings[i];
	const struct files_held *held = files_held(s->o.files, i);

	if (h->revoked)
		return "revoked";
	if (h->stale)
		return "stale";
	if (files_rejected(s->o.files, i, h->lease_id, h->version) != NULL)
		return "rejected";
	if (held->present && held->version >= h->version)
		return session_gated(s, i) ? "delivered" : "applied";
	if (h->lease_id[0] == '\0' && !held->present)
		return "no lease";
	if (h->waits)
		return "waiting";
	/* Of what was not the vault's word nothing is known. */
	if (h->retry && h->rejected != h->version)
		return "pending";
	return h->error[0] != '\0' ? "rejected" : "pending";
}

static int64_t seconds_until(int64_t at, int64_t now)
{
	return at == 0 ? 0 : (at - now) / 1000;
}

/* A moment of the boot clock, if there was one. */
static void time_text(const struct session *s, bool was, int64_t at,
                      char out[CLOCK_RFC3339_MAX])
{
	out[0] = '\0';
	if (was)
		clock_rfc3339(session_wall(s, at), out);
}

static json_t *secret_status(const struct session *s, size_t i)
{
	const struct holding *h = &s->holdings[i];
	const struct files_held *held = files_held(s->o.files, i);
	int64_t expires = h->expires != 0 ? h->expires : held->expires,
		now = session_now(s);
	char since[CLOCK_RFC3339_MAX];

	time_text(s, h->stale, h->stale_since, since);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:s, s:I, s:I, s:s}", "path",
	                 s->plan->paths[i].path, "state", session_state(s, i), "lease_id",
	                 h->lease_id, "version", (json_int_t)h->version, "applied",
	                 (json_int_t)(held->present ? held->version : 0), "stale",
	                 h->stale, "stale_since", since, "expires_in",
	                 (json_int_t)seconds_until(expires, now), "renew_in",
	                 (json_int_t)seconds_until(h->renew_at, now), "error", h->error);
}

static const char *const format_names[] = { [FORMAT_RAW] = "raw",
	                                    [FORMAT_ENV] = "env",
	                                    [FORMAT_JSON] = "json",
	                                    [FORMAT_TEMPLATE] = "template" };

/* "path" of the only secret; all of them are in "paths", and in "missing" those that we
 * have no lease for. */
static json_t *file_status(const struct session *s, const struct plan_file *f)
{
	json_t *paths = json_array(), *missing = json_array();

	for (size_t i = 0; i < f->n; i++) {
		const char *path = s->plan->paths[f->paths[i]].path;

		json_array_append_new(paths, json_string(path));
		if (s->holdings[f->paths[i]].lease_id[0] == '\0')
			json_array_append_new(missing, json_string(path));
	}
	return json_pack("{s:s?, s:s?, s:s, s:s, s:s, s:o, s:o, s:b}", "path",
	                 f->file->path, "field", f->file->field, "binding",
	                 f->file->binding, "name", f->file->name, "format",
	                 format_names[f->file->format], "paths", paths, "missing",
	                 missing, "present",
	                 files_there(s->o.files, (size_t)(f - s->plan->files)));
}

/* Granted bindings that cannot be used here. */
static json_t *refused_status(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_refused; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "binding",
		                                      p->refused[i].name, "error",
		                                      p->refused[i].why));
	return list;
}

static json_t *missing_status(const struct session *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->o.sandbox->n; i++)
		json_array_append_new(list, json_string(s->o.sandbox->missing[i]));
	return list;
}

/* The gravest. */
const char *session_alarm_text(const struct session *s)
{
	if (s->o.witness->alarm)
		return s->o.witness->why;
	return s->distrust[0] != '\0' ? s->distrust : s->alarm;
}

json_t *session_status(const struct session *s)
{
	const struct identity *id = s->o.identity;
	json_t *secrets = json_array(), *files = json_array(), *doc;
	char host_id[33], heard[CLOCK_RFC3339_MAX], keys[CLOCK_RFC3339_MAX];

	clock_rfc3339(id->keys_since, keys);
	time_text(s, s->connected_at != 0 || s->contact.at < s->started_at, s->contact.at,
	          heard);
	text_hex(id->host_id, sizeof(id->host_id), host_id);
	for (size_t i = 0; i < s->n_holdings; i++)
		json_array_append_new(secrets, secret_status(s, i));
	for (size_t i = 0; i < s->plan->n_files; i++)
		json_array_append_new(files, file_status(s, &s->plan->files[i]));
	doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "version", VAULT_VERSION,
	                "host", id->name, "host_id", host_id, "state", phase_name(s),
	                "server", s->api.url, "hosts_server", s->watch.url, "connected",
	                s->phase == PHASE_READY);
	if (doc == NULL ||
	    json_object_update_new(
		    doc,
		    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "generation",
	                      (json_int_t)id->generation, "rev", (json_int_t)s->rev,
	                      "checkpoint_size",
	                      (json_int_t)(s->o.witness->have ? s->o.witness->last.size
	                                                      : 0),
	                      "deliveries", (json_int_t)s->deliveries, "wipes",
	                      (json_int_t)s->wipes, "last_delivery_ms",
	                      (json_int_t)s->delivered_ms, "disbelieved",
	                      (json_int_t)s->disbelieved)) != 0 ||
	    json_object_update_new(
		    doc, json_pack("{s:s, s:b, s:b, s:b, s:s, s:o}", "run_dir",
	                           s->o.settings->run_dir, "tmpfs", s->o.tmpfs->memory,
	                           "own_mount", s->o.tmpfs->own_mount, "swap_safe",
	                           s->o.tmpfs->noswap, "key_memory", keymem_mode(),
	                           "not_enforced", missing_status(s))) != 0 ||
	    json_object_update_new(
		    doc,
		    json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, "
	                      "s:o?, s:o?}",
	                      "last_heard", heard, "keys_since", keys, "rekeying",
	                      id->has_next, "error", s->error, "settings_error",
	                      s->settings_error.msg, "alarm", session_alarm_text(s),
	                      "secrets", secrets, "files", files, "bindings",
	                      session_apply_status(s), "commands",
	                      session_commands_status(s), "refused",
	                      refused_status(s->plan), "docker", session_docker_status(s),
	                      "swarm", session_swarm_status(s))) != 0) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}
