/* SPDX-License-Identifier: Apache-2.0 */
#include "rotator_kit.h"

#include <errno.h>
#include <ftw.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "text.h"

#define DEFAULT_DEADLINE_MS 20000
#define MAX_DEADLINE_MS     600000
#define VALUE_LEN           24
#define SECRET_MIN          4  /* bytes: what is shorter would be found anywhere */
#define LINE_MIN            20 /* the same for a line of a longer text */

/* --- the file --- */

static const char *config_or(const struct kit *k, const char *key, const char *dflt)
{
	const char *s = json_string_value(json_object_get(k->config, key));

	return s != NULL ? s : dflt;
}

static int take_strategy(struct kit *k, struct err *e)
{
	const char *name = json_string_value(json_object_get(k->file, "strategy"));

	/* Requests say it, too. */
	if (name != NULL && json_object_get(k->config, "strategy") == NULL)
		json_object_set(k->config, "strategy",
		                json_object_get(k->file, "strategy"));
	if (name == NULL)
		name = config_or(k, "strategy",
		                 json_object_get(k->config, "accounts") != NULL
		                         ? "dual_user"
		                         : "single");
	if (strcmp(name, "single") == 0)
		k->strategy = KIT_SINGLE;
	else if (strcmp(name, "dual_user") == 0)
		k->strategy = KIT_DUAL_USER;
	else if (strcmp(name, "dual_key") == 0)
		k->strategy = KIT_DUAL_KEY;
	else if (strcmp(name, "reissue") == 0)
		k->strategy = KIT_REISSUE;
	else
		return err_set(e, ERR_INVALID, "strategy '%.40s' is unknown", name);
	return ERR_OK;
}

static int take_account(struct kit *k, const char *key, struct kit_account *a,
                        bool need_value, struct err *e)
{
	const json_t *fields = json_object_get(k->file, key);
	const char *user = config_or(k, "username_field", "username"),
		   *secret = config_or(k, "password_field", "password"), *value;

	a->name = json_string_value(json_object_get(fields, user));
	value = json_string_value(json_object_get(fields, secret));
	if (a->name == NULL || (need_value && value == NULL))
		return err_set(e, ERR_INVALID, "the file has no '%s' with a '%s'%s%s",
		               key, user, need_value ? " and a " : "",
		               need_value ? secret : "");
	if (value == NULL)
		return ERR_OK;
	if (strlen(value) > KIT_VALUE_MAX)
		return err_set(e, ERR_INVALID, "%s: the value is too long", key);
	snprintf(a->value, sizeof(a->value), "%s", value);
	snprintf(a->original, sizeof(a->original), "%s", value);
	return ERR_OK;
}

int kit_accounts(struct kit *k, struct err *e)
{
	int rc = take_account(k, "current", &k->account[0], true, e);

	k->accounts = k->strategy == KIT_DUAL_USER ? 2 : 1;
	if (rc == ERR_OK && k->accounts == 2)
		rc = take_account(k, "idle", &k->account[1], false, e);
	return rc;
}

static int make_dir(struct kit *k, struct err *e)
{
	snprintf(k->dir, sizeof(k->dir), "/tmp/vaultctl-rotator-XXXXXX");
	if (mkdtemp(k->dir) != NULL)
		return ERR_OK;
	k->dir[0] = '\0';
	return err_sys(e, ERR_IO, errno, "a directory below /tmp");
}

int kit_open(struct kit *k, const char *program, json_t *file, unsigned rounds,
             struct err *e)
{
	const json_t *deadline = json_object_get(file, "deadline_ms");
	int rc;

