/* SPDX-License-Identifier: Apache-2.0 */
#include "dev.h"

#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "vault/ipc.h"

/* The reply to the one request that dev_setup() has under way. */
static struct {
	struct arena *a;
	struct value *reply;
} waiting;

void dev_reply(const struct value *reply)
{
	if (waiting.a != NULL)
		waiting.reply = value_copy(waiting.a, reply);
}

static struct value *frame_for(struct arena *a, const char *path, const char *token,
                               struct value *body)
{
	struct value *rq = value_array(a);

	value_add(rq, value_int(a, HTTP_POST));
	value_add(rq, value_str(a, path));
	value_add(rq, value_str(a, token));
	value_add(rq, value_str(a, "127.0.0.1"));
	value_add(rq, value_null(a));
	value_add(rq, body);
	value_add(rq, value_int(a, 0));
	value_add(rq, value_int(a, IPC_ON_UNIX));
	value_add(rq, value_int(a, IPC_F_LOOPBACK));
	value_add(rq, value_null(a));
	return rq;
}

/* One request, run in a batch of its own; *body is the reply's body. */
static int ask(struct core *c, const char *path, const char *token, struct value *request,
               struct value **body, struct err *e)
{
	size_t n;
	unsigned char *p = value_pack(waiting.a,
	                              frame_for(waiting.a, path, token, request), &n);
	int64_t status;
	int rc;

	waiting.reply = NULL;
	if (p == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if ((rc = core_submit(c, DEV_PEER, 1, p, n)) != ERR_OK)
		return err_set(e, (enum errcode)rc, "dev setup: queue is full");
	if ((rc = core_run_batch(c, e)) != ERR_OK)
		return rc;
	if (value_to_int(value_at(waiting.reply, IPC_RP_STATUS), &status) != 0 ||
	    status >= 300)
		return err_set(e, ERR_INTERNAL, "dev setup: %s was refused", path);
	*body = value_at(waiting.reply, IPC_RP_BODY);
	return ERR_OK;
}

static int keep(const struct value *from, const char *what, char *out, size_t cap,
                struct err *e)
{
	if (from == NULL || from->type != V_STRING || from->len >= cap)
		return err_set(e, ERR_INTERNAL, "dev setup: no %s in the reply", what);
	memcpy(out, from->text, from->len);
	out[from->len] = '\0';
	return ERR_OK;
}

static int replace_root(struct core *c, const char *wanted, struct dev_result *out,
                        struct err *e)
{
	struct arena *a = waiting.a;
	struct value *create = value_object(a), *policies = value_array(a), *body;
	int rc;

	value_add(policies, value_str(a, "root"));
	value_set_str(a, create, "id", wanted);
	value_set(create, "policies", policies);
	value_set_bool(a, create, "no_parent", true);
	value_set_str(a, create, "display_name", "root");
	if ((rc = ask(c, "auth/token/create", out->root_token, create, &body, e)) !=
	            ERR_OK ||
	    (rc = ask(c, "auth/token/revoke-self", out->root_token, value_object(a),
	              &body, e)) != ERR_OK)
		return rc;
	snprintf(out->root_token, sizeof(out->root_token), "%s", wanted);
	return ERR_OK;
}

static int setup(struct core *c, const char *root_token, struct dev_result *out,
                 struct err *e)
{
	struct arena *a = waiting.a;
	struct value *init = value_object(a), *unseal = value_object(a), *body = NULL;
	int rc;

	value_set_int(a, init, "secret_shares", 1);
	value_set_int(a, init, "secret_threshold", 1);
	if ((rc = ask(c, "sys/init", NULL, init, &body, e)) != ERR_OK ||
	    (rc = keep(value_get(body, "root_token"), "root token", out->root_token,
	               sizeof(out->root_token), e)) != ERR_OK ||
	    (rc = keep(value_at(value_get(body, "keys_base64"), 0), "key",
	               out->unseal_key, sizeof(out->unseal_key), e)) != ERR_OK)
		return rc;
	if (c->keys == NULL) {
		value_set_str(a, unseal, "key", out->unseal_key);
		if ((rc = ask(c, "sys/unseal", NULL, unseal, &body, e)) != ERR_OK)
			return rc;
	}
	return root_token != NULL ? replace_root(c, root_token, out, e) : ERR_OK;
}

int dev_setup(struct core *c, const char *root_token, struct dev_result *out,
              struct err *e)
{
	int rc;

	waiting.a = arena_new(1024u * 1024);
	if (waiting.a == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	rc = setup(c, root_token, out, e);
	arena_free(waiting.a);
	waiting.a = NULL;
	waiting.reply = NULL;
	return rc;
}
