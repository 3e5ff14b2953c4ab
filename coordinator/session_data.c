/* Data files, part by part to whoever asks. The coordinator remembers nobody's progress: an agent
 * asks for what it lacks, and asks again for what got lost. */
#include "coordinator/session_parts.h"

#include <stdio.h>
#include <string.h>

/* In a tick no more parts are given than leave it time for its own work; who went without asks
 * again. */
void session_give_part(struct session *session, struct agent *agent, const struct fetch *fetch)
{
    struct message message = {.type = MESSAGE_DATA};
    struct data_part *data = &message.as.data;
    for (uint32_t i = 0; i < session->plan->data_count; i++) {
        const struct plan_data *file = &session->plan->data[i];
        if (strcmp(file->name, fetch->name) != 0 || session->parts_given >= DATA_PARTS_A_TICK ||
            !data_part_of(file->block, file->block_bytes, fetch->part, data))
            continue;
        snprintf(data->name, sizeof data->name, "%s", file->name);
        session->parts_given++;
        session_send(session, agent, &message);
        return;
    }
}