	*k = (struct kit){ .program = program, .file = file, .rounds = rounds };
	k->config = json_object_get(file, "config");
	k->admin = json_object_get(file, "admin");
	k->secrets = json_array();
	k->rows = json_array();
	k->version = 1;
	kit_attempt(k);
	if (!json_is_object(k->config))
		return err_set(e, ERR_INVALID, "the file has no object 'config'");
	if (!json_is_object(k->admin))
		k->admin = NULL;
	k->deadline_ms = json_is_integer(deadline) ? json_integer_value(deadline)
	                                           : DEFAULT_DEADLINE_MS;
	if (k->deadline_ms < 100 || k->deadline_ms > MAX_DEADLINE_MS)
		return err_set(e, ERR_INVALID, "deadline_ms is not from 100 to %d",
		               MAX_DEADLINE_MS);
	rc = take_strategy(k, e);
	return rc == ERR_OK ? make_dir(k, e) : rc;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
	(void)remove(path);
	return 0;
}

void kit_close(struct kit *k)
{
	if (k->dir[0] != '\0')
		(void)nftw(k->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	sodium_memzero(k->account, sizeof(k->account));
	json_decref(k->describe);
	json_decref(k->holding);
	json_decref(k->secrets);
	json_decref(k->rows);
	json_decref(k->file);
	*k = (struct kit){ 0 };
}

/* --- values --- */

void kit_attempt(struct kit *k)
{
	unsigned char id[16];

	randombytes_buf(id, sizeof(id));
	text_hex(id, sizeof(id), k->attempt);
}

static int64_t describe_int(const struct kit *k, const char *key, int64_t dflt)
{
	const json_t *v = json_object_get(json_object_get(k->describe, "value"), key);

	return json_is_integer(v) ? json_integer_value(v) : dflt;
}

void kit_value(struct kit *k, char out[KIT_VALUE_MAX + 1])
{
	int64_t min = describe_int(k, "min", 1),
		max = describe_int(k, "max", KIT_VALUE_MAX), n = VALUE_LEN;
	const char *forbid = json_string_value(
		json_object_get(json_object_get(k->describe, "value"), "forbid"));

	if (n < min)
		n = min;
	if (n > max)
		n = max;
	n = n < 1 ? 1 : n > KIT_VALUE_MAX ? KIT_VALUE_MAX : n;
	do /* some of each, as targets like it */
		text_base62_random(out, (size_t)n);
	while (n >= 8 && (strpbrk(out, "0123456789") == NULL ||
	                  strpbrk(out, "abcdefghijklmnopqrstuvwxyz") == NULL ||
	                  strpbrk(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL));
	if (n >= 8 && (forbid == NULL || strchr(forbid, '-') == NULL))
		out[n / 2] = '-';
}

json_t *kit_fields(struct kit *k, const struct kit_account *account, const char *value)
{
	json_t *fields = json_deep_copy(json_object_get(k->file, "current"));

	json_object_set_new(fields, config_or(k, "username_field", "username"),
	                    json_string(account->name));
	json_object_set_new(fields, config_or(k, "password_field", "password"),
	                    json_string(value));
	return json_pack("{s:I, s:o}", "version", (json_int_t)k->version, "fields",
	                 fields);
}

json_t *kit_made(struct kit *k, const json_t *fields)
{
	return json_pack("{s:I, s:o}", "version", (json_int_t)k->version, "fields",
	                 json_deep_copy(fields));
}

struct kit_account *kit_next(struct kit *k)
{
	return &k->account[k->accounts == 2 ? 1 - k->current : 0];
}

bool kit_has_op(const struct kit *k, const char *op)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(k->describe, "ops"), i,
	                   v) if (json_is_string(v) &&
	                          strcmp(json_string_value(v), op) == 0) return true;
	return false;
}

bool kit_creates(const struct kit *k)
{
	return k->strategy == KIT_REISSUE ||
	       (k->strategy == KIT_DUAL_KEY && kit_has_op(k, "create"));
}

/* --- what must not be told --- */

