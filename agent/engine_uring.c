/* io_uring (Linux 6.1 and later): one receive is armed for the life of a connection and picks its
 * buffers from a ring that all connections share; a send says nothing when it went well. All that a
 * turn queued goes to the kernel with the call that waits for the next turn, so a request costs its
 * share of one io_uring_enter().
 *
 * What the kernel still does for a connection that is closed here is known by its generation, and
 * nobody hears of it. Axboe, "Efficient IO with io_uring", 2019; io_uring(7). */
#include "agent/engine.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/loop.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_ENTRIES      1024u /* queued between two waits; beyond that they go out at once */
#define COMPLETION_ENTRIES 8192u /* beyond that the kernel keeps them, which costs it memory */
#define BUFFERS            1024u /* a power of two; one for each answer that waits to be read */
#define BUFFER_BYTES       4096u /* a longer answer comes in pieces */
#define BUFFER_GROUP       0
#define GENERATION_MASK    0x3fffffffu

/* A lane that hears of so many ends a second that several fall into BATCH_NS waits for those
 * together, but never longer than BATCH_NS_MAX and never for more than an eighth of its
 * connections: the others keep the target busy meanwhile. A lane with little to do wakes for each.
 */
#define BATCH_NS        UINT64_C(50000)
#define BATCH_NS_MAX    UINT64_C(100000)
#define BATCH_MAX       64u
#define BATCH_SHARE     8u
#define BATCH_LOOK_GAIN 0.1 /* a memory of ten looks */

enum operation { OPERATION_WAKE, OPERATION_CONNECT, OPERATION_RECEIVE, OPERATION_SEND };

/* What is known of a connection, or of the one that had this place before it. */
struct slot {
    struct connection *connection; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
    size_t sending;       /* of a send that is to be told of: how much it is */
    uint64_t queued_turn; /* the last one in which something was queued for it */
    bool listed;          /* in later[] */
    bool unarmed;         /* its receive ended for want of a buffer, or of a place to tell */
    bool ended;           /* the target closed its side, or it broke; not told yet */
    int error;
};

#define NO_SLOT UINT32_MAX

struct engine {
    const struct engine_listener *listener;
    void *context;
    struct io_uring ring;
    bool has_ring, enabled;
    uint32_t awaited; /* sends that are to be told of, queued since the last wait */
    int wakeup;       /* an eventfd */
    bool watching_wakeup;
    uint64_t turn; /* grows each time that what was queued goes to the kernel */
    struct slot *slots;
    uint32_t slot_count, first_free, open_count;
    /* Slots to come back to after a look. */
    uint32_t *later;
    uint32_t later_count;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    uint64_t looked_ns;
    double look_ns, look_count; /* between two looks, and how much each found; smoothed */
};

/* The ring */

static void submit(struct engine *engine)
{
    io_uring_submit(&engine->ring);
    engine->turn++;
}

/* A ring belongs to the thread that enables it, which is not the one that makes the engine. */
static void enable(struct engine *engine)
{
    if (engine->enabled)
        return;
    /* io_uring_enable_rings() is declared by liburing 2.3, but not in it. */
    CHECK(io_uring_register((unsigned)engine->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
                            0) == 0);
    engine->enabled = true;
}

static struct io_uring_sqe *queue(struct engine *engine)
{
    enable(engine);
    struct io_uring_sqe *entry = io_uring_get_sqe(&engine->ring);
    if (entry == NULL) {
        submit(engine);
        entry = io_uring_get_sqe(&engine->ring);
    }
    CHECK(entry != NULL);
    return entry;
}

static uint64_t tag(enum operation operation, uint32_t index, uint32_t generation)
{
    return (uint64_t)operation << 62 | (uint64_t)(generation & GENERATION_MASK) << 32 | index;
}

static struct io_uring_sqe *queue_for(struct engine *engine, const struct connection *connection,
                                      enum operation operation)
{
    struct io_uring_sqe *entry = queue(engine);
    struct slot *slot = &engine->slots[connection->slot];
    slot->queued_turn = engine->turn;
    entry->user_data = tag(operation, connection->slot, slot->generation);
    return entry;
}

static void arm_wakeup(struct engine *engine)
{
    struct io_uring_sqe *entry = queue(engine);
    io_uring_prep_poll_multishot(entry, engine->wakeup, POLLIN);
    entry->user_data = tag(OPERATION_WAKE, 0, 0);
    engine->watching_wakeup = true;
}

