/* SPDX-License-Identifier: Apache-2.0 */
#include "cert_client.h"

#include <string.h>

#include "text.h"
#include "vault/ipc.h"
#include "vault/limits.h"

#define NAMES_MAX      256u
#define NAME_BYTES     512u
#define EXTENSIONS_MAX 64u
#define OID_BYTES      128u
#define KEY_ID_BYTES   64u
#define SERIAL_DIGITS  96u

static bool is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

bool cert_oid_ok(const char *s, size_t n)
{
	bool digit = false;

	if (n == 0 || n > OID_BYTES)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s[i]) && (s[i] != '.' || !digit))
			return false;
		digit = is_digit(s[i]);
	}
	return digit;
}

static const struct value *typed(const struct value *v, const char *key,
                                 enum value_type type)
{
	const struct value *m = value_get(v, key);

	return m != NULL && m->type == type ? m : NULL;
}

static bool is_text(const struct value *v)
{
	return v->type == V_STRING && v->len <= NAME_BYTES &&
	       text_printable(v->text, v->len);
}

static bool take_digest(const struct value *v, const char *key, const unsigned char **out)
{
	const struct value *m = typed(v, key, V_BYTES);

	if (m == NULL || m->len != 32)
		return false;
	*out = (const unsigned char *)m->text;
	return true;
}

static bool take_subject(const struct value *v, struct cert_client *out)
{
	const struct value *cn = typed(v, "common_name", V_STRING);
	const struct value *serial = typed(v, "serial_number", V_STRING);

	if (cn == NULL || !is_text(cn) || serial == NULL || serial->len == 0 ||
	    serial->len > SERIAL_DIGITS)
		return false;
	for (uint32_t i = 0; i < serial->len; i++)
		if (!is_digit(serial->text[i]))
			return false;
	out->common_name = cn;
	out->serial_number = serial;
	return true;
}

static bool take_key_id(const struct value *v, const char *key, const struct value **out)
{
	const struct value *m = value_get(v, key);

	if (m == NULL ||
	    (m->type != V_NULL && (m->type != V_BYTES || m->len > KEY_ID_BYTES)))
		return false;
	*out = m;
	return true;
}

static bool take_names(const struct value *v, const char *key, const struct value **out)
{
	const struct value *list = typed(v, key, V_ARRAY);

	if (list == NULL || list->len > NAMES_MAX)
		return false;
	for (const struct value *i = list->first; i != NULL; i = i->next)
		if (!is_text(i))
			return false;
	*out = list;
	return true;
}

static const struct value *by_oid(const struct value *list, const char *oid, size_t n)
{
	for (const struct value *i = list->first; i != NULL; i = i->next) {
		const struct value *name = value_get(i, "oid");

		if (name->len == n && memcmp(name->text, oid, n) == 0)
			return i;
	}
	return NULL;
}

static bool extension_ok(const struct value *x)
{
	const struct value *oid = typed(x, "oid", V_STRING);
	const struct value *critical = value_get(x, "critical");
	const struct value *text = value_get(x, "text");

	return oid != NULL && cert_oid_ok(oid->text, oid->len) && critical != NULL &&
	       (critical->type == V_TRUE || critical->type == V_FALSE) &&
	       typed(x, "value", V_BYTES) != NULL && text != NULL &&
	       (text->type == V_NULL || is_text(text));
}

static bool take_extensions(const struct value *v, struct cert_client *out)
{
	const struct value *list = typed(v, "extensions", V_ARRAY), *oid;

	if (list == NULL || list->len > EXTENSIONS_MAX)
		return false;
	for (const struct value *i = list->first; i != NULL; i = i->next)
		if (!extension_ok(i))
			return false;
	/* Of two of one name nobody could say which one counts. */
	for (const struct value *i = list->first; i != NULL; i = i->next) {
		oid = value_get(i, "oid");
		if (by_oid(list, oid->text, oid->len) != i)
			return false;
	}
	out->extensions = list;
	return true;
}

static bool take_anchors(const struct value *v, struct cert_client *out)
{
	const struct value *list = typed(v, "anchors", V_ARRAY);

	if (list == NULL || list->len > IPC_TRUST_CAS)
		return false;
	for (const struct value *i = list->first; i != NULL; i = i->next)
		if (i->type != V_BYTES || i->len != 32)
			return false;
	out->anchors = list;
	return true;
}

bool cert_issued_ok(const struct value *list)
{
	const unsigned char *issuer;
	const struct value *serial;

	if (list == NULL || list->type != V_ARRAY || list->len == 0 ||
	    list->len > IPC_CLIENT_CHAIN)
		return false;
	for (const struct value *i = list->first; i != NULL; i = i->next) {
		serial = typed(i, "serial", V_BYTES);
		if (!take_digest(i, "issuer", &issuer) || serial == NULL ||
		    serial->len == 0 || serial->len > LIMIT_SERIAL)
			return false;
	}
	return true;
}

static bool take_issued(const struct value *v, struct cert_client *out)
{
	out->issued = value_get(v, "issued");
	return cert_issued_ok(out->issued);
}

bool cert_client_read(const struct value *v, struct cert_client *out)
{
	return v != NULL && v->type == V_OBJECT &&
	       take_digest(v, "sha256", &out->sha256) && take_subject(v, out) &&
	       take_key_id(v, "subject_key_id", &out->subject_key_id) &&
	       take_key_id(v, "authority_key_id", &out->authority_key_id) &&
	       take_names(v, "organizational_units", &out->units) &&
	       take_names(v, "dns_names", &out->dns_names) &&
	       take_names(v, "email_addresses", &out->emails) &&
	       take_names(v, "uris", &out->uris) && take_extensions(v, out) &&
	       take_anchors(v, out) && take_issued(v, out);
}

const struct value *cert_client_extension(const struct cert_client *k, const char *oid,
                                          size_t n)
{
	return by_oid(k->extensions, oid, n);
}
