/* SPDX-License-Identifier: Apache-2.0 */
/* Files made of several secrets: which secrets that needs, when such a file is made anew,
 * and what is left of it after a crash at any step. */
#include "rig.h"

#include <sys/wait.h>
#include <unistd.h>

#include "agent/deliver/files.h"
#include "agent/deliver/files_impl.h"
#include "agent/plan.h"
#include "agent/template/template.h"

#define SA "/v1/secret/data/app/a"
#define SB "/v1/secret/data/app/b"

/* The field "v" of a secret; of the secret that this names; of all in a folder. */
#define GET(name) \
	"{{ with secret `secret/data/app/" name "` }}{{ .Data.data.v }}{{ end }}"
#define VIA(name)                                                                    \
	"{{ with secret `secret/data/app/" name "` }}{{ with secret .Data.data.v }}" \
	"{{ .Data.data.v }}{{ end }}{{ end }}"
#define ALL(folder)                                        \
	"{{ range secrets `secret/metadata/" folder "` }}" \
	"{{ with secret (print `secret/data/" folder       \
	"/` .) }}{{ .Data.data.v }};{{ end }}"             \
	"{{ end }}"

static const struct render_engine engine = { template_parse, template_run };

static const char two[] =
	"grace: 10s\nfiles:\n"
	"- binding: one\n"
	"  name: t\n"
	"  template_text: |\n"
	"    " GET(
		"a") "\n"
		     "    " GET(
			     "b") "\n"
				  "- {path: secret/app/a, field: v, binding: one, name: raw}\n"
				  "- {path: secret/app/a, field: v, binding: two, name: raw}\n"
				  "- {path: secret/app/c, field: v, binding: two, name: c}\n";

static struct arena *a, *keep;
static struct settings s;
static struct uses *uses;
static struct plan *plan;
static struct files *f;
static int run_fd = -1;
static const unsigned char digest_key[32] = { 1 };
static struct files_value values[16];

static struct grant grants[4];
static size_t n_grants;

static int build(struct plan **out)
{
	const struct plan_input in = { .settings = &s,
		                       .uses = uses,
		                       .engine = &engine,
		                       .grants = grants,
		                       .n_grants = n_grants };

	return plan_build(&in, out, &e);
}

static void replan(void)
{
	struct plan *next = NULL;

	cr_assert_eq(build(&next), ERR_OK, "%s", e.msg);
	cr_assert_eq(files_replan(f, next, &e), ERR_OK, "%s", e.msg);
	plan_free(plan);
	plan = next;
	(void)uses_changed(uses);
}

static void open_files(const char *text)
{
	struct files_options o = { .settings = &s,
		                   .run_fd = run_fd,
		                   .digest_key = digest_key,
		                   .engine = &engine };

	files_free(f);
	plan_free(plan);
	uses_free(uses);
	f = NULL;
	plan = NULL;
	o.uses = uses = uses_new();
	cr_assert_eq(settings_parse(keep, "t.yaml", text, strlen(text), &s, &e), ERR_OK,
	             "%s", e.msg);
	cr_assert_eq(build(&plan), ERR_OK, "%s", e.msg);
	o.plan = plan;
	cr_assert_eq(files_new(&o, &f, &e), ERR_OK, "%s", e.msg);
	files_learn(f);
	replan();
	files_recover(f);
}

static void setup(void)
{
	rig_open();
	a = arena_new(64 << 20);
	keep = arena_new(16 << 20);
	n_grants = 0;
	run_fd = open(rig_dir, O_RDONLY | O_DIRECTORY);
	open_files(two);
}

static void teardown(void)
{
	files_free(f);
	plan_free(plan);
	uses_free(uses);
	close(run_fd);
	arena_free(a);
	arena_free(keep);
	rig_close();
}

TestSuite(templates, .init = setup, .fini = teardown, .timeout = 60);

/* What the vault says of a name. */
static void name(const char *asked)
{
	const char *rest = strstr(asked, "data/"); /* of metadata/, too */
	char path[256];

	snprintf(path, sizeof(path), "secret/%s", rest != NULL ? rest + 5 : "");
	cr_assert_eq(uses_name(uses, asked, path, &e), ERR_OK, "%s", e.msg);
}

/* At the first lease. */
static void resolve(void)
{
	for (size_t i = 0; i < plan->n_paths; i++)
		if (plan->paths[i].path[0] == '/')
			name(plan->paths[i].path);
	replan();
}

static struct files_value *at(const char *path)
{
	size_t i = plan_path(plan, path);

