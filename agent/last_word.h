/** An agent's last word: its final counters and histograms, phase by phase, each message repeated
 * until the coordinator has acknowledged it. Pure. */
#ifndef CLOBBER_AGENT_LAST_WORD_H
#define CLOBBER_AGENT_LAST_WORD_H

#include "agent/account.h"
#include "agent/meter.h"
#include "proto/setpoint.h"

#include <stdbool.h>
#include <stdint.h>

#define LAST_WORD_MESSAGES_MAX ((STAGES_MAX + 1u) * ACCOUNT_PARTS_MAX)

/** Plain data; last_word_begin() first. */
struct last_word {
    enum final_reason reason;
    uint64_t t_ns, cpu_ns; /* frozen, so that what is repeated is the same */
    uint32_t last_phase;
    uint64_t seq_from; /* of the first message; the others follow */
    uint32_t count, acknowledged;
    struct {
        uint32_t phase, part;
        uint64_t started, ok; /* of the phase: what an acknowledgement must repeat */
        bool acknowledged;
    } messages[LAST_WORD_MESSAGES_MAX]; /* [count] */
};

/** Whether the histograms of all phases count what their counters say: else the last word must
 * wait. */
bool last_word_agrees(const struct meters *meters);
/** Lays out the messages for `meters`, which are final; their sequences are `seq_from` and what
 * follows. */
void last_word_begin(struct last_word *word, struct account *account, const struct meters *meters,
                     enum final_reason reason, uint64_t t_ns, uint64_t seq_from);
/** Fills the first message at or after `*cursor` that is not acknowledged, and its sequence; moves
 * the cursor behind it. False: there is none. `final` points into `account`. */
bool last_word_next(const struct last_word *word, struct account *account,
                    const struct meters *meters, uint32_t *cursor, struct final *final,
                    uint64_t *seq);
/** Takes an acknowledgement. One for something else, a repeated one or one with other numbers
 * changes nothing. */
void last_word_acknowledge(struct last_word *word, const struct final_ack *ack);
/** Whether all of it has been acknowledged. */
bool last_word_is_heard(const struct last_word *word);

#endif