/* Members of credentials that anybody may know; the file's "public" has more. */
static bool is_public(const struct kit *k, const char *key)
{
	static const char *const names[] = {
		"username",   "expiration", "certificate", "ca_certificate",
		"ca_chain",   "public_key", "fingerprint", "serial_number",
		"not_before", "not_after",  "key_id",
	};
	const json_t *v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(key, names[i]) == 0)
			return true;
	json_array_foreach(json_object_get(k->file, "public"), i,
	                   v) if (json_is_string(v) &&
	                          strcmp(json_string_value(v), key) == 0) return true;
	return strcmp(key, config_or(k, "username_field", "username")) == 0;
}

json_t *kit_garbled(struct kit *k, const json_t *fields)
{
	json_t *copy = json_deep_copy(fields), *v;
	char value[KIT_VALUE_MAX + 1];
	const char *key;

	kit_value(k, value);
	json_object_foreach(copy, key, v)
	{
		if (!is_public(k, key))
			json_object_set_new(copy, key, json_string(value));
	}
	return copy;
}

static bool known_already(const struct kit *k, const char *secret)
{
	const json_t *v;
	size_t i;

	json_array_foreach(k->secrets, i,
	                   v) if (strcmp(json_string_value(v), secret) == 0) return true;
	return false;
}

static void note(struct kit *k, const char *s, size_t n)
{
	json_t *v = json_stringn(s, n);

	if (v != NULL && !known_already(k, json_string_value(v)))
		json_array_append(k->secrets, v);
	json_decref(v);
}

/* Of a text of many lines one is too much: it may be told with another end of line. */
static void note_lines(struct kit *k, const char *s)
{
	for (size_t n; *s != '\0'; s += n + (s[n] != '\0')) {
		n = strcspn(s, "\r\n");
		if (n >= LINE_MIN && strncmp(s, "-----", 5) != 0)
			note(k, s, n);
	}
}

/* Every text of a credential but what anybody may know. */
static void note_secrets(struct kit *k, json_t *credential)
{
	json_t *fields = json_object_get(credential, "fields"), *v;
	const char *key;

	if (fields == NULL)
		fields = credential;
	json_object_foreach(fields, key, v)
	{
		const char *s = json_string_value(v);

		if (s == NULL || is_public(k, key) || strlen(s) < SECRET_MIN)
			continue;
		note(k, s, strlen(s));
		if (strchr(s, '\n') != NULL)
			note_lines(k, s);
	}
}

/* --- calls --- */

static void set_or_null(json_t *request, const char *key, json_t *v)
{
	json_object_set_new(request, key, v != NULL ? v : json_null());
}

static json_t *request_of(struct kit *k, struct kit_call *call)
{
	json_t *r = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I}", "v", 1, "op", call->op,
	                      "attempt", k->attempt, "secret", "check/rotator", "version",
	                      (json_int_t)k->version, "deadline_ms",
	                      (json_int_t)(call->deadline_ms > 0 ? call->deadline_ms
	                                                         : k->deadline_ms)),
	       *config = json_deep_copy(k->config);

	if (call->config != NULL)
		json_object_update(config, (json_t *)(uintptr_t)call->config);
	if (call->admin == NULL && k->admin != NULL && !call->bare)
		call->admin = json_incref(k->admin);
	json_object_set_new(r, "config", config);
	set_or_null(r, "admin", call->admin);
	set_or_null(r, "current", call->current);
	set_or_null(r, "pending", call->pending);
	set_or_null(r, "previous", call->previous);
	note_secrets(k, json_object_get(r, "admin"));
	note_secrets(k, json_object_get(r, "current"));
	note_secrets(k, json_object_get(r, "pending"));
	note_secrets(k, json_object_get(r, "previous"));
	return r;
}

static void broken(struct kit *k, const char *op, const char *what)
{
	if (k->broken[0] == '\0')
		snprintf(k->broken, sizeof(k->broken), "%s: %s", op, what);
}

