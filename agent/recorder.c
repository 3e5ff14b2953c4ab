#include "agent/recorder.h"

#include "agent/orphan.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX     ".recording"
#define PATH_BYTES 1024u
#define FILES_MAX  1024u /* looked at in one folder: more than any host has agents */
#define KEPT_NS    (UINT64_C(7) * 24 * 3600 * NS_PER_S) /* by then nobody resumes its run */
#define NAME_SHOWN 40u /* of the agent's name in that of the file */
#define PATH_LEFT  (NAME_SHOWN + 2u * ID_BYTES + 64u)

struct recorder {
    char folder[PATH_BYTES];
    char name[NAME_SHOWN + 1];
    uint32_t orphans; /* that were there when they were counted last */

    /* Of the incarnation that lives; NULL, -1: none. */
    struct recording *recording;
    size_t byte_count;
    int descriptor;
    char path[PATH_BYTES];

    /* Of one that is dead, while it is delivered. */
    struct orphan *orphan;
    int orphan_descriptor;
    char orphan_path[PATH_BYTES];
    uint8_t orphan_run_id[ID_BYTES];
    uint8_t searched[ID_BYTES]; /* the run for which the folder was searched last, in vain */
};

/* The folder. */

static bool make_folder(const char *path, struct error *error)
{
    struct stat status;
    char part[PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        mkdir(part, 0777); /* what it says shows below */
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot make this folder: %s", path,
                         strerror(errno));
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode) || access(path, W_OK) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot write in this folder", path);
    if (status.st_uid != geteuid() || (status.st_mode & 022) != 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE,
                         "%s: others can write in this folder; give one that is yours alone: chmod "
                         "700",
                         path);
    return true;
}

static bool try_folder(struct recorder *recorder, const char *above, const char *below,
                       struct error *error)
{
    if (above == NULL || above[0] != '/')
        return false;
    if (strlen(above) + strlen(below) + PATH_LEFT > PATH_BYTES)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%.200s...: this path is too long",
                         above);
    snprintf(recorder->folder, sizeof recorder->folder, "%s%s", above, below);
    return make_folder(recorder->folder, error);
}

static bool find_folder(struct recorder *recorder, const char *wanted, struct error *error)
{
    char here[PATH_BYTES];
    if (wanted != NULL && wanted[0] != '/') {
        if (getcwd(here, sizeof here) == NULL || strlen(here) + strlen(wanted) + 1 >= PATH_BYTES)
            return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%.200s: this path is too long",
                             wanted);
        strcat(here, "/");
        strcat(here, wanted);
        wanted = here;
    }
    if (wanted != NULL)
        return try_folder(recorder, wanted, "", error);
    if ((geteuid() == 0 && try_folder(recorder, "/run", "/clobber", error)) ||
        try_folder(recorder, getenv("XDG_RUNTIME_DIR"), "/clobber", error) ||
        try_folder(recorder, getenv("XDG_STATE_HOME"), "/clobber", error) ||
        try_folder(recorder, getenv("HOME"), "/.local/state/clobber", error))
        return true;
    return error->kind != ERROR_NONE
               ? false
               : error_set(error, ERROR_SYSTEM, PLACE_NONE, "no folder for it; give one: --state");
}

