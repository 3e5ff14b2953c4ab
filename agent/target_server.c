#include "agent/target_server.h"

#include "agent/target_counts.h"
#include "agent/target_model.h"
#include "agent/target_request.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BACKLOG          4096 /* a burst of connects; the kernel's own bound is the same */
#define ACCEPTS_MAX      16   /* at a time, so that every thread gets its part of a burst */
#define ACCEPT_AGAIN_NS  (100 * NS_PER_MS)
#define TURN_LATER_NS    (20 * NS_PER_MS) /* how exactly a change comes when it was asked for */
#define OUTPUT_BYTES_MAX 1024u            /* the longest answer: a page of our own and its head */

/* One connection. Requests are answered in their order, one at a time; meanwhile the kernel keeps
 * what else comes. */
struct connection {
    struct desk *desk;
    uint32_t ticket;
    int descriptor;   /* -1: free */
    uint32_t watched; /* events the loop looks for; 0: none */
    bool in_model;    /* its request is in service or in line */
    bool ends;        /* is closed after the answer */
    uint32_t output_sent, output_bytes;
    uint32_t input_bytes;
    struct target_request request;
    char output[OUTPUT_BYTES_MAX];
    char input[TARGET_HEAD_BYTES_MAX];
};

/* One thread, with all that is its own. */
struct desk {
    struct target_server *server;
    pthread_t thread;
    struct loop *loop;
    struct target_model *model;
    int alarm;         /* a timerfd for the next departure */
    uint64_t alarm_ns; /* when it rings; 0: not set */
    int wakeup;        /* from the first thread: stop */
    uint32_t knobs_version;
    bool accepting;
    bool has_said_full;
    struct connection *
        *connections;       /* [TARGET_CONNECTIONS_MAX] by ticket, each made at its first use */
    uint32_t *free_tickets; /* [free_count] */
    uint32_t free_count;
    struct target_counts counts;
};

struct target_server {
    int listener;
    int signals;
    pthread_mutex_t knobs_lock; /* guards knobs */
    struct target_knobs knobs;
    _Atomic uint32_t knobs_version; /* grows with each change */
    struct target_knobs later;
    uint64_t later_ns; /* when they become the knobs; 0: never. The first thread's own */
    uint32_t threads;
    struct desk *desks; /* [threads]; the first runs on the caller's thread */
};

struct answer {
    unsigned status;
    const char *type; /* of the body */
    const char *body;
};

static const char plain_text[] = "text/plain", json[] = "application/json";

static void count(struct desk *desk, enum target_count which)
{
    target_counts_add(&desk->counts, which, 1);
}

static void connection_close(struct connection *connection)
{
    struct desk *desk = connection->desk;
    CHECK(!connection->in_model);
    loop_unwatch(desk->loop, connection->descriptor);
    close(connection->descriptor);
    connection->descriptor = -1;
    desk->free_tickets[desk->free_count++] = connection->ticket;
    target_counts_add(&desk->counts, TARGET_CONNECTIONS, -1);
}

static loop_ready connection_ready;

static void connection_watch(struct connection *connection, uint32_t events)
{
    if (connection->watched == events)
        return;
    connection->watched = events;
    if (events == 0)
        loop_unwatch(connection->desk->loop, connection->descriptor);
    else if (!loop_watch(connection->desk->loop, connection->descriptor, events, connection_ready,
                         connection, NULL))
        connection_close(connection);
}

static bool has_output(const struct connection *connection)
{
    return connection->output_sent < connection->output_bytes;
}

/* Sends what the kernel takes, and says what to wait for. May close the connection. */
static void connection_flush(struct connection *connection)
{
    while (has_output(connection)) {
        ssize_t sent = send(connection->descriptor, connection->output + connection->output_sent,
                            connection->output_bytes - connection->output_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            connection_watch(connection, EPOLLOUT);
            return;
        }
        if (sent < 0) {
            connection_close(connection);
            return;
        }
        connection->output_sent += (uint32_t)sent;
    }
    connection->output_sent = connection->output_bytes = 0;
    if (connection->ends)
        connection_close(connection);
    else
        connection_watch(connection, EPOLLIN);
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    default:
        CHECK(status == 505);
        return "HTTP Version Not Supported";
    }
}

