/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting: version, information, and then the events for as long as they come. */
#include "docker.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/backoff.h"
#include "docker_impl.h"
#include "rng.h"
#include "text.h"

#define API_OLDEST     "1.41" /* Debian 12's docker.io */
#define API_NEWEST     "1.52" /* what we use is the same in all between */
#define CTL_TIMEOUT_MS 10000L
#define DELAYS         3u    /* growing ones end at 8 s: it is on this machine */
#define LAZY_AFTER     10u   /* attempts: then it is no reason to wake up */
#define LAZY_MS        60000 /* but for this one, when nothing else is */
#define STEADY_MS      10000 /* so long it has to last before delays begin anew */
#define MESSAGE_MAX    220u
#define SWARM_ID_CAP   32u /* they have 25 characters */

/* {"type":["container"],
 *  "event":["create","start","die","destroy","health_status","rename"]} */
#define EVENT_FILTERS                                                                 \
	"%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%2C%22" \
	"start%22%2C%22die%22%2C%22destroy%22%2C%22health_status%22%2C%22rename%22%5D%7D"

/* {"type":["service","secret","node"]} */
#define SWARM_FILTERS "%7B%22type%22%3A%5B%22service%22%2C%22secret%22%2C%22node%22%5D%7D"

/* --- small things that the files share -------------------------------------------------
 */

struct http_client *docker_client(const struct docker *d, struct err *e)
{
	const struct http_options o = {
		.base_url = "http://localhost",
		.unix_socket = d->socket,
		.one_shot = true,
		.reply_max = DOCKER_REPLY_MAX,
	};

	return http_new(&o, e);
}

char *docker_path(const struct docker *d, const char *path)
{
	size_t n = strlen(path) + sizeof(d->info.api) + 3;
	char *out = malloc(n);

	if (out != NULL)
		(void)snprintf(out, n, "/v%s%s", d->info.api, path);
	return out;
}

json_t *docker_parse(const char *text, size_t n)
{
	json_error_t why;

	return text != NULL ? json_loadb(text, n, 0, &why) : NULL;
}

bool docker_id_ok(const char *s)
{
	return s != NULL && strlen(s) == DOCKER_ID_MAX &&
	       strspn(s, "0123456789abcdef") == DOCKER_ID_MAX;
}

bool docker_swarm_id_ok(const char *s)
{
	size_t n = s == NULL ? 0 : strlen(s);

	return n > 0 && n < SWARM_ID_CAP &&
	       strspn(s, "0123456789abcdefghijklmnopqrstuvwxyz") == n;
}

char *docker_escape(const char *s)
{
	char *out = malloc(text_percent(s, strlen(s), "", NULL) + 1);

	if (out != NULL)
		(void)text_percent(s, strlen(s), "", out);
	return out;
}

int docker_refused(const struct http_reply *reply, struct err *e)
{
	json_t *doc = docker_parse(reply->body, reply->len);
	const char *text = json_string_value(json_object_get(doc, "message"));
	size_t n = text == NULL ? 0 : strcspn(text, "\r\n");
	enum errcode code = err_of_status(reply->status, ERR_IO);

	if (n > MESSAGE_MAX)
		n = MESSAGE_MAX;
	if (n == 0 || !text_printable(text, n))
		err_set(e, code, "Docker answered %ld", reply->status);
	else
		err_set(e, code, "Docker answered %ld: %.*s", reply->status, (int)n,
		        text);
	json_decref(doc);
	return code;
}

static void set_text(char *to, size_t cap, const char *s)
{
	bool good = s != NULL && strlen(s) < cap && text_printable(s, strlen(s));

	(void)snprintf(to, cap, "%s", good ? s : "");
}

/* --- going down ----------------------------------------------------------------------
 */

/* Also while it is down already: another attempt failed. */
static void go_down(struct docker *d, const char *why)
{
	bool was_up = d->state == DOCKER_UP;
	uint32_t rnd;
	int64_t now = clock_boot(d->o.clock);

	if (was_up && now - d->up_at >= STEADY_MS)
		d->attempt = 0;
	rng_bytes(&rnd, sizeof(rnd));
	d->retry_at = now + backoff_delay(d->attempt < DELAYS ? d->attempt : DELAYS, rnd);
	if (d->attempt < LAZY_AFTER)
		d->attempt++;
	d->state = DOCKER_DOWN;
	d->ctl_due = false;
	json_split_free(&d->events);
	set_text(d->error, sizeof(d->error), why);
	if (d->error[0] == '\0')
		set_text(d->error, sizeof(d->error), "Docker cannot be reached");
	if (was_up || d->attempt == 1)
		d->o.down(d->o.ctx, d->error);
}

/* --- asking what it is ---------------------------------------------------------------
 */

