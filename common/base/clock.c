#include "common/base/clock.h"

#include "common/base/check.h"

static uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0); /* fails only for a clock that does not exist */
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_BOOTTIME);
}

struct timespec clock_deadline(uint64_t wait_ns)
{
    uint64_t until_ns = clock_read_ns(CLOCK_MONOTONIC) + wait_ns;
    return (struct timespec){.tv_sec = (time_t)(until_ns / NS_PER_S),
                             .tv_nsec = (long)(until_ns % NS_PER_S)};
}

uint64_t clock_thread_cpu_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t clock_process_cpu_ns(void)
{
    return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_wall_ns(void)
{
    return clock_read_ns(CLOCK_REALTIME);
}

const char *clock_wall_text(uint64_t wall_ns, char *text, size_t text_bytes)
{
    CHECK(text_bytes > 0);
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm calendar;
    CHECK(gmtime_r(&seconds, &calendar) != NULL);
    if (strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%SZ", &calendar) == 0)
        text[0] = '\0'; /* strftime leaves rubbish in a text that is too short */
    return text;
}
