#include "coordinator/resume.h"

#include "common/base/limits.h"
#include "common/base/units.h"
#include "coordinator/json.h"

#include <stdlib.h>
#include <string.h>

static bool is_of_plan(const struct resume *resume, const struct plan *plan, struct error *error)
{
    const struct run_record *record = resume->record;
    if (!record->broken_off)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the run in %s has ended: there is nothing to resume", record->folder);
    if (strcmp(json_get_text(record->start, "plan"), plan->text) != 0)
        return error_set(
            error, ERROR_USAGE, PLACE_NONE,
            "the run in %s was begun with another plan; give the one that it was begun "
            "with",
            record->folder);
    if (plan_numbers(plan))
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "a run with numbered requests cannot be resumed: which of them were given "
                         "out died with its coordinator");
    return true;
}

/* The record and the state may have been put together by anybody. */
static bool is_one_run(const struct resume *resume, struct error *error)
{
    char run_id[2 * ID_BYTES + 1];
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(run_id + 2 * i, 3, "%02x", resume->past.run_id[i]);
    return strcmp(json_get_text(resume->record->start, "run_id"), run_id) == 0 ||
           error_set(error, ERROR_SYSTEM, PLACE_NONE,
                     "the record and the state in %s are of two runs", resume->record->folder);
}

bool resume_read(struct resume *resume, struct store *store, const char *folder,
                 const struct plan *plan, struct error *error)
{
    resume->record = run_record_open(folder, error);
    if (resume->record == NULL)
        return false;
    resume->endpoint = json_get_text(resume->record->start, "endpoint");
    return is_of_plan(resume, plan, error) && store_read(store, &resume->past, error) &&
           is_one_run(resume, error);
}

/* Each tick is written down right after its orders went out, so the last orders are of one tick
 * more; of a tick that came later than half a lease there were none. */
static uint64_t last_order_ns(const struct resume *resume, uint32_t lease_ms)
{
    const struct store_past *past = &resume->past;
    uint64_t told_ns = past->saved_ns;
    uint64_t shown_ns = past->load_began_ns + resume->record->load_ns;
    if (past->load_began_ns > 0 && shown_ns > told_ns)
        told_ns = shown_ns;
    return told_ns + (TICK_MS + lease_ms / 2) * NS_PER_MS;
}

bool resume_session(const struct resume *resume, struct session *session, uint32_t lease_ms,
                    struct error *error)
{
    const struct run_record *record = resume->record;
    for (uint32_t i = 0; i < record->event_count; i++)
        session_recall_event(session, &record->events[i]);
    if (!store_recall(&resume->past, session, error))
        return false;
    session_resume(session, &(struct session_past){.load_began_ns = resume->past.load_began_ns,
                                                   .ended_ns = last_order_ns(resume, lease_ms)});
    return true;
}

void resume_done(struct resume *resume)
{
    run_record_destroy(resume->record);
    free(resume->past.bytes);
    *resume = (struct resume){0};
}
