#include "agent/engine_tls.h"

#include "agent/tls.h"
#include "common/base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX        4u             /* of handshakes in one look: together about 1 ms of CPU */
#define EARLY_BYTES_MAX  (128u * 1024u) /* of a handshake; OpenSSL takes 100 KiB of certificates */
#define BLOCK_BYTES      (64u * 1024u)  /* goes out at once: three full records and some room */
#define BLOCKS_MAX       4u /* waiting on one connection: one of ours, and answers to new keys */
#define BLOCKS_SPARE_MAX ENGINE_EVENTS_MAX /* as many may be sent in one look */

/* What TLS made, on its way out. */
struct block {
    struct block *next;
    size_t count, sent;
    uint8_t bytes[BLOCK_BYTES];
};

/* One connection: below as the engine there knows it, above as our owner does. */
struct session {
    struct connection lower;  /* first: the engine below hands it back to us */
    struct connection *upper; /* NULL: closed, and only waits to be freed */
    struct tls_link *link;    /* NULL: its handshake has not begun */
    struct session *next;     /* among those whose handshake has a step to do, or the dead */
    bool queued, connected;
    bool ended; /* the target's side is closed while a step waits; `error` says how */
    int error;
    uint8_t *early; /* what came and waits for its step; owned */
    size_t early_count, early_capacity;
    const uint8_t *plain; /* borrowed: to be sent, not yet encrypted */
    size_t plain_count;
    struct block *first, *last;
    uint32_t block_count;
};

struct session_list {
    struct session *first, *last;
};

struct engine {
    const struct engine_listener *listener;
    void *context;
    const char *required;
    const struct engine_driver *below;
    struct engine *beneath;
    const struct tls_context *tls;
    struct tls_cache *cache;
    struct session_list steps; /* in the order in which they came up */
    struct session *dead;      /* freed when no call of theirs can be under way */
    struct block *out; /* what TLS says goes here, and out before anyone else is asked anything */
    struct block *spare;
    uint32_t spare_count;
    uint8_t plain[TLS_PLAIN_BYTES_MAX];
};

/* Blocks */

static struct block *take_block(struct engine *engine)
{
    struct block *block = engine->spare;
    if (block == NULL)
        return malloc(sizeof *block);
    engine->spare = block->next;
    engine->spare_count--;
    return block;
}

static void give_block(struct engine *engine, struct block *block)
{
    if (engine->spare_count == BLOCKS_SPARE_MAX) {
        free(block);
        return;
    }
    block->next = engine->spare;
    engine->spare = block;
    engine->spare_count++;
}

static void give_first(struct engine *engine, struct session *session)
{
    struct block *block = session->first;
    session->first = block->next;
    session->block_count--;
    give_block(engine, block);
}

/* The engine's own block becomes the session's last, and the engine gets another. */
static int leave_block(struct engine *engine, struct session *session, size_t sent)
{
    struct block *other = session->block_count < BLOCKS_MAX ? take_block(engine) : NULL;
    if (other == NULL) {
        engine->out->count = 0;
        return -ENOBUFS;
    }
    struct block *block = engine->out;
    block->sent = sent;
    block->next = NULL;
    *(session->first != NULL ? &session->last->next : &session->first) = block;
    session->last = block;
    session->block_count++;
    engine->out = other;
    other->count = 0;
    return 0;
}

/* Sends what TLS said; what the engine below does not take at once waits in blocks. 0, or -errno.
 */
static int flush(struct engine *engine, struct session *session)
{
    struct block *block = engine->out;
    if (block->count == 0)
        return 0;
    if (!session->lower.open) {
        block->count = 0;
        return -EPIPE;
    }
    if (session->first != NULL)
        return leave_block(engine, session, 0);
    ssize_t sent =
        engine->below->send(engine->beneath, &session->lower, block->bytes, block->count);
    if (sent >= 0 && (size_t)sent < block->count)
        return leave_block(engine, session, (size_t)sent);
    block->count = 0;
    return sent < 0 ? (int)sent : 0;
}

static struct tls_flow flow_of(struct engine *engine, const uint8_t *bytes, size_t count)
{
    CHECK(engine->out->count == 0);
    return (struct tls_flow){
        .in = bytes, .in_count = count, .out = engine->out->bytes, .out_capacity = BLOCK_BYTES};
}

