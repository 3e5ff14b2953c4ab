/** An agent's half of the talk: hello, assignment, setpoints by sequence, lease, drain, hello
 * again; obeys nothing stale. A core: an event goes in with `now_ns`, actions come out. */
#ifndef CLOBBER_AGENT_MEMBER_H
#define CLOBBER_AGENT_MEMBER_H

#include "agent/meter.h"
#include "agent/pool.h"
#include "proto/assignment.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct member;

/** Who we are and what the owner allows. Copied. */
struct member_config {
    char name[NAME_BYTES_MAX + 1];
    char build[NAME_BYTES_MAX + 1];
    uint32_t cores;
    uint32_t max_concurrency; /* the owner's ceilings; CONCURRENCY_MAX: none */
    uint64_t max_rate_milli;  /* RATE_PER_S_MAX * 1000: none */
    uint64_t max_duration_ns; /* 0: none */
    uint8_t allow_digest[DIGEST_BYTES];
    uint32_t orphans; /* final words of earlier incarnations that are there to be delivered */
};

enum member_event_kind {
    MEMBER_TICK,       /* every TICK_MS; `meters` of now, NULL while nothing is configured */
    MEMBER_MESSAGE,    /* `message` came; the shell hands over all that waits before it performs any
                          action on load */
    MEMBER_CONFIGURED, /* the assignment was taken: a pool stands ready */
    MEMBER_DECLINED,   /* it was not: `decline` says why */
    MEMBER_EXAMINED, /* what the coordinator asked for: `findings`, with `echo_t` of its question */
    MEMBER_INTERRUPT, /* the owner's signal: drain, say FINAL and BYE */
    MEMBER_KILL,      /* the second one: abort */
};

struct member_event {
    enum member_event_kind kind;
    const struct message *message;
    const struct meters *meters;
    struct decline decline;
    const struct findings *findings;
};

enum member_action_kind {
    MEMBER_SEND,      /* `message`; what it points at is good until the next member_step() */
    MEMBER_CONFIGURE, /* check `assignment`, build a pool, then step with MEMBER_CONFIGURED or
                         MEMBER_DECLINED; the envelope of `message` names the run and us */
    MEMBER_EXAMINE,   /* do what `message` asks, then step with MEMBER_EXAMINED */
    MEMBER_SET,       /* `setpoint` for the pool */
    MEMBER_DRAIN,     /* until `deadline_ns` */
    MEMBER_ABORT,
    MEMBER_END, /* this run is over for us: destroy the pool; see `end`, `retry_ms`, `sentence` */
};

enum member_end {
    MEMBER_END_COMPLETE, /* our final word was acknowledged */
    MEMBER_END_REFUSED,  /* `sentence` says why; again after `retry_ms`, 0: never */
    MEMBER_END_DECLINED,
    MEMBER_END_GONE, /* the coordinator fell silent, or is another one */
};

struct member_action {
    enum member_action_kind kind;
    struct message message;
    const struct assignment *assignment; /* good until member_destroy() */
    struct pool_setpoint setpoint;
    uint64_t deadline_ns;
    enum member_end end;
    uint32_t retry_ms;
    char sentence[NAME_BYTES_MAX + 1];
};

/** Calls `perform` with each action in order. */
typedef void member_perform(void *context, const struct member_action *action);

/** `incarnation`: 16 random bytes, new for each life. NULL: no memory. The caller owns it. */
struct member *member_create(const struct member_config *config, const uint8_t *incarnation);
void member_destroy(struct member *member);

/** One event. Pure but for `perform`, which it calls with what is to be done; not to be called from
 * within it. After MEMBER_END every event is ignored. */
void member_step(struct member *member, uint64_t now_ns, const struct member_event *event,
                 member_perform *perform, void *context);

/** Whether the meters at the next MEMBER_TICK should carry fresh histograms. */
bool member_wants_histograms(const struct member *member, uint64_t now_ns);

#endif
