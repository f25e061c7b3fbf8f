/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_DOCKER_PLUGIN_H
#define AGENT_DOCKER_PLUGIN_H
/*
 * plugin - the socket at which Docker calls its plugins, and what they have in common.
 *
 * A plugin is known by the name of the socket's file; one socket may serve several kinds
 * of plugins ("VolumeDriver", "secretprovider").  A call is POST /KIND.VERB with a JSON
 * object, answered by another; "Err" in it is what the user reads.  Only root, and who
 * this process runs as, can call: Docker has no other word for who it is.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define PLUGIN_SOCKET      "/run/docker/plugins/vault.sock"
#define PLUGIN_KINDS       2u
#define PLUGIN_REQUEST_MAX (64u * 1024u)

struct plugin;
struct httpd_client;

struct plugin_kind {
	const char *name;  /* as Plugin.Activate says it */
	const char *calls; /* "VolumeDriver": calls are POST /VolumeDriver.VERB */
	/** call(ctx, c, verb, q): leads to one answer, now or later; ${q} is the
	 * request's object, NULL if it has none.  false: there is no such verb. */
	bool (*call)(void *ctx, struct httpd_client *c, const char *verb,
	             const json_t *q);
	/** gone(ctx, c): who asked is not there any more; NULL: each call is answered at
	 * once. */
	void (*gone)(void *ctx, struct httpd_client *c);
	void *ctx;
};

/** plugin_listen(path, out, e): bind the socket (mode 0600), making its directory; before
 * the sandbox closes.  A stale socket is replaced, a live one is ERR_BUSY. */
int plugin_listen(const char *path, struct plugin **out, struct err *e) MUST_CHECK;
/** plugin_free(p): whoever waits is not answered; NULL is allowed. */
void plugin_free(struct plugin *p);
/** plugin_serve(p, kind, e): copied; its texts are borrowed.  ERR_FULL. */
int plugin_serve(struct plugin *p, const struct plugin_kind *kind, struct err *e)
	MUST_CHECK;
/** plugin_leave(p, ctx): what was served with that ${ctx} is no longer. */
void plugin_leave(struct plugin *p, const void *ctx);

/** plugin_attach(p, epoll_fd, e): from now on its events come to the loop. */
int plugin_attach(struct plugin *p, int epoll_fd, struct err *e) MUST_CHECK;
/** plugin_event(p, fd, events): true if ${fd} is one of its descriptors. */
bool plugin_event(struct plugin *p, int fd, unsigned events);

/** plugin_path(p): of the socket; plugin_name(p): by what name Docker knows it. */
const char *plugin_path(const struct plugin *p);
const char *plugin_name(const struct plugin *p);

/** plugin_answer(c, doc): takes the document.  plugin_fail(c, why): {"Err": why}.
 * plugin_answer_text(c, text): JSON, borrowed. */
void plugin_answer(struct httpd_client *c, json_t *doc);
void plugin_fail(struct httpd_client *c, const char *why);
void plugin_answer_text(struct httpd_client *c, const char *text);

#endif
