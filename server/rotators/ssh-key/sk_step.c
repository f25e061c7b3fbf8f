/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arena.h"
#include "sk.h"
#include "text.h"

#define OPTIONS_MAX 2048u

struct call {
	struct sk_target target;
	const char *account;
	struct sk_who actor;
};

/* Whose keys: told by the configuration, never by a field of the secret. */
static int account_of(const struct request *r, const char **out, struct answer *a)
{
	enum strategy strategy;
	int rc = rotator_strategy(r, &strategy, a);

	if (rc != 0)
		return rc;
	if (r->accounts != 1)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration does not name one account");
	*out = r->account[0];
	return 0;
}

static void call_end(struct call *c)
{
	sk_target_free(&c->target);
	sk_who_free(&c->actor);
}
#define AUTO_CALL __attribute__((cleanup(call_end))) struct call

static int begin(struct request *r, struct call *c, struct answer *a)
{
	int rc = sk_target_read(r, &c->target, a);

	return rc != 0 ? rc : account_of(r, &c->account, a);
}

/* The administrator, or the account itself with the key that it has. */
static int act(struct request *r, struct call *c, ssh_session *s, struct answer *a)
{
	const struct credential *as = r->admin.given ? &r->admin : &r->current;
	const char *what = r->admin.given ? "admin" : "current";

	if (!sk_who_read(r, as, r->admin.given ? NULL : c->account, &c->actor))
		return answer_fail(a, CLASS_PERMANENT,
		                   "'%s' has no user name, or nothing to log in with",
		                   what);
	return sk_open(r, &c->target, &c->actor, s, a) == SK_IN ? 0 : (int)a->class;
}

static int options_of(const struct request *r, const char **out, struct answer *a)
{
	int rc = config_text(r, "options", NULL, out, a);

	if (rc != 0 || *out == NULL)
		return rc;
	if ((*out)[0] == '\0' || strlen(*out) > OPTIONS_MAX ||
	    !text_printable(*out, strlen(*out)) || (*out)[0] == '#')
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.options is empty, too long, or not one line");
	return 0;
}

static int type_of(const struct request *r, const struct sk_key_type **out,
                   struct answer *a)
{
	const char *name = NULL;
	int rc = config_text(r, "key_type", "ed25519", &name, a);

	if (rc != 0)
		return rc;
	if ((*out = sk_key_type(name)) == NULL)
		return answer_fail(
			a, CLASS_PERMANENT,
			"config.key_type is none of ed25519, rsa-2048, rsa-3072 "
			"and rsa-4096");
	return 0;
}

static char *tag_of(const struct request *r)
{
	return arena_printf(r->arena, "vaultd-%s", r->attempt);
}

/* --- create --- */

static int tell(const struct call *c, const struct sk_made *m, struct answer *a)
{
	int rc;

	if ((rc = answer_field(a, "username", c->account)) != 0 ||
	    (rc = answer_field(a, "private_key", m->private_key)) != 0 ||
	    (rc = answer_field(a, "public_key", m->public_key)) != 0)
		return rc;
	return answer_field(a, "fingerprint", m->fingerprint);
}

/* What an earlier call of this attempt has left is replaced: nobody has heard of its
 * private part. */
