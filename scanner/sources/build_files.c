/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build_files - Dockerfiles and Compose files: searched as the text they are, so that
 * lines are right, and read for the names of files that go into an image or a container.
 */
#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "scanner/archive/stream.h"
#include "source.h"
#include "sources/build_words.h"

#define TEXT_MAX       (1u << 20)
#define REFERENCES_MAX 256u
#define NESTING_MAX    64u

struct build {
	struct work *w;
	unsigned references;
	const char *name;
	struct build_variables variables;
};

static void refer(struct build *b, const char *path)
{
	struct record r = { .type = RECORD_REFERENCE, .text = { path } };

	if (*path == '\0' || strstr(path, "://") != NULL) /* that is elsewhere */
		return;
	if (++b->references == REFERENCES_MAX)
		work_skip(b->w, b->name, "it names too many files");
	if (b->references < REFERENCES_MAX)
		work_send(b->w, &r);
}

/* The text of item ${i}, searched and with a NUL; NULL if it is larger, or empty. */
static char *read_text(struct work *w, const struct job *j, unsigned i)
{
	char *text = malloc(TEXT_MAX + 1);
	struct stream_fd s;
	const uint8_t *p;
	size_t n, have = 0;
	bool fits = text != NULL;
	int more;

	source_open(w, j, i, &s);
	work_begin(w, j->channel, j->name[i]);
	while ((more = stream_next(&s.s, &p, &n)) > 0) {
		work_feed(w, p, n);
		fits = fits && n <= TEXT_MAX - have;
		if (fits) {
			memcpy(text + have, p, n);
			have += n;
		}
	}
	work_end(w);
	if (more < 0)
		work_skip(w, j->name[i], s.s.why);
	else if (!fits)
		work_skip(w, j->name[i],
		          "it is too large to look for the files it names");
	if (more < 0 || !fits) {
		free(text);
		return NULL;
	}
	text[have] = '\0';
	return text;
}

static void too_long(struct build *b)
{
	work_skip(b->w, b->name, "the name of a file in it is too long");
}

/* A path or a pattern of the context. */
static void refer_word(struct build *b, const char *word)
{
	char path[BUILD_WORD_MAX];

	if (build_expand(&b->variables, word, path))
		refer(b, path);
	else
		too_long(b);
}

/* ["a", "b", "target"] */
static void copy_list(struct build *b, const char *args)
{
	json_t *list = json_loads(args, JSON_DISABLE_EOF_CHECK, NULL);

	for (size_t i = 0; i + 1 < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s != NULL)
			refer_word(b, s);
	}
	json_decref(list);
}

/* Words but for the last one, which is the target. */
static void copy_words(struct build *b, const char *args)
{
	char word[2][BUILD_WORD_MAX];
	unsigned n = 0;

	for (; build_word(&args, word[n % 2]); n++)
		if (n > 0)
			refer_word(b, word[(n - 1) % 2]);
	if (*args != '\0')
		too_long(b);
}

/* Of COPY or ADD; what is from another stage is no file of the context. */
static void copy(struct build *b, const char *args)
{
	char flag[BUILD_WORD_MAX];

	while (strncmp(args, "--", 2) == 0 && build_word(&args, flag)) {
		if (strncmp(flag, "--from", 6) == 0)
			return;
		args += strspn(args, " \t\r");
	}
	if (*args == '[')
		copy_list(b, args);
	else
		copy_words(b, args);
}

static void instruction(struct build *b, const char *line)
{
	const char *name = line + strspn(line, " \t");
	const size_t n = strcspn(name, " \t");
	const char *args = name + n + strspn(name + n, " \t");

	if ((n == 4 && strncasecmp(name, "COPY", n) == 0) ||
	    (n == 3 && strncasecmp(name, "ADD", n) == 0))
		copy(b, args);
	else if (n == 3 && strncasecmp(name, "ARG", n) == 0)
		build_variables_set(&b->variables, args, false);
	else if (n == 3 && strncasecmp(name, "ENV", n) == 0)
		build_variables_set(&b->variables, args, true);
}

/* Lines that end in a backslash go on. */
static void dockerfile(struct build *b, char *text)
{
	char *line = text;

	for (char *p = text; *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == '\n') {
			p[0] = p[1] = ' ';
		} else if (*p == '\n') {
			*p = '\0';
			instruction(b, line);
			line = p + 1;
		}
	}
	instruction(b, line);
}

void source_dockerfile(struct work *w, const struct job *j, unsigned i)
{
	struct build b = { .w = w, .name = j->name[i] };
	char *text = read_text(w, j, i);

	if (text != NULL)
		dockerfile(&b, text);
	build_variables_free(&b.variables);
	free(text);
}

/* Where in a YAML document one is. */
struct level {
	bool map, at_value;
	char key[16];
};

struct compose {
	struct build b;
	struct level level[NESTING_MAX];
	unsigned depth;
};

/* Under env_file, or under "file" of configs and secrets, or a "path" of an env_file. */
static bool names_file(const struct compose *c)
{
	for (unsigned d = c->depth, up = 0; d > 0 && up < 3; d--, up++) {
		const struct level *l = &c->level[d - 1];

		if (!l->map)
			continue;
		if (strcmp(l->key, "env_file") == 0 ||
		    (up == 0 && strcmp(l->key, "file") == 0))
			return true;
		if (strcmp(l->key, "path") != 0)
			return false;
	}
	return false;
}

static void scalar(struct compose *c, const char *value)
{
	struct level *l = c->depth > 0 ? &c->level[c->depth - 1] : NULL;

	if (l == NULL)
		return;
	if (l->map && !l->at_value) {
		(void)snprintf(l->key, sizeof(l->key), "%.15s", value);
		l->at_value = true;
		return;
	}
	/* What Compose puts in for a variable is not known here. */
	if (names_file(c) && strchr(value, '$') == NULL)
		refer(&c->b, value);
	l->at_value = false;
}

/* False: too deep. */
static bool event(struct compose *c, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		scalar(c, (const char *)e->data.scalar.value);
		break;
	case YAML_ALIAS_EVENT:
		if (c->depth > 0)
			c->level[c->depth - 1].at_value = false;
		break;
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (c->depth == NESTING_MAX)
			return false;
		c->level[c->depth++] = (struct level){ .map = e->type ==
			                                      YAML_MAPPING_START_EVENT };
		break;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		if (c->depth > 0 && --c->depth > 0)
			c->level[c->depth - 1].at_value = false;
		break;
	default:
		break;
	}
	return true;
}

static void compose(struct compose *c, const char *text)
{
	yaml_parser_t parser;
	bool more = true;

	if (!yaml_parser_initialize(&parser)) {
		work_skip(c->b.w, c->b.name, "out of memory");
		return;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
	while (more) {
		yaml_event_t e;

		work_beat(c->b.w);
		if (!yaml_parser_parse(&parser, &e)) {
			work_skip(c->b.w, c->b.name,
			          "it is no YAML: the files it names were not scanned");
			break;
		}
		more = e.type != YAML_STREAM_END_EVENT && event(c, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&parser);
}

void source_compose(struct work *w, const struct job *j, unsigned i)
{
	struct compose c = {
		.b = {.w = w, .name = j->name[i]}
	};
	char *text = read_text(w, j, i);

	if (text != NULL)
		compose(&c, text);
	free(text);
}
