/** The only reader of the kernel's clocks. */
#ifndef CLOBBER_BASE_CLOCK_H
#define CLOBBER_BASE_CLOCK_H

#include "common/base/units.h" /* NS_PER_MS, NS_PER_S: who reads a clock reckons with them */

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** CLOCK_BOOTTIME in ns: never set back, runs on through suspend. For every decision. */
uint64_t clock_now_ns(void);

/** The moment `wait_ns` from now on CLOCK_MONOTONIC, which waits for a condition are timed by. */
struct timespec clock_deadline(uint64_t wait_ns);

/** CPU time in ns that the calling thread, or the whole process, has used. */
uint64_t clock_thread_cpu_ns(void);
uint64_t clock_process_cpu_ns(void);

/** Wall time in ns since 1970. For the record and names of files only, never for a decision. */
uint64_t clock_wall_ns(void);

/** Writes "2026-01-02T10:15:00Z" for `wall_ns` into `text[text_bytes]`; returns `text`. */
const char *clock_wall_text(uint64_t wall_ns, char *text, size_t text_bytes);

#endif
