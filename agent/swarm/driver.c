/* SPDX-License-Identifier: Apache-2.0 */
#include "driver_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/docker/docker.h"
#include "agent/docker/plugin.h"
#include "agent/reply.h"
#include "clock.h"
#include "log.h"
#include "names.h"
#include "text.h"
#include "vault/limits.h"

#define DIGITS_MAX   18u
#define HEAD         "{\"Value\":\""
#define TAIL         "\",\"DoNotReuse\":true}"
#define VERSIONS_MAX 20u         /* of one binding */
#define MEMORY_MAX   (64u << 20) /* bytes of values */
#define WHY_MAX      400u
#define NOT_GRANTED  "the vault grants it to other services"

/* --- what is at hand -----------------------------------------------------------------
 */

static void held_free(struct held *h)
{
	explicit_bzero(h->p, h->n);
	free(h);
}

static void wipe(struct bound *b)
{
	while (b->values != NULL) {
		struct held *h = b->values;

		b->values = h->next;
		held_free(h);
	}
}

static void clear_services(struct bound *b)
{
	for (size_t i = 0; i < b->n_services; i++)
		free(b->services[i]);
	free(b->services);
	b->services = NULL;
	b->n_services = 0;
}

static void bound_free(struct bound *b)
{
	wipe(b);
	clear_services(b);
	free(b);
}

static struct bound *find(const struct driver *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->bindings[i]->name, name) == 0)
			return d->bindings[i];
	return NULL;
}

/* 0: the newest. */
static const struct held *value_of(const struct bound *b, int64_t version)
{
	const struct held *h = b->values;

	while (h != NULL && version != 0 && h->version != version)
		h = h->next;
	return h;
}

/* Does a task have it?  Another of its service may need it tomorrow. */
static bool is_leased(const struct driver *d, const char *binding, int64_t version)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (!d->leases[i].ended && d->leases[i].version == version &&
		    strcmp(d->leases[i].binding, binding) == 0)
			return true;
	return false;
}

/* The newest stay, those that tasks have, and ${spare} (or NULL). */
static void trim(const struct driver *d, struct bound *b, const struct held *spare)
{
	struct held **at = &b->values;

	for (unsigned n = 0; *at != NULL; n++) {
		struct held *h = *at;

		if (n < b->keep || h == spare ||
		    (n < VERSIONS_MAX && is_leased(d, b->name, h->version))) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		held_free(h);
	}
}

static size_t bytes_held(const struct driver *d)
{
	size_t sum = 0;

	for (size_t i = 0; i < d->n; i++)
		for (const struct held *h = d->bindings[i]->values; h != NULL;
		     h = h->next)
			sum += h->n;
	return sum;
}

