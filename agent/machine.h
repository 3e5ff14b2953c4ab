/** What this machine gives an agent: the only reader of /proc and /sys here. Nothing that is
 * missing is an error: it is 0, or "", and the one who asks says so. */
#ifndef CLOBBER_AGENT_MACHINE_H
#define CLOBBER_AGENT_MACHINE_H

#include "agent/sources.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Cores that this process may use: a container's share, not the machine; at least 1. */
uint32_t machine_cores(void);
/** How long the calling thread has stood ready while others had the CPU, since it began; 0: not
 * known. */
uint64_t machine_thread_waited_ns(void);
/** Ports for outgoing connections of one address to one target; 0: not known. */
uint32_t machine_ports(void);
/** The governor of the first core's frequency, into `text[text_bytes]`; returns `text`. */
const char *machine_governor(char *text, size_t text_bytes);
/** What the kernel's clock goes by: "tsc"; likewise. */
const char *machine_clock(char *text, size_t text_bytes);
/** Whether every source is an address of this machine. False: ERROR_USAGE names the first that is
 *  not. */
bool machine_has(const struct sources *sources, struct error *error);

#endif