static void arm_receive(struct engine *engine, const struct connection *connection)
{
    struct io_uring_sqe *entry = queue_for(engine, connection, OPERATION_RECEIVE);
    io_uring_prep_recv_multishot(entry, connection->descriptor, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = BUFFER_GROUP;
}

static void give_buffer(struct engine *engine, uint32_t index)
{
    io_uring_buf_ring_add(engine->buffer_ring, engine->buffers + (size_t)index * BUFFER_BYTES,
                          BUFFER_BYTES, (unsigned short)index, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(engine->buffer_ring, 1);
}

/* Life */

static void uring_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->has_ring)
        io_uring_queue_exit(&engine->ring);
    if (engine->buffer_ring != NULL)
        munmap(engine->buffer_ring, BUFFERS * sizeof(struct io_uring_buf));
    if (engine->buffers != NULL)
        munmap(engine->buffers, (size_t)BUFFERS * BUFFER_BYTES);
    if (engine->wakeup >= 0)
        close(engine->wakeup);
    free(engine->slots);
    free(engine->later);
    free(engine);
}

/* Pages of their own, so that a receive which outlives the engine meets no memory of ours. */
static void *map(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static bool make_buffers(struct engine *engine, struct error *error)
{
    engine->buffer_ring = map(BUFFERS * sizeof(struct io_uring_buf));
    engine->buffers = map((size_t)BUFFERS * BUFFER_BYTES);
    if (engine->buffer_ring == NULL || engine->buffers == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for an io_uring engine");
    io_uring_buf_ring_init(engine->buffer_ring);
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)engine->buffer_ring,
                                            .ring_entries = BUFFERS,
                                            .bgid = BUFFER_GROUP};
    int failure = io_uring_register_buf_ring(&engine->ring, &registration, 0);
    if (failure < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "io_uring has no buffer rings: %s",
                         strerror(-failure));
    for (uint32_t i = 0; i < BUFFERS; i++)
        give_buffer(engine, i);
    return true;
}

static bool make_ring(struct engine *engine, struct error *error)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = COMPLETION_ENTRIES,
    };
    int failure = io_uring_queue_init_params(QUEUE_ENTRIES, &engine->ring, &params);
    if (failure < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "io_uring_setup: %s", strerror(-failure));
    engine->has_ring = true;
    uint32_t needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_CQE_SKIP;
    if ((params.features & needed) != needed)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "this kernel's io_uring lacks what we need");
    return true;
}

static struct engine *uring_make(const struct engine_driver *self,
                                 const struct engine_listener *listener, void *context,
                                 struct error *error)
{
    (void)self;
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for an io_uring engine");
        return NULL;
    }
    engine->listener = listener;
    engine->context = context;
    engine->first_free = NO_SLOT;
    engine->wakeup = loop_wakeup_create(error);
    if (engine->wakeup < 0 || !make_ring(engine, error) || !make_buffers(engine, error)) {
        uring_destroy(engine);
        return NULL;
    }
    return engine;
}

/* Connections */

static bool grow(struct engine *engine)
{
    uint32_t count = engine->slot_count > 0 ? 2 * engine->slot_count : 64;
    struct slot *slots = realloc(engine->slots, count * sizeof *slots);
    if (slots != NULL)
        engine->slots = slots;
    uint32_t *later = realloc(engine->later, count * sizeof *later);
    if (later != NULL)
        engine->later = later;
    if (slots == NULL || later == NULL)
        return false;
    for (uint32_t i = count; i-- > engine->slot_count;) {
        slots[i] = (struct slot){.next_free = engine->first_free};
        engine->first_free = i;
    }
    engine->slot_count = count;
    return true;
}

static void uring_close(struct engine *engine, struct connection *connection)
{
    CHECK(connection->open);
    struct slot *slot = &engine->slots[connection->slot];
    CHECK(slot->connection == connection);
    /* What is queued names the descriptor, which may be another connection's in a moment; and what
     * send() took is on its way, as it said. */
    if (slot->queued_turn == engine->turn)
        submit(engine);
    /* The armed receive holds the socket open: only this ends both. */
    shutdown(connection->descriptor, SHUT_RDWR);
    close(connection->descriptor);
    slot->connection = NULL;
    slot->generation++;
    slot->next_free = engine->first_free;
    engine->first_free = connection->slot;
    engine->open_count--;
    *connection = (struct connection){0};
}