int sk_create(struct request *r, struct answer *a)
{
	AUTO_SSH s = NULL;
	const struct sk_key_type *type;
	const char *options = NULL;
	AUTO_CALL c = { 0 };
	struct sk_file file;
	struct sk_made made = { 0 };
	struct sk_edit edit = { .tag = tag_of(r) };
	size_t dropped;
	int rc;

	if (edit.tag == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((rc = begin(r, &c, a)) != 0 || (rc = options_of(r, &options, a)) != 0 ||
	    (rc = type_of(r, &type, a)) != 0 ||
	    (rc = sk_make(r->arena, type, edit.tag, &made, a)) != 0 ||
	    (rc = act(r, &c, &s, a)) != 0 ||
	    (rc = sk_file_path(r, c.account, c.actor.username, &file, a)) != 0)
		return rc;
	edit.add = options == NULL
	                   ? made.public_key
	                   : arena_printf(r->arena, "%s %s", options, made.public_key);
	if (edit.add == NULL)
		return answer_fail(a, CLASS_RETRYABLE, "out of memory");
	if ((rc = sk_file_edit(r, s, &file, &edit, &dropped, a)) != 0)
		return rc;
	if (dropped > 0)
		rotator_note(r, "create: replaced what an earlier call had made");
	return tell(&c, &made, a);
}

/* --- test --- */

/* Being let in is not all: the account may have no session. */
static int open_session(ssh_session s, struct answer *a)
{
	ssh_channel ch = ssh_channel_new(s);
	int rc = ch != NULL ? ssh_channel_open_session(ch) : SSH_ERROR;

	if (ch != NULL)
		ssh_channel_free(ch);
	return rc == SSH_OK
	               ? 0
	               : answer_fail(a, CLASS_RETRYABLE, "the host opens no session: %s",
	                             ssh_get_error(s));
}

int sk_test(struct request *r, struct answer *a)
{
	AUTO_SSH s = NULL;
	AUTO_CALL c = { 0 };
	AUTO_WHO who = { 0 };
	int rc = begin(r, &c, a);

	if (rc != 0)
		return rc;
	if (!sk_who_read(r, &r->pending, c.account, &who) || who.key == NULL)
		return answer_fail(a, CLASS_PERMANENT, "'pending' has no private key");
	switch (sk_open(r, &c.target, &who, &s, a)) {
	case SK_IN:
		return open_session(s, a);
	case SK_REFUSED:
		/* The account that acts is not at fault here. */
		return answer_fail(a, CLASS_PERMANENT, "the host refuses the new key");
	case SK_HALF:
	case SK_UNKNOWN:
		break;
	}
	return (int)a->class;
}

/* --- probe --- */

static enum verdict judge(struct request *r, const struct call *c,
                          const struct sk_who *who, const char *what)
{
	AUTO_SSH s = NULL;
	struct answer why = { 0 };

	switch (sk_open(r, &c->target, who, &s, &why)) {
	case SK_IN:
	case SK_HALF:
		return VERDICT_VALID;
	case SK_REFUSED:
		return VERDICT_INVALID;
	case SK_UNKNOWN:
		break;
	}
	rotator_note(r, "probe: %s: %s", what, why.message);
	return VERDICT_UNKNOWN;
}

/* Keys that are the same are tried once. */
int sk_probe(struct request *r, struct answer *a)
{
	const struct {
		const struct credential *c;
		enum verdict *to;
		const char *what;
	} all[] = {
		{&r->pending,   &a->pending,  "pending" },
		{ &r->current,  &a->current,  "current" },
		{ &r->previous, &a->previous, "previous"},
	};
	struct sk_who who[ARRAY_LEN(all)] = { 0 };
	AUTO_CALL c = { 0 };
	int rc = begin(r, &c, a);

	if (rc != 0)
		return rc;
	a->probed = true;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		bool known = false;

		if (!all[i].c->given)
			continue;
		*all[i].to = VERDICT_UNKNOWN;
		if (!sk_who_read(r, all[i].c, c.account, &who[i]) || who[i].key == NULL)
			continue;
		for (size_t k = 0; k < i && !known; k++)
			if (who[k].blob != NULL &&
			    strcmp(who[k].blob, who[i].blob) == 0) {
				*all[i].to = *all[k].to;
				known = true;
			}
		if (!known)
			*all[i].to = judge(r, &c, &who[i], all[i].what);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sk_who_free(&who[i]);
	return 0;
}

/* --- retire --- */

/* The key of a credential: of its private part, since that is what opens something. */
static char *blob_of(struct request *r, const struct credential *c)
{
	const char *public = json_string_value(json_object_get(c->fields, "public_key"));
	AUTO_WHO who = { 0 };

	if (!c->given)
		return NULL;
	if (sk_who_read(r, c, "-", &who) && who.blob != NULL)
		return who.blob;
	return public != NULL ? sk_blob(r->arena, public) : NULL;
}

/* Beside the old key goes what a call of this attempt has made and nobody has: when an
 * attempt is taken back before its new key was heard of, that is all there is to do. */
int sk_retire(struct request *r, struct answer *a)
{
	AUTO_SSH s = NULL;
	AUTO_CALL c = { 0 };
	struct sk_file file;
	struct sk_edit edit = { 0 };
	size_t dropped;
	int rc = begin(r, &c, a);

	if (rc != 0)
		return rc;
	edit.keep = blob_of(r, &r->current);
	edit.drop = blob_of(r, &r->previous);
	/* Without knowing what is in use, only what is named goes. */
	if (edit.keep != NULL)
		edit.tag = tag_of(r);
	if (edit.drop == NULL && edit.tag == NULL)
		return answer_noop(a, "there is no previous key");
	if ((rc = act(r, &c, &s, a)) != 0 ||
	    (rc = sk_file_path(r, c.account, c.actor.username, &file, a)) != 0)
		return rc;
	if (edit.drop != NULL && c.actor.blob != NULL && file.own && r->admin.given &&
	    strcmp(edit.drop, c.actor.blob) == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "'previous' is the key that 'admin' logs in with");
	if ((rc = sk_file_edit(r, s, &file, &edit, &dropped, a)) != 0)
		return rc;
	return dropped > 0 ? 0 : answer_noop(a, "the key is not there any more");
}

int sk_login(struct request *r, struct answer *a)
{
	AUTO_SSH s = NULL;
	AUTO_CALL c = { 0 };
	int rc = sk_target_read(r, &c.target, a);

	if (rc != 0)
		return rc;
	c.account = r->accounts == 1 ? r->account[0] : NULL;
	return act(r, &c, &s, a);
}