/* "1.41" as a number that compares; -1 if it is none. */
static int api_number(const char *s)
{
	unsigned major, minor;
	char rest;

	if (s == NULL || strlen(s) > 7 || !isdigit((unsigned char)s[0]) ||
	    sscanf(s, "%3u.%3u%c", &major, &minor, &rest) != 2)
		return -1;
	return (int)(major * 1000 + minor);
}

static int negotiate(struct docker *d, const json_t *doc, struct err *e)
{
	const char *newest = json_string_value(json_object_get(doc, "ApiVersion"));
	const char *oldest = json_string_value(json_object_get(doc, "MinAPIVersion"));
	int theirs = api_number(newest), ours = api_number(API_NEWEST);

	set_text(d->info.version, sizeof(d->info.version),
	         json_string_value(json_object_get(doc, "Version")));
	if (theirs < 0)
		return err_set(e, ERR_INVALID, "what answers at '%s' is no Docker Engine",
		               d->socket);
	if (theirs < api_number(API_OLDEST))
		return err_set(e, ERR_USAGE,
		               "Docker's API version %s is older than " API_OLDEST,
		               newest);
	/* An older version leaves out what it does not know.  Of a service that is given
	 * back to the Engine nothing may be left out. */
	if (d->o.swarm && theirs > ours && theirs < api_number("2.0")) {
		set_text(d->info.api, sizeof(d->info.api), newest);
		return ERR_OK;
	}
	if (api_number(oldest) > ours)
		return err_set(
			e, ERR_USAGE,
			"Docker wants API version %s, this agent knows " API_NEWEST,
			oldest);
	set_text(d->info.api, sizeof(d->info.api), theirs < ours ? newest : API_NEWEST);
	return ERR_OK;
}

static bool has_userns(const json_t *doc)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(doc, "SecurityOptions"), i, item)
	{
		const char *s = json_string_value(item);

		if (s != NULL && strncmp(s, "name=userns", 11) == 0)
			return true;
	}
	return false;
}

/* With ids shifted the data root ends in "/UID.GID": what 0 in a container is here. */
static void read_userns(struct docker_info *info, const json_t *doc)
{
	const char *root = json_string_value(json_object_get(doc, "DockerRootDir"));
	const char *last = root != NULL ? strrchr(root, '/') : NULL;
	uint32_t uid, gid;
	char rest;

	info->userns = has_userns(doc);
	info->uid_base = info->gid_base = 0;
	if (info->userns && last != NULL && strlen(last) <= 22 &&
	    sscanf(last, "/%" SCNu32 ".%" SCNu32 "%c", &uid, &gid, &rest) == 2) {
		info->uid_base = uid;
		info->gid_base = gid;
	}
}

static void read_info(struct docker *d, const json_t *doc)
{
	const char *when = json_string_value(json_object_get(doc, "SystemTime"));

	read_userns(&d->info, doc);
	d->since_ms = 0;
	if (when == NULL || clock_parse_rfc3339(when, strlen(when), &d->since_ms) != 0 ||
	    d->since_ms < 0)
		d->since_ms = 0;
}

static int on_answer(struct docker *d, const struct http_reply *reply, struct err *e)
{
	json_t *doc;
	int rc = ERR_OK;

	if (reply->status != 200)
		return docker_refused(reply, e);
	doc = docker_parse(reply->body, reply->len);
	if (!json_is_object(doc)) {
		rc = err_set(e, ERR_INVALID, "what answers at '%s' is no Docker Engine",
		             d->socket);
	} else if (d->state == DOCKER_VERSION) {
		rc = negotiate(d, doc, e);
		d->state = DOCKER_INFO;
	} else {
		read_info(d, doc);
		d->state = DOCKER_UP;
	}
	json_decref(doc);
	return rc;
}

/* The reply to the version or the information; or the end of the events. */
static void on_ctl(void *ctx, int rc, struct http_reply *reply, const struct err *e)
{
	struct docker *d = ctx;
	struct err why = { ERR_OK, "" };

	if (rc != ERR_OK) {
		why = *e;
	} else if (d->state == DOCKER_UP) {
		if (reply->status == 200)
			err_set(&why, ERR_UNREACHABLE, "Docker ended the events");
		else
			docker_refused(reply, &why);
	} else {
		(void)on_answer(d, reply, &why);
	}
	if (why.code != ERR_OK)
		go_down(d, why.msg);
	else
		d->ctl_due = true;
}

/* --- events --------------------------------------------------------------------------
 */

static int64_t time_of(const json_t *doc)
{
	const json_t *nano = json_object_get(doc, "timeNano");
	const json_t *whole = json_object_get(doc, "time");

	if (json_is_integer(nano))
		return (int64_t)(json_integer_value(nano) / 1000000);
	if (json_is_integer(whole) && json_integer_value(whole) >= 0 &&
	    json_integer_value(whole) < INT64_MAX / 1000)
		return (int64_t)json_integer_value(whole) * 1000;
	return 0;
}

