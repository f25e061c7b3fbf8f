/* SPDX-License-Identifier: Apache-2.0 */
#include "record_finding.h"

#include <string.h>

#include "leaktag.h"

enum { N_OFFSET, N_LINE, N_COLUMN, N_CHANNEL, N_RULE, N_JUDGED, N_KNOWN };
enum { T_PATH, T_LAYER, T_SOURCE, T_EXCERPT, T_DECODED };

#define NO_RULE UINT64_MAX

/* Fingerprint, the known value's id, the secret: each as long as it is. */
#define HEAD FINDING_FINGERPRINT

void record_put_finding(struct record *r, const struct finding *f, unsigned char *bytes)
{
	size_t n = HEAD;

	memset(r, 0, sizeof(*r));
	r->type = RECORD_FINDING;
	r->number[N_OFFSET] = f->offset;
	r->number[N_LINE] = f->line;
	r->number[N_COLUMN] = f->column;
	r->number[N_CHANNEL] = (uint64_t)f->blob->channel;
	r->number[N_RULE] = f->rule != NULL ? f->rule->index : NO_RULE;
	r->number[N_JUDGED] = (uint64_t)f->confidence | (uint64_t)f->severity << 8 |
	                      (uint64_t)f->validity << 16 | (uint64_t)f->drop << 24;
	r->number[N_KNOWN] = f->known != NULL ? 1 + (uint64_t)f->known_current : 0;
	r->text[T_PATH] = f->blob->path;
	r->text[T_LAYER] = f->blob->layer;
	r->text[T_SOURCE] = f->blob->source;
	r->text[T_EXCERPT] = f->excerpt;
	r->text[T_DECODED] = f->decoded;
	memcpy(bytes, f->fingerprint, HEAD);
	if (f->known != NULL) {
		memcpy(bytes + n, f->known, LEAK_ID);
		n += LEAK_ID;
	}
	if (f->secret != NULL && f->secret_n <= FINDING_SECRET) {
		memcpy(bytes + n, f->secret, f->secret_n);
		n += f->secret_n;
	}
	r->bytes = bytes;
	r->bytes_n = n;
}

void record_move_line(struct record *r, uint64_t by)
{
	r->number[N_LINE] += by;
}

static bool get_judged(const struct record *r, struct finding *f)
{
	uint64_t v = r->number[N_JUDGED];

	f->confidence = (enum confidence)(v & 0xff);
	f->severity = (enum severity)(v >> 8 & 0xff);
	f->validity = (enum validity)(v >> 16 & 0xff);
	f->drop = (enum drop)(v >> 24 & 0xff);
	return v >> 32 == 0 && f->confidence <= CONFIDENCE_HIGH &&
	       f->severity <= SEVERITY_CRITICAL && f->validity <= VALIDITY_INVALID &&
	       f->drop < DROP__MAX;
}

static bool get_bytes(const struct record *r, struct finding *f)
{
	const unsigned char *p = r->bytes;
	size_t n = r->bytes_n, known = r->number[N_KNOWN] != 0 ? LEAK_ID : 0;

	if (n < HEAD + known || n > HEAD + known + FINDING_SECRET)
		return false;
	memcpy(f->fingerprint, p, HEAD);
	f->known = known != 0 ? p + HEAD : NULL;
	f->known_current = r->number[N_KNOWN] == 2;
	f->secret_n = (uint32_t)(n - HEAD - known);
	f->secret = f->secret_n > 0 ? (const char *)p + HEAD + known : NULL;
	return true;
}

int record_get_finding(const struct record *r, const struct rule_set *rules,
                       struct finding *f, struct scan_place *at)
{
	uint64_t rule = r->number[N_RULE];

	memset(f, 0, sizeof(*f));
	if (r->number[N_CHANNEL] >= CHANNEL__MAX || !get_judged(r, f) ||
	    !get_bytes(r, f) || (rule == NO_RULE ? f->known == NULL : rule >= rules->n))
		return -1;
	f->rule = rule == NO_RULE ? NULL : &rules->at[rule];
	f->offset = r->number[N_OFFSET];
	f->line = r->number[N_LINE];
	f->column = r->number[N_COLUMN];
	(void)snprintf(f->excerpt, sizeof(f->excerpt), "%s", r->text[T_EXCERPT]);
	(void)snprintf(f->decoded, sizeof(f->decoded), "%s", r->text[T_DECODED]);
	at->channel = (enum scan_channel)r->number[N_CHANNEL];
	at->path = r->text[T_PATH];
	at->layer = r->text[T_LAYER];
	at->source = r->text[T_SOURCE];
	return 0;
}
