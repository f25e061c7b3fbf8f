/* SPDX-License-Identifier: Apache-2.0 */
/* conn - connections and the request that each carries. */
#include <sodium.h>
#include <string.h>

#include "net.h"

/* Make sure that a slot is free. */
static bool grow_slots(struct net *n)
{
	uint32_t slots = n->slots == 0 ? 256 : n->slots * 2;
	struct MHD_Connection **mhd;
	struct conn **slot;
	uint32_t *free_slot;

	if (n->free_slots > 0)
		return true;
	if ((slot = reallocarray(n->slot, slots, sizeof(*slot))) == NULL)
		return false;
	n->slot = slot;
	if ((mhd = reallocarray(n->mhd, slots, sizeof(*mhd))) == NULL)
		return false;
	n->mhd = mhd;
	if ((free_slot = reallocarray(n->free_slot, slots, sizeof(*free_slot))) == NULL)
		return false;
	n->free_slot = free_slot;
	for (uint32_t i = slots; i-- > n->slots;) {
		slot[i] = NULL;
		mhd[i] = NULL;
		free_slot[n->free_slots++] = i;
	}
	n->slots = slots;
	return true;
}

static void set_address(struct conn *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info != NULL ? info->client_addr : NULL;
	socklen_t len = sa != NULL && sa->sa_family == AF_INET6
	                        ? sizeof(struct sockaddr_in6)
	                        : sizeof(struct sockaddr_in);

	if (c->l->is_unix || sa == NULL || !addr_key(sa, len, c->address)) {
		snprintf(c->remote, sizeof(c->remote), "unix");
		c->loopback = true;
		return;
	}
	addr_text(sa, len, c->remote);
	c->loopback = addr_is_loopback(c->address);
	c->counted = (!c->loopback || c->net->rate_loopback) &&
	             addr_add(c->net->addresses, c->address);
}

struct conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

struct conn *conn_new(struct listener *l, struct MHD_Connection *mhd)
{
	struct net *n = l->net;
	struct conn *c;

	if (!grow_slots(n) || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->net = n;
	c->l = l;
	c->mhd = mhd;
	c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
	                ->connect_fd;
	c->slot = n->free_slot[--n->free_slots];
	n->slot[c->slot] = c;
	n->mhd[c->slot] = mhd;
	l->connections++;
	set_address(c);
	tls_begin(c);
	timer_set(c, TIMER_RECEIVE);
	return c;
}

void conn_drop_body(struct conn *c)
{
	c->net->bodies -= c->body.cap;
	jbuf_free(&c->body);
}

void conn_wipe_credentials(struct conn *c)
{
	if (c->token != NULL)
		sodium_memzero(c->token, c->token_len);
	if (c->authorization != NULL)
		sodium_memzero(c->authorization, c->authorization_len);
	c->token = c->authorization = NULL;
	c->token_len = c->authorization_len = 0;
}

void conn_request_done(struct conn *c)
{
	conn_unwatch(c);
	conn_drop_body(c);
	if (c->target != NULL)
		sodium_memzero(c->target, c->target_len);
	if (c->target_cap > 1024) {
		free(c->target);
		c->target = NULL;
		c->target_cap = 0;
	}
	if (c->response != NULL)
		MHD_destroy_response(c->response);
	c->response = NULL;
	c->content_length = c->content_type = c->wrap_ttl = c->name_space = NULL;
	c->wants_text = c->text = false;
	c->token = c->authorization = NULL;
	c->token_len = c->authorization_len = 0;
	c->target_len = 0;
	c->method = 0;
	c->chunked = false;
	c->help = false;
	c->body_seen = 0;
	c->id = 0;
	c->gone = false;
	c->phase = CONN_IDLE;
}

void conn_free(struct conn *c)
{
	struct net *n = c->net;

	if (c->id != 0)
		core_link_cancel(c);
	conn_request_done(c);
	timer_set(c, TIMER_NONE);
	if (c->counted)
		addr_remove(n->addresses, c->address);
	c->l->connections--;
	n->slot[c->slot] = NULL;
	n->mhd[c->slot] = NULL;
	n->free_slot[n->free_slots++] = c->slot;
	tls_forget(c);
	free(c->target);
	free(c);
}

struct conn *conn_by_slot(const struct net *n, uint32_t slot)
{
	return slot < n->slots ? n->slot[slot] : NULL;
}

bool conn_set_target(struct conn *c, const char *uri)
{
	size_t len = strlen(uri);

	if (len + 1 > c->target_cap) {
		size_t cap = len < 256 ? 256 : len + 1;
		char *p = malloc(cap);

		if (p == NULL)
			return false;
		free(c->target); /* wiped when its request was done */
		c->target = p;
		c->target_cap = cap;
	}
	memcpy(c->target, uri, len + 1);
	c->target_len = len;
	return true;
}
