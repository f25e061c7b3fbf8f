/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - the certificates of TLS clients: asked for, bounded, told to core.
 *
 * A certificate is requested, never required, and only where the API is served.  Chains
 * are not judged during the handshake: who shows a useless certificate is a client
 * without one.  What is judged there is cost, before the library does the costly thing.
 */
#include <gnutls/gnutls.h>
#include <string.h>

#include "client_cert.h"
#include "clock.h"
#include "log.h"
#include "net.h"

/* What a TLS message needs beside the certificates themselves. */
#define CERTIFICATE_OVERHEAD 256u

static gnutls_session_t session_of(const struct conn *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info != NULL ? info->tls_session : NULL;
}

static int refuse(gnutls_session_t s, const char *reason)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		gnutls_session_get_ptr(s), MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const struct conn *c = info != NULL ? info->socket_context : NULL;

	if (c != NULL)
		net_reject(c->net, c->remote, reason);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* Before a handshake message is parsed.  The client's signature is verified when
 * CERTIFICATE_VERIFY is, with a key of the client's choice. */
static int on_message(gnutls_session_t s, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *message)
{
	const gnutls_datum_t *peers;
	unsigned n = 0;

	(void)when;
	if (!incoming)
		return 0;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT &&
	    message->size > IPC_CLIENT_BYTES + CERTIFICATE_OVERHEAD)
		return refuse(s, "client certificate too large");
	if (type != GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY)
		return 0;
	peers = gnutls_certificate_get_peers(s, &n);
	if (peers == NULL || n == 0 || n > IPC_CLIENT_CHAIN)
		return refuse(s, "client certificate chain too long");
	return client_key_ok(&peers[0]) ? 0 : refuse(s, "client key not accepted");
}

void tls_begin(struct conn *c)
{
	gnutls_session_t s = session_of(c);

	if (s == NULL || c->l->kind != IPC_ON_API)
		return;
	gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_PRE,
	                                   on_message);
}

void tls_forget(struct conn *c)
{
	free(c->client);
	c->client = NULL;
	c->client_len = 0;
	c->client_trust = 0;
}

void tls_trust(struct net *n, const struct value *set)
{
	struct trust *t = trust_new(set, n->trust);

	if (t == NULL) {
		log_error("the certificates that core trusts cannot be used");
		return;
	}
	trust_free(n->trust);
	n->trust = t;
	n->trust_version++;
}

/* Keep the description, judged by what is trusted now. */
static void describe(struct conn *c)
{
	const struct net *n = c->net;
	gnutls_session_t s = session_of(c);
	unsigned count = 0;
	const gnutls_datum_t *der = s != NULL ? gnutls_certificate_get_peers(s, &count)
	                                      : NULL;
	struct value *v = NULL;
	unsigned char *packed = NULL;
	size_t len = 0;

	tls_forget(c);
	c->client_trust = n->trust_version;
	if (der != NULL)
		v = client_cert_describe(n->trust, der, count,
		                         clock_wall(clock_system()) / 1000, n->a);
	if (v != NULL && (packed = value_pack(n->a, v, &len)) != NULL &&
	    (c->client = malloc(len)) != NULL) {
		memcpy(c->client, packed, len);
		c->client_len = len;
	}
	if (der != NULL && c->client == NULL)
		net_reject(c->net, c->remote, "client certificate not usable");
}

struct value *tls_client(struct conn *c)
{
	if (c->l->is_unix || c->l->kind != IPC_ON_API)
		return value_null(c->net->a);
	if (c->client_trust != c->net->trust_version)
		describe(c);
	return c->client != NULL ? value_encoded(c->net->a, c->client, c->client_len)
	                         : value_null(c->net->a);
}
