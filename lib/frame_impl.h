/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_IMPL_H
#define FRAME_IMPL_H
/* frame_impl - the frame header, shared by frame.c and frame_fd.c. */
#include "frame.h"

/** frame_header_put(h, type, id, len): write a header. */
void frame_header_put(unsigned char h[IPC_HEADER], enum ipc_type type, uint64_t id,
                      size_t len);

/** frame_header_get(h, f, e): read one into ${f} (payload untouched); ERR_INVALID. */
int frame_header_get(const unsigned char h[IPC_HEADER], struct frame *f, struct err *e)
	MUST_CHECK;

#endif
