/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"
#include "util.h"

TestSuite(cpu, .timeout = 20);

/* The kernel's words for what a step needs, each between blanks. */
static bool kernel_says(const char *const *words, size_t n)
{
	char line[8192];
	FILE *f = fopen("/proc/cpuinfo", "re");
	bool all = false;

	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		char *end = strchr(line, '\n');

		if (strncmp(line, "flags\t", 6) != 0)
			continue;
		cr_assert_not_null(end);
		*end = ' ';
		all = true;
		for (size_t i = 0; i < n; i++)
			all = all && strstr(line, words[i]) != NULL;
		break;
	}
	(void)fclose(f);
	return all;
}

Test(cpu, is_what_the_kernel_says)
{
	static const char *const avx2[] = { " avx2 ", " bmi1 ", " bmi2 ", " popcnt " };
	static const char *const vbmi[] = { " avx512f ", " avx512bw ", " avx512vl ",
		                            " avx512vbmi ", " avx512_vbmi2 " };
	enum cpu is = CPU_PLAIN;

	if (kernel_says(avx2, ARRAY_LEN(avx2)))
		is = kernel_says(vbmi, ARRAY_LEN(vbmi)) ? CPU_VBMI : CPU_AVX2;
	cr_assert_eq(cpu_best(), is, "%s, not %s", cpu_name(cpu_best()), cpu_name(is));
}

Test(cpu, can_be_limited_but_not_raised)
{
	const enum cpu best = cpu_best();

	for (enum cpu most = CPU_PLAIN; most <= CPU__ALL; most++) {
		cpu_limit(most);
		cr_assert_eq(cpu_best(), most < best ? most : best);
	}
}

Test(cpu, each_has_a_name)
{
	cr_assert_str_eq(cpu_name(CPU_PLAIN), "plain");
	cr_assert_str_eq(cpu_name(CPU_AVX2), "avx2");
	cr_assert_str_eq(cpu_name(CPU_VBMI), "vbmi");
}
