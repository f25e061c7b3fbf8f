/* SPDX-License-Identifier: Apache-2.0 */
/* docker_json - what the Docker API tells of containers, services and configs. */
#include <string.h>

#include "image_config.h"
#include "json_text.h"
#include "scanner/archive/stream.h"
#include "source.h"
#include "text.h"

/* The whole document of item ${i}; NULL, and reported. */
static json_t *load(struct work *w, const struct job *j, unsigned i)
{
	uint64_t max = w->limits->json;
	struct stream_fd s;
	const uint8_t *p;
	size_t n, have = 0;
	json_t *v = NULL;
	uint8_t *text;
	int r;

	source_open(w, j, i, &s);
	text = malloc((size_t)max);
	if (text == NULL) {
		work_skip(w, j->name[i], "out of memory");
		return NULL;
	}
	while ((r = stream_next(&s.s, &p, &n)) > 0 && n <= max - have) {
		memcpy(text + have, p, n);
		have += n;
	}
	/* Where nothing came, whoever asked knows why. */
	if (r != 0)
		work_skip(w, j->name[i], r < 0 ? s.s.why : "it is too large a document");
	else if (have > 0)
		v = json_text_load(w, j->name[i], text, have);
	free(text);
	return v;
}

void source_container(struct work *w, const struct job *j, unsigned i)
{
	static const struct {
		const char *name;
		enum scan_channel channel;
	} parts[] = {
		{"Path",        CHANNEL_CMD        },
                { "Args",       CHANNEL_CMD        },
		{ "State",      CHANNEL_HEALTHCHECK}, /* what the last checks said */
		{ "HostConfig", CHANNEL_ENV        },
                { "Mounts",     CHANNEL_ENV        },
	};
	json_t *v = load(w, j, i);
	struct json_at at;
	size_t up;

	json_at_begin(&at, w, j->name[i]);
	up = json_at_down(&at, "Config");
	image_config_part(&at, json_object_get(v, "Config"));
	json_at_up(&at, up);
	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		up = json_at_down(&at, parts[k].name);
		json_text_member(&at, parts[k].channel, parts[k].name,
		                 json_object_get(v, parts[k].name));
		json_at_up(&at, up);
	}
	json_decref(v);
}

/* By the name that people know, of which there is one that is not "/of/another". */
static const char *container_name(const json_t *row)
{
	json_t *names = json_object_get(row, "Names"), *one;
	size_t i;

	json_array_foreach(names, i, one)
	{
		const char *s = json_string_value(one);

		if (s != NULL && s[0] == '/' && strchr(s + 1, '/') == NULL)
			return s + 1;
	}
	return json_string_value(json_object_get(row, "Id"));
}

void source_containers(struct work *w, const struct job *j, unsigned i)
{
	json_t *v = load(w, j, i), *row;
	size_t k;

	json_array_foreach(v, k, row)
	{
		struct record r = { .type = RECORD_REFERENCE };

		r.text[0] = container_name(row);
		if (r.text[0] != NULL)
			work_send(w, &r);
	}
	json_decref(v);
}

void source_services(struct work *w, const struct job *j, unsigned i)
{
	json_t *v = load(w, j, i);
	struct json_at at;

	json_at_begin(&at, w, j->name[i]);
	if (v != NULL)
		json_text_all(&at, j->channel, v);
	json_decref(v);
}

/* The data of a config is base64; lines are those of the data. */
static void config_data(struct work *w, const struct job *j, const json_t *spec)
{
	const char *data = json_string_value(json_object_get(spec, "Data"));
	const char *name = json_string_value(json_object_get(spec, "Name"));
	AUTO_FREE char *text = NULL;
	long n;

	if (data == NULL)
		return;
	if (name == NULL)
		name = "config";
	text = malloc(strlen(data) + 1);
	n = text != NULL ? text_unbase64(data, strlen(data), text, strlen(data)) : -1;
	if (n < 0)
		work_skip(w, name, "its data is no base64");
	else
		work_text(w, j->channel, name, text, (size_t)n);
}

void source_configs(struct work *w, const struct job *j, unsigned i)
{
	json_t *v = load(w, j, i), *row;
	struct json_at at;
	size_t k;

	json_at_begin(&at, w, j->name[i]);
	json_array_foreach(v, k, row)
	{
		json_t *spec = json_object_get(row, "Spec");
		size_t up = json_at_down_index(&at, k);

		config_data(w, j, spec);
		json_text_member(&at, j->channel, "Labels",
		                 json_object_get(spec, "Labels"));
		json_at_up(&at, up);
	}
	json_decref(v);
}
