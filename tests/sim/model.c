/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

const char *const sim_paths[PATHS] = { "a", "b", "dir/c", "dir/d", "dir/sub/e", "f" };

void model_value(uint64_t tag, char out[48])
{
	snprintf(out, 48, "value-%llu", (unsigned long long)tag);
}

const char *model_token(const struct world *w, const struct model *m, int token)
{
	if (token == -1)
		return w->root;
	if (token == -2)
		return NULL;
	return token < 0 ? "vlt_s_nonsense" : m->token[token].text;
}

/* Alive by both clocks; a token that is dead by one of them may be refused. */
static bool token_dead(const struct world *w, const struct m_token *t)
{
	return !t->used || !t->alive ||
	       (t->expires_wall != 0 && w->wall >= t->expires_wall &&
	        w->boot >= t->expires_boot);
}

static bool token_doubtful(const struct world *w, const struct m_token *t)
{
	return t->maybe || (t->expires_wall != 0 &&
	                    (w->wall >= t->expires_wall || w->boot >= t->expires_boot));
}

static bool reader_may(const struct model *m, const struct sim_op *op)
{
	bool read = op->kind == DO_GET;

	return read && m->reader_may == 0 && strncmp(sim_paths[op->path], "dir/", 4) == 0;
}

/* Is the caller let through?  Counts a use, as every authenticated request does. */
static bool admitted(struct world *w, struct model *m, const struct sim_op *op,
                     struct expect *out)
{
	struct m_token *t;

	if (op->token == -1)
		return true;
	out->status = 403;
	if (op->token < 0)
		return false;
	t = &m->token[op->token];
	if (token_dead(w, t))
		return false;
	if (token_doubtful(w, t))
		out->status = 0;
	if (t->uses > 0 && --t->uses == 0)
		t->alive = false;
	return !t->reader || op->kind == DO_LOOKUP || reader_may(m, op);
}

static struct m_version *add_version(struct m_path *p, uint64_t tag)
{
	struct m_version *v;

	p->exists = true;
	p->current++;
	v = &p->v[p->current % VERSIONS];
	*v = (struct m_version){ .tag = tag, .state = VER_LIVE };
	return v;
}

static bool in_range(const struct m_path *p, int version)
{
	return p->exists && version >= 1 && version <= p->current &&
	       version > p->current - KEEP;
}

static void apply_put(struct model *m, const struct sim_op *op, struct expect *out)
{
	struct m_path *p = &m->path[op->path];
	int current = p->exists ? p->current : 0;

	if (op->cas >= 0 && op->cas != current) {
		out->status = 400;
		return;
	}
	add_version(p, op->tag);
	out->status = 200;
	out->version = p->current;
}

static void apply_get(struct model *m, const struct sim_op *op, struct expect *out)
{
	struct m_path *p = &m->path[op->path];
	int version = op->version == 0 ? p->current : op->version;

	out->status = 404;
	if (!in_range(p, version))
		return;
	out->version = version;
	if (p->v[version % VERSIONS].state == VER_LIVE)
		out->status = 200;
	else
		out->body = true;
}

static void set_state(struct model *m, const struct sim_op *op, int version,
                      enum ver_state to)
{
	struct m_path *p = &m->path[op->path];
	struct m_version *v = &p->v[version % VERSIONS];

	if (!in_range(p, version) || v->state == VER_DESTROYED)
		return;
	v->state = to;
}

static void apply_rotate(struct model *m, const struct sim_op *op, struct expect *out)
{
	struct m_path *p = &m->path[op->path];

	out->status = 200;
	out->other = 400; /* a rotation that still waits for its hosts */
	if (!p->exists || p->v[p->current % VERSIONS].state != VER_LIVE) {
		out->status = 400;
		out->other = 404;
		return;
	}
	add_version(p, 0);
	out->version = p->current;
}

static void apply_token(struct world *w, struct model *m, const struct call *c)
{
	struct m_token *t = &m->token[c->op.slot];

	*t = (struct m_token){
		.used = true, .alive = true, .reader = c->op.reader, .uses = c->op.uses
	};
	if (c->op.ttl_ms > 0) {
		t->expires_wall = w->wall + c->op.ttl_ms;
		t->expires_boot = w->boot + c->op.ttl_ms;
	}
}

static void apply_wrap(struct world *w, struct model *m, const struct call *c,
                       struct expect *out)
{
	m->wrap[c->op.wrap] = (struct m_wrap){
		.used = true,
		.alive = true,
		.tag = c->op.tag,
		.expires_wall = w->wall + c->op.ttl_ms,
		.expires_boot = w->boot + c->op.ttl_ms,
	};
	out->status = 200;
}