int driver_put(struct driver *d, const char *name, int64_t version, const void *p,
               size_t n, struct err *e)
{
	struct bound *b = find(d, name);
	struct held **at, *h;

	if (b == NULL || b->why[0] != '\0')
		return err_set(e, ERR_NOENT, "the driver has no such binding");
	if (n == 0 || n > DRIVER_VALUE_MAX)
		return err_set(e, ERR_TOO_BIG,
		               "Docker takes secrets of 1 to %u bytes, this has %zu",
		               DRIVER_VALUE_MAX, n);
	for (at = &b->values; *at != NULL && (*at)->version > version; at = &(*at)->next)
		;
	if (bytes_held(d) + n > MEMORY_MAX)
		return err_set(e, ERR_FULL, "the driver has %u MiB of values already",
		               MEMORY_MAX >> 20);
	if ((h = malloc(sizeof(*h) + n)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	h->version = version;
	h->n = n;
	memcpy(h->p, p, n);
	h->next = *at;
	*at = h;
	/* The same version in another form. */
	if (h->next != NULL && h->next->version == version) {
		struct held *old = h->next;

		h->next = old->next;
		held_free(old);
	}
	trim(d, b, h);
	return ERR_OK;
}

bool driver_has(const struct driver *d, const char *name, int64_t version)
{
	const struct bound *b = find(d, name);

	return b != NULL && b->values != NULL && value_of(b, version) != NULL;
}

/* --- what is granted -----------------------------------------------------------------
 */

static int take_services(struct bound *b, const struct driver_binding *from,
                         struct err *e)
{
	clear_services(b);
	b->services = calloc(from->n_services + 1, sizeof(*b->services));
	for (size_t i = 0; b->services != NULL && i < from->n_services; i++) {
		if ((b->services[i] = strdup(from->services[i])) == NULL)
			break;
		b->n_services++;
	}
	return b->n_services == from->n_services && b->services != NULL
	               ? ERR_OK
	               : err_set(e, ERR_NOMEM, "out of memory");
}

static struct bound *add(struct driver *d, const char *name)
{
	struct bound **list = reallocarray(d->bindings, d->n + 1, sizeof(struct bound *));
	struct bound *b = calloc(1, sizeof(*b));

	if (list != NULL)
		d->bindings = list;
	if (list == NULL || b == NULL) {
		free(b);
		return NULL;
	}
	(void)snprintf(b->name, sizeof(b->name), "%s", name);
	d->bindings[d->n++] = b;
	return b;
}

static int take_binding(struct driver *d, const struct driver_binding *from,
                        struct err *e)
{
	struct bound *b = find(d, from->name);

	if (strlen(from->name) > LIMIT_NAME)
		return err_set(e, ERR_INVALID, "a binding's name is too long");
	if (b == NULL && (b = add(d, from->name)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	b->stays = true;
	b->keep = from->keep > 0 ? from->keep : 1;
	(void)snprintf(b->why, sizeof(b->why), "%s", from->why != NULL ? from->why : "");
	if (from->why != NULL || from->other)
		wipe(b);
	trim(d, b, NULL);
	return take_services(b, from, e);
}

static void drop_others(struct driver *d)
{
	for (size_t i = 0; i < d->n;)
		if (d->bindings[i]->stays) {
			i++;
		} else {
			bound_free(d->bindings[i]);
			d->bindings[i] = d->bindings[--d->n];
		}
}

int driver_plan(struct driver *d, const struct driver_binding *list, size_t n,
                struct err *e)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < d->n; i++)
		d->bindings[i]->stays = false;
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		rc = take_binding(d, &list[i], e);
	drop_others(d);
	d->why[0] = '\0';
	return rc;
}

void driver_forget(struct driver *d, const char *why)
{
	for (size_t i = 0; i < d->n; i++)
		d->bindings[i]->stays = false;
	drop_others(d);
	(void)snprintf(d->why, sizeof(d->why), "%s", why);
}

bool driver_cluster(struct driver *d, const char *id)
{
	if (strcmp(d->cluster, id) == 0)
		return false;
	driver_forget(d, "the vault was not asked yet");
	d->n_leases = 0;
	(void)snprintf(d->cluster, sizeof(d->cluster), "%s", id);
	return true;
}

static bool may_have(const struct bound *b, const char *name, const char *id)
{
	for (size_t i = 0; i < b->n_services; i++)
		if (strcmp(b->services[i], name) == 0 || strcmp(b->services[i], id) == 0)
			return true;
	return false;
}

/* --- a call --------------------------------------------------------------------------
 */

struct asked {
	const char *secret, *binding;
	const char *service, *service_id, *task;
	int64_t version; /* 0: the newest */
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = reply_str(o, key);

	return s != NULL && *s != '\0' && strlen(s) <= TEXT_MAX &&
	                       text_printable(s, strlen(s))
	               ? s
	               : NULL;
}

static bool read_version(const char *s, int64_t *out)
{
	size_t n = s != NULL ? strspn(s, "0123456789") : 0;

	*out = 0;
	if (s == NULL)
		return true;
	if (n == 0 || n > DIGITS_MAX || s[n] != '\0')
		return false;
	*out = strtoll(s, NULL, 10);
	return *out > 0;
}

static const char *read_call(const struct driver *d, const json_t *q, struct asked *out)
{
	const json_t *labels = json_object_get(q, "SecretLabels");
	const char *cluster = reply_str(labels, SWARM_LABEL_CLUSTER);
	const char *binding = reply_str(labels, SWARM_LABEL_BINDING);

	out->secret = text_of(q, "SecretName");
	out->service = text_of(q, "ServiceName");
	out->service_id = text_of(q, "ServiceID");
	out->task = text_of(q, "TaskID");
	if (out->secret == NULL || out->service == NULL || out->service_id == NULL ||
	    out->task == NULL || !docker_swarm_id_ok(out->service_id) ||
	    !docker_swarm_id_ok(out->task))
		return "the request names no secret, service and task";
	out->binding = binding != NULL ? text_of(labels, SWARM_LABEL_BINDING)
	                               : out->secret;
	if (out->binding == NULL || strlen(out->binding) > LIMIT_NAME)
		return "this is no name of a binding";
	if (cluster != NULL && strcmp(cluster, d->cluster) != 0)
		return "the secret is of another Swarm";
	if (!read_version(reply_str(labels, SWARM_LABEL_VERSION), &out->version))
		return "the label " SWARM_LABEL_VERSION " is no version";
	return NULL;
}

/* Docker shows nobody what a driver says: it has to be found here. */
static void refuse(struct driver *d, struct httpd_client *c, const struct asked *q,
                   const char *why)
{
	const char *binding = q->binding != NULL ? q->binding : "";
	const char *service = q->service != NULL ? q->service : "";
	struct refusal *r = NULL;
	char text[WHY_MAX];

	for (size_t i = 0; r == NULL && i < REFUSED; i++)
		if (d->refused[i].times > 0 &&
		    strcmp(d->refused[i].binding, binding) == 0 &&
		    strcmp(d->refused[i].service, service) == 0 &&
		    strcmp(d->refused[i].why, why) == 0)
			r = &d->refused[i];
	if (r == NULL) {
		r = &d->refused[d->next_refusal++ % REFUSED];
		*r = (struct refusal){ .times = 0 };
		(void)snprintf(r->binding, sizeof(r->binding), "%.*s", (int)LIMIT_NAME,
		               binding);
		(void)snprintf(r->service, sizeof(r->service), "%s", service);
		(void)snprintf(r->why, sizeof(r->why), "%s", why);
		log_warn("a task of the Swarm was refused a secret",
		         LOG_S("binding", binding), LOG_S("service", service),
		         LOG_S("why", why));
	}
	r->times++;
	(void)snprintf(text, sizeof(text),
	               "vault-agent has no secret '%.80s' for '%.80s': %s", binding,
	               service, why);
	plugin_fail(c, text);
}

static void give(struct httpd_client *c, const struct held *h)
{
	size_t n = sizeof(HEAD) + TEXT_BASE64_LEN(h->n) + sizeof(TAIL);
	char *text = malloc(n), *at = text;

	if (text != NULL) {
		memcpy(at, HEAD, sizeof(HEAD) - 1);
		at += sizeof(HEAD) - 1;
		at += text_base64(h->p, h->n, at);
		memcpy(at, TAIL, sizeof(TAIL));
	}
	plugin_answer_text(c, text);
	if (text != NULL)
		explicit_bzero(text, n);
	free(text);
}

static void get_secret(struct driver *d, struct httpd_client *c, const json_t *q)
{
	struct asked a = { .version = 0 };
	const char *bad = read_call(d, q, &a);
	const struct bound *b = bad == NULL ? find(d, a.binding) : NULL;
	const struct held *h = b != NULL ? value_of(b, a.version) : NULL;

	if (bad == NULL && b == NULL)
		bad = d->why[0] != '\0' ? d->why
		                        : "there is no such binding of the mode driver";
	else if (bad == NULL && !may_have(b, a.service, a.service_id))
		bad = NOT_GRANTED;
	else if (bad == NULL && b->why[0] != '\0')
		bad = b->why;
	else if (bad == NULL && h == NULL) {
		bad = "that version is not in memory, it is being fetched";
		d->ops.missing(d->ops.ctx, b->name, a.version);
	}
	if (bad != NULL) {
		refuse(d, c, &a, bad);
		return;
	}
	driver_note(d, b, a.task, a.service_id, h->version);
	give(c, h);
}

static bool on_call(void *ctx, struct httpd_client *c, const char *verb, const json_t *q)
{
	if (strcmp(verb, "GetSecret") != 0)
		return false;
	get_secret(ctx, c, q);
	return true;
}

/* --- life ----------------------------------------------------------------------------
 */

int driver_open(const struct driver_options *o, struct driver **out, struct err *e)
{
	struct driver *d = calloc(1, sizeof(*d));
	const struct plugin_kind kind = {
		.name = "secretprovider",
		.calls = "SecretProvider",
		.call = on_call,
		.ctx = d,
	};
	int rc = ERR_OK;

	if (d == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	d->ops = o->ops;
	d->clock = o->clock;
	d->own = o->plugin == NULL;
	d->plugin = o->plugin;
	(void)snprintf(d->why, sizeof(d->why), "the vault was not asked yet");
	if (d->own)
		rc = plugin_listen(o->socket, &d->plugin, e);
	if (rc == ERR_OK)
		rc = plugin_serve(d->plugin, &kind, e);
	if (rc != ERR_OK) {
		driver_free(d);
		return rc;
	}
	*out = d;
	return ERR_OK;
}

void driver_free(struct driver *d)
{
	if (d == NULL)
		return;
	if (d->own)
		plugin_free(d->plugin);
	else
		plugin_leave(d->plugin, d);
	driver_forget(d, "");
	free(d->bindings);
	free(d->leases);
	free(d);
}

int driver_attach(struct driver *d, int epoll_fd, struct err *e)
{
	return d->own ? plugin_attach(d->plugin, epoll_fd, e) : ERR_OK;
}

bool driver_event(struct driver *d, int fd, unsigned events)
{
	return d->own && plugin_event(d->plugin, fd, events);
}

const char *driver_name(const struct driver *d)
{
	return plugin_name(d->plugin);
}

static json_t *refused_of(const struct driver *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < REFUSED; i++)
		if (d->refused[i].times > 0)
			json_array_append_new(list,
			                      json_pack("{s:s, s:s, s:s, s:I}", "binding",
			                                d->refused[i].binding, "service",
			                                d->refused[i].service, "why",
			                                d->refused[i].why, "times",
			                                (json_int_t)d->refused[i].times));
	return list;
}

json_t *driver_status(const struct driver *d)
{
	size_t values = 0, leases = 0;

	for (size_t i = 0; i < d->n; i++)
		for (const struct held *h = d->bindings[i]->values; h != NULL;
		     h = h->next)
			values++;
	for (size_t i = 0; i < d->n_leases; i++)
		leases += !d->leases[i].ended;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", driver_name(d),
	                 "bindings", (json_int_t)d->n, "values", (json_int_t)values,
	                 "leases", (json_int_t)leases, "given", (json_int_t)d->given,
	                 "refused", refused_of(d));
}
