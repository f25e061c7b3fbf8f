/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the Engine says about a container: every text bounded and looked at. */
#include <string.h>

#include "agent/deliver/generation.h"
#include "clock.h"
#include "containers_impl.h"
#include "log.h"
#include "text.h"

#define NAME_MAX_BYTES  255u
#define IMAGE_MAX_BYTES 512u
#define PATH_MAX_BYTES  4096u
#define LABEL_MAX_BYTES 2048u

/* A text that we can show and that is not too long; else NULL. */
static const char *text_of(const json_t *o, const char *key, size_t max)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL && strlen(s) <= max && text_printable(s, strlen(s)) ? s : NULL;
}

/* "/web" as "web"; NULL: no name of ours to show.  Links give a container more names,
 * with more slashes. */
static const char *plain_name(const char *s)
{
	return s != NULL && s[0] == '/' && strchr(s + 1, '/') == NULL &&
	                       strlen(s) <= NAME_MAX_BYTES && text_printable(s, strlen(s))
	               ? s + 1
	               : NULL;
}

static bool is_wanted(const struct container_rules *r, const char *name)
{
	for (size_t i = 0; i < r->n_names; i++)
		if (strcmp(r->names[i], name) == 0)
			return true;
	return false;
}

/* While a container is renamed it has both names, and the Engine tells that it was
 * renamed before it takes the old one away: a list does not say which is which.  ${now}
 * is kept then, or one that is wanted taken; the inspection that follows each list
 * decides. */
static const char *name_of(const struct container_rules *r, const char *now,
                           const json_t *item)
{
	const json_t *names = json_object_get(item, "Names"), *each;
	const char *out = "";
	size_t i;

	json_array_foreach(names, i, each)
	{
		const char *s = plain_name(json_string_value(each));

		if (s == NULL)
			continue;
		if (now != NULL && strcmp(s, now) == 0)
			return s;
		if (*out == '\0' || (now == NULL && is_wanted(r, s)))
			out = s;
	}
	return out;
}

static char *copy_of(const char *s)
{
	return strdup(s != NULL ? s : "");
}

static void free_texts(char **list, size_t n)
{
	for (size_t i = 0; list != NULL && i < n; i++)
		free(list[i]);
	free(list);
}

void container_row_free(struct container_row *row)
{
	if (row == NULL)
		return;
	free_texts(row->bindings, CONTAINERS_BINDINGS_MAX);
	free_texts(row->mount_texts, CONTAINER_MOUNT_TEXTS * CONTAINERS_MOUNTS_MAX);
	free(row->mounts);
	free(row->name);
	free(row->image);
	free(row->image_id);
	free(row->service);
	free(row->project);
	free(row);
}

/* --- the label -----------------------------------------------------------------------
 */

static bool has_binding(const struct container_row *row, const char *name)
{
	for (size_t i = 0; i < row->c.n_bindings; i++)
		if (strcmp(row->bindings[i], name) == 0)
			return true;
	return false;
}

/* One name of the label: a name that could not be a directory of ours is left out. */
static int add_binding(struct container_row *row, const char *s, size_t n)
{
	char name[GENERATION_NAME_MAX + 1];
	struct err e = { ERR_OK, "" };

	while (n > 0 && *s == ' ')
		s++, n--;
	while (n > 0 && s[n - 1] == ' ')
		n--;
	if (n == 0)
		return ERR_OK;
	if (n > GENERATION_NAME_MAX)
		n = 0; /* refused below, without its text */
	memcpy(name, s, n);
	name[n] = '\0';
	if (generation_name_check(name, "binding", &e) != ERR_OK) {
		log_warn("a container asks for what is no binding",
		         LOG_S("container", row->id), LOG_S("why", e.msg));
		return ERR_OK;
	}
	if (has_binding(row, name))
		return ERR_OK;
	if (row->c.n_bindings == CONTAINERS_BINDINGS_MAX) {
		log_warn("a container asks for too many bindings",
		         LOG_S("container", row->id),
		         LOG_N("most", CONTAINERS_BINDINGS_MAX));
		return ERR_OK;
	}
	row->bindings[row->c.n_bindings] = strdup(name);
	if (row->bindings[row->c.n_bindings] == NULL)
		return ERR_NOMEM;
	row->c.n_bindings++;
	return ERR_OK;
}

static int read_label(struct container_row *row, const json_t *labels)
{
	const char *s = text_of(labels, CONTAINERS_LABEL, LABEL_MAX_BYTES);
	int rc = ERR_OK;

	row->bindings = calloc(CONTAINERS_BINDINGS_MAX, sizeof(*row->bindings));
	if (row->bindings == NULL)
		return ERR_NOMEM;
	row->c.bindings = (const char *const *)row->bindings;
	while (s != NULL && *s != '\0' && rc == ERR_OK) {
		size_t n = strcspn(s, ",");

		rc = add_binding(row, s, n);
		s += n + (s[n] == ',');
	}
	return rc;
}

/* --- mounts --------------------------------------------------------------------------
 */

/* /var/run is a link to /run wherever there is a /run. */
static const char *canonical(const char *path)
{
	return strncmp(path, "/var/run/", 9) == 0 ? path + 4 : path;
}

