/* A plugin that speaks memcached: each worker stores a value, reads it back, and so on.
 *
 *     cc -shared -fPIC -o memcached.so plugin_memcached.c
 *     clobber run plan.yaml --plugin memcached.so
 *
 *     target: tcp://127.0.0.1:11211
 *     plugin: {name: memcached, options: "1000"}      # keys; each has a value of a few bytes
 *
 * An answer of another kind than the request asks for fails its request. */
#include <clobber/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX   1000000u
#define LINE_BYTES 64

struct configuration {
    unsigned long keys;
};

struct worker {
    unsigned long turn;
    char request[LINE_BYTES];
    char tail[8]; /* the last bytes of the answer: its end is one of a few words */
    size_t tail_bytes;
    bool stored; /* the request is a `set` */
};

static void *configure(const char *options, size_t options_bytes, char *mistake,
                       size_t mistake_bytes)
{
    char text[16] = "1000";
    if (options_bytes >= sizeof text) {
        snprintf(mistake, mistake_bytes, "its options are too long; give a number of keys");
        return NULL;
    }
    if (options_bytes > 0) {
        memcpy(text, options, options_bytes);
        text[options_bytes] = '\0';
    }
    char *end;
    unsigned long keys = strtoul(text, &end, 10);
    if (*end != '\0' || keys < 1 || keys > KEYS_MAX) {
        snprintf(mistake, mistake_bytes, "'%s' is no number of keys; give 1 to %u", text, KEYS_MAX);
        return NULL;
    }
    struct configuration *configuration = malloc(sizeof *configuration);
    if (configuration == NULL)
        return NULL;
    configuration->keys = keys;
    return configuration;
}

static void begin(const void *shared, void *memory, uint64_t index,
                  struct clobber_plugin_request *request)
{
    const struct configuration *configuration = shared;
    struct worker *worker = memory;
    unsigned long key = (index + worker->turn / 2) % configuration->keys;
    worker->stored = worker->turn++ % 2 == 0;
    worker->tail_bytes = 0;
    const char *form = worker->stored ? "set key-%lu 0 0 5\r\nvalue\r\n" : "get key-%lu\r\n";
    request->send_bytes = (size_t)snprintf(worker->request, sizeof worker->request, form, key);
    request->send = (const uint8_t *)worker->request;
}

/* Whether the answer so far ends with `word`. */
static bool ends_with(const struct worker *worker, const char *word)
{
    size_t count = strlen(word);
    return worker->tail_bytes >= count &&
           memcmp(worker->tail + worker->tail_bytes - count, word, count) == 0;
}

static enum clobber_plugin_outcome feed(const void *shared, void *memory, const uint8_t *bytes,
                                        size_t count, struct clobber_plugin_answer *answer)
{
    (void)shared;
    struct worker *worker = memory;
    for (size_t i = 0; i < count; i++) {
        if (worker->tail_bytes == sizeof worker->tail)
            memmove(worker->tail, worker->tail + 1, --worker->tail_bytes);
        worker->tail[worker->tail_bytes++] = (char)bytes[i];
        answer->consumed = i + 1;
        if (ends_with(worker, "STORED\r\n"))
            answer->wrong = !worker->stored;
        else if (ends_with(worker, "END\r\n"))
            answer->wrong = worker->stored;
        else if (ends_with(worker, "ERROR\r\n"))
            answer->wrong = true;
        else
            continue;
        return CLOBBER_PLUGIN_DONE;
    }
    return CLOBBER_PLUGIN_MORE;
}

const struct clobber_plugin clobber_plugin = {
    .bytes = sizeof clobber_plugin,
    .version = CLOBBER_PLUGIN_VERSION,
    .name = "memcached",
    .memory_bytes = sizeof(struct worker),
    .configure = configure,
    .release = free,
    .begin = begin,
    .feed = feed,
};