	cr_assert_lt(i, plan->n_paths, "no %s in the plan", path);
	return &values[i];
}

static void give(const char *path, int64_t version, const char *key, const char *text)
{
	struct value *data = value_object(a), *metadata = value_object(a);

	value_set_str(a, data, key, arena_str(a, text));
	value_set_int(a, metadata, "version", version);
	*at(path) = (struct files_value){ .data = data,
		                          .metadata = metadata,
		                          .lease_id = arena_str(a, path),
		                          .version = version,
		                          .expires = 5000 };
}

static void clear(void)
{
	memset(values, 0, sizeof(values));
}

static void deliver(void)
{
	files_deliver(f, a, values, 100);
}

#define RC(path)   at("secret/app/" path)->rc
#define WHY(path)  at("secret/app/" path)->e.msg
#define HELD(path) files_held(f, plan_path(plan, "secret/app/" path))

static void deliver_all(int64_t version, const char *x, const char *y)
{
	clear();
	give("secret/app/a", version, "v", x);
	give("secret/app/b", version, "v", y);
	deliver();
}

static void start(void)
{
	resolve();
	deliver_all(1, "a1", "b1");
	cr_assert_eq(RC("a"), ERR_OK, "%s", WHY("a"));
	clear();
	give("secret/app/c", 1, "v", "c1");
	deliver();
	clear();
}

Test(templates, what_they_name_is_learnt_without_values)
{
	const struct plan_file *t = &plan->files[plan_file(plan, "one", "t")];

	cr_assert_eq(t->n, 2);
	cr_assert_str_eq(plan->paths[t->paths[0]].path, SA);
	cr_assert_str_eq(plan->paths[t->paths[1]].path, SB);
	cr_assert(plan_unresolved(plan));
	resolve();
	t = &plan->files[plan_file(plan, "one", "t")];
	cr_assert_not(plan_unresolved(plan));
	cr_assert_eq(plan->n_paths, 3, "a is one secret, whoever names it");
	cr_assert_str_eq(plan->paths[t->paths[1]].path, "secret/app/b");
	cr_assert_eq(plan->paths[plan_path(plan, "secret/app/a")].group,
	             plan->paths[plan_path(plan, "secret/app/b")].group);
	cr_assert_neq(plan->paths[plan_path(plan, "secret/app/a")].group,
	              plan->paths[plan_path(plan, "secret/app/c")].group);
}

Test(templates, are_made_when_all_of_their_secrets_are_at_hand)
{
	resolve();
	give("secret/app/a", 1, "v", "a1");
	deliver();
	cr_assert_eq(RC("a"), ERR_BUSY);
	cr_assert_not_null(strstr(WHY("a"),
	                          "file 'one/t': waits for 'secret/data/app/b'"),
	                   "%s", WHY("a"));
	cr_assert_not(rig_exists("one/raw"), "whole or not at all");
	cr_assert_not(rig_exists("two/raw"));
	deliver_all(1, "a1", "b1");
	cr_assert_eq(RC("a"), ERR_OK, "%s", WHY("a"));
	cr_assert_str_eq(rig_read("one/t"), "a1\nb1\n");
	cr_assert_str_eq(rig_read("one/raw"), "a1");
	cr_assert_str_eq(rig_read("two/raw"), "a1");
	cr_assert(HELD("a")->present && HELD("b")->present);
	cr_assert_eq(HELD("b")->version, 1);
	cr_assert_not(rig_exists("one/..g000002"), "one generation");
}

Test(templates, one_of_two_secrets_rotates)
{
	start();
	clear();
	give("secret/app/a", 1, "v", "a1");
	give("secret/app/b", 2, "v", "b2");
	deliver();
	cr_assert_str_eq(rig_read("one/t"), "a1\nb2\n");
	cr_assert(rig_exists("one/..g000002"));
	cr_assert_not(rig_exists("one/..g000003"), "one new generation");
	cr_assert_eq(HELD("b")->version, 2);
	cr_assert_eq(HELD("a")->version, 1);
	cr_assert_str_eq(rig_read("two/c"), "c1");
}