/* Answers the present request and makes ready for the next. May close the connection. */
static void connection_answer(struct connection *connection, struct answer answer)
{
    struct target_request *request = &connection->request;
    connection->ends = !request->keep_alive;
    /* HTTP/1.1 keeps a connection unless told otherwise, 1.0 the other way round. */
    const char *keep = "";
    if (connection->ends)
        keep = "Connection: close\r\n";
    else if (request->version_1_0)
        keep = "Connection: keep-alive\r\n";
    bool is_head = request->method == TARGET_HEAD;
    int length = snprintf(connection->output, sizeof connection->output,
                          "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                          answer.status, reason_of(answer.status), answer.type, strlen(answer.body),
                          keep, is_head ? "" : answer.body);
    CHECK(length > 0 && (size_t)length < sizeof connection->output);
    connection->output_bytes = (uint32_t)length;
    target_request_begin(request);
    connection_flush(connection);
}

static void answer_stats(struct connection *connection)
{
    const struct target_server *server = connection->desk->server;
    const struct target_counts *sets[LANES_MAX];
    char text[TARGET_COUNTS_TEXT_BYTES];
    for (uint32_t i = 0; i < server->threads; i++)
        sets[i] = &server->desks[i].counts;
    target_counts_json(sets, server->threads, text, sizeof text);
    connection_answer(connection, (struct answer){200, json, text});
}

/* Takes over the knobs when they were turned, here or on another thread. */
static void desk_turn(struct desk *desk, uint64_t now_ns)
{
    struct target_server *server = desk->server;
    uint32_t version = atomic_load(&server->knobs_version);
    if (version == desk->knobs_version)
        return;
    pthread_mutex_lock(&server->knobs_lock);
    struct target_knobs knobs = server->knobs;
    pthread_mutex_unlock(&server->knobs_lock);
    desk->knobs_version = version;
    target_model_turn(desk->model, &knobs, now_ns);
}

static void turn_later(void *context, uint64_t now_ns)
{
    struct target_server *server = ((struct desk *)context)->server;
    if (server->later_ns == 0 || now_ns < server->later_ns)
        return;
    server->later_ns = 0;
    pthread_mutex_lock(&server->knobs_lock);
    server->knobs = server->later;
    pthread_mutex_unlock(&server->knobs_lock);
    atomic_fetch_add(&server->knobs_version, 1);
    desk_turn(context, now_ns);
}

static bool turn_knobs(struct target_server *server, const struct target_request *request,
                       struct error *error)
{
    if (request->form_is_cut || strlen(request->form) != request->form_bytes)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "the knobs are longer than %zu bytes or no text; give a form such as "
                         "latency=20ms&servers=10",
                         sizeof request->form - 1);
    pthread_mutex_lock(&server->knobs_lock);
    bool is_fine = target_knobs_read(&server->knobs, request->form, server->threads, error);
    pthread_mutex_unlock(&server->knobs_lock);
    if (is_fine)
        atomic_fetch_add(&server->knobs_version, 1);
    return is_fine;
}

static void answer_knobs(struct connection *connection, uint64_t now_ns)
{
    struct target_server *server = connection->desk->server;
    struct error error = {0};
    if (connection->request.method == TARGET_POST &&
        !turn_knobs(server, &connection->request, &error)) {
        char sentence[ERROR_MESSAGE_BYTES + 1];
        snprintf(sentence, sizeof sentence, "%s\n", error.message);
        connection_answer(connection, (struct answer){400, plain_text, sentence});
        return;
    }
    desk_turn(connection->desk, now_ns);
    char text[TARGET_KNOBS_TEXT_BYTES];
    pthread_mutex_lock(&server->knobs_lock);
    target_knobs_json(&server->knobs, text, sizeof text);
    pthread_mutex_unlock(&server->knobs_lock);
    connection_answer(connection, (struct answer){200, json, text});
}

static void desk_count_queue(struct desk *desk)
{
    uint32_t in_service = target_model_in_service(desk->model);
    uint32_t waiting = target_model_waiting(desk->model);
    target_counts_set(&desk->counts, TARGET_IN_SERVICE, in_service);
    target_counts_set(&desk->counts, TARGET_WAITING, waiting);
    target_counts_reach(&desk->counts, TARGET_IN_SERVICE_MAX, in_service);
    target_counts_reach(&desk->counts, TARGET_WAITING_MAX, waiting);
}

static void serve_load(struct connection *connection, uint64_t now_ns)
{
    struct desk *desk = connection->desk;
    desk_turn(desk, now_ns);
    count(desk, TARGET_REQUESTS);
    target_counts_set(&desk->counts, TARGET_LAST_REQUEST_NS, now_ns);
    if (target_model_arrive(desk->model, connection->ticket, now_ns) == TARGET_REFUSED) {
        count(desk, TARGET_ERRORS);
        connection_answer(connection, (struct answer){503, plain_text, "the line is full\n"});
        return;
    }
    connection->in_model = true;
    desk_count_queue(desk);
}

