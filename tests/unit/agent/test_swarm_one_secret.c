/* SPDX-License-Identifier: Apache-2.0 */
/* The template of a Swarm's binding: its own secret, and nothing else. */
#include "agent/swarm/one_secret.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

TestSuite(swarm_one_secret, .timeout = 60);

static struct arena *a;
static struct value *data, *metadata;
static struct one_secret s;
static struct err e;

static void setup(void)
{
	a = arena_new(RENDER_ARENA);
	data = value_object(a);
	value_set_str(a, data, "password", "swordfish");
	metadata = value_object(a);
	value_set_int(a, metadata, "version", 3);
	s = (struct one_secret){
		"secret/app/db", {data, metadata}
	};
}

static void teardown(void)
{
	arena_free(a);
}

static int render(const char *text, const char **out)
{
	size_t n = 0;
	int rc = one_secret_render(a, text, &s, out, &n, &e);

	if (rc == ERR_OK)
		cr_assert_eq(strlen(*out), n);
	return rc;
}

static void makes(const char *text, const char *want)
{
	const char *out = NULL;

	cr_assert_eq(render(text, &out), ERR_OK, "%s", e.msg);
	cr_assert_str_eq(out, want);
}

static void fails(const char *text, int rc, const char *why)
{
	const char *out = NULL;

	cr_assert_eq(render(text, &out), rc, "%s: %s", text, e.msg);
	cr_assert_not_null(strstr(e.msg, why), "%s", e.msg);
	cr_assert_null(strstr(e.msg, "swordfish"));
}

Test(swarm_one_secret, it_has_its_fields_and_its_version, .init = setup, .fini = teardown)
{
	makes("user=app\npassword={{ with secret \"secret/data/app/db\" }}"
	      "{{ .Data.data.password }} v{{ .Data.metadata.version }}{{ end }}\n",
	      "user=app\npassword=swordfish v3\n");
	makes("no secret in it", "no secret in it");
}

Test(swarm_one_secret, without_versions_the_path_is_as_it_is, .init = setup,
     .fini = teardown)
{
	s.value.metadata = NULL;
	makes("{{ with secret \"secret/app/db\" }}{{ .Data.password }}{{ end }}",
	      "swordfish");
	fails("{{ with secret \"secret/data/app/db\" }}{{ .Data.password }}{{ end }}",
	      ERR_INVALID, "secret/data/app/db");
}

Test(swarm_one_secret, a_mount_in_folders_and_a_secret_called_data, .init = setup,
     .fini = teardown)
{
	s.path = "team/kv/data/x";
	makes("{{ with secret \"team/kv/data/data/x\" }}{{ .Data.data.password }}{{ end "
	      "}}",
	      "swordfish");
}

Test(swarm_one_secret, no_other_is_there, .init = setup, .fini = teardown)
{
	static const char *const others[] = {
		"secret/data/app/other",  "secret/data/app/db2", "secret/app/db",
		"secret/data/app",        "other/data/app/db",   "data/secret/app/db",
		"secret/metadata/app/db", "secret/datax/app/db",
	};
	char text[160];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(text, sizeof(text), "{{ with secret \"%s\" }}x{{ end }}",
		         others[i]);
		fails(text, ERR_INVALID, "the binding is of 'secret/app/db' alone");
	}
	fails("{{ range secrets \"secret/metadata/app\" }}{{ . }}{{ end }}", ERR_INVALID,
	      "alone");
}

Test(swarm_one_secret, nor_is_anything_of_the_host, .init = setup, .fini = teardown)
{
	setenv("ONE_SECRET", "of the host", 1);
	makes("[{{ env \"ONE_SECRET\" }}]", "[]");
	fails("{{ file \"/etc/hostname\" }}", ERR_DENIED, "hostname");
	fails("{{ with", ERR_INVALID, "template_text:1");
}

Test(swarm_one_secret, it_cannot_run_away, .init = setup, .fini = teardown)
{
	fails("{{ range loop 100000000 }}{{ end }}", ERR_TOO_BIG, "");
}