/* Life */

static void list_append(struct session_list *list, struct session *session)
{
    session->next = NULL;
    *(list->first != NULL ? &list->last->next : &list->first) = session;
    list->last = session;
}

static struct session *list_take(struct session_list *list)
{
    struct session *session = list->first;
    list->first = session->next;
    return session;
}

static void free_session(struct engine *engine, struct session *session)
{
    while (session->first != NULL)
        give_first(engine, session);
    tls_link_destroy(session->link);
    free(session->early);
    free(session);
}

static void free_dead(struct engine *engine)
{
    while (engine->dead != NULL) {
        struct session *session = engine->dead;
        engine->dead = session->next;
        free_session(engine, session);
    }
}

/* Parts the two connections; one that waits for its step is freed then. */
static void bury(struct engine *engine, struct session *session)
{
    if (session->lower.open)
        engine->below->close(engine->beneath, &session->lower);
    *session->upper = (struct connection){0};
    session->upper = NULL;
    if (!session->queued) {
        session->next = engine->dead;
        engine->dead = session;
    }
}

/* The connection has come to nothing: as its owner is to hear it. */
static void fail(struct engine *engine, struct session *session, int error)
{
    struct connection *upper = session->upper;
    bool connected = session->connected;
    bury(engine, session);
    if (connected)
        engine->listener->closed(engine->context, upper, error);
    else
        engine->listener->connected(engine->context, upper, error);
}

static void queue_step(struct engine *engine, struct session *session)
{
    if (session->queued)
        return;
    session->queued = true;
    list_append(&engine->steps, session);
}

/* What comes */

/* Decrypts and tells, record by record. Whoever is told may close the connection. */
static void digest(struct engine *engine, struct session *session, const uint8_t *bytes,
                   size_t count)
{
    while (session->upper != NULL && count > 0) {
        struct tls_flow flow = flow_of(engine, bytes, count);
        size_t plain_count = 0;
        enum tls_outcome outcome = tls_read(session->link, &flow, engine->plain, &plain_count);
        bytes = flow.in;
        count = flow.in_count;
        engine->out->count = flow.out_count;
        int result = flush(engine, session);
        if (outcome == TLS_FAILED)
            fail(engine, session, engine_error(tls_failure(session->link)));
        else if (outcome == TLS_ENDED)
            fail(engine, session, 0);
        else if (result < 0)
            fail(engine, session, -result);
        else if (outcome == TLS_DONE)
            engine->listener->received(engine->context, session->upper, engine->plain, plain_count);
    }
}

/* The target's side is closed, and all that came before has been read. */
static void end(struct engine *engine, struct session *session)
{
    int error = session->error;
    if (!session->connected && (error == 0 || error == ECONNRESET || error == EPIPE))
        error = engine_error(FAILURE_TLS_HANDSHAKE);
    else if (error == 0)
        error = engine_error(FAILURE_CLOSED); /* without a word of TLS */
    fail(engine, session, error);
}

/* The handshake is done: what came behind it is for the one that is connected now. */
static void welcome(struct engine *engine, struct session *session, const uint8_t *bytes,
                    size_t count)
{
    if (engine->required != NULL && !tls_speaks(session->link, engine->required)) {
        fail(engine, session, engine_error(FAILURE_TLS_HANDSHAKE));
        return;
    }
    session->connected = true;
    session->upper->connecting = false;
    engine->listener->connected(engine->context, session->upper, 0);
    digest(engine, session, bytes, count);
    if (session->upper == NULL)
        return;
    free(session->early);
    session->early = NULL;
}

static void step(struct engine *engine, struct session *session)
{
    if (session->link == NULL)
        session->link = tls_link_create(engine->tls, engine->cache);
    if (session->link == NULL) {
        fail(engine, session, ENOMEM);
        return;
    }
    struct tls_flow flow = flow_of(engine, session->early, session->early_count);
    session->early_count = 0;
    enum tls_outcome outcome = tls_shake(session->link, &flow);
    engine->out->count = flow.out_count;
    int result = flush(engine, session);
    if (outcome == TLS_DONE)
        welcome(engine, session, flow.in, flow.in_count);
    else if (outcome == TLS_FAILED)
        fail(engine, session, engine_error(tls_failure(session->link)));
    else if (result < 0 && !session->ended)
        fail(engine, session, -result);
    if (session->upper != NULL && session->ended)
        end(engine, session);
}

