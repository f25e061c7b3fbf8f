/* SPDX-License-Identifier: Apache-2.0 */
#include <libssh/callbacks.h>
#include <string.h>

#include "arena.h"
#include "sk.h"

#define PORT           22
#define ALGORITHMS_MAX 512u

/* --- the host --- */

static const char *algorithms_of(enum ssh_keytypes_e type)
{
	switch (type) {
	case SSH_KEYTYPE_ED25519:
		return "ssh-ed25519";
	case SSH_KEYTYPE_RSA:
		return "rsa-sha2-512,rsa-sha2-256";
	case SSH_KEYTYPE_ECDSA_P256:
		return "ecdsa-sha2-nistp256";
	case SSH_KEYTYPE_ECDSA_P384:
		return "ecdsa-sha2-nistp384";
	case SSH_KEYTYPE_ECDSA_P521:
		return "ecdsa-sha2-nistp521";
	default:
		return NULL;
	}
}

static int add_host_key(struct request *r, struct sk_target *t, const char *line,
                        struct answer *a)
{
	size_t type_len = strcspn(line, " \t\n");
	char *type = arena_dup(r->arena, line, type_len), *blob = sk_blob(r->arena, line);
	const char *algorithms;
	ssh_key key = NULL;

	if (t->host_keys == SK_HOST_KEYS)
		return answer_fail(a, CLASS_PERMANENT, "config.host_key has over %u keys",
		                   SK_HOST_KEYS);
	if (type == NULL || blob == NULL ||
	    ssh_pki_import_pubkey_base64(blob, ssh_key_type_from_name(type), &key) !=
	            SSH_OK)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.host_key: a line is no public key such as "
		                   "\"ssh-ed25519 AAAA…\"");
	t->host_key[t->host_keys++] = key;
	if ((algorithms = algorithms_of(ssh_key_type(key))) == NULL)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.host_key has a kind of key that is not used");
	t->algorithms = t->algorithms == NULL ? algorithms
	                                      : arena_printf(r->arena, "%s,%s",
	                                                     t->algorithms, algorithms);
	return t->algorithms != NULL ? 0
	                             : answer_fail(a, CLASS_RETRYABLE, "out of memory");
}

static int read_host_keys(struct request *r, struct sk_target *t, struct answer *a)
{
	const char *text = NULL;
	int rc = config_text(r, "host_key", NULL, &text, a);

	if (rc != 0)
		return rc;
	while (text != NULL && *text != '\0') {
		text += strspn(text, " \t\r\n");
		if (*text != '\0' && (rc = add_host_key(r, t, text, a)) != 0)
			return rc;
		text += strcspn(text, "\n");
	}
	if (t->host_keys == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "config.host_key is missing: the host has to prove "
		                   "itself");
	return 0;
}

int sk_target_read(struct request *r, struct sk_target *t, struct answer *a)
{
	int rc;

	*t = (struct sk_target){ 0 };
	if ((rc = config_text(r, "host", NULL, &t->host, a)) != 0 ||
	    (rc = config_int(r, "port", PORT, 65535, &t->port, a)) != 0)
		return rc;
	if (t->host == NULL || t->host[0] == '\0' || t->port == 0)
		return answer_fail(a, CLASS_PERMANENT,
		                   "the configuration has no 'host', or port 0");
	return read_host_keys(r, t, a);
}

void sk_target_free(struct sk_target *t)
{
	for (size_t i = 0; i < t->host_keys; i++)
		ssh_key_free(t->host_key[i]);
	t->host_keys = 0;
}

/* Nothing of the machine's own configuration, no agent, no known_hosts. */
static bool set_options(struct request *r, const struct sk_target *t,
                        const struct sk_who *w, ssh_session s)
{
	int port = (int)t->port, off = 0;
	int64_t left = request_left_ms(r);
	long seconds = (long)(left / 1000), micros = (long)(left % 1000 * 1000);

	return ssh_options_set(s, SSH_OPTIONS_PROCESS_CONFIG, &(bool){ false }) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_SSH_DIR, "/nonexistent") == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null") == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_KNOWNHOSTS, "/dev/null") == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_HOST, t->host) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_PORT, &port) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_USER, w->username) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_HOSTKEYS, t->algorithms) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_LOG_VERBOSITY, &off) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_TIMEOUT, &seconds) == 0 &&
	       ssh_options_set(s, SSH_OPTIONS_TIMEOUT_USEC, &micros) == 0;
}

