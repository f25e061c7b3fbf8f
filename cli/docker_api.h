/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCKER_API_H
#define CLI_DOCKER_API_H
/*
 * docker_api - requests to a Docker Engine that is a manager of a Swarm, one after the
 * other, over its Unix socket.
 */
#include <jansson.h>

#include "err.h"

struct docker_api;

/** docker_api_open(socket, out, e): NULL: /var/run/docker.sock.  ERR_UNREACHABLE;
 * ERR_INVALID: it is no manager, or its Swarm has no leader. */
int docker_api_open(const char *socket, struct docker_api **out, struct err *e)
	MUST_CHECK;
/** docker_api_close(d): NULL is allowed. */
void docker_api_close(struct docker_api *d);
/** docker_api_cluster(d): id of its Swarm. */
const char *docker_api_cluster(const struct docker_api *d);

/** docker_api_get(d, path, out, e): ${path} without the version, such as "/secrets"; the
 * caller json_decref()s what came.  ERR_NOENT for a 404. */
int docker_api_get(struct docker_api *d, const char *path, json_t **out, struct err *e)
	MUST_CHECK;
/** docker_api_post(d, path, body, e): ERR_VERIFY: a secret's data is not what was sent;
 * ERR_CONFLICT: it has changed since it was read. */
int docker_api_post(struct docker_api *d, const char *path, const json_t *body,
                    struct err *e) MUST_CHECK;

#endif