static void serve(struct connection *connection, uint64_t now_ns)
{
    const struct target_request *request = &connection->request;
    bool is_read = request->method == TARGET_GET || request->method == TARGET_HEAD;
    bool is_turn = request->page == TARGET_PAGE_KNOBS && request->method == TARGET_POST;
    if (request->page == TARGET_PAGE_LOAD)
        serve_load(connection, now_ns);
    else if (!is_read && !is_turn)
        connection_answer(connection,
                          (struct answer){405, plain_text, "GET shows it; POST turns /knobs\n"});
    else if (request->page == TARGET_PAGE_STATS)
        answer_stats(connection);
    else
        answer_knobs(connection, now_ns);
}

/* It sent no request, so what follows it cannot be told apart either: answer and close. */
static void refuse(struct connection *connection)
{
    unsigned status = connection->request.status;
    count(connection->desk, TARGET_MALFORMED);
    connection->request.keep_alive = false;
    connection->input_bytes = 0;
    connection_answer(connection, (struct answer){status, plain_text, "this is no request\n"});
}

static bool is_idle(const struct connection *connection)
{
    return connection->descriptor >= 0 && !connection->in_model && !has_output(connection);
}

static void let_it_continue(struct connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    connection->request.wants_continue = false;
    memcpy(connection->output, interim, sizeof interim - 1);
    connection->output_bytes = sizeof interim - 1;
    connection_flush(connection);
}

/* Works through the bytes that are there, up to a request that has to be waited for. */
static void connection_advance(struct connection *connection, uint64_t now_ns)
{
    while (is_idle(connection) && connection->input_bytes > 0) {
        size_t consumed;
        enum target_request_outcome outcome = target_request_feed(
            &connection->request, connection->input, connection->input_bytes, &consumed);
        connection->input_bytes -= (uint32_t)consumed;
        memmove(connection->input, connection->input + consumed, connection->input_bytes);
        if (outcome == TARGET_REQUEST_WHOLE)
            serve(connection, now_ns);
        else if (outcome == TARGET_REQUEST_BAD)
            refuse(connection);
        else if (connection->request.wants_continue)
            let_it_continue(connection);
        else
            return;
    }
}

/* Sets the alarm to the next departure. Setting it also clears the ring that is past: no read(). */
static void desk_set_alarm(struct desk *desk)
{
    uint64_t next_ns = target_model_next_ns(desk->model);
    if (next_ns == desk->alarm_ns)
        return;
    struct itimerspec setting = {
        .it_value = {.tv_sec = (time_t)(next_ns / NS_PER_S), .tv_nsec = (long)(next_ns % NS_PER_S)},
    };
    CHECK(timerfd_settime(desk->alarm, TFD_TIMER_ABSTIME, &setting, NULL) == 0);
    desk->alarm_ns = next_ns;
}

/* Answers all that are done by now. A request that needs no time goes through here as well, at
 * once. */
static void desk_settle(struct desk *desk, uint64_t now_ns)
{
    struct target_departure departure;
    while (target_model_depart(desk->model, now_ns, &departure)) {
        struct connection *connection = desk->connections[departure.ticket];
        CHECK(connection->in_model);
        connection->in_model = false;
        count(desk, departure.failed ? TARGET_ERRORS : TARGET_OK);
        desk_count_queue(desk);
        struct answer ok = {200, plain_text, "ok\n"}, failed = {503, plain_text, "failed\n"};
        connection_answer(connection, departure.failed ? failed : ok);
        connection_advance(connection, now_ns);
    }
    desk_set_alarm(desk);
}

static void connection_receive(struct connection *connection, uint64_t now_ns)
{
    /* More requests, or the end of the connection: either waits for the answer that is due. */
    if (!is_idle(connection)) {
        connection_watch(connection, 0);
        return;
    }
    size_t room = sizeof connection->input - connection->input_bytes;
    CHECK(room > 0); /* a full one without a line end was refused */
    ssize_t received =
        recv(connection->descriptor, connection->input + connection->input_bytes, room, 0);
    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0) {
        connection_close(connection);
        return;
    }
    connection->input_bytes += (uint32_t)received;
    connection_advance(connection, now_ns);
}