static void look_for_leaks(struct kit *k, const char *op, const char *where,
                           const char *text)
{
	const json_t *v;
	size_t i;

	json_array_foreach(k->secrets, i,
	                   v) if (strstr(text, json_string_value(v)) != NULL &&
	                          k->leak[0] == '\0')
		snprintf(k->leak, sizeof(k->leak), "%s: a secret value %s", op, where);
}

static int verdict(struct kit *k, const char *op, const json_t *probe, const char *key)
{
	static const char *const names[] = {
		[KIT_VALID] = "valid",
		[KIT_INVALID] = "invalid",
		[KIT_UNKNOWN] = "unknown",
	};
	const json_t *v = json_object_get(probe, key);

	if (v == NULL || json_is_null(v))
		return KIT_ABSENT;
	for (int i = KIT_VALID; json_is_string(v) && i <= KIT_UNKNOWN; i++)
		if (strcmp(json_string_value(v), names[i]) == 0)
			return i;
	broken(k, op, "a verdict of 'probe' is none of valid, invalid and unknown");
	return KIT_ABSENT;
}

static bool is_class(const char *s)
{
	return s != NULL &&
	       (strcmp(s, "retryable") == 0 || strcmp(s, "rejected_value") == 0 ||
	        strcmp(s, "auth") == 0 || strcmp(s, "permanent") == 0);
}

static void read_status(struct kit *k, const char *op, struct kit_answer *out)
{
	const char *status = json_string_value(json_object_get(out->reply, "status")),
		   *class = json_string_value(json_object_get(out->reply, "class"));

	if (status == NULL)
		status = "";
	out->noop = strcmp(status, "noop") == 0;
	out->ok = out->noop || strcmp(status, "ok") == 0;
	if (!out->ok && strcmp(status, "error") != 0)
		broken(k, op, "'status' is none of ok, noop and error");
	if (strcmp(status, "error") == 0 && !is_class(class))
		broken(k, op, "an error has no class of the contract");
	if (strcmp(status, "error") == 0)
		snprintf(out->class, sizeof(out->class), "%s",
		         class != NULL ? class : "?");
}

