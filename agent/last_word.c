#include "agent/last_word.h"

#include "common/base/check.h"

bool last_word_agrees(const struct meters *meters)
{
    for (uint32_t i = 0; i < meters->phase_count; i++) {
        if (!account_agrees(&meters->phases[i]))
            return false;
    }
    return true;
}

/* A phase that came and went before this agent joined is reported too, empty, so that the count of
 * phases tells the coordinator when it has them all. */
static uint32_t last_begun(const struct meters *meters)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < meters->phase_count; i++) {
        if (meters->phases[i].t_from > 0)
            last = i;
    }
    return last;
}

void last_word_begin(struct last_word *word, struct account *account, const struct meters *meters,
                     enum final_reason reason, uint64_t t_ns, uint64_t seq_from)
{
    *word = (struct last_word){
        .reason = reason,
        .t_ns = t_ns,
        .cpu_ns = meters->cpu_ns,
        .last_phase = last_begun(meters),
        .seq_from = seq_from,
    };
    for (uint32_t phase = 0; phase <= word->last_phase; phase++) {
        uint32_t parts = account_phase(account, meters, phase, t_ns);
        for (uint32_t part = 0; part < parts; part++) {
            CHECK(word->count < LAST_WORD_MESSAGES_MAX);
            word->messages[word->count].phase = phase;
            word->messages[word->count].part = part;
            word->messages[word->count].started = meters->phases[phase].counters.started;
            word->messages[word->count].ok = meters->phases[phase].counters.ok;
            word->count++;
        }
    }
}

bool last_word_next(const struct last_word *word, struct account *account,
                    const struct meters *meters, uint32_t *cursor, struct final *final,
                    uint64_t *seq)
{
    while (*cursor < word->count && word->messages[*cursor].acknowledged)
        (*cursor)++;
    if (*cursor == word->count)
        return false;

    *final = (struct final){
        .reason = word->reason,
        .last_phase = word->last_phase,
        .counters = meters_total(meters),
        .cpu_ns = word->cpu_ns,
    };
    uint32_t parts = account_phase(account, meters, word->messages[*cursor].phase, word->t_ns);
    CHECK(word->messages[*cursor].part < parts);
    account_part(account, word->messages[*cursor].part, &final->sample);
    *seq = word->seq_from + *cursor;
    (*cursor)++;
    return true;
}

void last_word_acknowledge(struct last_word *word, const struct final_ack *ack)
{
    if (ack->seq < word->seq_from || ack->seq - word->seq_from >= word->count)
        return;
    uint64_t index = ack->seq - word->seq_from;
    if (word->messages[index].acknowledged || ack->started != word->messages[index].started ||
        ack->ok != word->messages[index].ok)
        return;
    word->messages[index].acknowledged = true;
    word->acknowledged++;
}

bool last_word_is_heard(const struct last_word *word)
{
    return word->count > 0 && word->acknowledged == word->count;
}
