#include "agent/machine.h"

#include "agent/capacity.h"
#include "common/base/cgroup.h"
#include "common/base/limits.h"
#include "common/base/net.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PORTS_FILE    "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED_FILE "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define GOVERNOR_FILE "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
#define CLOCK_FILE    "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define THREAD_FILE   "/proc/thread-self/schedstat"

/* The first line of a small file, "" when there is none. */
static const char *read_line(const char *path, char *text, size_t text_bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor >= 0 ? read(descriptor, text, text_bytes - 1) : 0;
    if (descriptor >= 0)
        close(descriptor);
    text[count > 0 ? count : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

uint32_t machine_cores(void)
{
    uint32_t count = cgroup_cores(cgroup_limits("").cpus);
    return count > LANES_MAX ? LANES_MAX : count;
}

/* Time on a CPU, time ready and waiting for one, both in ns, and how often. */
uint64_t machine_thread_waited_ns(void)
{
    char text[128];
    unsigned long long ran_ns, waited_ns;
    bool known =
        sscanf(read_line(THREAD_FILE, text, sizeof text), "%llu %llu", &ran_ns, &waited_ns) == 2;
    return known ? waited_ns : 0;
}

uint32_t machine_ports(void)
{
    char range[64], reserved[4096];
    return capacity_ports(read_line(PORTS_FILE, range, sizeof range),
                          read_line(RESERVED_FILE, reserved, sizeof reserved));
}

const char *machine_governor(char *text, size_t text_bytes)
{
    return read_line(GOVERNOR_FILE, text, text_bytes);
}

const char *machine_clock(char *text, size_t text_bytes)
{
    return read_line(CLOCK_FILE, text, text_bytes);
}

static bool has_family(const struct sources *sources, int family, struct error *error)
{
    uint32_t count = sources_count(sources, family);
    for (uint32_t i = 0; i < count; i++) {
        struct address address = sources_pick(sources, family, i);
        char text[ADDRESS_TEXT_BYTES];
        if (!net_is_own(&address))
            return error_set(error, ERROR_USAGE, PLACE_NONE,
                             "--source %.*s is no address of this machine",
                             (int)(strrchr(net_address_text(&address, text), ':') - text), text);
    }
    return true;
}

bool machine_has(const struct sources *sources, struct error *error)
{
    return has_family(sources, AF_INET, error) && has_family(sources, AF_INET6, error);
}
