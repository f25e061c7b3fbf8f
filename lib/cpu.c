/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"

static const char *const names[CPU__ALL] = {
	[CPU_PLAIN] = "plain",
	[CPU_AVX2] = "avx2",
	[CPU_VBMI] = "vbmi",
};

atomic_int cpu_known = -1;

static enum cpu has(void)
{
#ifdef __x86_64__
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
		return CPU_PLAIN;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512vl") ||
	    !__builtin_cpu_supports("avx512vbmi") ||
	    !__builtin_cpu_supports("avx512vbmi2"))
		return CPU_AVX2;
	return CPU_VBMI;
#else
	return CPU_PLAIN;
#endif
}

static enum cpu know(enum cpu is)
{
	atomic_store_explicit(&cpu_known, (int)is, memory_order_relaxed);
	return is;
}

enum cpu cpu_find(void)
{
	return know(has());
}

void cpu_limit(enum cpu most)
{
	const enum cpu is = has();

	(void)know(is < most ? is : most);
}

const char *cpu_name(enum cpu is)
{
	return names[is];
}
