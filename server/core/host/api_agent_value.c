/* SPDX-License-Identifier: Apache-2.0 */
/* api_agent_value - a value, or the names in a folder, for the host that has the lease.
 */
#include "api_agent.h"
#include "arena.h"
#include "kv_folder.h"
#include "kv_leased.h"
#include "swarm.h"

/* ${metadata} may be NULL. */
static struct value *value_said(struct arena *a, const struct lease *l,
                                const struct value *data, struct value *metadata)
{
	struct value *b = value_object(a);

	value_set_str(a, b, "lease_id", lease_id_text(a, l));
	value_set_str(a, b, "path", l->path);
	value_set_int(a, b, "version", l->version);
	value_set_int(a, b, "rev", l->rev);
	value_set(b, "data", value_copy(a, data));
	if (metadata != NULL)
		value_set(b, "metadata", metadata);
	return b;
}

static struct value *item_of(struct req *r, struct arena *a, const struct lease *l,
                             const unsigned char *box, size_t n)
{
	struct value *item = value_object(r->a);

	value_set(item, "lease_id",
	          value_str(r->a, arena_str(r->a, lease_id_text(a, l))));
	value_set_int(r->a, item, "version", l->version);
	value_set(item, "sealed", value_bytes(r->a, arena_dup(r->a, box, n), n));
	return item;
}

/* One that is not the current one any more: the lease does not change by it. */
static int take_old(struct core *c, struct arena *a, struct lease *l, int64_t version,
                    struct value **data, struct err *e)
{
	int rc = kv_leased_version(c, a, l->o.tag, version, data, e);

	if (rc == ERR_OK)
		l->version = version;
	return rc;
}

/* The current value, what a read shows beside it (NULL: nothing), and its version in the
 * lease. */
static int take_value(struct core *c, struct arena *a, struct lease *l,
                      struct value **data, struct value **metadata, struct err *e)
{
	struct kv_leased s;
	int rc = kv_leased_open(c, a, l->o.tag, &s, e);

	if (rc != ERR_OK)
		return rc;
	*data = s.data;
	*metadata = s.metadata;
	l->version = s.version;
	if (l->target < s.version)
		l->target = s.version;
	return ERR_OK;
}

/* With many holders a lease may not know yet of a change that the names have: then they
 * come once more. */
static int take_names(struct core *c, struct arena *a, struct lease *l,
                      struct value **data, struct err *e)
{
	struct value *names;
	int rc = kv_folder_names(c, a, l->path, &names, e);

	if (rc != ERR_OK)
		return rc;
	*data = value_object(a);
	value_set(*data, "keys", names);
	l->version = l->target;
	return ERR_OK;
}

int agent_give(struct req *r, struct arena *a, const struct agent_fetch *f,
               struct lease *l, size_t *room, struct value **item, struct err *e)
{
	struct value *data = NULL, *metadata = NULL, *said;
	int64_t had = l->version;
	unsigned char *box;
	size_t n;
	int rc;

	if (kv_is_folder(l->path))
		rc = take_names(r->core, a, l, &data, e);
	else if (f->version != 0)
		rc = take_old(r->core, a, l, f->version, &data, e);
	else
		rc = take_value(r->core, a, l, &data, &metadata, e);
	*item = NULL;
	if (rc != ERR_OK || value_size(data) > *room)
		return rc;
	said = value_said(a, l, data, metadata);
	if (l->cluster[0] != '\0' &&
	    (rc = swarm_fp(r->core, a, l, data, said, e)) != ERR_OK)
		return rc;
	box = host_statement(r->core, a, &f->h, &f->asked, said, &n);
	if (box == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (n > *room)
		return ERR_OK;
	if (f->version == 0 && l->version != had &&
	    (rc = lease_save(r->core, a, l, e)) != ERR_OK)
		return rc;
	*room -= n;
	*item = item_of(r, a, l, box, n);
	return ERR_OK;
}

struct value *agent_given(struct req *r, const struct lease *l)
{
	return value_str(r->a,
	                 arena_printf(r->a, "%s@%lld", l->path, (long long)l->version));
}
