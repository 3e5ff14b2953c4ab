#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/cgroup.h"
#include "common/base/check.h"
#include "common/base/units.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 8u
#define MIB       (UINT64_C(1) << 20)
#define V2        "/sys/fs/cgroup"

struct machine_case {
    const char *name;
    struct {
        const char *path, *text;
    } files[FILES_MAX];
    double cpus;
    uint64_t memory_bytes;
};

static const struct machine_case machine_cases[] = {
    {"without_control_groups_there_is_no_limit", {{"/proc/version", "Linux\n"}}, 0.0, 0},
    {"version_2_says_max_where_there_is_no_limit",
     {{"/proc/self/cgroup", "0::/a\n"},
      {V2 "/a/cpu.max", "max 100000\n"},
      {V2 "/a/memory.max", "max\n"}},
     0.0,
     0},
    {"version_2_limits_both",
     {{"/proc/self/cgroup", "0::/a\n"},
      {V2 "/a/cpu.max", "150000 100000\n"},
      {V2 "/a/memory.max", "268435456\n"}},
     1.5,
     256 * MIB},
    {"the_tightest_on_the_way_up_counts",
     {{"/proc/self/cgroup", "0::/pod/agent\n"},
      {V2 "/pod/agent/cpu.max", "400000 100000\n"},
      {V2 "/pod/cpu.max", "50000 100000\n"},
      {V2 "/pod/agent/memory.max", "67108864\n"},
      {V2 "/pod/memory.max", "134217728\n"}},
     0.5,
     64 * MIB},
    {"a_container_shows_its_group_as_the_root",
     {{"/proc/self/cgroup", "0::/\n"},
      {V2 "/cpu.max", "200000 100000\n"},
      {V2 "/memory.max", "104857600\n"}},
     2.0,
     100 * MIB},
    {"version_1_has_a_folder_for_each",
     {{"/proc/self/cgroup", "4:memory:/docker/1\n3:cpuset:/\n2:cpu,cpuacct:/docker/1\n"},
      {V2 "/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "25000\n"},
      {V2 "/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n"},
      {V2 "/memory/docker/1/memory.limit_in_bytes", "104857600\n"}},
     0.25,
     100 * MIB},
    {"version_1_says_none_with_minus_one_and_almost_2_to_the_63",
     {{"/proc/self/cgroup", "4:memory:/\n2:cpu:/\n"},
      {V2 "/cpu/cpu.cfs_quota_us", "-1\n"},
      {V2 "/cpu/cpu.cfs_period_us", "100000\n"},
      {V2 "/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
     0.0,
     0},
    {"in_a_container_of_version_1_the_path_is_the_hosts",
     {{"/proc/self/cgroup", "4:memory:/machine/1\n2:cpu:/machine/1\n"},
      {V2 "/cpu/cpu.cfs_quota_us", "300000\n"},
      {V2 "/cpu/cpu.cfs_period_us", "100000\n"},
      {V2 "/memory/memory.limit_in_bytes", "52428800\n"}},
     3.0,
     50 * MIB},
    {"both_versions_beside_each_other_are_both_read",
     {{"/proc/self/cgroup", "4:memory:/a\n0::/b\n"},
      {V2 "/memory/a/memory.limit_in_bytes", "52428800\n"},
      {V2 "/unified/b/cpu.max", "100000 100000\n"}},
     1.0,
     50 * MIB},
    {"a_controller_that_is_called_alike_is_another",
     {{"/proc/self/cgroup", "5:cpuset:/\n2:cpuacct:/\n"},
      {V2 "/cpuacct/cpu.cfs_quota_us", "100000\n"},
      {V2 "/cpuacct/cpu.cfs_period_us", "100000\n"},
      {V2 "/cpu/cpu.cfs_quota_us", "100000\n"},
      {V2 "/cpu/cpu.cfs_period_us", "100000\n"}},
     0.0,
     0},
    {"what_is_no_number_is_no_limit",
     {{"/proc/self/cgroup", "nonsense\n0:\n0::/\n"},
      {V2 "/cpu.max", "-5 x\n"},
      {V2 "/memory.max", "\n"}},
     0.0,
     0},
    {"a_period_of_nothing_is_no_limit",
     {{"/proc/self/cgroup", "0::/\n"}, {V2 "/cpu.max", "100000 0\n"}},
     0.0,
     0},
};

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *stream = fopen(path, "we");
    assert_non_null(stream);
    fputs(text, stream);
    fclose(stream);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void limits_are(void **state)
{
    const struct machine_case *row = *state;
    char folder[] = "/tmp/clobber-cgroup-XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < FILES_MAX && row->files[i].path != NULL; i++)
        write_file(folder, row->files[i].path, row->files[i].text);

    struct cgroup_limits limits = cgroup_limits(folder);

    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    assert_true(limits.cpus == row->cpus);
    assert_int_equal(limits.memory_bytes, row->memory_bytes);
}

static void cores_are_never_more_than_the_groups_give(void **state)
{
    (void)state;
    uint32_t all = cgroup_cores(0.0);
    assert_true(all >= 1);
    assert_int_equal(cgroup_cores(0.1), 1);
    assert_int_equal(cgroup_cores(1.0), 1);
    assert_int_equal(cgroup_cores(1.5), all < 2 ? all : 2);
    assert_int_equal(cgroup_cores(1e6), all);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(machine_cases) + 1];
    for (size_t i = 0; i < COUNT(machine_cases); i++)
        tests[i] = (struct CMUnitTest){.name = machine_cases[i].name,
                                       .test_func = limits_are,
                                       .initial_state = (void *)(uintptr_t)&machine_cases[i]};
    tests[COUNT(machine_cases)] =
        (struct CMUnitTest)cmocka_unit_test(cores_are_never_more_than_the_groups_give);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
