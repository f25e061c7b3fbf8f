/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "mounts.h"
#include "route.h"

static const struct {
	unsigned bit;
	const char *name;
} methods[] = {
	{M_GET,     "GET"   },
        { M_LIST,   "LIST"  },
        { M_SCAN,   "SCAN"  },
	{ M_POST,   "POST"  },
        { M_PATCH,  "PATCH" },
        { M_DELETE, "DELETE"},
};

/* What does not fit is cut off: no path has that much to say. */
struct help {
	const struct req *r;
	bool whole; /* all that the mount serves, not what serves one path */
	size_t n;
	char text[32768];
};

static void PRINTF(2, 3) add(struct help *h, const char *fmt, ...)
{
	size_t room = sizeof(h->text) - h->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(h->text + h->n, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		h->n += (size_t)n < room ? (size_t)n : room - 1;
}

static void add_methods(struct help *h, unsigned bits)
{
	const char *between = "";

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if ((bits & methods[i].bit) == 0)
			continue;
		add(h, "%s%s", between, methods[i].name);
		between = ", ";
	}
}

static void add_row(void *ctx, const struct route *row)
{
	struct help *h = ctx;

	if (h->whole ? strcmp(row->mount_type, h->r->mount->engine) != 0
	             : !route_serves(h->r, row))
		return;
	add_methods(h, row->methods);
	add(h, " %s%s\n    %s\n", h->r->mount->path, row->pattern,
	    row->help != NULL ? row->help : "");
	for (const struct field *f = row->fields;
	     !h->whole && f != NULL && f->name != NULL; f++)
		add(h, "    %s (%s): %s\n", f->name, f->type, f->help);
}

static int h_help(struct req *r)
{
	struct help *h = arena_alloc(r->a, sizeof(*h));
	struct value *out;

	if (h == NULL)
		return req_fail(r, ERR_NOMEM, "out of memory");
	h->r = r;
	h->whole = strcmp(r->path, r->mount->path) == 0;
	route_each(add_row, h);
	out = reply_bare(r);
	value_set(out, "help", value_strn(r->a, h->text, h->n));
	value_set(out, "see_also", value_null(r->a));
	value_set(out, "openapi", value_null(r->a));
	return ERR_OK;
}

bool help_mount(struct req *r)
{
	bool slash = r->path_len > 0 && r->path[r->path_len - 1] == '/';
	const char *path = slash ? r->path : arena_printf(r->a, "%s/", r->path);
	const struct mount *m = path != NULL ? mounts_at(r->core, path) : NULL;

	if (m == NULL)
		return false;
	r->mount = m;
	r->path = path;
	r->path_len = strlen(path);
	return true;
}

void help_route(struct req *r)
{
	static const struct route row = {
		.mount_type = "",
		.methods = M_GET,
		.pattern = "",
		.flags = R_SELF,
		.handler = h_help,
		.help = "what can be asked at a path",
	};

	r->route = &row;
}
