/** The agents of a simulated run: each says what a member says, of the load that a fleet of models
 *  makes, and obeys as a member does. A core in virtual time: messages go in and out of a network
 *  that takes the same time for all. */
#ifndef CLOBBER_COORDINATOR_SIMULATE_AGENTS_H
#define CLOBBER_COORDINATOR_SIMULATE_AGENTS_H

#include "coordinator/plan.h"
#include "coordinator/simulate_plant.h"
#include "proto/channel.h"
#include "proto/message.h"

#include <stdint.h>

#define SIMULATED_AGENTS_MAX FLEET_LANES_MAX
#define SIMULATED_FROM_NS    UINT64_C(1000000000) /* when virtual time begins: not at "never" */

struct simulate_agents;

/** What was said came to the coordinator. `message` is good for the length of the call. */
typedef void simulate_deliver(void *context, uint64_t now_ns, const struct peer_id *from,
                              const struct message *message);

/** `plan` and `plant` are borrowed for life; `agents` is 1 to SIMULATED_AGENTS_MAX. The caller owns
 *  the result: simulate_agents_destroy(). */
struct simulate_agents *simulate_agents_create(const struct plan *plan,
                                               const struct simulate_plant *plant, uint32_t agents,
                                               uint64_t seed);
void simulate_agents_destroy(struct simulate_agents *agents);

/** The coordinator sends `message` to `to` at `now_ns`. */
void simulate_agents_send(struct simulate_agents *agents, uint64_t now_ns, const struct peer_id *to,
                          const struct message *message);

/** All that happens before `until_ns` happens; what comes to the coordinator is delivered. */
void simulate_agents_run(struct simulate_agents *agents, uint64_t until_ns,
                         simulate_deliver *deliver, void *context);

/** The load begins at `now_ns`, the end of the last simulate_agents_run(): times of the plant count
 *  from here. */
void simulate_agents_begin(struct simulate_agents *agents, uint64_t now_ns);

#endif
