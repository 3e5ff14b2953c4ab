#include "agent/orphan.h"

#include "agent/account.h"
#include "agent/last_word.h"
#include "common/base/units.h"

#include <stdlib.h>
#include <string.h>

/* Above all that it said itself: a million messages a second for the longest run. */
#define SEQ_FROM (UINT64_C(1) << 42)

struct orphan {
    struct recording_owner owner;
    struct meters *meters;
    struct account *account;
    struct last_word word;
    bool lives;        /* its run */
    uint64_t epoch;    /* the newest that was heard */
    uint32_t cursor;   /* the next message of those that are said now */
    uint64_t again_ns; /* when they are due again */
};

struct orphan *orphan_create(const struct recording_owner *owner, struct meters *meters)
{
    struct orphan *orphan = calloc(1, sizeof *orphan);
    struct account *account = account_create();
    if (orphan == NULL || account == NULL) {
        free(orphan);
        account_destroy(account);
        meters_destroy(meters);
        return NULL;
    }
    orphan->owner = *owner;
    orphan->meters = meters;
    orphan->account = account;
    last_word_begin(&orphan->word, account, meters, FINAL_KILLED, meters->t_agent, SEQ_FROM);
    return orphan;
}

void orphan_destroy(struct orphan *orphan)
{
    if (orphan == NULL)
        return;
    meters_destroy(orphan->meters);
    account_destroy(orphan->account);
    free(orphan);
}

void orphan_hear(struct orphan *orphan, const struct message *message)
{
    if (memcmp(message->run_id, orphan->owner.run_id, ID_BYTES) != 0)
        return;
    orphan->lives = true;
    if (message->epoch > orphan->epoch)
        orphan->epoch = message->epoch;
    if (message->type == MESSAGE_FINAL_ACK &&
        memcmp(message->incarnation, orphan->owner.incarnation, ID_BYTES) == 0)
        last_word_acknowledge(&orphan->word, &message->as.final_ack);
}

bool orphan_say(struct orphan *orphan, uint64_t now_ns, struct message *message)
{
    if (!orphan->lives || now_ns < orphan->again_ns)
        return false;
    *message = (struct message){.type = MESSAGE_FINAL, .epoch = orphan->epoch};
    memcpy(message->run_id, orphan->owner.run_id, ID_BYTES);
    memcpy(message->incarnation, orphan->owner.incarnation, ID_BYTES);
    if (last_word_next(&orphan->word, orphan->account, orphan->meters, &orphan->cursor,
                       &message->as.final, &message->seq))
        return true;
    orphan->cursor = 0;
    orphan->again_ns = now_ns + FINAL_REPEAT_MS * NS_PER_MS;
    return false;
}

bool orphan_is_heard(const struct orphan *orphan)
{
    return last_word_is_heard(&orphan->word);
}