static void take_steps(struct engine *engine)
{
    for (uint32_t taken = 0; taken < STEPS_MAX && engine->steps.first != NULL; taken++) {
        struct session *session = list_take(&engine->steps);
        session->queued = false;
        if (session->upper != NULL) {
            step(engine, session);
        } else {
            session->next = engine->dead;
            engine->dead = session;
        }
    }
}

static bool keep_early(struct session *session, const uint8_t *bytes, size_t count)
{
    if (count > EARLY_BYTES_MAX - session->early_count)
        return false;
    if (count > session->early_capacity - session->early_count) {
        size_t capacity = 2 * (session->early_count + count);
        uint8_t *early = realloc(session->early, capacity);
        if (early == NULL)
            return false;
        session->early = early;
        session->early_capacity = capacity;
    }
    memcpy(session->early + session->early_count, bytes, count);
    session->early_count += count;
    return true;
}

/* What goes */

/* Encrypts and sends as much as may wait in blocks, which counts as gone. Returns how many bytes
 * that is, or -errno. */
static ssize_t push(struct engine *engine, struct session *session)
{
    size_t gone = 0;
    while (session->plain_count > 0 && session->block_count < BLOCKS_MAX - 1) {
        struct tls_flow flow = flow_of(engine, NULL, 0);
        size_t encrypted = 0;
        while (session->plain_count > 0 && BLOCK_BYTES - flow.out_count >= TLS_RECORD_BYTES_MAX) {
            size_t taken = 0;
            if (tls_write(session->link, &flow, session->plain, session->plain_count, &taken) !=
                TLS_DONE)
                return -EPROTO;
            session->plain += taken;
            session->plain_count -= taken;
            encrypted += taken;
        }
        engine->out->count = flow.out_count;
        int result = flush(engine, session);
        if (result < 0)
            return result;
        gone += encrypted;
    }
    return (ssize_t)gone;
}

/* The verbs, and what the engine below tells */

static void on_connected(void *context, struct connection *lower, int error)
{
    struct engine *engine = context;
    struct session *session = (struct session *)lower;
    if (error != 0) {
        fail(engine, session, error);
        return;
    }
    lower->awaits_sent = true;
    if (engine->listener->greeting != NULL)
        engine->listener->greeting(engine->context, session->upper);
    if (session->upper != NULL)
        queue_step(engine, session);
}

static void on_received(void *context, struct connection *lower, const uint8_t *bytes, size_t count)
{
    struct engine *engine = context;
    struct session *session = (struct session *)lower;
    if (session->connected)
        digest(engine, session, bytes, count);
    else if (keep_early(session, bytes, count))
        queue_step(engine, session);
    else
        fail(engine, session, engine_error(FAILURE_TLS_HANDSHAKE));
}

static void on_closed(void *context, struct connection *lower, int error)
{
    struct engine *engine = context;
    struct session *session = (struct session *)lower;
    session->ended = true;
    session->error = error;
    if (!session->queued)
        end(engine, session);
}

static void on_unsent(void *context, struct connection *lower, int error)
{
    struct engine *engine = context;
    struct session *session = (struct session *)lower;
    struct connection *upper = session->upper;
    if (!session->connected) {
        fail(engine, session, engine_error(FAILURE_TLS_HANDSHAKE));
        return;
    }
    bury(engine, session);
    engine->listener->unsent(engine->context, upper, error);
}

/* What waited is out: the next that waits, then what has not been encrypted yet. */
static void on_sent(void *context, struct connection *lower, size_t count)
{
    struct engine *engine = context;
    struct session *session = (struct session *)lower;
    session->first->sent += count;
    while (session->first != NULL && session->first->sent == session->first->count) {
        give_first(engine, session);
        if (session->first == NULL)
            break;
        ssize_t sent = engine->below->send(engine->beneath, &session->lower, session->first->bytes,
                                           session->first->count);
        if (sent < 0) {
            fail(engine, session, (int)-sent);
            return;
        }
        session->first->sent = (size_t)sent;
    }
    if (session->first != NULL)
        return;
    ssize_t more = push(engine, session);
    if (more < 0)
        fail(engine, session, (int)-more);
    else if (more > 0)
        engine->listener->sent(engine->context, session->upper, (size_t)more);
}