/* For people who look into the folder; the incarnation tells recordings apart. */
static void show_name(const char *name, char *shown)
{
    size_t length = 0;
    for (; name[length] != '\0' && length < NAME_SHOWN; length++) {
        char c = name[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-';
        shown[length] = '-';
        if (plain)
            shown[length] = c;
    }
    shown[length] = '\0';
}

/* The recordings in it. */

typedef bool each_file(struct recorder *recorder, const char *path, void *context);

/* Until one returns true. */
static void for_each(struct recorder *recorder, each_file *each, void *context)
{
    DIR *folder = opendir(recorder->folder);
    uint32_t files = 0;
    bool done = folder == NULL;
    for (const struct dirent *entry; !done && (entry = readdir(folder)) != NULL;) {
        char path[PATH_BYTES + sizeof entry->d_name];
        size_t length = strlen(entry->d_name);
        bool ours = entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
                    strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
        if (!ours || strlen(recorder->folder) + length + 2 > PATH_BYTES)
            continue;
        snprintf(path, sizeof path, "%s/%s", recorder->folder, entry->d_name);
        done = each(recorder, path, context) || ++files >= FILES_MAX;
    }
    if (folder != NULL)
        closedir(folder);
}

/* A descriptor of the recording at `path`, locked and of this user alone; -1: it is not one, or
 * somebody lives in it. */
static int open_dead(const char *path, struct stat *status)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, status) == 0 && S_ISREG(status->st_mode) && status->st_uid == geteuid() &&
        (status->st_mode & 077) == 0 && status->st_size <= (off_t)RECORDING_BYTES_MAX &&
        flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static bool count_dead(struct recorder *recorder, const char *path, void *context)
{
    uint32_t *count = context;
    struct stat status;
    int descriptor = open_dead(path, &status);
    if (descriptor < 0)
        return false;
    uint64_t changed_ns = (uint64_t)status.st_mtim.tv_sec * NS_PER_S;
    bool old = changed_ns + KEPT_NS < clock_wall_ns();
    if (old)
        unlink(path);
    close(descriptor);
    *count += !old;
    (void)recorder;
    return false;
}

uint32_t recorder_orphans(struct recorder *recorder)
{
    recorder->orphans = 0;
    memset(recorder->searched, 0, sizeof recorder->searched);
    for_each(recorder, count_dead, &recorder->orphans);
    return recorder->orphans;
}

