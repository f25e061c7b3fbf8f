/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H
/*
 * fields - members of a body from the arguments of a command, secrets kept out of argv.
 *
 *   NAME          asks without echo, or reads one line of standard input
 *   NAME=@FILE    from a file          NAME=-   all of standard input
 *   @FILE, -      a whole JSON object
 *   NAME:=VALUE   a setting that is no secret (JSON if it is JSON, else text)
 */
#include "cli.h"

/** fields_collect(c, first, plain, data, e): arguments from number ${first} on into
 * *data, an object that the caller owns (it may be replaced by another).  ${plain}: is
 * NAME:=VALUE allowed? */
int fields_collect(struct cli *c, int first, bool plain, json_t **data, struct err *e)
	MUST_CHECK;

/** fields_document(source, data, e): the JSON object in a file ("-": on standard input),
 * its members into *data. */
int fields_document(const char *source, json_t **data, struct err *e) MUST_CHECK;
/** fields_member(data, name, source, e): one text from a file or standard input ("-"), or
 * asked for if ${source} is NULL. */
int fields_member(json_t *data, const char *name, const char *source, struct err *e)
	MUST_CHECK;
/** fields_setting(data, s, e): KEY=VALUE, which is no secret (JSON if it is JSON, else
 * text). */
int fields_setting(json_t *data, const char *s, struct err *e) MUST_CHECK;

/** FIELDS_DETAILS: the above for the help of a command. */
#define FIELDS_DETAILS                                                                 \
	"NAME         asks for the value without echo (or reads one line of standard " \
	"input)\n"                                                                     \
	"NAME=@FILE   reads it from a file; NAME=- reads all of standard input\n"      \
	"@FILE or -   a whole JSON object\n"

#endif
