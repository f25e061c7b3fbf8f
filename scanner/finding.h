/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_FINDING_H
#define SCANNER_FINDING_H
/* finding - what a scan tells: a secret, or a candidate and why it is none. */
#include <stdbool.h>
#include <stdint.h>

#include "blob.h"
#include "rules/rule.h"

/* What the built-in checksum or structure says. */
enum validity { VALIDITY_NONE, VALIDITY_VALID, VALIDITY_INVALID };

/* Why a candidate is not reported. */
enum drop {
	DROP_NONE,        /* it is */
	DROP_ALLOW_RULE,  /* a rule of allow: true covers it */
	DROP_ALLOW_LINE,  /* a comment on its line allows it */
	DROP_PLACEHOLDER, /* masked, a variable, an example's words, a documented sample
	                   */
	DROP_LOOKALIKE,   /* its checksum is wrong, where that is verified */
	DROP_STRUCTURE,   /* not made as such a secret is made */
	DROP_ENTROPY,     /* not random enough */
	DROP_NAME,        /* the name that it is assigned to promises no secret */
	DROP_CONTEXT,     /* none of its keywords is near */
	DROP_OVERLAP,     /* a more specific rule has reported it */
	DROP_BASELINE,    /* known before */
	DROP_SUPPRESSED,  /* by an ignore file */
	DROP__MAX
};

/** confidence_name(c), severity_name(s), validity_name(v), drop_name(d): as reports write
 * them, in lower case. */
const char *confidence_name(enum confidence c);
const char *severity_name(enum severity s);
const char *validity_name(enum validity v);
const char *drop_name(enum drop d);

#define FINDING_EXCERPT     160u
#define FINDING_FINGERPRINT 16u
#define FINDING_DECODED     48u
#define FINDING_SECRET      4096u

/* Borrowed while the sink is called. */
struct finding {
	const struct rule *rule; /* NULL: a value of the vault's own */
	const struct blob *blob;
	uint64_t offset; /* of the secret in the blob; of what it was decoded from */
	uint64_t line, column;             /* from 1; columns count bytes */
	char excerpt[FINDING_EXCERPT + 1]; /* its line, without the secret: UTF-8 */
	unsigned char fingerprint[FINDING_FINGERPRINT]; /* keyed, of rule and secret */
	char decoded[FINDING_DECODED]; /* "base64>gzip"; "" as it stands */
	enum confidence confidence;
	enum severity severity;
	enum validity validity;
	enum drop drop;
	const unsigned char *known; /* LEAK_ID bytes of a known value, or NULL */
	bool known_current;         /* of the newest version */
	const char *secret;         /* in full, only where the scan was asked to reveal */
	uint32_t secret_n;
};

#endif
