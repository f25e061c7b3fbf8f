/* SPDX-License-Identifier: Apache-2.0 */
#include "wh.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

void wh_sign(const char *secret, int64_t t, const char *body, char out[WH_SIGNATURE_MAX])
{
	crypto_auth_hmacsha256_state s;
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof(mac) + 1], stamp[32];
	int n = snprintf(stamp, sizeof(stamp), "%lld.", (long long)t);

	crypto_auth_hmacsha256_init(&s, (const unsigned char *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&s, (const unsigned char *)stamp,
	                              (unsigned long long)n);
	crypto_auth_hmacsha256_update(&s, (const unsigned char *)body, strlen(body));
	crypto_auth_hmacsha256_final(&s, mac);
	text_hex(mac, sizeof(mac), hex);
	snprintf(out, WH_SIGNATURE_MAX, "t=%lld,v1=%s", (long long)t, hex);
	sodium_memzero(&s, sizeof(s));
}