static bool is_pinned(const struct sk_target *t, ssh_session s)
{
	ssh_key key = NULL;
	bool ok = false;

	if (ssh_get_server_publickey(s, &key) != SSH_OK)
		return false;
	for (size_t i = 0; i < t->host_keys && !ok; i++)
		ok = ssh_key_cmp(key, t->host_key[i], SSH_KEY_CMP_PUBLIC) == 0;
	ssh_key_free(key);
	return ok;
}

static int connect_host(struct request *r, const struct sk_target *t,
                        const struct sk_who *w, ssh_session s, struct answer *why)
{
	if (!set_options(r, t, w, s))
		return answer_fail(why, CLASS_PERMANENT, "cannot set up SSH: %s",
		                   ssh_get_error(s));
	if (ssh_connect(s) != SSH_OK) {
		/* A host without any of the pinned kinds of keys ends here, too. */
		bool match = strstr(ssh_get_error(s), "no match for method server host "
		                                      "key") != NULL;

		return answer_fail(why, match ? CLASS_PERMANENT : CLASS_RETRYABLE,
		                   "cannot connect: %s", ssh_get_error(s));
	}
	if (!is_pinned(t, s))
		return answer_fail(why, CLASS_PERMANENT,
		                   "the host has another key than config.host_key");
	return 0;
}

/* --- who logs in --- */

bool sk_who_read(struct request *r, const struct credential *c, const char *username,
                 struct sk_who *w)
{
	const char *text = json_string_value(json_object_get(c->fields, "private_key"));
	const char *pass = json_string_value(json_object_get(c->fields, "passphrase"));

	*w = (struct sk_who){ .username = username != NULL ? username : c->username };
	if (w->username == NULL)
		return false;
	if (text != NULL) {
		char *blob = NULL;
		ssh_key public = NULL;

		if (ssh_pki_import_privkey_base64(text, pass, NULL, NULL, &w->key) !=
		    SSH_OK)
			return false;
		if (ssh_pki_export_privkey_to_pubkey(w->key, &public) == SSH_OK &&
		    ssh_pki_export_pubkey_base64(public, &blob) == SSH_OK)
			w->blob = arena_str(r->arena, blob);
		ssh_string_free_char(blob);
		ssh_key_free(public);
		return w->blob != NULL;
	}
	w->password = c->password;
	return w->password != NULL;
}

void sk_who_free(struct sk_who *w)
{
	ssh_key_free(w->key);
	w->key = NULL;
}

/* Did the host look at what it was given?  One that takes no keys refuses all of them. */
static enum sk_login refused(ssh_session s, const struct sk_who *w, struct answer *why)
{
	int methods = ssh_userauth_list(s, NULL);
	int mine = w->key != NULL ? SSH_AUTH_METHOD_PUBLICKEY : SSH_AUTH_METHOD_PASSWORD;

	if ((methods & mine) != 0) {
		answer_fail(why, CLASS_AUTH, "the host refuses '%.64s'", w->username);
		return SK_REFUSED;
	}
	answer_fail(why, CLASS_PERMANENT, "the host takes no %s",
	            w->key != NULL ? "keys" : "passwords");
	return SK_UNKNOWN;
}

static enum sk_login authenticate(ssh_session s, const struct sk_who *w,
                                  struct answer *why)
{
	int rc = w->key != NULL ? ssh_userauth_publickey(s, NULL, w->key)
	                        : ssh_userauth_password(s, NULL, w->password);

	switch (rc) {
	case SSH_AUTH_SUCCESS:
		return SK_IN;
	case SSH_AUTH_PARTIAL:
		answer_fail(why, CLASS_PERMANENT,
		            "the host asks '%.64s' for more than that", w->username);
		return SK_HALF;
	case SSH_AUTH_DENIED:
		return refused(s, w, why);
	default:
		answer_fail(why, CLASS_RETRYABLE, "cannot log in: %s", ssh_get_error(s));
		return SK_UNKNOWN;
	}
}

enum sk_login sk_open(struct request *r, const struct sk_target *t,
                      const struct sk_who *w, ssh_session *out, struct answer *why)
{
	AUTO_SSH s = ssh_new();
	enum sk_login how;

	if (s == NULL) {
		answer_fail(why, CLASS_RETRYABLE, "out of memory");
		return SK_UNKNOWN;
	}
	if (connect_host(r, t, w, s, why) != 0)
		return SK_UNKNOWN;
	how = authenticate(s, w, why);
	if (how == SK_IN) {
		*out = s;
		s = NULL;
	}
	return how;
}

void sk_close(ssh_session *s)
{
	if (*s == NULL)
		return;
	ssh_disconnect(*s);
	ssh_free(*s);
	*s = NULL;
}