Test(templates, an_error_leaves_all_files_of_its_secrets_as_they_are)
{
	start();
	open_files(
		"files:\n"
		"- {binding: one, name: t, template_text: \"" GET("a") GET(
			"b") "\"}\n"
			     "- {binding: one, name: u, template_text: \"" GET("b") GET(
				     "d") "\"}\n"
					  "- {path: secret/app/d, field: none, binding: two, name: d}\n"
					  "- {path: secret/app/c, field: v, binding: two, name: c}\n");
	resolve();
	clear();
	give("secret/app/a", 2, "v", "a2");
	give("secret/app/b", 2, "v", "b2");
	give("secret/app/c", 2, "v", "c2");
	give("secret/app/d", 2, "v", "d2");
	deliver();
	cr_assert_eq(RC("d"), ERR_INVALID);
	cr_assert_eq(RC("b"), ERR_INVALID, "shares a file with d");
	cr_assert_eq(RC("a"), ERR_INVALID, "shares a file with b");
	cr_assert_not_null(strstr(WHY("a"), "no field 'none' (file 'two/d')"), "%s",
	                   WHY("a"));
	cr_assert_eq(RC("c"), ERR_OK, "%s", WHY("c"));
	cr_assert_str_eq(rig_read("two/c"), "c2");
}

Test(templates, secrets_that_a_value_names_join_and_leave_the_plan)
{
	open_files("files:\n- binding: one\n  name: t\n"
	           "  template_text: \"" VIA("a") "\"\n");
	resolve();
	cr_assert_eq(plan->n_paths, 1);
	give("secret/app/a", 1, "v", "secret/data/app/x");
	deliver();
	cr_assert_eq(RC("a"), ERR_BUSY, "%s", WHY("a"));
	cr_assert(uses_changed(uses));
	replan();
	resolve();
	cr_assert_eq(plan->n_paths, 2);
	clear();
	give("secret/app/a", 1, "v", "secret/data/app/x");
	give("secret/app/x", 7, "v", "of x");
	deliver();
	cr_assert_eq(RC("a"), ERR_OK, "%s", WHY("a"));
	cr_assert_str_eq(rig_read("one/t"), "of x");
	cr_assert_not(uses_changed(uses));
	clear();
	give("secret/app/a", 2, "v", "secret/data/app/y");
	give("secret/app/x", 7, "v", "of x");
	deliver();
	cr_assert_eq(RC("a"), ERR_BUSY);
	cr_assert_str_eq(rig_read("one/t"), "of x", "as long as y is not at hand");
	replan();
	resolve();
	cr_assert_eq(plan_path(plan, "secret/app/x"), plan->n_paths, "x is not used");
	clear();
	give("secret/app/a", 2, "v", "secret/data/app/y");
	give("secret/app/y", 1, "v", "of y");
	deliver();
	cr_assert_str_eq(rig_read("one/t"), "of y");
	cr_assert(HELD("a")->present && HELD("y")->present);
}

static void give_names(const char *path, int64_t version, const char *x, const char *y)
{
	struct value *keys = value_array(a), *data = value_object(a);

	value_add(keys, value_str(a, x));
	if (y != NULL)
		value_add(keys, value_str(a, y));
	value_set(data, "keys", keys);
	give(path, version, "v", "");
	at(path)->data = data;
}

Test(templates, follow_a_listing)
{
	open_files("files:\n- binding: one\n  name: t\n"
	           "  template_text: \"" ALL("app") "\"\n");
	cr_assert_str_eq(plan->paths[0].path, "/v1/secret/metadata/app/");
	resolve();
	cr_assert_str_eq(plan->paths[0].path, "secret/app/");
	give_names("secret/app/", 1, "x", "y");
	deliver();
	replan();
	resolve();
	cr_assert_eq(plan->n_paths, 3);
	clear();
	give_names("secret/app/", 1, "x", "y");
	give("secret/app/x", 1, "v", "x1");
	give("secret/app/y", 1, "v", "y1");
	deliver();
	cr_assert_str_eq(rig_read("one/t"), "x1;y1;");
	clear();
	give_names("secret/app/", 2, "y", NULL);
	give("secret/app/x", 1, "v", "x1");
	give("secret/app/y", 1, "v", "y1");
	deliver();
	cr_assert_str_eq(rig_read("one/t"), "y1;", "made at once: all is at hand");
	replan();
	cr_assert_eq(plan->n_paths, 2);
	cr_assert(HELD("y")->present);
	cr_assert(HELD("")->present);
}

