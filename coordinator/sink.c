#include "coordinator/sink.h"

#include <stdio.h>

static bool show(const struct sink *sink, const struct tick *tick, const struct report_event *event,
                 struct error *error)
{
    if (tick != NULL && sink->tick != NULL)
        return sink->tick(sink->state, tick, error);
    if (event != NULL && sink->event != NULL)
        return sink->event(sink->state, event, error);
    return true;
}

void sinks_show(struct sink *sinks, size_t count, const struct tick *tick,
                const struct report_event *event, char *trouble)
{
    for (size_t i = 0; i < count; i++) {
        struct sink *sink = &sinks[i];
        struct error error = {0};
        if (show(sink, tick, event, &error))
            continue;
        sink->tick = NULL;
        sink->event = NULL;
        if (trouble[0] == '\0')
            snprintf(trouble, SENTENCE_BYTES, "%s: %.200s", sink->name, error.message);
    }
}