static void connection_ready(void *context, uint64_t now_ns, uint32_t events)
{
    struct connection *connection = context;
    struct desk *desk = connection->desk;
    if (has_output(connection) && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        connection_flush(connection);
        connection_advance(connection, now_ns);
    } else {
        connection_receive(connection, now_ns);
    }
    desk_settle(desk, now_ns);
}

static void alarm_rings(void *context, uint64_t now_ns, uint32_t events)
{
    (void)events;
    desk_settle(context, now_ns);
}

static struct connection *connection_make(struct desk *desk, uint32_t ticket)
{
    struct connection *connection = desk->connections[ticket];
    if (connection == NULL) {
        connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            return NULL;
        connection->desk = desk;
        connection->ticket = ticket;
        connection->descriptor = -1;
        desk->connections[ticket] = connection;
    }
    return connection;
}

/* Takes the next connection that waits. False: there is none, or no room for it. */
static bool desk_accept(struct desk *desk)
{
    if (desk->free_count == 0)
        return false;
    struct connection *connection = connection_make(desk, desk->free_tickets[desk->free_count - 1]);
    if (connection == NULL)
        return false;
    int descriptor = accept4(desk->server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0)
        return false;
    desk->free_count--;
    connection->descriptor = descriptor;
    connection->watched = 0;
    connection->in_model = connection->ends = false;
    connection->input_bytes = connection->output_bytes = connection->output_sent = 0;
    target_request_begin(&connection->request);
    count(desk, TARGET_CONNECTIONS);
    count(desk, TARGET_ACCEPTED);
    connection_watch(connection, EPOLLIN);
    return true;
}

/* Once: it would come ten times a second. */
static void desk_say_full(struct desk *desk, int reason)
{
    if (!desk->has_said_full)
        log_line(LOG_WARNING, "with %u connections open there is no room for more: %s",
                 TARGET_CONNECTIONS_MAX - desk->free_count,
                 reason != 0 ? strerror(reason) : "their table is full");
    desk->has_said_full = true;
}

static void listener_ready(void *context, uint64_t now_ns, uint32_t events)
{
    (void)now_ns;
    (void)events;
    struct desk *desk = context;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        errno = 0;
        if (desk_accept(desk))
            continue;
        if (errno == EAGAIN || errno == ECONNABORTED)
            return;
        /* No descriptor, memory or ticket left: those who wait stay in the kernel's backlog for a
         * while. */
        desk_say_full(desk, errno);
        loop_unwatch(desk->loop, desk->server->listener);
        desk->accepting = false;
        return;
    }
}

static void accept_again(void *context, uint64_t now_ns)
{
    (void)now_ns;
    struct desk *desk = context;
    if (!desk->accepting)
        desk->accepting =
            loop_watch(desk->loop, desk->server->listener, EPOLLIN, listener_ready, desk, NULL);
}

static void wakeup_ready(void *context, uint64_t now_ns, uint32_t events)
{
    (void)now_ns;
    (void)events;
    struct desk *desk = context;
    loop_wakeup_clear(desk->wakeup);
    loop_stop(desk->loop);
}

static void signal_ready(void *context, uint64_t now_ns, uint32_t events)
{
    (void)now_ns;
    (void)events;
    struct target_server *server = context;
    if (loop_next_signal(server->signals) == 0)
        return;
    for (uint32_t i = 0; i < server->threads; i++)
        loop_wakeup_send(server->desks[i].wakeup);
}