static void on_event(void *ctx, const char *text, size_t n)
{
	struct docker *d = ctx;
	json_t *doc = docker_parse(text, n);
	const json_t *actor = json_object_get(doc, "Actor");
	const json_t *attributes = json_object_get(actor, "Attributes");
	const char *type = json_string_value(json_object_get(doc, "Type"));
	bool container = type != NULL && strcmp(type, "container") == 0;
	struct docker_event ev = {
		.type = type,
		.action = json_string_value(json_object_get(doc, "Action")),
		.id = json_string_value(json_object_get(actor, "ID")),
		.name = json_string_value(json_object_get(attributes, "name")),
		.image = json_string_value(json_object_get(attributes, "image")),
		.attributes = json_is_object(attributes) ? attributes : NULL,
		.time_ms = time_of(doc),
	};

	if (type != NULL && ev.action != NULL && container != d->o.swarm &&
	    (container ? docker_id_ok(ev.id) : docker_swarm_id_ok(ev.id)))
		d->o.event(d->o.ctx, &ev);
	json_decref(doc);
}

static bool on_events(void *ctx, const char *p, size_t n)
{
	struct docker *d = ctx;

	json_split_feed(&d->events, p, n, on_event, d);
	return true;
}

/* Those since the Engine told its time, so that none is missed between a list that is
 * made at the same time and the first event. */
static char *events_path(const struct docker *d)
{
	char path[sizeof(EVENT_FILTERS) + 80], since[48] = "";

	if (d->since_ms > 0)
		(void)snprintf(since, sizeof(since), "since=%" PRId64 ".%03d&",
		               d->since_ms / 1000, (int)(d->since_ms % 1000));
	(void)snprintf(path, sizeof(path), "/events?%sfilters=%s", since,
	               d->o.swarm ? SWARM_FILTERS : EVENT_FILTERS);
	return docker_path(d, path);
}

static char *ctl_path(const struct docker *d)
{
	switch (d->state) {
	case DOCKER_VERSION:
		return strdup("/version");
	case DOCKER_INFO:
		return docker_path(d, "/info");
	case DOCKER_UP:
		return events_path(d);
	case DOCKER_DOWN:
		break;
	}
	return NULL;
}

static int send_ctl(struct docker *d, bool events, struct err *e)
{
	char *path;
	int rc;

	if (d->ctl == NULL && (d->ctl = docker_client(d, e)) == NULL)
		return (int)e->code;
	if ((path = ctl_path(d)) == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	http_stream(d->ctl, events ? on_events : NULL, d);
	rc = http_multi_start(d->o.multi, d->ctl, "GET", path, NULL, NULL,
	                      events ? 0 : CTL_TIMEOUT_MS, on_ctl, d, e);
	free(path);
	return rc;
}

static void start_ctl(struct docker *d)
{
	bool events = d->state == DOCKER_UP;
	struct err e = { ERR_OK, "" };

	d->ctl_due = false;
	if (send_ctl(d, events, &e) != ERR_OK) {
		d->state = DOCKER_DOWN;
		go_down(d, e.msg);
	} else if (events) {
		d->up_at = clock_boot(d->o.clock);
		d->error[0] = '\0';
		d->o.up(d->o.ctx);
	}
}

/* --- the outside ---------------------------------------------------------------------
 */

int docker_new(const struct docker_options *o, struct docker **out, struct err *e)
{
	struct docker *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->socket = strdup(o->socket)) == NULL) {
		free(d);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	d->o = *o;
	d->o.socket = d->socket;
	d->events.max = DOCKER_EVENT_MAX;
	*out = d;
	return ERR_OK;
}

void docker_free(struct docker *d)
{
	if (d == NULL)
		return;
	calls_free(d);
	http_free(d->ctl);
	json_split_free(&d->events);
	free(d->socket);
	free(d);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t docker_due(struct docker *d, int64_t now)
{
	int64_t next;

	if (d->state == DOCKER_DOWN && now >= d->retry_at) {
		d->state = DOCKER_VERSION;
		d->ctl_due = true;
	}
	if (d->ctl_due)
		start_ctl(d);
	next = calls_due(d, now);
	if (d->state != DOCKER_DOWN)
		return next;
	return earlier(next, d->retry_at + (d->attempt < LAZY_AFTER ? 0 : LAZY_MS));
}

bool docker_is_up(const struct docker *d)
{
	return d->state == DOCKER_UP;
}

const char *docker_error(const struct docker *d)
{
	return d->error;
}

const struct docker_info *docker_about(const struct docker *d)
{
	return &d->info;
}