static bool uring_connect(struct engine *engine, struct connection *connection,
                          const struct route *route, int *error)
{
    CHECK(!connection->open);
    if (engine->first_free == NO_SLOT && !grow(engine)) {
        *error = ENOMEM;
        return false;
    }
    bool connected = false; /* even then its first completion tells: one way for all */
    int descriptor = net_connect(route, &connected);
    if (descriptor < 0) {
        *error = -descriptor;
        return false;
    }
    uint32_t index = engine->first_free;
    struct slot *slot = &engine->slots[index];
    engine->first_free = slot->next_free;
    engine->open_count++;
    *slot = (struct slot){
        .connection = connection, .generation = slot->generation, .listed = slot->listed};
    *connection = (struct connection){
        .open = true, .connecting = true, .descriptor = descriptor, .slot = index};
    struct io_uring_sqe *entry = queue_for(engine, connection, OPERATION_CONNECT);
    io_uring_prep_poll_add(entry, descriptor, POLLOUT);
    return true;
}

static ssize_t uring_send(struct engine *engine, struct connection *connection,
                          const uint8_t *bytes, size_t count)
{
    CHECK(connection->open);
    CHECK(!connection->connecting);
    struct io_uring_sqe *entry = queue_for(engine, connection, OPERATION_SEND);
    io_uring_prep_send(entry, connection->descriptor, bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
    if (connection->awaits_sent) {
        engine->slots[connection->slot].sending = count;
        engine->awaited++;
        return 0;
    }
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    return (ssize_t)count;
}

/* What is told */

static void tell_connected(struct engine *engine, struct connection *connection)
{
    int error = net_connect_result(connection->descriptor);
    if (error == 0) {
        connection->connecting = false;
        arm_receive(engine, connection);
    } else {
        uring_close(engine, connection);
    }
    engine->listener->connected(engine->context, connection, error);
}

static void come_back(struct engine *engine, uint32_t index)
{
    if (!engine->slots[index].listed)
        engine->later[engine->later_count++] = index;
    engine->slots[index].listed = true;
}

static void take_received(struct engine *engine, uint32_t index,
                          const struct io_uring_cqe *completion)
{
    struct slot *slot = &engine->slots[index];
    struct connection *connection = slot->connection;
    if ((completion->flags & IORING_CQE_F_MORE) == 0) {
        bool arm = completion->res > 0 || completion->res == -ENOBUFS || completion->res == -EINTR;
        come_back(engine, index);
        slot->unarmed |= arm;
        slot->ended |= !arm;
        slot->error = completion->res < 0 ? -completion->res : 0;
    }
    if (completion->res > 0) {
        uint32_t buffer = completion->flags >> IORING_CQE_BUFFER_SHIFT;
        engine->listener->received(engine->context, connection,
                                   engine->buffers + (size_t)buffer * BUFFER_BYTES,
                                   (size_t)completion->res);
    }
}

/* Unless its owner waits for it, a send is heard of only when it went wrong: at its first byte, or
 * half-way. A socket says why it broke to whoever asks first, which may have been the receive. */
static void tell_send(struct engine *engine, struct connection *connection, int result)
{
    const struct slot *slot = &engine->slots[connection->slot];
    if (connection->awaits_sent && result > 0 && (size_t)result == slot->sending) {
        engine->listener->sent(engine->context, connection, (size_t)result);
        return;
    }
    int error = slot->ended ? slot->error : 0;
    uring_close(engine, connection);
    if (result < 0)
        engine->listener->unsent(engine->context, connection, error != 0 ? error : -result);
    else
        engine->listener->closed(engine->context, connection, error != 0 ? error : EPIPE);
}

static void tell_one(struct engine *engine, const struct io_uring_cqe *completion)
{
    enum operation operation = (enum operation)(completion->user_data >> 62);
    uint32_t index = (uint32_t)completion->user_data;
    uint32_t generation = (uint32_t)(completion->user_data >> 32) & GENERATION_MASK;
    if (operation == OPERATION_WAKE) {
        engine->watching_wakeup = (completion->flags & IORING_CQE_F_MORE) != 0;
        loop_wakeup_clear(engine->wakeup);
        engine->listener->woken(engine->context);
        return;
    }
    struct slot *slot = &engine->slots[index];
    bool known = slot->connection != NULL && (slot->generation & GENERATION_MASK) == generation;
    if (known && operation == OPERATION_CONNECT)
        tell_connected(engine, slot->connection);
    else if (known && operation == OPERATION_RECEIVE)
        take_received(engine, index, completion);
    else if (known && operation == OPERATION_SEND)
        tell_send(engine, slot->connection, completion->res);
    if ((completion->flags & IORING_CQE_F_BUFFER) != 0)
        give_buffer(engine, completion->flags >> IORING_CQE_BUFFER_SHIFT);
}

/* After a look: a send that failed was told before the end of its connection, which would hide that
 * nothing went out; and the buffers are back. */
static void tell_later(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->later_count; i++) {
        struct slot *slot = &engine->slots[engine->later[i]];
        struct connection *connection = slot->connection;
        slot->listed = false;
        if (connection != NULL && slot->ended) {
            int error = slot->error;
            uring_close(engine, connection);
            engine->listener->closed(engine->context, connection, error);
        } else if (connection != NULL && slot->unarmed) {
            slot->unarmed = false;
            arm_receive(engine, connection);
        }
    }
    engine->later_count = 0;
}

