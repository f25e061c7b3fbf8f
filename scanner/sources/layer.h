/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCANNER_LAYER_H
#define SCANNER_LAYER_H
/*
 * layer - one layer of an image: its files are searched, and what it does to paths is
 * told, so that the main process knows which files the layers above hide.
 */
#include "scanner/archive/stream.h"
#include "scanner/worker/work.h"

/**
 * layer_read(w, key, in, digest): ${key} is the blob's name in the archive, ${digest}
 * what its bytes must hash to ("sha256:…") or NULL.  Any compression; what is no tar is
 * searched as it is.  All of ${in} is read.
 */
void layer_read(struct work *w, const char *key, struct stream *in, const char *digest);

#endif
