/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_H
#define CPU_H
/* cpu - which vector instructions may be used, in the steps that code is written for. */
#include <stdatomic.h>

/* Each has what those before have. */
enum cpu {
	CPU_PLAIN,
	CPU_AVX2, /* and BMI 1 and 2, and POPCNT */
	CPU_VBMI, /* AVX-512 F, BW, VL, VBMI and VBMI2 */
	CPU__ALL
};

extern atomic_int cpu_known; /* cpu_best(); -1: not found out yet */
/** cpu_find(): finds it out. */
enum cpu cpu_find(void);

/** cpu_best(): the last step that this processor has, or that it is limited to. */
static inline enum cpu cpu_best(void)
{
	const int is = atomic_load_explicit(&cpu_known, memory_order_relaxed);

	return is >= 0 ? (enum cpu)is : cpu_find();
}

/** cpu_limit(most): no more than that from now on, in the whole process, whatever was
 * said before; of our own code, not of libraries.  For tests and measurements. */
void cpu_limit(enum cpu most);
/** cpu_name(is): "plain", "avx2", "vbmi"; static. */
const char *cpu_name(enum cpu is);

#endif