static void apply_unwrap(struct world *w, struct model *m, const struct sim_op *op,
                         struct expect *out)
{
	struct m_wrap *wrap = &m->wrap[op->wrap];

	out->status = wrap->alive && w->boot < wrap->expires_boot ? 200 : 400;
	if (out->status == 200 && wrap->maybe)
		out->other = 400;
	wrap->alive = false;
}

static void apply_flat(struct model *m, const struct sim_op *op, struct expect *out)
{
	uint64_t *at = &m->flat[op->path];

	out->status = 404; /* no mount, or nothing there */
	if (!m->mounted)
		return;
	if (op->kind == DO_FLAT_GET) {
		out->tag = *at;
		out->status = *at != 0 ? 200 : 404;
		return;
	}
	*at = op->kind == DO_FLAT_PUT ? op->tag : 0;
	out->status = 204;
}

static void apply_mount(struct model *m, const struct sim_op *op, struct expect *out)
{
	out->status = op->kind == DO_MOUNT && m->mounted ? 400 : 204;
	m->mounted = op->kind == DO_MOUNT;
	if (!m->mounted)
		memset(m->flat, 0, sizeof(m->flat));
}

static void apply_allowed(struct world *w, struct model *m, const struct call *c,
                          struct expect *out)
{
	const struct sim_op *op = &c->op;

	switch (op->kind) {
	case DO_PUT:
		apply_put(m, op, out);
		return;
	case DO_GET:
		apply_get(m, op, out);
		return;
	case DO_DELETE:
		set_state(m, op, m->path[op->path].current, VER_DELETED);
		break;
	case DO_UNDELETE:
		set_state(m, op, op->version, VER_LIVE);
		break;
	case DO_DESTROY:
		set_state(m, op, op->version, VER_DESTROYED);
		break;
	case DO_PURGE:
		memset(&m->path[op->path], 0, sizeof(m->path[op->path]));
		break;
	case DO_ROTATE:
		apply_rotate(m, op, out);
		return;
	case DO_WRAP:
		apply_wrap(w, m, c, out);
		return;
	case DO_UNWRAP:
		apply_unwrap(w, m, op, out);
		return;
	case DO_MOUNT:
	case DO_UNMOUNT:
		apply_mount(m, op, out);
		return;
	case DO_FLAT_PUT:
	case DO_FLAT_GET:
	case DO_FLAT_DELETE:
		apply_flat(m, op, out);
		return;
	case DO_TOKEN:
		apply_token(w, m, c);
		out->status = 200;
		return;
	case DO_REVOKE:
		/* unknown accessors are refused */
		out->other = 400;
		m->token[op->slot].alive = false;
		break;
	case DO_POLICY:
		m->reader_may = op->policy;
		break;
	case DO_LIST:
		out->status = 0;
		return;
	case DO_LOOKUP:
		out->status = 200;
		return;
	default:
		out->status = 0;
		out->other = 0;
		return;
	}
	out->status = 204;
}

void model_apply(struct world *w, struct model *m, const struct call *c,
                 struct expect *out)
{
	bool doubt;

	*out = (struct expect){ 0 };
	if (!admitted(w, m, &c->op, out))
		return;
	doubt = c->op.token >= 0 && out->status == 0;
	apply_allowed(w, m, c, out);
	if (doubt && out->other == 0)
		out->other = 403;
}

static bool same(const struct value *v, const char *s)
{
	return v != NULL && v->type == V_STRING && strlen(s) == v->len &&
	       memcmp(v->text, s, v->len) == 0;
}

static void judge_value(struct world *w, struct call *c, const struct expect *exp,
                        const struct value *data)
{
	struct m_path *p = &w->m.path[c->op.path];
	struct m_version *v = &p->v[exp->version % VERSIONS];
	const struct value *got = value_get(value_get(data, "data"), "v");
	int64_t version = value_int_or(value_get(data, "metadata"), "version", -1);
	char want[48];

	if (version != exp->version)
		fail(w, "read of %s: version %lld instead of %d", sim_paths[c->op.path],
		     (long long)version, exp->version);
	if (v->tag != 0)
		model_value(v->tag, want);
	else
		snprintf(want, sizeof(want), "%s", v->text);
	if (want[0] == '\0' && got != NULL && got->len < sizeof(v->text)) {
		memcpy(v->text, got->text, got->len);
		v->text[got->len] = '\0';
		return;
	}
	if (!same(got, want))
		fail(w, "read of %s version %d: not the value that was written",
		     sim_paths[c->op.path], exp->version);
}

static void judge_flat(struct world *w, const struct call *c, const struct expect *exp,
                       const struct value *data)
{
	char want[48];

	model_value(exp->tag, want);
	if (!same(value_get(data, "v"), want))
		fail(w, "read of flat/%s: not the value that was written",
		     sim_paths[c->op.path]);
}