/* What follows run_dir, or NULL if ${source} is not below it. */
static const char *below(const char *run_dir, const char *source)
{
	const char *dir = canonical(run_dir), *s = canonical(source);
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strncmp(s, dir, n) != 0 || (s[n] != '/' && s[n] != '\0'))
		return NULL;
	s += n;
	return s + strspn(s, "/");
}

/* Its texts are in the row from the start: it is freed with them. */
static int add_mount(struct container_row *row, const char *rest, const char *destination,
                     const char *volume)
{
	size_t i = row->c.n_mounts, n = strcspn(rest, "/");
	char **texts = row->mount_texts + CONTAINER_MOUNT_TEXTS * i;

	if ((texts[0] = strndup(rest, n)) == NULL ||
	    (texts[1] = copy_of(destination)) == NULL ||
	    (volume != NULL && (texts[2] = strdup(volume)) == NULL))
		return ERR_NOMEM;
	row->mounts[i].binding = texts[0];
	row->mounts[i].destination = texts[1];
	row->mounts[i].volume = texts[2];
	row->mounts[i].pinned = rest[n] == '/' && rest[n + strspn(rest + n, "/")] != '\0';
	row->c.n_mounts++;
	return ERR_OK;
}

/* The name of one of our own volumes, or NULL. */
static const char *volume_of(const struct container_rules *r, const json_t *mount)
{
	const char *driver = text_of(mount, "Driver", NAME_MAX_BYTES);
	const char *name = text_of(mount, "Name", NAME_MAX_BYTES);

	if (r->driver == NULL || driver == NULL || name == NULL ||
	    strcmp(driver, r->driver) != 0)
		return NULL;
	return name;
}

/* A directory that no binding of ours can have is none of ours: the vault would refuse to
 * hear of it, and of all others in the same request. */
static bool could_be_ours(const char *rest)
{
	char name[GENERATION_NAME_MAX + 1];
	size_t n = strcspn(rest, "/");

	if (n == 0) /* all of run_dir */
		return true;
	if (n > GENERATION_NAME_MAX)
		return false;
	memcpy(name, rest, n);
	name[n] = '\0';
	return generation_name_check(name, "binding", NULL) == ERR_OK;
}

/* What a mount has of ours, below run_dir; or NULL. */
static const char *mounted(const struct container_rules *r, const json_t *mount)
{
	const char *source = text_of(mount, "Source", PATH_MAX_BYTES);
	const char *rest = source != NULL ? below(r->run_dir, source) : NULL;
	const char *volume;

	if (rest != NULL && !could_be_ours(rest))
		return NULL;
	if (rest != NULL)
		return rest;
	/* Where a volume of ours is the Engine leaves out. */
	volume = volume_of(r, mount);
	return volume != NULL ? r->binding_of(r->ctx, volume) : NULL;
}

static int read_mounts(struct container_row *row, const struct container_rules *r,
                       const json_t *item)
{
	const json_t *mount;
	size_t i;
	int rc = ERR_OK;

	row->mounts = calloc(CONTAINERS_MOUNTS_MAX, sizeof(*row->mounts));
	row->mount_texts = calloc(CONTAINER_MOUNT_TEXTS * CONTAINERS_MOUNTS_MAX,
	                          sizeof(*row->mount_texts));
	if (row->mounts == NULL || row->mount_texts == NULL)
		return ERR_NOMEM;
	row->c.mounts = row->mounts;
	json_array_foreach(json_object_get(item, "Mounts"), i, mount)
	{
		const char *rest = mounted(r, mount);

		if (rest != NULL && rc == ERR_OK &&
		    row->c.n_mounts < CONTAINERS_MOUNTS_MAX)
			rc = add_mount(row, rest,
			               text_of(mount, "Destination", PATH_MAX_BYTES),
			               volume_of(r, mount));
	}
	return rc;
}

/* --- rows ----------------------------------------------------------------------------
 */

static void point(struct container_row *row)
{
	row->c.id = row->id;
	row->c.name = row->name;
	row->c.image = row->image;
	row->c.image_id = row->image_id;
	row->c.service = row->service;
	row->c.project = row->project;
}

static const char *either(const json_t *labels, const char *a, const char *b)
{
	const char *s = text_of(labels, a, NAME_MAX_BYTES);

	return s != NULL ? s : text_of(labels, b, NAME_MAX_BYTES);
}

static int fill(struct container_row *row, const struct container_rules *r,
                const json_t *item)
{
	const json_t *labels = json_object_get(item, "Labels");
	int rc;

	row->name = copy_of(name_of(r, NULL, item));
	row->image = copy_of(text_of(item, "Image", IMAGE_MAX_BYTES));
	row->image_id = copy_of(text_of(item, "ImageID", IMAGE_MAX_BYTES));
	row->service = copy_of(either(labels, "com.docker.swarm.service.name",
	                              "com.docker.compose.service"));
	row->project = copy_of(either(labels, "com.docker.stack.namespace",
	                              "com.docker.compose.project"));
	if (row->name == NULL || row->image == NULL || row->image_id == NULL ||
	    row->service == NULL || row->project == NULL)
		return ERR_NOMEM;
	point(row);
	rc = read_label(row, r->labels ? labels : NULL);
	return rc != ERR_OK ? rc : read_mounts(row, r, item);
}