/* Measures how much there is to hear of. */
static void note_look(struct engine *engine, uint32_t count)
{
    uint64_t now_ns = clock_now_ns();
    double look_ns = (double)(now_ns - engine->looked_ns);
    engine->looked_ns = now_ns;
    engine->look_ns += BATCH_LOOK_GAIN * (look_ns - engine->look_ns);
    engine->look_count += BATCH_LOOK_GAIN * (count - engine->look_count);
}

static bool uring_tell(struct engine *engine)
{
    uint32_t count = 0, sends = 0;
    unsigned head;
    struct io_uring_cqe *completion;
    io_uring_for_each_cqe(&engine->ring, head, completion)
    {
        if (count == ENGINE_EVENTS_MAX)
            break;
        sends += completion->user_data >> 62 == OPERATION_SEND;
        tell_one(engine, completion);
        count++;
    }
    io_uring_cq_advance(&engine->ring, count);
    note_look(engine, count - sends);
    bool all = io_uring_cq_ready(&engine->ring) == 0;
    if (all)
        tell_later(engine);
    return all;
}

/* How many ends are worth waiting for together. */
static uint32_t batch(const struct engine *engine)
{
    if (engine->look_ns <= 0.0)
        return 1;
    double expected = engine->look_count / engine->look_ns * (double)BATCH_NS;
    uint32_t most = engine->open_count / BATCH_SHARE;
    if (most > BATCH_MAX)
        most = BATCH_MAX;
    if (expected > most)
        expected = most;
    return expected >= 2.0 ? (uint32_t)expected : 1;
}

static int wait_for(struct engine *engine, uint64_t timeout_ns)
{
    /* What is sent is mostly told in this very call, and is nothing to wait for. But not when its
     * peer takes its time: hence no longer than for any batch. */
    uint32_t wanted = batch(engine) + engine->awaited;
    if (wanted > 1 && timeout_ns > BATCH_NS_MAX)
        timeout_ns = BATCH_NS_MAX;
    struct __kernel_timespec timeout = {.tv_sec = (long long)(timeout_ns / NS_PER_S),
                                        .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
    struct io_uring_cqe *first;
    return io_uring_submit_and_wait_timeout(&engine->ring, &first, wanted,
                                            timeout_ns == ENGINE_NEVER ? NULL : &timeout, NULL);
}

/* Whatever a look left to be told ends the wait; but the kernel is asked for more all the same, or
 * connections that open and shut without end would keep a wake-up from being heard. */
static void uring_wait(struct engine *engine, uint64_t timeout_ns)
{
    enable(engine);
    if (!engine->watching_wakeup)
        arm_wakeup(engine);
    int result = io_uring_cq_ready(&engine->ring) > 0
                     ? io_uring_submit_and_get_events(&engine->ring)
                     : wait_for(engine, timeout_ns);
    engine->turn++;
    engine->awaited = 0;
    CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
          result == -EBUSY);
}

static void uring_wake(struct engine *engine)
{
    loop_wakeup_send(engine->wakeup);
}

const struct engine_driver engine_uring = {
    .name = "uring",
    .create = uring_make,
    .destroy = uring_destroy,
    .connect = uring_connect,
    .send = uring_send,
    .close = uring_close,
    .wait = uring_wait,
    .tell = uring_tell,
    .wake = uring_wake,
};