static void judge_list(struct world *w, const struct value *keys)
{
	static const char *const top[] = { "a", "b", "dir/", "f" };
	bool want[4] = { w->m.path[0].exists, w->m.path[1].exists,
		         w->m.path[2].exists || w->m.path[3].exists ||
		                 w->m.path[4].exists,
		         w->m.path[5].exists };

	for (int i = 0; i < 4; i++) {
		bool found = false;

		for (const struct value *k = keys != NULL ? keys->first : NULL; k != NULL;
		     k = k->next)
			found |= same(k, top[i]);
		if (found != want[i])
			fail(w, "list: '%s' is %s", top[i], found ? "there" : "missing");
	}
}

static void learn_token(struct world *w, struct call *c, const struct value *body)
{
	struct m_token *t = &w->m.token[c->op.slot];
	const struct value *auth = value_get(body, "auth");
	const struct value *text = value_get(auth, "client_token");
	const struct value *accessor = value_get(auth, "accessor");

	if (text == NULL || accessor == NULL || text->len >= sizeof(t->text) ||
	    accessor->len >= sizeof(t->accessor)) {
		fail(w, "a token was created but not returned");
		return;
	}
	memcpy(t->text, text->text, text->len);
	t->text[text->len] = '\0';
	memcpy(t->accessor, accessor->text, accessor->len);
	t->accessor[accessor->len] = '\0';
}

static void learn_wrap(struct world *w, struct call *c, const struct value *body)
{
	struct m_wrap *wrap = &w->m.wrap[c->op.wrap];
	const struct value *text = value_get(value_get(body, "wrap_info"), "token");

	if (text == NULL || text->len >= sizeof(wrap->text) ||
	    value_get(body, "data") != NULL) {
		fail(w, "a reply was not wrapped");
		return;
	}
	memcpy(wrap->text, text->text, text->len);
	wrap->text[text->len] = '\0';
}

static void judge_unwrapped(struct world *w, struct call *c, const struct value *data)
{
	char want[48];

	model_value(w->m.wrap[c->op.wrap].tag, want);
	if (!same(value_get(data, "v"), want))
		fail(w, "unwrap: not what was wrapped");
}

static const char *const op_names[DO__COUNT] = {
	"put",   "get",     "delete",   "undelete", "destroy",     "purge", "list",
	"token", "revoke",  "policy",   "lookup",   "rotate",      "wrap",  "unwrap",
	"mount", "unmount", "flat put", "flat get", "flat delete", "bad",   "agent",
};

/* A rotation that was refused because one is under way changes nothing. */
static void undo_rotate(struct world *w, struct call *c)
{
	struct m_path *p = &w->m.path[c->op.path];

	p->v[p->current % VERSIONS] = (struct m_version){ 0 };
	p->current--;
}

void model_judge(struct world *w, struct call *c, const struct expect *exp, int status,
                 const struct value *body)
{
	const struct value *data = value_get(body, "data");

	if (exp->status != 0 && status != exp->status &&
	    (exp->other == 0 || status != exp->other)) {
		fail(w, "%s %s (version %d) by token %d: status %d instead of %d",
		     op_names[c->op.kind], sim_paths[c->op.path], c->op.version,
		     c->op.token, status, exp->status);
		return;
	}
	if (status == 403) {
		if (data != NULL)
			fail(w, "a refusal carries data");
		return;
	}
	switch (c->op.kind) {
	case DO_GET:
		if (status == 200)
			judge_value(w, c, exp, data);
		else if (exp->body != (data != NULL))
			fail(w, "get of a missing version: %s body",
			     data != NULL ? "a" : "no");
		break;
	case DO_PUT:
		if (status == 200 && value_int_or(data, "version", -1) != exp->version)
			fail(w, "put: not the next version");
		break;
	case DO_ROTATE:
		if (exp->status == 200 && status != 200)
			undo_rotate(w, c);
		else if (status == 200 &&
		         value_int_or(data, "version", -1) != exp->version)
			fail(w, "rotate: version %lld instead of %d",
			     (long long)value_int_or(data, "version", -1), exp->version);
		break;
	case DO_LIST:
		judge_list(w, value_get(data, "keys"));
		break;
	case DO_WRAP:
		if (status == 200)
			learn_wrap(w, c, body);
		break;
	case DO_UNWRAP:
		if (status == 200)
			judge_unwrapped(w, c, data);
		break;
	case DO_FLAT_GET:
		if (status == 200)
			judge_flat(w, c, exp, data);
		break;
	case DO_TOKEN:
		if (status == 200)
			learn_token(w, c, body);
		break;
	default:
		break;
	}
}