static void read_message(struct kit *k, const char *op, struct kit_answer *out)
{
	const json_t *v = json_object_get(out->reply, "message");

	if (v == NULL || json_is_null(v))
		return;
	if (!json_is_string(v)) {
		broken(k, op, "'message' is no text");
		return;
	}
	look_for_leaks(k, op, "in 'message'", json_string_value(v));
	if (k->leak[0] == '\0')
		snprintf(out->message, sizeof(out->message), "%s", json_string_value(v));
	for (char *p = out->message; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static void read_reply(struct kit *k, const char *op, struct kit_answer *out)
{
	const json_t *v = json_object_get(out->reply, "v"),
		     *probe = json_object_get(out->reply, "probe");

	if (!json_is_integer(v) || json_integer_value(v) != 1)
		broken(k, op, "'v' is not 1");
	read_status(k, op, out);
	read_message(k, op, out);
	if (strcmp(op, "probe") != 0 || !out->ok)
		return;
	if (!json_is_object(probe))
		broken(k, op, "a reply has no object 'probe'");
	out->current = verdict(k, op, probe, "current");
	out->pending = verdict(k, op, probe, "pending");
	out->previous = verdict(k, op, probe, "previous");
}

static int run_text(struct kit *k, const char *op, struct rotator_call *call,
                    struct kit_answer *out, struct err *e)
{
	struct rotator_result r;
	int rc;

	*out = (struct kit_answer){ 0 };
	call->program = k->program;
	call->dir = k->dir;
	rc = rotator_run(call, &r, e);
	if (rc == ERR_OK) {
		out->end = r.end;
		out->took_us = r.took_us;
		out->reply = json_incref(r.reply);
		note_secrets(k, json_object_get(r.reply, "fields"));
		look_for_leaks(k, op, "on standard error", r.err);
		if (r.end == ROTATOR_CRASHED)
			broken(k, op, "it crashed");
		if (r.end == ROTATOR_LATE)
			broken(k, op, "it was there still after its deadline");
		if (r.end == ROTATOR_FLOODED)
			broken(k, op, "it wrote more than 64 kB");
		if (out->reply != NULL)
			read_reply(k, op, out);
	}
	rotator_result_clear(&r);
	return rc;
}

int kit_run(struct kit *k, struct kit_call *call, struct kit_answer *out, struct err *e)
{
	json_t *request = request_of(k, call);
	char *text = json_dumps(request, JSON_COMPACT);
	struct rotator_call raw = {
		.input = text,
		.input_len = text != NULL ? strlen(text) : 0,
		.deadline_ms = call->deadline_ms > 0 ? call->deadline_ms : k->deadline_ms,
		.kill_us = call->kill_us > 0 ? call->kill_us : -1,
	};
	int rc = text != NULL ? run_text(k, call->op, &raw, out, e)
	                      : err_set(e, ERR_NOMEM, "out of memory");

	cli_json_free(text);
	json_decref(request);
	return rc;
}

int kit_raw(struct kit *k, const char *text, size_t n, struct kit_answer *out,
            struct err *e)
{
	struct rotator_call raw = {
		.input = text,
		.input_len = n,
		.deadline_ms = k->deadline_ms,
		.kill_us = -1,
	};

	return run_text(k, "garbage", &raw, out, e);
}

void kit_answer_clear(struct kit_answer *a)
{
	json_decref(a->reply);
	a->reply = NULL;
}

/* --- report --- */

static void row(struct kit *k, const char *check, const char *result, const char *detail)
{
	json_array_append_new(k->rows, json_pack("{s:s, s:s, s:s}", "check", check,
	                                         "result", result, "detail", detail));
}

void kit_pass(struct kit *k, const char *check)
{
	k->passed++;
	row(k, check, "pass", "");
}

static void fail_v(struct kit *k, const char *check, const char *fmt, va_list ap)
	PRINTF(3, 0);
static void fail_v(struct kit *k, const char *check, const char *fmt, va_list ap)
{
	char detail[320];

	vsnprintf(detail, sizeof(detail), fmt, ap);
	k->failed++;
	row(k, check, "FAIL", detail);
}

void kit_fail(struct kit *k, const char *check, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_v(k, check, fmt, ap);
	va_end(ap);
}

bool kit_that(struct kit *k, const char *check, bool holds, const char *fmt, ...)
{
	va_list ap;

	if (holds) {
		kit_pass(k, check);
		return true;
	}
	va_start(ap, fmt);
	fail_v(k, check, fmt, ap);
	va_end(ap);
	return false;
}

void kit_skip(struct kit *k, const char *check, const char *why)
{
	k->skipped++;
	row(k, check, "skip", why);
}

const char *kit_saw(const struct kit_answer *a)
{
	static char text[240];
	static const char *const ends[] = {
		[ROTATOR_NO_REPLY] = "no reply",
		[ROTATOR_CRASHED] = "a crash",
		[ROTATOR_KILLED] = "killed",
		[ROTATOR_LATE] = "still there after its deadline",
		[ROTATOR_FLOODED] = "too much output",
	};
	static const char *const verdicts[] = { "-", "valid", "invalid", "unknown" };

	if (a->end != ROTATOR_REPLIED)
		return ends[a->end];
	if (a->current != KIT_ABSENT || a->pending != KIT_ABSENT)
		snprintf(text, sizeof(text), "current %s, pending %s, previous %s",
		         verdicts[a->current], verdicts[a->pending],
		         verdicts[a->previous]);
	else
		snprintf(text, sizeof(text), "%s%s%s%s",
		         a->class[0] != '\0' ? a->class
		         : a->noop           ? "noop"
		                             : "ok",
		         a->message[0] != '\0' ? " (" : "", a->message,
		         a->message[0] != '\0' ? ")" : "");
	return text;
}
