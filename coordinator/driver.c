#include "coordinator/driver.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/loop.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>

#define MESSAGES_AT_ONCE_MAX (2u * AGENTS_MAX) /* all agents' beats and samples of a tick */

struct driver {
    const struct driver_config *config;
    struct loop *loop;
    uint64_t now_ns;
    bool interrupted;             /* the first signal has come */
    uint64_t strangers_next;      /* so many are told of next */
    char trouble[SENTENCE_BYTES]; /* a sink or a child failed within this step; "" when none has */
};

static void driver_store(struct driver *driver, const struct message *kept)
{
    struct store *store = driver->config->store;
    struct error error = {0};
    if (store == NULL)
        return;
    bool well = kept != NULL ? store_keep(store, driver->now_ns, kept, &error)
                             : store_save(store, driver->config->session, driver->now_ns, &error);
    if (!well && driver->trouble[0] == '\0')
        snprintf(driver->trouble, sizeof driver->trouble, "%.200s", error.message);
}

static void driver_perform(void *context, const struct session_action *action)
{
    struct driver *driver = context;
    switch (action->kind) {
    case SESSION_SEND:
        channel_send(driver->config->channel, &action->peer, action->message);
        break;
    case SESSION_SHOW:
    case SESSION_EVENT:
        sinks_show(driver->config->sinks, driver->config->sink_count, action->tick, action->event,
                   driver->trouble);
        break;
    case SESSION_KEEP:
        driver_store(driver, action->message);
        break;
    case SESSION_SAVE:
        driver_store(driver, NULL);
        break;
    case SESSION_END:
        loop_stop(driver->loop);
        break;
    }
}

static void driver_step(struct driver *driver, uint64_t now_ns, struct session_event event)
{
    driver->now_ns = now_ns;
    session_step(driver->config->session, now_ns, &event, driver_perform, driver);
    if (driver->trouble[0] == '\0')
        return;
    char sentence[SENTENCE_BYTES];
    snprintf(sentence, sizeof sentence, "%s", driver->trouble);
    driver->trouble[0] = '\0';
    session_step(driver->config->session, now_ns,
                 &(struct session_event){.kind = SESSION_SINK_FAILED, .sentence = sentence},
                 driver_perform, driver);
}

/* ZeroMQ's descriptor tells of edges, so all that waits is taken each time, after sends too; what a
 * flood leaves is taken at the next tick. */
static void driver_receive(struct driver *driver, uint64_t now_ns)
{
    for (uint32_t i = 0; i < MESSAGES_AT_ONCE_MAX; i++) {
        struct peer_id from;
        struct message message;
        struct error error = {0};
        switch (channel_receive(driver->config->channel, &from, &message, &error)) {
        case CHANNEL_MESSAGE:
            driver_step(driver, now_ns,
                        (struct session_event){
                            .kind = SESSION_MESSAGE, .peer = &from, .message = &message});
            break;
        case CHANNEL_BARRED:
            driver_step(
                driver, now_ns,
                (struct session_event){.kind = SESSION_BARRED, .peer = &from, .message = &message});
            break;
        case CHANNEL_BAD:
            log_line(LOG_INFO, "dropped a message: %s", error.message);
            break;
        case CHANNEL_EMPTY:
            return;
        }
    }
}

static void driver_readable(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    driver_receive(context, now_ns);
}

static void driver_note(struct driver *driver, uint64_t now_ns, const char *kind,
                        const char *sentence)
{
    driver_step(
        driver, now_ns,
        (struct session_event){.kind = SESSION_NOTE, .kind_word = kind, .sentence = sentence});
}

/* Told of the first, the second, the fourth, and so on: a flood fills no report. */
static void driver_note_strangers(struct driver *driver, uint64_t now_ns)
{
    struct channel_strangers strangers = channel_strangers(driver->config->channel);
    char sentence[SENTENCE_BYTES];
    if (strangers.count == 0 || strangers.count < driver->strangers_next)
        return;
    driver->strangers_next = 2 * strangers.count;
    if (strangers.count == 1)
        snprintf(sentence, sizeof sentence, "refused a key that is not listed: %s from %s",
                 strangers.key, strangers.host);
    else
        snprintf(sentence, sizeof sentence,
                 "refused %llu connections with keys that are not listed, the last one %s from %s",
                 (unsigned long long)strangers.count, strangers.key, strangers.host);
    driver_note(driver, now_ns, "key_refused", sentence);
}

static void driver_reload(struct driver *driver, uint64_t now_ns)
{
    char sentence[SENTENCE_BYTES];
    const char *kind =
        driver->config->reload(driver->config->reload_context, sentence, sizeof sentence);
    driver_note(driver, now_ns, kind, sentence);
}

static void driver_tick(void *context, uint64_t now_ns)
{
    struct driver *driver = context;
    driver_receive(driver, now_ns);
    driver_note_strangers(driver, now_ns);
    driver_step(driver, now_ns, (struct session_event){.kind = SESSION_TICK});
    driver_receive(driver, now_ns);
}

static void driver_signal(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    struct driver *driver = context;
    for (int signal; (signal = loop_next_signal(driver->config->signals)) != 0;) {
        struct error error = {0};
        if (signal == SIGCHLD) {
            if (driver->config->child_ended == NULL ||
                driver->config->child_ended(driver->config->child_context, &error))
                continue;
            driver_step(
                driver, now_ns,
                (struct session_event){.kind = SESSION_SINK_FAILED, .sentence = error.message});
        } else if (signal == SIGHUP && driver->config->reload != NULL) {
            driver_reload(driver, now_ns);
        } else {
            driver_step(driver, now_ns,
                        (struct session_event){.kind = driver->interrupted ? SESSION_ABORT
                                                                           : SESSION_DRAIN});
            driver->interrupted = true;
        }
    }
}

bool driver_run(const struct driver_config *config, struct error *error)
{
    struct driver driver = {.config = config, .loop = loop_create(error)};
    if (driver.loop == NULL)
        return false;
    bool ready = loop_watch(driver.loop, channel_descriptor(config->channel), EPOLLIN,
                            driver_readable, &driver, error) &&
                 loop_watch(driver.loop, config->signals, EPOLLIN, driver_signal, &driver, error);
    if (ready) {
        loop_every(driver.loop, TICK_MS * UINT64_C(1000000), driver_tick, &driver);
        loop_run(driver.loop);
    }
    loop_destroy(driver.loop);
    return ready;
}
