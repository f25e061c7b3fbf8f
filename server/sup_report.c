/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "notify.h"
#include "sup.h"
#include "swap.h"

static const struct role_proc *first_of(const struct supervisor *s, enum role_kind kind)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].kind == kind && s->slots[i].cur != NULL)
			return s->slots[i].cur;
	return NULL;
}

static struct value *missing_of(struct arena *a, const struct role_proc *p)
{
	const struct value *list = p != NULL ? value_get(p->ready, "sandbox") : NULL;

	return list != NULL ? value_copy(a, list) : value_array(a);
}

static const char *user_name(const struct supervisor *s)
{
	const struct passwd *pw;

	if (s->owner.drop)
		return s->owner.name;
	pw = getpwuid(geteuid());
	return pw != NULL ? pw->pw_name : "?";
}

void sup_tell_sandbox(struct supervisor *s)
{
	AUTO_ARENA a = arena_new(256u * 1024);
	struct role_proc *core = s->slots[0].cur;
	struct value *v;
	struct err e;

	if (a == NULL || core == NULL)
		return;
	v = value_object(a);
	value_set(v, "core", missing_of(a, core));
	value_set(v, "net", missing_of(a, first_of(s, ROLE_NET_API)));
	value_set(v, "rotate", missing_of(a, first_of(s, ROLE_ROTATE)));
	value_set_str(a, v, "swap", swap_state());
	value_set_str(a, v, "user", user_name(s));
	if (!arena_failed(a) && role_send(core, IPC_SANDBOX, v, -1, &e) != ERR_OK)
		log_error("cannot report the sandbox", LOG_S("cause", e.msg));
}

static const char *first_address(const struct supervisor *s, enum listener_kind kind)
{
	for (size_t i = 0; i < s->listeners.n; i++)
		if (s->listeners.l[i].kind == kind)
			return s->listeners.l[i].text;
	return "-";
}

void sup_status(const struct supervisor *s, char *out, size_t cap)
{
	const char *scheme = s->set->tls ? "https" : "http";

	snprintf(out, cap, "%s://%s, hosts on %s://%s", scheme,
	         first_address(s, LISTEN_API), scheme, first_address(s, LISTEN_HOSTS));
}

static void print_dev_banner(struct supervisor *s)
{
	struct role_proc *core = s->slots[0].cur;
	const struct value *dev = value_get(core->ready, "dev");
	const char *token = value_cstr_or(core->ready_arena, dev, "root_token", "?");
	const char *key = value_cstr_or(core->ready_arena, dev, "unseal_key", "?");

	printf("vaultd is in dev mode: one unseal key, unsealed, plain HTTP, and all data is\n"
	       "gone when it ends.  Never put a real secret here.\n\n"
	       "    export VAULT_ADDR='http://%s'\n"
	       "    export VAULT_TOKEN='%s'\n\n"
	       "Unseal Key: %s\n"
	       "Root Token: %s\n\n"
	       "Hosts listener: http://%s\n",
	       first_address(s, LISTEN_API), token, key, token,
	       first_address(s, LISTEN_HOSTS));
	fflush(stdout);
}

void sup_announce(struct supervisor *s)
{
	char status[512];

	sup_status(s, status, sizeof(status));
	if (s->set->dev)
		print_dev_banner(s);
	else
		log_info("serving", LOG_S("api", first_address(s, LISTEN_API)),
		         LOG_S("hosts", first_address(s, LISTEN_HOSTS)),
		         LOG_S("pin", s->set->tls ? s->pin : "no TLS"),
		         LOG_S("data_dir", s->dir.path));
	notify_ready(status);
}

void sup_keep_pin(struct supervisor *s, const struct role_proc *p)
{
	const struct value *spki = value_get(p->ready, "spki");
	char pin[TLSKEY_PIN_MAX] = "";
	struct err e;

	if (p->kind != ROLE_NET_API || spki == NULL || spki->type != V_BYTES ||
	    spki->len != 32)
		return;
	tlskey_pin((const unsigned char *)spki->text, pin);
	if (strcmp(pin, s->pin) == 0)
		return;
	if (s->serving)
		log_info("the server's key has changed", LOG_S("pin", pin));
	memcpy(s->pin, pin, sizeof(s->pin));
	if (tlskey_store_pin(s->dir.tls_fd, pin, &e) != ERR_OK)
		log_warn("cannot store server.pin", LOG_S("cause", e.msg));
}