Test(templates, after_a_restart_what_values_named_is_known)
{
	static const char text[] = "files:\n- binding: one\n  name: t\n"
				   "  template_text: \"" VIA("a") "\"\n";

	open_files(text);
	resolve();
	give("secret/app/a", 1, "v", "secret/data/app/x");
	deliver();
	replan();
	resolve();
	clear();
	give("secret/app/a", 1, "v", "secret/data/app/x");
	give("secret/app/x", 7, "v", "of x");
	deliver();
	open_files(text);
	cr_assert_not(plan_unresolved(plan));
	cr_assert(HELD("a")->present);
	cr_assert(HELD("x")->present);
	cr_assert_eq(HELD("x")->version, 7);
	cr_assert_eq(HELD("x")->expires, 5000);
	cr_assert_not(rig_exists("one/..g000002"));
	/* Another text is another file. */
	open_files("files:\n- binding: one\n  name: t\n"
	           "  template_text: \"" GET("a") "\"\n");
	resolve();
	cr_assert_not(HELD("a")->present);
}

Test(templates, a_secret_that_is_taken_away_takes_its_files_along)
{
	/* Nothing that is hexadecimal: the state on disk has the kernel's boot id. */
	static const char taken[] = "what is taken away";

	start();
	deliver_all(2, "a2", taken);
	cr_assert(rig_holds(taken));
	cr_assert_eq(files_wipe(f, plan_path(plan, "secret/app/b"), &e), ERR_OK, "%s",
	             e.msg);
	cr_assert_not(rig_exists("one/t"));
	cr_assert_not(rig_holds(taken));
	cr_assert_str_eq(rig_read("one/raw"), "a2");
	cr_assert(HELD("a")->present, "what is left of it is all that is wanted");
	clear();
	give("secret/app/a", 3, "v", "a3");
	deliver();
	cr_assert_eq(RC("a"), ERR_OK, "%s", WHY("a"));
	cr_assert_str_eq(rig_read("one/raw"), "a3");
	cr_assert_not(rig_exists("one/t"));
	deliver_all(4, "a4", "b4");
	cr_assert_str_eq(rig_read("one/t"), "a4\nb4\n", "it came back");
	cr_assert(HELD("a")->present && HELD("b")->present);
}

Test(templates, see_versions_and_secrets_without_versions)
{
	open_files(
		"files:\n- binding: one\n  name: t\n  template_text: |\n"
		"    {{ with secret `secret/data/app/a` }}{{ .Data.metadata.version }}{{ end }}\n"
		"    {{ with secret `secret/data/app/b` }}{{ .Data.v }}{{ end }}\n");
	resolve();
	give("secret/app/a", 12, "v", "a1");
	give("secret/app/b", 1, "v", "b1");
	at("secret/app/b")->metadata = NULL;
	deliver();
	cr_assert_str_eq(rig_read("one/t"), "12\nb1\n");
}

static bool lay_out_special(const char *name)
{
	char path[PATH_MAX];

	if (strcmp(name, "in/link") == 0)
		cr_assert_eq(symlink("../out", rig_path(name, path)), 0);
	else if (strcmp(name, "in/stays") == 0)
		cr_assert_eq(symlink("ok", rig_path(name, path)), 0);
	else if (strcmp(name, "in/fifo") == 0)
		cr_assert_eq(mkfifo(rig_path(name, path), 0600), 0);
	else
		return false;
	return true;
}

