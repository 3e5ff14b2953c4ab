#include "coordinator/store.h"

#include "common/base/units.h"
#include "coordinator/folder.h"
#include "coordinator/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FILE      "agents.state"
#define EPOCH_FILE      "epoch"
#define STATE_BYTES_MAX ((off_t)1 << 30) /* 8,192 agents with 128 KiB each */

struct store {
    char folder[FOLDER_PATH_BYTES];
    int lock;  /* the folder */
    int state; /* the file, to add to; -1: nothing was saved yet */
    struct state_head head;
    struct state_bytes bytes;
};

static bool store_failed(struct error *error, const char *file)
{
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write %s: %s", file, strerror(errno));
}

static void store_path(const struct store *store, const char *file, char *path)
{
    snprintf(path, FOLDER_PATH_BYTES + 32, "%s/%s", store->folder, file);
}

/* Which start of the machine this is; "": it does not say. */
static void read_boot(char *boot)
{
    FILE *stream = fopen("/proc/sys/kernel/random/boot_id", "re");
    memset(boot, 0, STATE_BOOT_BYTES);
    if (stream == NULL)
        return;
    if (fgets(boot, STATE_BOOT_BYTES, stream) == NULL)
        boot[0] = '\0';
    fclose(stream);
}

struct store *store_open(const char *folder, struct error *error)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a run");
        return NULL;
    }
    snprintf(store->folder, sizeof store->folder, "%s", folder);
    store->state = -1;
    store->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->lock >= 0 && flock(store->lock, LOCK_EX | LOCK_NB) == 0) {
        read_boot(store->head.boot);
        return store;
    }
    if (store->lock < 0)
        error_set(error, ERROR_USAGE, PLACE_NONE, "%s: %s", folder, strerror(errno));
    else
        error_set(error, ERROR_USAGE, PLACE_NONE, "%s: a coordinator is running this run", folder);
    store_close(store, false);
    return NULL;
}

void store_close(struct store *store, bool over)
{
    static const char *const files[] = {STATE_FILE, STATE_FILE ".part", EPOCH_FILE};
    char path[FOLDER_PATH_BYTES + 32];
    if (store == NULL)
        return;
    for (size_t i = 0; over && i < sizeof files / sizeof files[0]; i++) {
        store_path(store, files[i], path);
        unlink(path);
    }
    if (store->state >= 0)
        close(store->state);
    if (store->lock >= 0)
        close(store->lock);
    state_bytes_done(&store->bytes);
    free(store);
}

/* The epoch. */

static bool write_epoch(const void *subject, FILE *stream, struct error *error)
{
    (void)error;
    fprintf(stream, "%" PRIu64 "\n", *(const uint64_t *)subject);
    return true;
}

/* 0: there was none. What cannot be read must not become a lower one. */
static bool read_epoch(const char *path, uint64_t *epoch, struct error *error)
{
    char text[32] = "";
    uint64_t read = 0;
    *epoch = 0;
    FILE *stream = fopen(path, "re");
    if (stream == NULL && errno == ENOENT)
        return true;
    if (stream != NULL) {
        if (fgets(text, sizeof text, stream) == NULL)
            text[0] = '\0';
        fclose(stream);
    }
    text[strcspn(text, "\n")] = '\0';
    if (!units_read_count(text, &read) || read < 1 || read > INT64_MAX)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: it says no epoch", path);
    *epoch = read;
    return true;
}

bool store_next_epoch(struct store *store, uint64_t *epoch, struct error *error)
{
    char path[FOLDER_PATH_BYTES + 32];
    uint64_t before;
    store_path(store, EPOCH_FILE, path);
    if (!read_epoch(path, &before, error))
        return false;
    *epoch = before + 1;
    return folder_replace(store->folder, EPOCH_FILE, write_epoch, epoch, error);
}

/* Saving. */

void store_name(struct store *store, const uint8_t *run_id, uint64_t started_wall_ns)
{
    memcpy(store->head.run_id, run_id, ID_BYTES);
    store->head.started_wall_ns = started_wall_ns;
}

static void add(void *context, uint64_t moment_ns, const struct message *message)
{
    state_add(context, moment_ns, message);
}

static bool write_all(int descriptor, const uint8_t *bytes, size_t count)
{
    for (size_t written = 0; written < count;) {
        ssize_t more = write(descriptor, bytes + written, count - written);
        if (more < 0 && errno != EINTR)
            return false;
        written += more > 0 ? (size_t)more : 0;
    }
    return true;
}

/* Not synced: it is for the death of this process, not of the machine. */
bool store_save(struct store *store, const struct session *session, uint64_t now_ns,
                struct error *error)
{
    char path[FOLDER_PATH_BYTES + 32];
    char beside[FOLDER_PATH_BYTES + 32];
    store->head.load_began_ns = session_load_began_ns(session);
    store->head.saved_ns = now_ns;
    state_begin(&store->bytes, &store->head);
    session_remember(session, add, &store->bytes);
    if (store->bytes.failed)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to save the run's state");
    store_path(store, STATE_FILE, path);
    store_path(store, STATE_FILE ".part", beside);
    int descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return store_failed(error, STATE_FILE);
    if (!write_all(descriptor, store->bytes.bytes, store->bytes.count) ||
        rename(beside, path) != 0) {
        store_failed(error, STATE_FILE);
        close(descriptor);
        unlink(beside);
        return false;
    }
    if (store->state >= 0)
        close(store->state);
    store->state = descriptor;
    return true;
}

bool store_keep(struct store *store, uint64_t now_ns, const struct message *message,
                struct error *error)
{
    if (store->state < 0)
        return true; /* before the first tick nobody has done anything */
    store->bytes.count = 0;
    state_add(&store->bytes, now_ns, message);
    if (store->bytes.failed)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory to save the run's state");
    return write_all(store->state, store->bytes.bytes, store->bytes.count) ||
           store_failed(error, STATE_FILE);
}

/* Reading. */

static bool read_file(const char *path, uint8_t **bytes, size_t *count, struct error *error)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s", strerror(errno));
    bool fits = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                status.st_size <= STATE_BYTES_MAX;
    *count = fits ? (size_t)status.st_size : 0;
    *bytes = malloc(*count + 1);
    ssize_t got = fits && *bytes != NULL ? read(descriptor, *bytes, *count) : -1;
    close(descriptor);
    if (got == (ssize_t)*count)
        return true;
    free(*bytes);
    *bytes = NULL;
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "it cannot be read");
}

bool store_read(struct store *store, struct store_past *past, struct error *error)
{
    char path[FOLDER_PATH_BYTES + 32];
    struct state_head head;
    store_path(store, STATE_FILE, path);
    *past = (struct store_past){0};
    if (!read_file(path, &past->bytes, &past->byte_count, error) ||
        !state_read_head(past->bytes, past->byte_count, &head, error))
        return error_prefix(error, "%s", path);
    if (strcmp(head.boot, store->head.boot) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "%s is of another machine, or this one was started again since: a run can "
                         "be resumed only where its clock goes on",
                         path);
    memcpy(past->run_id, head.run_id, ID_BYTES);
    past->started_wall_ns = head.started_wall_ns;
    past->load_began_ns = head.load_began_ns;
    past->saved_ns = head.saved_ns;
    return true;
}

static bool recall(void *context, uint64_t moment_ns, const struct message *message,
                   struct error *error)
{
    return session_recall(context, moment_ns, message, error);
}

bool store_recall(const struct store_past *past, struct session *session, struct error *error)
{
    return state_read(past->bytes, past->byte_count, recall, session, error) ||
           error_prefix(error, STATE_FILE);
}
