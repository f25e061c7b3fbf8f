/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROTATORS_WEBHOOK_WH_H
#define ROTATORS_WEBHOOK_WH_H
/*
 * wh - one event to one HTTP endpoint: a signed POST of JSON.
 *
 * Redirects are not followed, proxies and cookies not used; certificates are verified by
 * the system's authorities or by config.ca.  Delivered is what was answered by 2xx; what
 * the answer says is not read.
 */
#include "request.h"

#define WH_URL_MAX       2048u
#define WH_SIGNATURE_MAX 128

/** wh_check_url(url, insecure, a): https, or http to this machine, or anywhere if
 * ${insecure}; CLASS_PERMANENT says what is wrong. */
int wh_check_url(const char *url, bool insecure, struct answer *a) MUST_CHECK;

/** wh_sign(secret, t, body, out): the value of the header Vaultd-Signature,
 * "t=<seconds>,v1=<hex of HMAC-SHA256(secret, "<seconds>.<body>")>". */
void wh_sign(const char *secret, int64_t t, const char *body, char out[WH_SIGNATURE_MAX]);

/** wh_notify(r, a): OP_NOTIFY. */
int wh_notify(struct request *r, struct answer *a) MUST_CHECK;

#endif
