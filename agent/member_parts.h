/** What the parts of the member share: member.c keeps the states, the tick and how a run is left;
 * beside it stand joining, the lease and its setpoints, and what is said of the work done. Only
 * member*.c include this. */
#ifndef CLOBBER_AGENT_MEMBER_PARTS_H
#define CLOBBER_AGENT_MEMBER_PARTS_H

#include "agent/account.h"
#include "agent/intake.h"
#include "agent/last_word.h"
#include "agent/member.h"
#include "common/base/units.h"

#include <stdbool.h>
#include <stdint.h>

#define SILENT_LEASES   5u /* without a word after the lease's end: the coordinator is gone */
#define RATE_MILLI_NONE ((uint64_t)(RATE_PER_S_MAX * 1000.0))

enum state {
    STATE_HELLO, /* says HELLO until it is answered; again after a long silence or a new epoch */
    STATE_FETCH, /* asks for data files */
    STATE_CONFIGURE, /* the shell builds the pool */
    STATE_JOINED,    /* obeys setpoints */
    STATE_ENDING,    /* drains or aborts */
    STATE_LAST_WORD, /* repeats FINAL until it is acknowledged */
    STATE_LEAVING,   /* repeats DECLINE or BYE for a moment */
    STATE_OVER,
};

struct member {
    struct member_config config;
    uint8_t incarnation[ID_BYTES];
    enum state state;

    /* The run, as its WELCOME told. */
    uint8_t run_id[ID_BYTES];
    uint64_t epoch;
    uint64_t lease_ns, sample_ns;
    uint8_t digest[DIGEST_BYTES];
    struct assignment assignment;
    size_t assignment_bytes;
    uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    char texts[ASSIGNMENT_TEXT_BYTES];
    struct intake *intake; /* of its data files; NULL: it has none */

    bool greeted; /* a first HELLO was said, at: */
    uint64_t greeted_ns;
    bool configured;    /* a pool stands ready */
    uint64_t seq;       /* of our last message */
    uint64_t repeat_ns; /* when HELLO, READY, FINAL, DECLINE or BYE is due again */
    uint64_t heard_ns;  /* the coordinator's last word */

    /* The level. */
    uint64_t applied_seq; /* of this epoch; 0: none */
    struct pool_setpoint level;
    bool leased;        /* a lease was granted in this epoch */
    bool expired;       /* ... and has ended; nothing starts */
    uint64_t loaded_ns; /* when load was first allowed; 0: not yet */

    /* Samples: what the last one of each phase said. */
    struct account *account;
    uint64_t sample_next_ns;
    struct counters sampled[STAGES_MAX + 1];
    uint64_t sampled_t_to[STAGES_MAX + 1];

    /* The end. */
    enum final_reason reason;
    bool by_owner; /* ours to say BYE */
    struct last_word last_word;
    uint64_t leave_ns; /* of STATE_LAST_WORD and STATE_LEAVING: no longer than this */
    struct decline decline;
    enum member_end end;
    char sentence[NAME_BYTES_MAX + 1];
};

/* One step: what every function below needs. */
struct turn {
    struct member *member;
    uint64_t now_ns;
    member_perform *perform;
    void *context;
};

/* member.c: how the parts speak, and the end. */

void member_act(const struct turn *turn, const struct member_action *action);
/** An action that sends a message of `type`: its envelope is filled, the rest is the caller's. */
struct member_action member_envelope(const struct member *member, enum message_type type,
                                     uint64_t seq);
/** Whether what the state repeats is to be said now; then it is due again after `again_ms`. */
bool member_is_due(const struct turn *turn, uint32_t again_ms);
/** Whether an echoed time can be one of ours. One from the future would be a lease without end. */
bool member_is_our_time(const struct turn *turn, uint64_t echo_t);
/** Says DECLINE or BYE `for_ms`, then the run is over for us. */
void member_leave(const struct turn *turn, enum member_end how, uint32_t for_ms);
/** The run is over for us. */
void member_finish(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                   const char *sentence);
/** The same with nobody to tell, and perhaps with load that must stop. */
void member_break_off(const struct turn *turn, enum member_end how, uint32_t retry_ms,
                      const char *sentence);

/* member_joining.c: from the first HELLO to a pool that stands ready. */

void member_say_hello(const struct turn *turn);
void member_say_ready(const struct turn *turn);
/** The coordinator does not know us any more, or is another one: its lease is worth nothing. */
void member_greet_again(const struct turn *turn);
void member_hear_welcome(const struct turn *turn, const struct message *message);
void member_hear_data(const struct turn *turn, const struct data_part *part);
/** Asks for parts of data files; or the coordinator has fallen silent. */
void member_tick_fetching(const struct turn *turn);
/** A pool stands ready: from now on setpoints are obeyed. */
void member_join(const struct turn *turn);
void member_decline(const struct turn *turn, const struct decline *why);

/* member_lease.c: setpoints, and how long they live. */

void member_hear_setpoint(const struct turn *turn, const struct message *message);
/** Nothing may start any more, whatever the level said. */
void member_set_nothing(const struct turn *turn);
/** No word from the coordinator: the lease ends by itself; long after it, so does the run. */
void member_watch_coordinator(const struct turn *turn);

/* member_words.c: what is said of the work done. `meters`: NULL while there are none. */

void member_say_beat(const struct turn *turn, const struct meters *meters);
/** When they are due, of the phases in which something changed. */
void member_say_samples(const struct turn *turn, const struct meters *meters);
/** `meters` are final. */
void member_begin_last_word(const struct turn *turn, const struct meters *meters);
/** Repeats what is not acknowledged. */
void member_say_last_word(const struct turn *turn, const struct meters *meters);
/** The owner does not want to wait for its acknowledgement. */
void member_hurry_last_word(const struct turn *turn);
void member_hear_final_ack(const struct turn *turn, const struct final_ack *ack);

#endif