bool container_row_concerns(const struct container_rules *r,
                            const struct container_row *row)
{
	return row->c.n_bindings > 0 || row->c.n_mounts > 0 || is_wanted(r, row->name);
}

static void warn(const struct container_row *row)
{
	for (size_t i = 0; i < row->c.n_mounts; i++)
		if (row->c.mounts[i].pinned)
			log_warn(
				"a container mounts a file, not the binding's directory: it "
				"will never see another version",
				LOG_S("container", row->name),
				LOG_S("binding", row->c.mounts[i].binding),
				LOG_S("at", row->c.mounts[i].destination));
}

int container_row_new(const struct container_rules *r, const json_t *item,
                      struct container_row **out)
{
	const char *id = json_string_value(json_object_get(item, "Id"));
	struct container_row *row;
	int rc;

	*out = NULL;
	if (id == NULL || strlen(id) != DOCKER_ID_MAX ||
	    strspn(id, "0123456789abcdef") != DOCKER_ID_MAX)
		return ERR_INVALID;
	if ((row = calloc(1, sizeof(*row))) == NULL)
		return ERR_NOMEM;
	memcpy(row->id, id, sizeof(row->id));
	rc = fill(row, r, item);
	if (rc != ERR_OK || !container_row_concerns(r, row)) {
		container_row_free(row);
		return rc;
	}
	warn(row);
	row->changed = true;
	container_row_list(r, row, item);
	*out = row;
	return ERR_OK;
}

bool container_health_parse(const char *s, enum container_health *out)
{
	static const char *const words[] = { "none", "starting", "healthy", "unhealthy" };

	for (size_t i = 0; s != NULL && i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], s) == 0) {
			*out = (enum container_health)i;
			return true;
		}
	return false;
}

void container_row_health(struct container_row *row, enum container_health h)
{
	row->changed |= row->c.health != h;
	row->c.health = h;
}

/* One that has a check and does not run has yet to become healthy. */
void container_row_running(struct container_row *row, bool running)
{
	row->changed |= row->c.running != running;
	row->c.running = running;
	if (!running && row->c.health != HEALTH_NONE)
		container_row_health(row, HEALTH_STARTING);
}

/* A list has no more of it than "Up 3 seconds (healthy)". */
static void read_status(struct container_row *row, const char *status)
{
	static const struct {
		const char *words;
		enum container_health health;
	} endings[] = {
		{"(health: starting)", HEALTH_STARTING },
		{ "(healthy)",         HEALTH_HEALTHY  },
		{ "(unhealthy)",       HEALTH_UNHEALTHY},
	};

	for (size_t i = 0; status != NULL && i < ARRAY_LEN(endings); i++)
		if (strstr(status, endings[i].words) != NULL)
			container_row_health(row, endings[i].health);
}

static void rename_to(struct container_row *row, const char *name)
{
	char *copy = strcmp(name, row->name) != 0 ? strdup(name) : NULL;

	if (copy == NULL)
		return;
	free(row->name);
	row->name = copy;
	row->c.name = copy;
	row->changed = true;
}

void container_row_list(const struct container_rules *r, struct container_row *row,
                        const json_t *item)
{
	const char *state = json_string_value(json_object_get(item, "State"));
	bool running = state != NULL &&
	               (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0);

	rename_to(row, name_of(r, row->name, item));
	container_row_running(row, running);
	if (running)
		read_status(row, json_string_value(json_object_get(item, "Status")));
}

static int64_t started(const json_t *state)
{
	const char *s = json_string_value(json_object_get(state, "StartedAt"));
	int64_t ms;

	return s != NULL && clock_parse_rfc3339(s, strlen(s), &ms) == 0 && ms > 0 ? ms
	                                                                          : 0;
}

static void set_number(struct container_row *row, int64_t *to, int64_t n)
{
	row->changed |= *to != n;
	*to = n;
}

void container_row_inspect(struct container_row *row, const json_t *doc)
{
	const json_t *state = json_object_get(doc, "State");
	const json_t *health = json_object_get(state, "Health");
	const json_t *restarts = json_object_get(doc, "RestartCount");
	const char *name = plain_name(json_string_value(json_object_get(doc, "Name")));
	enum container_health h = HEALTH_NONE;

	if (!json_is_object(state))
		return;
	if (name != NULL)
		rename_to(row, name);
	(void)container_health_parse(json_string_value(json_object_get(health, "Status")),
	                             &h);
	container_row_health(row, h);
	container_row_running(
		row, json_is_true(json_object_get(state, "Running")) &&
			     !json_is_true(json_object_get(state, "Restarting")));
	set_number(row, &row->c.started_ms, started(state));
	if (json_is_integer(restarts) && json_integer_value(restarts) >= 0)
		set_number(row, &row->c.restarts, (int64_t)json_integer_value(restarts));
}