static bool read_all(int descriptor, uint8_t *bytes, size_t byte_count)
{
    size_t done = 0;
    while (done < byte_count) {
        ssize_t count = pread(descriptor, bytes + done, byte_count - done, (off_t)done);
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

static struct orphan *read_orphan(int descriptor, size_t byte_count,
                                  const struct recording_owner *owner, struct error *error)
{
    uint8_t *bytes = malloc(byte_count);
    struct meters *meters = NULL;
    if (bytes == NULL || !read_all(descriptor, bytes, byte_count))
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot read it");
    else
        meters = recording_read(bytes, byte_count, error);
    free(bytes);
    return meters != NULL ? orphan_create(owner, meters) : NULL;
}

/* The orphan of the run `context`, when this is one. What does not read is nobody's word. */
static bool take_orphan(struct recorder *recorder, const char *path, void *context)
{
    const uint8_t *run_id = context;
    uint8_t head[RECORDING_HEAD_BYTES];
    struct recording_owner owner;
    struct stat status;
    struct error error = {0};
    int descriptor = open_dead(path, &status);
    if (descriptor < 0)
        return false;
    bool readable = read_all(descriptor, head, sizeof head) &&
                    recording_read_owner(head, sizeof head, &owner, &error);
    if (!readable || memcmp(owner.run_id, run_id, ID_BYTES) != 0) {
        close(descriptor);
        return false;
    }
    recorder->orphan = read_orphan(descriptor, (size_t)status.st_size, &owner, &error);
    if (recorder->orphan == NULL) {
        log_line(LOG_ERROR, "%s: %s", path, error.message);
        unlink(path);
        close(descriptor);
        return false;
    }
    recorder->orphan_descriptor = descriptor;
    snprintf(recorder->orphan_path, sizeof recorder->orphan_path, "%s", path);
    memcpy(recorder->orphan_run_id, run_id, ID_BYTES);
    return true;
}

static void drop_orphan(struct recorder *recorder, bool heard)
{
    if (recorder->orphan == NULL)
        return;
    if (heard)
        unlink(recorder->orphan_path);
    orphan_destroy(recorder->orphan);
    close(recorder->orphan_descriptor);
    recorder->orphan = NULL;
}

void recorder_hear(struct recorder *recorder, const struct message *message)
{
    bool other =
        recorder->orphan != NULL && memcmp(recorder->orphan_run_id, message->run_id, ID_BYTES) != 0;
    if (other)
        drop_orphan(recorder, false);
    bool searched = memcmp(recorder->searched, message->run_id, ID_BYTES) == 0;
    if (recorder->orphan == NULL && recorder->orphans > 0 && !searched) {
        uint8_t run_id[ID_BYTES];
        memcpy(run_id, message->run_id, sizeof run_id);
        for_each(recorder, take_orphan, run_id);
        if (recorder->orphan == NULL)
            memcpy(recorder->searched, run_id, ID_BYTES);
    }
    if (recorder->orphan == NULL)
        return;
    orphan_hear(recorder->orphan, message);
    if (orphan_is_heard(recorder->orphan)) {
        log_line(LOG_INFO, "the last word of an agent that was killed is delivered");
        drop_orphan(recorder, true); /* the next message finds the next one */
    }
}

bool recorder_say(struct recorder *recorder, uint64_t now_ns, struct message *message)
{
    return recorder->orphan != NULL && orphan_say(recorder->orphan, now_ns, message);
}

/* Its own recording. */

/* Out of sight until it is whole and locked. Room is taken now: a page that the file system has no
 * room for would kill a lane in the middle of counting. */
static bool create_file(struct recorder *recorder, struct error *error)
{
    char hidden[PATH_BYTES + 16];
    snprintf(hidden, sizeof hidden, "%s/.%s.%d", recorder->folder, recorder->name, (int)getpid());
    unlink(hidden);
    recorder->descriptor = open(hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (recorder->descriptor < 0)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot write: %s", hidden,
                         strerror(errno));
    int failure = posix_fallocate(recorder->descriptor, 0, (off_t)recorder->byte_count);
    if (failure == 0 && (flock(recorder->descriptor, LOCK_EX | LOCK_NB) != 0 ||
                         rename(hidden, recorder->path) != 0))
        failure = errno;
    if (failure == 0)
        return true;
    unlink(hidden);
    close(recorder->descriptor);
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot keep %zu bytes there: %s",
                     recorder->folder, recorder->byte_count, strerror(failure));
}

static void choose_path(struct recorder *recorder, const uint8_t *incarnation)
{
    char text[2 * ID_BYTES + 1];
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", incarnation[i]);
    snprintf(recorder->path, sizeof recorder->path, "%.*s/%s.%s" SUFFIX,
             (int)(PATH_BYTES - PATH_LEFT), recorder->folder, recorder->name, text);
}

struct recording *recorder_begin(struct recorder *recorder, const struct recording_shape *shape,
                                 const struct recording_owner *owner, struct error *error)
{
    recorder->byte_count = recording_bytes(shape);
    if (recorder->byte_count > RECORDING_BYTES_MAX) {
        error_set(error, ERROR_LIMIT, PLACE_NONE,
                  "this plan takes %zu MiB of it for %u lanes, and it has %u at most",
                  recorder->byte_count >> 20, shape->lanes, RECORDING_BYTES_MAX >> 20);
        return NULL;
    }
    choose_path(recorder, owner->incarnation);
    if (!create_file(recorder, error))
        return NULL;
    void *memory = mmap(NULL, recorder->byte_count, PROT_READ | PROT_WRITE, MAP_SHARED,
                        recorder->descriptor, 0);
    if (memory == MAP_FAILED) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot map it: %s", recorder->path,
                  strerror(errno));
        unlink(recorder->path);
        close(recorder->descriptor);
        return NULL;
    }
    recorder->recording = recording_begin(memory, shape, owner);
    return recorder->recording;
}

void recorder_end(struct recorder *recorder, bool heard)
{
    if (recorder->recording == NULL)
        return;
    if (heard)
        unlink(recorder->path);
    munmap(recorder->recording, recorder->byte_count);
    close(recorder->descriptor);
    recorder->recording = NULL;
}

struct recorder *recorder_open(const char *folder, const char *agent_name, struct error *error)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (recorder == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for a flight recorder");
        return NULL;
    }
    show_name(agent_name, recorder->name);
    if (find_folder(recorder, folder, error))
        return recorder;
    free(recorder);
    return NULL;
}

void recorder_close(struct recorder *recorder)
{
    if (recorder == NULL)
        return;
    recorder_end(recorder, false);
    drop_orphan(recorder, false);
    free(recorder);
}
