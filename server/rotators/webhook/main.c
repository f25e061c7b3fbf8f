/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>

#include "rotator.h"
#include "wh.h"

static const struct rotator webhook = {
	.name = "webhook",
	.value_max = 0,
	.value_forbid = "",
	.run = { [OP_NOTIFY] = wh_notify },
};

int main(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 1;
	return rotator_main(&webhook);
}