/* Fills a zeroed desk. What was made before a failure, desk_done() frees. */
static bool desk_init(struct desk *desk, struct target_server *server, uint64_t seed,
                      struct error *error)
{
    desk->server = server;
    desk->alarm = desk->wakeup = -1;
    desk->connections = calloc(TARGET_CONNECTIONS_MAX, sizeof *desk->connections);
    desk->free_tickets = calloc(TARGET_CONNECTIONS_MAX, sizeof *desk->free_tickets);
    if (desk->connections == NULL || desk->free_tickets == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for connections");
    desk->free_count = TARGET_CONNECTIONS_MAX;
    for (uint32_t i = 0; i < TARGET_CONNECTIONS_MAX; i++)
        desk->free_tickets[i] = TARGET_CONNECTIONS_MAX - 1 - i;

    desk->model = target_model_create(TARGET_CONNECTIONS_MAX, seed, error);
    desk->loop = desk->model != NULL ? loop_create(error) : NULL;
    desk->wakeup = desk->loop != NULL ? loop_wakeup_create(error) : -1;
    if (desk->wakeup < 0)
        return false;
    desk->alarm = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (desk->alarm < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "timerfd_create: %s", strerror(errno));
    desk_turn(desk, clock_now_ns());
    loop_every(desk->loop, ACCEPT_AGAIN_NS, accept_again, desk);
    if (desk == server->desks)
        loop_every(desk->loop, TURN_LATER_NS, turn_later, desk);
    desk->accepting =
        loop_watch(desk->loop, server->listener, EPOLLIN, listener_ready, desk, error);
    return desk->accepting &&
           loop_watch(desk->loop, desk->alarm, EPOLLIN, alarm_rings, desk, error) &&
           loop_watch(desk->loop, desk->wakeup, EPOLLIN, wakeup_ready, desk, error);
}

static void close_if_open(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
}

static void desk_done(struct desk *desk)
{
    for (uint32_t i = 0; desk->connections != NULL && i < TARGET_CONNECTIONS_MAX; i++) {
        if (desk->connections[i] != NULL)
            close_if_open(desk->connections[i]->descriptor);
        free(desk->connections[i]);
    }
    free(desk->connections);
    free(desk->free_tickets);
    if (desk->server != NULL) {
        close_if_open(desk->alarm);
        close_if_open(desk->wakeup);
    }
    loop_destroy(desk->loop);
    target_model_destroy(desk->model);
}

static bool server_init(struct target_server *server, const struct target_settings *settings,
                        struct error *error)
{
    server->listener = net_listen(&settings->listen, false, BACKLOG, error);
    if (server->listener < 0)
        return false;
    /* Accepted sockets inherit it from here, which saves a call for each. */
    int on = 1;
    CHECK(setsockopt(server->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    server->signals = loop_signals((const int[]){SIGTERM, SIGINT}, 2, error);
    if (server->signals < 0)
        return false;
    for (uint32_t i = 0; i < server->threads; i++) {
        if (!desk_init(&server->desks[i], server, i + 1, error))
            return false;
    }
    return loop_watch(server->desks[0].loop, server->signals, EPOLLIN, signal_ready, server, error);
}

struct target_server *target_server_create(const struct target_settings *settings,
                                           struct error *error)
{
    CHECK(settings->threads >= 1 && settings->threads <= LANES_MAX);
    CHECK(target_knobs_check(&settings->knobs, settings->threads, NULL));
    struct target_server *server = calloc(1, sizeof *server);
    struct desk *desks = calloc(settings->threads, sizeof *desks);
    if (server == NULL || desks == NULL) {
        free(server);
        free(desks);
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for %u threads", settings->threads);
        return NULL;
    }
    *server = (struct target_server){
        .listener = -1,
        .signals = -1,
        .knobs_lock = PTHREAD_MUTEX_INITIALIZER,
        .knobs = settings->knobs,
        .later = settings->later,
        .later_ns = settings->later_after_ns > 0 ? clock_now_ns() + settings->later_after_ns : 0,
        .knobs_version = 1, /* each desk starts at 0, and so takes them over */
        .threads = settings->threads,
        .desks = desks,
    };
    if (!server_init(server, settings, error)) {
        target_server_destroy(server);
        return NULL;
    }
    return server;
}

void target_server_destroy(struct target_server *server)
{
    if (server == NULL)
        return;
    for (uint32_t i = 0; i < server->threads; i++)
        desk_done(&server->desks[i]);
    free(server->desks);
    close_if_open(server->listener);
    close_if_open(server->signals);
    pthread_mutex_destroy(&server->knobs_lock);
    free(server);
}

uint16_t target_server_port(const struct target_server *server)
{
    return net_port(server->listener);
}

static void *desk_run(void *context)
{
    struct desk *desk = context;
    loop_run(desk->loop);
    return NULL;
}

bool target_server_run(struct target_server *server, struct error *error)
{
    uint32_t started = 1;
    int result = 0;
    while (started < server->threads && result == 0) {
        struct desk *desk = &server->desks[started];
        result = pthread_create(&desk->thread, NULL, desk_run, desk);
        started += result == 0;
    }
    if (result == 0)
        desk_run(&server->desks[0]);
    for (uint32_t i = 1; i < started; i++) {
        loop_wakeup_send(server->desks[i].wakeup);
        CHECK(pthread_join(server->desks[i].thread, NULL) == 0);
    }
    return result == 0 || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot start a thread: %s",
                                    strerror(result));
}
