/** What control groups leave a process of its machine: a container's CPUs and memory, not the
 *  host's. Version 1, version 2, and both beside each other. */
#ifndef CLOBBER_BASE_CGROUP_H
#define CLOBBER_BASE_CGROUP_H

#include <stdint.h>

/** Plain data. */
struct cgroup_limits {
    double cpus;           /* time of so many CPUs, as 1.5; 0: no bound, or not known */
    uint64_t memory_bytes; /* 0: no bound, or not known */
};

/** Of the group that this process is in and all above it, the tightest of each. Reads below `root`:
 *  "" is the machine; a test gives a folder. Nothing that is missing is an error. */
struct cgroup_limits cgroup_limits(const char *root);

/** Cores that this process may keep busy: those it may run on, but no more than `cpus` of its
 * groups rounded up (0: no bound); at least 1. */
uint32_t cgroup_cores(double cpus);

#endif
