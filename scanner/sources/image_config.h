/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_IMAGE_CONFIG_H
#define SCANNER_IMAGE_CONFIG_H
/* image_config - what an image's or a container's configuration tells: environment,
 * labels, commands, health check, history with its build arguments. */
#include <jansson.h>

#include "json_text.h"

/** image_config_scan(w, document, v): the configuration of an image. */
void image_config_scan(struct work *w, const char *document, const json_t *v);
/** image_config_part(at, v): one object with members Env, Labels, Cmd … */
void image_config_part(struct json_at *at, const json_t *v);
/** image_config_attestation(w, document, v): provenance, whose parameters hold build
 * arguments. */
void image_config_attestation(struct work *w, const char *document, const json_t *v);

#endif
