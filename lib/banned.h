/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BANNED_H
#define BANNED_H
/*
 * banned - functions that have no place here, turned into compile errors.
 *
 * The build includes this file ahead of every source.  It reads the system headers
 * first, so that only our own calls meet the macros.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define BANNED(func) sorry_##func##_is_a_banned_function

/* No bound on what is written: use snprintf() or text_*(). */
#undef strcpy
#define strcpy(x, y) BANNED(strcpy)
#undef stpcpy
#define stpcpy(x, y) BANNED(stpcpy)
#undef strcat
#define strcat(x, y) BANNED(strcat)
#undef strncpy
#define strncpy(x, y, n) BANNED(strncpy)
#undef stpncpy
#define stpncpy(x, y, n) BANNED(stpncpy)
#undef strncat
#define strncat(x, y, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef gets
#define gets(x) BANNED(gets)
#undef alloca
#define alloca(n) BANNED(alloca)

/* No error report: use strtol() and look at errno and the end. */
#undef atoi
#define atoi(x) BANNED(atoi)
#undef atol
#define atol(x) BANNED(atol)
#undef atoll
#define atoll(x) BANNED(atoll)
#undef atof
#define atof(x) BANNED(atof)

/* A result in static storage: use the _r forms. */
#undef gmtime
#define gmtime(t) BANNED(gmtime)
#undef localtime
#define localtime(t) BANNED(localtime)
#undef ctime
#define ctime(t) BANNED(ctime)
#undef ctime_r
#define ctime_r(t, buf) BANNED(ctime_r)
#undef asctime
#define asctime(t) BANNED(asctime)
#undef asctime_r
#define asctime_r(t, buf) BANNED(asctime_r)
#undef strtok
#define strtok(x, y) BANNED(strtok)

/* A race between the name and the file: use mkstemp() or O_TMPFILE. */
#undef mktemp
#define mktemp(x) BANNED(mktemp)
#undef tmpnam
#define tmpnam(x) BANNED(tmpnam)
#undef tempnam
#define tempnam(x, y) BANNED(tempnam)

/* Guessable: use rng_*(). */
#undef rand
#define rand() BANNED(rand)
#undef srand
#define srand(x) BANNED(srand)
#undef random
#define random() BANNED(random)
#undef srandom
#define srandom(x) BANNED(srandom)

/* A shell between us and the program: use execve(). */
#undef system
#define system(x) BANNED(system)
#undef popen
#define popen(x, y) BANNED(popen)
#endif
