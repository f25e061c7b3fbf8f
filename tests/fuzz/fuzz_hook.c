/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_hook - what an agent that was taken over may ask of the process that runs its
 * commands: whatever it asks, a configured command of the host runs as it was configured,
 * or a program of allowed_commands as somebody who is not root.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/hook/hook_impl.h"
#include "agent/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const own[] = { "/usr/bin/own", "x" };
static const char *const allowed[] = { "/usr/bin/first", "/usr/bin/second" };

static void check(const struct settings *s, const struct hook_order *o)
{
	const struct settings_binding *b = settings_bindings(s);
	size_t n = 0, bytes = 0;
	bool ok = false;

	if (strchr(o->binding, '/') != NULL || strncmp(o->binding, "..", 2) == 0 ||
	    o->timeout_ms <= 0)
		abort();
	for (; o->argv[n] != NULL; n++)
		bytes += strlen(o->argv[n]) + 1;
	if (!o->own_gid) {
		if (n != ARRAY_LEN(own) || strcmp(o->argv[0], own[0]) != 0 ||
		    strcmp(o->argv[1], own[1]) != 0 || o->uid != b[1].run_uid ||
		    o->gid != b[1].run_gid)
			abort();
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		ok |= n > 0 && strcmp(o->argv[0], allowed[i]) == 0;
	if (!ok || o->uid == 0 || n > HOOK_ARGS_MAX || bytes > HOOK_BYTES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_binding bindings[] = {
		{.name = "none",         .reload = RELOAD_NONE},
		{ .name = "own", .reload = RELOAD_EXEC,    .timeout_ms = 1000 },
	};
	struct settings s = { .run_dir = "/run/vault-agent" };
	struct arena *a = arena_new(1u << 20);
	struct hook_order o = { .token = 1 };
	struct value *v = NULL;
	struct err e;

	bindings[1].command.items = (void *)(uintptr_t)own;
	bindings[1].command.n = ARRAY_LEN(own);
	bindings[1].run_uid = bindings[1].run_gid = geteuid();
	s.bindings.items = bindings;
	s.bindings.n = ARRAY_LEN(bindings);
	s.allowed_commands.items = (void *)(uintptr_t)allowed;
	s.allowed_commands.n = ARRAY_LEN(allowed);
	if (value_decode(a, data, size, &v, &e) == ERR_OK &&
	    hook_order_take(a, &s, v, &o, &e) == ERR_OK)
		check(&s, &o);
	arena_free(a);
	return 0;
}
