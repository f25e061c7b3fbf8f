/* SPDX-License-Identifier: Apache-2.0 */
#include "image_config.h"

#include <string.h>

static void part_member(struct json_at *at, const json_t *v, const char *name,
                        enum scan_channel channel)
{
	const json_t *member = json_object_get(v, name);
	size_t up;

	if (member == NULL)
		return;
	up = json_at_down(at, name);
	json_text_member(at, channel, name, member);
	json_at_up(at, up);
}

void image_config_part(struct json_at *at, const json_t *v)
{
	static const struct {
		const char *name;
		enum scan_channel channel;
	} members[] = {
		{"Env",          CHANNEL_ENV        },
		{ "Labels",      CHANNEL_LABEL      },
		{ "Cmd",         CHANNEL_CMD        },
		{ "Entrypoint",  CHANNEL_CMD        },
		{ "Command",     CHANNEL_CMD        },
		{ "Args",        CHANNEL_CMD        },
		{ "Shell",       CHANNEL_CMD        },
		{ "OnBuild",     CHANNEL_HISTORY    },
		{ "Healthcheck", CHANNEL_HEALTHCHECK},
		{ "Annotations", CHANNEL_LABEL      },
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		part_member(at, v, members[i].name, members[i].channel);
}

/* "|2 A=x B=y /bin/sh -c …" behind an optional "RUN ": where the arguments end, or 0. */
static size_t build_args(const char *s)
{
	const char *p = strncmp(s, "RUN ", 4) == 0 ? s + 4 : s, *end;
	char *digits_end;
	unsigned long n;

	if (*p != '|')
		return 0;
	n = strtoul(p + 1, &digits_end, 10);
	if (digits_end == p + 1 || n == 0)
		return 0;
	/* Values may hold blanks: the shell that follows is the better mark. */
	end = strstr(digits_end, " /bin/");
	return end != NULL ? (size_t)(end - s) : strlen(s);
}

static void history_line(struct json_at *at, const char *s)
{
	size_t args = build_args(s);
	bool arg = strncmp(s, "ARG ", 4) == 0 || strstr(s, "#(nop)  ARG ") != NULL;

	if (args > 0)
		work_text(at->w, CHANNEL_BUILD_ARG, at->path, s, args);
	work_text(at->w, arg ? CHANNEL_BUILD_ARG : CHANNEL_HISTORY, at->path, s + args,
	          strlen(s + args));
}

static void history(struct json_at *at, const json_t *list)
{
	static const char *const names[] = { "created_by", "comment", "author" };
	size_t i, up = json_at_down(at, "history");
	json_t *row;

	json_array_foreach(list, i, row)
	{
		size_t up_row = json_at_down_index(at, i);

		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			const json_t *v = json_object_get(row, names[k]);
			size_t up_name = json_at_down(at, names[k]);

			if (json_is_string(v))
				history_line(at, json_string_value(v));
			json_at_up(at, up_name);
		}
		json_at_up(at, up_row);
	}
	json_at_up(at, up);
}

void image_config_scan(struct work *w, const char *document, const json_t *v)
{
	static const char *const parts[] = { "config", "container_config" };
	struct json_at at;

	json_at_begin(&at, w, document);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t up = json_at_down(&at, parts[i]);

		image_config_part(&at, json_object_get(v, parts[i]));
		json_at_up(&at, up);
	}
	history(&at, json_object_get(v, "history"));
	part_member(&at, v, "author", CHANNEL_HISTORY);
	part_member(&at, v, "comment", CHANNEL_HISTORY);
}

void image_config_attestation(struct work *w, const char *document, const json_t *v)
{
	struct json_at at;

	json_at_begin(&at, w, document);
	json_text_all(&at, CHANNEL_BUILD_ARG, v);
}