static void on_woken(void *context)
{
    struct engine *engine = context;
    engine->listener->woken(engine->context);
}

static const struct engine_listener listener = {
    .connected = on_connected,
    .sent = on_sent,
    .received = on_received,
    .closed = on_closed,
    .unsent = on_unsent,
    .woken = on_woken,
};

static void tls_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->beneath != NULL)
        engine->below->destroy(engine->beneath);
    while (engine->steps.first != NULL)
        free_session(engine, list_take(&engine->steps));
    free_dead(engine);
    while (engine->spare != NULL)
        free(take_block(engine));
    free(engine->out);
    tls_cache_destroy(engine->cache);
    free(engine);
}

static struct engine *tls_make(const struct engine_driver *self,
                               const struct engine_listener *above, void *context,
                               struct error *error)
{
    const struct engine_tls_settings *settings = self->settings;
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine != NULL) {
        engine->listener = above;
        engine->context = context;
        engine->tls = settings->context;
        engine->below = settings->below;
        engine->required = settings->required;
        engine->cache = tls_cache_create();
        engine->out = calloc(1, sizeof *engine->out);
    }
    if (engine == NULL || engine->cache == NULL || engine->out == NULL)
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a TLS engine");
    else
        engine->beneath = engine->below->create(engine->below, &listener, engine, error);
    if (engine == NULL || engine->beneath == NULL) {
        tls_destroy(engine);
        return NULL;
    }
    return engine;
}

static bool tls_connect(struct engine *engine, struct connection *connection,
                        const struct route *route, int *error)
{
    CHECK(!connection->open);
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        *error = ENOMEM;
        return false;
    }
    session->upper = connection;
    if (!engine->below->connect(engine->beneath, &session->lower, route, error)) {
        free(session);
        return false;
    }
    *connection = (struct connection){.open = true, .connecting = true, .upper = session};
    return true;
}

static ssize_t tls_send(struct engine *engine, struct connection *connection, const uint8_t *bytes,
                        size_t count)
{
    struct session *session = connection->upper;
    CHECK(connection->open);
    CHECK(!connection->connecting);
    CHECK(session->plain_count == 0);
    session->plain = bytes;
    session->plain_count = count;
    ssize_t sent = push(engine, session);
    if (sent < 0)
        session->plain_count = 0;
    return sent;
}

/* With a word of TLS, unless something else is half out, or nobody listens. */
static void tls_hang_up(struct engine *engine, struct connection *connection)
{
    CHECK(connection->open);
    struct session *session = connection->upper;
    if (session->connected && session->lower.open && session->first == NULL) {
        struct tls_flow flow = flow_of(engine, NULL, 0);
        tls_end(session->link, &flow);
        engine->out->count = flow.out_count;
        flush(engine, session);
    }
    bury(engine, session);
}

static void tls_wait(struct engine *engine, uint64_t timeout_ns)
{
    free_dead(engine);
    engine->below->wait(engine->beneath, engine->steps.first != NULL ? 0 : timeout_ns);
}

static bool tls_tell(struct engine *engine)
{
    bool all = engine->below->tell(engine->beneath);
    take_steps(engine);
    return all && engine->steps.first == NULL;
}

static void tls_wake(struct engine *engine)
{
    engine->below->wake(engine->beneath);
}

const struct engine_driver engine_tls = {
    .name = "tls",
    .create = tls_make,
    .destroy = tls_destroy,
    .connect = tls_connect,
    .send = tls_send,
    .close = tls_hang_up,
    .wait = tls_wait,
    .tell = tls_tell,
    .wake = tls_wake,
};

bool engine_tls_speaks(const struct connection *connection, const char *protocol)
{
    CHECK(connection->open);
    return tls_speaks(((const struct session *)connection->upper)->link, protocol);
}

bool engine_tls_resumed(const struct connection *connection)
{
    CHECK(connection->open);
    return tls_resumed(((const struct session *)connection->upper)->link);
}