Test(templates, read_files_of_their_directories_alone)
{
	char path[PATH_MAX], text[4 * PATH_MAX];
	static const char *const names[] = { "in/ok",   "in/stays", "out",    "in/../out",
		                             "in/link", "inx",      "in/fifo" };
	int fd;

	cr_assert_eq(mkdir(rig_path("in", path), 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (lay_out_special(names[i]))
			continue;
		fd = open(rig_path(names[i], path), O_WRONLY | O_CREAT, 0600);
		cr_assert_eq(write(fd, "included\n", 9), 9);
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct plan *next = NULL;

		snprintf(text, sizeof(text),
		         "template_dirs: [%.1000s/in]\nfiles:\n- {binding: one, name: t, "
		         "template_text: '{{ file `%.1000s/%s` }}'}\n",
		         rig_dir, rig_dir, names[i]);
		cr_assert_eq(settings_parse(keep, "t", text, strlen(text), &s, &e),
		             ERR_OK, "%s", e.msg);
		uses_free(uses);
		uses = uses_new();
		cr_expect_eq(build(&next), i < 2 ? ERR_OK : ERR_DENIED, "%s: %s",
		             names[i], e.msg);
		plan_free(next);
	}
	f->o.uses = uses;
}

static int deliver_at(int64_t now, const char *path, const char *text)
{
	static int64_t version;

	clear();
	give(path, ++version, "v", text);
	files_deliver(f, a, values, now);
	return at(path)->rc;
}

/* A binding has its share of the agent's loop, however many small runs it is taken in;
 * what it does has no say in others. */
Test(templates, of_one_binding_do_not_hold_up_the_agent)
{
	int rc = ERR_OK, n = 0;

	open_files(
		"files:\n"
		"- binding: heavy\n"
		"  name: t\n"
		"  template_text: '" GET(
			"a") "{{ range loop 300000 }}{{ end }}'\n"
			     "- {path: secret/app/c, field: v, binding: light, name: c}\n"
			     "- binding: light\n"
			     "  name: t\n"
			     "  template_text: '" GET("b") "'\n");
	resolve();
	while (n < 1000 && (rc = deliver_at(100, "secret/app/a", "x")) == ERR_OK)
		n++;
	cr_assert_eq(rc, ERR_RATE, "%d after %d: %s", rc, n, at("secret/app/a")->e.msg);
	cr_assert_gt(n, 4, "more than one run may take");
	cr_assert_lt(n, 60);
	cr_assert_not_null(strstr(at("secret/app/a")->e.msg, "binding 'heavy'"), "%s",
	                   at("secret/app/a")->e.msg);
	cr_assert_eq(deliver_at(100, "secret/app/b", "y"), ERR_OK);
	cr_assert_eq(deliver_at(100, "secret/app/c", "y"), ERR_OK);
	cr_assert_eq(deliver_at(1100, "secret/app/a", "x"), ERR_RATE);
	cr_assert_eq(deliver_at(60100, "secret/app/a", "x"), ERR_OK);
	replan();
	n = 0;
	while (n < 1000 && deliver_at(60100, "secret/app/a", "x") == ERR_OK)
		n++;
	replan();
	cr_assert_eq(deliver_at(60100, "secret/app/a", "x"), ERR_RATE, "another plan");
}

Test(templates, that_are_wrong_are_refused_with_the_place)
{
	static const char text[] = "files:\n- {binding: one, name: t, "
				   "template_text: '{{ if }}'}\n";
	struct plan *next = NULL;

	cr_assert_eq(settings_parse(keep, "t", text, strlen(text), &s, &e), ERR_OK);
	cr_assert_eq(build(&next), ERR_INVALID);
	cr_assert_not_null(strstr(e.msg, "one/t:1:7: missing value"), "%s", e.msg);
}

/* The server's bindings. */

Test(templates, grants_join_the_plan_and_leave_it)
{
	start();
	grants[0] = (struct grant){ "web",
		                    "{\"files\":[{\"name\":\"t\",\"template_text\":"
		                    "\"" GET("c") "\"},{\"path\":"
		                                  "\"secret/app/c\",\"field\":\"v\"}]}" };
	grants[1] = (struct grant){ "two", "{\"files\":[]}" };
	grants[2] = (struct grant){ "../x", "{\"files\":[]}" };
	grants[3] = (struct grant){ "bad", "{\"files\":[{\"name\":\"t\","
		                           "\"template_text\":\"{{ if }}\"}]}" };
	n_grants = 4;
	replan();
	resolve();
	cr_assert_eq(plan->n_refused, 3);
	cr_assert_str_eq(plan->refused[0].name, "../x");
	cr_assert_str_eq(plan->refused[1].name, "two");
	cr_assert_not_null(strstr(plan->refused[1].why, "own settings"));
	cr_assert_not_null(strstr(plan->refused[2].why, "bad/t:1:7"));
	cr_assert(plan->bindings[plan_binding(plan, "web")].granted);
	cr_assert_not(plan->bindings[plan_binding(plan, "two")].granted);
	cr_assert_not(HELD("c")->present, "two files more");
	clear();
	give("secret/app/c", 2, "v", "c2");
	deliver();
	cr_assert_str_eq(rig_read("web/t"), "c2");
	cr_assert_str_eq(rig_read("two/c"), "c2");
	n_grants = 0;
	replan();
	cr_assert_not(rig_exists("web"));
	cr_assert_str_eq(rig_read("two/c"), "c2");
	cr_assert(HELD("c")->present);
}

/* Nobody who writes a binding of the vault can use up what the others need. */

#define BIG    "{{ with secret `secret/data/app/d` }}{{ printf `%1000000d` 1 }}{{ end }}"
#define GREEDY "{{ range loop 40000 }}{{ $x := printf `%1000d` . }}{{ end }}" GET("c")

Test(templates, a_grant_that_needs_too_much_memory_is_refused_alone)
{
	start();
	grants[0] =
		(struct grant){ "greedy",
		                "{\"files\":[{\"name\":\"t\",\"template_text\":\"" GREEDY
		                "\"}]}" };
	grants[1] = (struct grant){ "web", "{\"files\":[{\"path\":\"secret/app/c\","
		                           "\"field\":\"v\"}]}" };
	n_grants = 2;
	replan();
	cr_assert_eq(plan->n_refused, 1);
	cr_assert_str_eq(plan->refused[0].name, "greedy");
	cr_assert_not_null(strstr(plan->refused[0].why, "too much memory"));
	cr_assert(plan->bindings[plan_binding(plan, "web")].granted);
}

/* It shows only when there are values. */
Test(templates, one_that_needs_too_much_memory_takes_none_from_others)
{
	start();
	grants[0] = (struct grant){
		"greedy",
		"{\"files\":[{\"name\":\"t\",\"template_text\":\"{{ with secret "
		"`secret/data/app/d` }}" GREEDY "{{ end }}\"}]}"
	};
	n_grants = 1;
	replan();
	resolve();
	clear();
	give("secret/app/c", 2, "v", "c2");
	give("secret/app/d", 1, "v", "d1");
	deliver();
	resolve();
	clear();
	give("secret/app/c", 2, "v", "c2");
	give("secret/app/d", 1, "v", "d1");
	deliver();
	cr_assert_eq(values[plan_path(plan, "secret/app/d")].rc, ERR_TOO_BIG);
	cr_assert_lt(arena_used(a), (size_t)4 << 20);
	cr_assert_not(rig_exists("greedy/t"));
}

Test(templates, a_grant_has_no_more_files_than_others_have_room_for)
{
	start();
	grants[0] = (struct grant){ "greedy",
		                    "{\"files\":[{\"name\":\"1\",\"template_text\":\"" BIG
		                    "\"},"
		                    "{\"name\":\"2\",\"template_text\":\"" BIG "\"},"
		                    "{\"name\":\"3\",\"template_text\":\"" BIG "\"},"
		                    "{\"name\":\"4\",\"template_text\":\"" BIG "\"},"
		                    "{\"name\":\"5\",\"template_text\":\"" BIG "\"}]}" };
	n_grants = 1;
	replan();
	resolve();
	clear();
	give("secret/app/d", 1, "v", "d1");
	deliver();
	cr_assert_eq(values[plan_path(plan, "secret/app/d")].rc, ERR_TOO_BIG);
	cr_assert_not(rig_exists("greedy/1"));
}

/* kill -9 at each step of a delivery: what readers see is of one moment, and the next
 * agent finds its way. */

static int steps_left;

static void die_at(void *ctx UNUSED)
{
	if (steps_left-- == 0)
		_exit(9);
}

static int killed_at(int step)
{
	int status = 0;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		files_step = die_at;
		steps_left = step;
		deliver_all(2, "a2", "b2");
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(templates, kill_9_at_each_step_of_a_delivery)
{
	int step = 0;
	bool killed = true;

	for (; killed; step++) {
		const char *t;
		bool new;

		open_files(two);
		resolve();
		deliver_all(1, "a1", "b1");
		clear();
		give("secret/app/c", 1, "v", "c1");
		deliver();
		killed = killed_at(step) == 9;
		t = rig_read("one/t");
		cr_assert_not_null(t, "at step %d", step);
		new = strcmp(t, "a2\nb2\n") == 0;
		cr_assert(new || strcmp(t, "a1\nb1\n") == 0, "step %d: %s", step, t);
		cr_assert_str_eq(rig_read("one/raw"), new ? "a2" : "a1", "step %d", step);
		cr_assert_not_null(rig_read("two/c"));
		open_files(two);
		cr_assert_not(plan_unresolved(plan), "step %d", step);
		cr_assert_eq(HELD("b")->present, true, "step %d", step);
		cr_assert_eq(HELD("b")->version, new ? 2 : 1, "step %d", step);
		cr_assert(HELD("c")->present, "step %d", step);
		deliver_all(3, "a3", "b3");
		cr_assert_eq(RC("a"), ERR_OK, "step %d: %s", step, WHY("a"));
		cr_assert_str_eq(rig_read("one/t"), "a3\nb3\n", "step %d", step);
		cr_assert_str_eq(rig_read("two/raw"), "a3", "step %d", step);
		cr_assert_eq(files_wipe_all(f, &e), ERR_OK);
	}
	cr_assert_gt(step, 20, "there are more steps than that: %d", step);
}
