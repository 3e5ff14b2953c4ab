#include "common/base/cgroup.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES   4096u               /* a path is no longer */
#define MEMORY_BOUND (UINT64_C(1) << 62) /* version 1 says "none" with almost 2^63 */

/* Where a group's files lie, below which its path goes on. The kernel lets people mount them
 * anywhere; these are where systemd, Docker and podman do. */
static const char *const version2_mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

struct place {
    const char *root, *mount, *group;
};

/* The first line of a small file. False: there is none. */
static bool read_file(const struct place *place, const char *name, char *text, size_t text_bytes)
{
    char path[3 * LINE_BYTES];
    snprintf(path, sizeof path, "%s%s%s/%s", place->root, place->mount, place->group, name);
    FILE *stream = fopen(path, "re");
    bool read = stream != NULL && fgets(text, (int)text_bytes, stream) != NULL;
    if (stream != NULL)
        fclose(stream);
    return read;
}

static double read_number(const struct place *place, const char *name)
{
    char text[64];
    return read_file(place, name, text, sizeof text) ? strtod(text, NULL) : 0.0;
}

static void tighten_cpus(struct cgroup_limits *limits, double quota, double period)
{
    if (!(quota > 0.0) || !(period > 0.0))
        return;
    double cpus = quota / period;
    if (limits->cpus <= 0.0 || cpus < limits->cpus)
        limits->cpus = cpus;
}

static void tighten_memory(struct cgroup_limits *limits, const struct place *place,
                           const char *name)
{
    char text[64];
    if (!read_file(place, name, text, sizeof text))
        return;
    uint64_t bytes = strtoull(text, NULL, 10); /* "max" is 0 */
    if (bytes == 0 || bytes >= MEMORY_BOUND)
        return;
    if (limits->memory_bytes == 0 || bytes < limits->memory_bytes)
        limits->memory_bytes = bytes;
}

/* "150000 100000" or "max 100000": time in each period. */
static void read_version2(struct cgroup_limits *limits, const struct place *place)
{
    char text[64];
    double quota = 0.0, period = 0.0;
    if (read_file(place, "cpu.max", text, sizeof text) &&
        sscanf(text, "%lf %lf", &quota, &period) == 2)
        tighten_cpus(limits, quota, period);
    tighten_memory(limits, place, "memory.max");
}

static void read_version1(struct cgroup_limits *limits, const struct place *place)
{
    tighten_cpus(limits, read_number(place, "cpu.cfs_quota_us"), /* -1: none */
                 read_number(place, "cpu.cfs_period_us"));
    tighten_memory(limits, place, "memory.limit_in_bytes");
}

/* From our group up to the root, which a container shows as its own: then the path is one of the
 * host's, of which here is nothing, and only the root says anything. */
static void read_upwards(struct cgroup_limits *limits, const char *root, const char *mount,
                         const char *group,
                         void (*read)(struct cgroup_limits *, const struct place *))
{
    char path[LINE_BYTES];
    struct place place = {root, mount, path};
    snprintf(path, sizeof path, "%s", group);
    for (;;) {
        read(limits, &place);
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

static bool has_controller(const char *controllers, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = controllers; (at = strstr(at, name)) != NULL; at += length)
        if ((at == controllers || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

/* A line of /proc/self/cgroup: "0::/group" is version 2, "4:cpu,cpuacct:/group" one of version 1,
 * mounted by the name of all its controllers, or of each. */
static void read_line(struct cgroup_limits *limits, const char *root, char *line)
{
    char mount[LINE_BYTES + 32];
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return;
    *controllers++ = '\0';
    *group++ = '\0';
    if (controllers[0] == '\0') {
        for (size_t i = 0; i < sizeof version2_mounts / sizeof version2_mounts[0]; i++)
            read_upwards(limits, root, version2_mounts[i], group, read_version2);
        return;
    }
    static const char *const ours[] = {"cpu", "memory"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (!has_controller(controllers, ours[i]))
            continue;
        snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controllers);
        read_upwards(limits, root, mount, group, read_version1);
        snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", ours[i]);
        read_upwards(limits, root, mount, group, read_version1);
    }
}

struct cgroup_limits cgroup_limits(const char *root)
{
    struct cgroup_limits limits = {0};
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *stream = fopen(line, "re");
    while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        read_line(&limits, root, line);
    }
    if (stream != NULL)
        fclose(stream);
    return limits;
}

uint32_t cgroup_cores(double cpus)
{
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    if (cpus > 0.0 && ceil(cpus) < count)
        count = (int)ceil(cpus);
    return count < 1 ? 1 : (uint32_t)count;
}
