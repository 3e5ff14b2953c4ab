/** A workload of your own: a protocol that clobber does not speak, as a shared object on each
 * agent.
 *
 *  It turns requests into bytes and bytes into verdicts, and sees neither a socket nor a clock:
 *  clobber connects, sends, waits and measures. Build with `cc -shared -fPIC`, let the agent's
 * owner allow it with `clobber agent --plugin FILE.so`, and name it in the plan:
 *
 *      target: tcp://HOST:PORT
 *      plugin: {name: NAME, options: TEXT}
 *
 *  No code crosses the network. docs/examples/plugin_memcached.c is a whole one.
 *
 *  An agent makes load on several threads. What configure() made is shared by all of them and must
 *  not change; each worker has memory of its own beside it, for one thread at a time. */
#ifndef CLOBBER_PLUGIN_H
#define CLOBBER_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Changes when what was there before changes its meaning; a plugin of another version is refused.
 *  What is only added grows `bytes`: whoever fills a struct of the other side, leaves alone what is
 *  beyond the `bytes` that it finds in there. */
#define CLOBBER_PLUGIN_VERSION 1

/** What bytes of an answer led to. */
enum clobber_plugin_outcome {
    CLOBBER_PLUGIN_MORE,   /* the answer is not whole yet: all bytes belonged to it */
    CLOBBER_PLUGIN_DONE,   /* it is */
    CLOBBER_PLUGIN_FAILED, /* it cannot be: the connection is closed */
};

/** A request; zeroed but for `bytes` when begin() gets it. */
struct clobber_plugin_request {
    size_t bytes; /* sizeof(struct clobber_plugin_request), as clobber knows it */
    /** To send: one byte or more, which stay as they are until the next begin() of this worker. */
    const uint8_t *send;
    size_t send_bytes;
    bool no_answer; /* it is over when it is sent */
    bool reconnect; /* over a new connection, which is closed after it */
};

/** An answer; zeroed but for `bytes` when feed() and end() get it. */
struct clobber_plugin_answer {
    size_t bytes;    /* sizeof(struct clobber_plugin_answer), as clobber knows it */
    size_t consumed; /* DONE: how many of the bytes were its own; others are an error */
    bool wrong;      /* DONE: it is not as expected; the request failed */
    bool hang_up;    /* DONE: the connection is not for another request */
};

struct clobber_plugin {
    size_t bytes;        /* sizeof(struct clobber_plugin) */
    uint32_t version;    /* CLOBBER_PLUGIN_VERSION */
    const char *name;    /* as plans call it; letters, digits, '-', '_' and '.' */
    size_t memory_bytes; /* of each worker; zeroed when it starts to work */
    /** Reads the plan's `options`, which are not ended by a NUL. NULL: writes into
     *  `mistake[mistake_bytes]` what is wrong with them, in one sentence. */
    void *(*configure)(const char *options, size_t options_bytes, char *mistake,
                       size_t mistake_bytes);
    /** Frees it. Nothing else is called with it from then on. */
    void (*release)(void *configuration);
    /** The worker's next request; `index` is its number among all of all agents where the plan
     *  numbers them (requests_total, data), else 0. */
    void (*begin)(const void *configuration, void *memory, uint64_t index,
                  struct clobber_plugin_request *request);
    /** The next bytes of the answer, split anywhere. */
    enum clobber_plugin_outcome (*feed)(const void *configuration, void *memory,
                                        const uint8_t *bytes, size_t count,
                                        struct clobber_plugin_answer *answer);
    /** The target closed its side. NULL: no answer ends so. */
    enum clobber_plugin_outcome (*end)(const void *configuration, void *memory,
                                       struct clobber_plugin_answer *answer);
};

/** What a plugin defines; the only name that clobber looks for. */
extern
#if defined(__GNUC__)
    __attribute__((visibility("default")))
#endif
    const struct clobber_plugin clobber_plugin;

#ifdef __cplusplus
}
#endif

#endif
