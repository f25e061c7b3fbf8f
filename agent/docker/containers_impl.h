/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_CONTAINERS_IMPL_H
#define AGENT_DOCKER_CONTAINERS_IMPL_H
/* containers_impl - what the files of the module share; nobody else includes it. */
#include "containers.h"
#include "docker.h"

/* What makes a container one of ours. */
struct container_rules {
	char *run_dir;
	bool labels;
	char *driver; /* or NULL */
	const char *(*binding_of)(void *ctx, const char *volume);
	void *ctx;
	char **names;
	size_t n_names;
};

#define CONTAINER_MOUNT_TEXTS 3

/* A row of the table.  Labels and mounts of a container never change. */
struct container_row {
	struct container c; /* points into what follows */
	struct containers *table;
	char id[DOCKER_ID_MAX + 1];
	char *name;
	char *image, *image_id, *service, *project;
	char **bindings;
	struct container_mount *mounts;
	char **mount_texts; /* CONTAINER_MOUNT_TEXTS for each */

	bool published;
	bool changed; /* since it was published */
	bool gone;
	bool dirty;       /* something happened: to be listed */
	bool inspect_due; /* to be inspected */
	bool inspecting;
	unsigned asked, seen;  /* which list asked for it, and had it */
	unsigned inspected[2]; /* after which list it was begun, and was answered */
};

/** container_row_new(r, item, out): a row from an item of a list; NULL in ${out} if it is
 * none of ours.  ERR_INVALID: this is no container; ERR_NOMEM. */
int container_row_new(const struct container_rules *r, const json_t *item,
                      struct container_row **out) MUST_CHECK;
void container_row_free(struct container_row *row);

/** container_row_list(r, row, item): what may have changed; marks the row.  The name is
 * not certain while there are two: container_row_inspect() knows it. */
void container_row_list(const struct container_rules *r, struct container_row *row,
                        const json_t *item);
/** container_row_inspect(row, doc): the same from what Docker knows of one. */
void container_row_inspect(struct container_row *row, const json_t *doc);
/** container_row_health(row, h): marks the row if it is another. */
void container_row_health(struct container_row *row, enum container_health h);
/** container_row_running(row, running) */
void container_row_running(struct container_row *row, bool running);
/** container_row_concerns(r, row): still, under its present name? */
bool container_row_concerns(const struct container_rules *r,
                            const struct container_row *row);
/** container_health_parse(s, out): the Engine's word. */
bool container_health_parse(const char *s, enum container_health *out);

#endif
