/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_AGENT_FILES_RIG_H
#define TESTS_UNIT_AGENT_FILES_RIG_H
/* files_rig - two bindings of two secrets, and what is delivered to them. */
#include "agent/deliver/files.h"
#include "agent/plan.h"
#include "rig.h"

static const char config[] = "grace: 10s\nrun_dir: /dev/shm/x\nfiles:\n"
			     "- {path: secret/a, field: user, binding: one}\n"
			     "- {path: secret/a, field: pw, binding: one}\n"
			     "- {path: secret/b, field: key, binding: one}\n"
			     "- {path: secret/b, field: key, binding: two, mode: 0440}\n";
enum { A, B };

static struct arena *a, *keep;
static struct settings s;
static struct plan *plan;
static struct files *f;
static int run_fd = -1;
static const unsigned char digest_key[32] = { 1 };
static struct files_value values[2];

static inline struct plan *make_plan(const char *text)
{
	const struct plan_input in = { .settings = &s };
	struct plan *p = NULL;

	cr_assert_eq(settings_parse(keep, "t.yaml", text, strlen(text), &s, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(plan_build(&in, &p, &e), ERR_OK, "%s", e.msg);
	return p;
}

static inline void open_files(const char *text)
{
	struct files_options o = { .settings = &s,
		                   .run_fd = run_fd,
		                   .digest_key = digest_key };

	files_free(f);
	f = NULL;
	plan_free(plan);
	o.plan = plan = make_plan(text);
	cr_assert_eq(files_new(&o, &f, &e), ERR_OK, "%s", e.msg);
	files_recover(f);
}

static inline void setup(void)
{
	rig_open();
	a = arena_new(16 << 20);
	keep = arena_new(4 << 20);
	run_fd = open(rig_dir, O_RDONLY | O_DIRECTORY);
	open_files(config);
}

static inline void teardown(void)
{
	files_free(f);
	plan_free(plan);
	close(run_fd);
	arena_free(a);
	arena_free(keep);
	rig_close();
}

static inline void give(int path, int64_t version, const char *key, const char *text)
{
	struct value *data = values[path].data != NULL ? (struct value *)values[path].data
	                                               : value_object(a);

	value_set_str(a, data, key, text);
	values[path] = (struct files_value){ .data = data,
		                             .lease_id = path == A ? "la" : "lb",
		                             .version = version,
		                             .expires = 5000 };
}

/* Was a file of one secret changed by somebody else? */
static inline bool drifted(size_t path)
{
	bool paths[8] = { false };

	paths[path] = true;
	files_drifted(f, paths);
	return paths[path];
}

static inline void deliver(int64_t now)
{
	files_deliver(f, a, values, now);
}

static inline void deliver_both(void)
{
	memset(values, 0, sizeof(values));
	give(A, 1, "user", "me");
	give(A, 1, "pw", "one");
	give(B, 1, "key", "k1");
	deliver(100);
	cr_assert_eq(values[A].rc, ERR_OK, "%s", values[A].e.msg);
	cr_assert_eq(values[B].rc, ERR_OK, "%s", values[B].e.msg);
	memset(values, 0, sizeof(values));
}

static inline void replan(const char *text)
{
	struct plan *next = make_plan(text);

	cr_assert_eq(files_replan(f, next, &e), ERR_OK, "%s", e.msg);
	plan_free(plan);
	plan = next;
}

#endif
