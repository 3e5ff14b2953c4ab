#include "coordinator/folder.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAME_SECOND_MAX 100 /* runs of one name begun within one second */

static bool folder_failed(const char *path, const char *what, struct error *error)
{
    return error_set(error, ERROR_SYSTEM, PLACE_NONE, "%s: cannot %s: %s", path, what,
                     strerror(errno));
}

/* Makes `path` and the folders above it. */
static bool folder_make(const char *path, struct error *error)
{
    char part[FOLDER_PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return folder_failed(part, "make this folder", error);
    }
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
        return folder_failed(part, "make this folder", error);
    return true;
}

/* "a b/c" to "a-b-c": a plan's name as part of a path. */
static void folder_name(const char *name, char *text, size_t text_bytes)
{
    size_t length = 0;
    for (; *name != '\0' && length + 1 < text_bytes; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= '0' && *name <= '9') || *name == '_' || *name == '-' ||
                     (*name == '.' && length > 0);
        text[length] = '-';
        if (plain)
            text[length] = *name;
        length++;
    }
    text[length] = '\0';
}

/* "2026-01-02T10:15:00Z" to "20260102-101500". */
static void folder_stamp(uint64_t wall_ns, char *text)
{
    char wall[32];
    clock_wall_text(wall_ns, wall, sizeof wall);
    snprintf(text, 16, "%.4s%.2s%.2s-%.2s%.2s%.2s", wall, wall + 5, wall + 8, wall + 11, wall + 14,
             wall + 17);
}

static bool folder_create_wanted(const char *wanted, char *path, struct error *error)
{
    if (!folder_make(wanted, error))
        return false;
    char record[FOLDER_PATH_BYTES + 16];
    snprintf(record, sizeof record, "%s/run.jsonl", wanted);
    if (access(record, F_OK) == 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%s holds a run already; give a folder that does not", wanted);
    snprintf(path, FOLDER_PATH_BYTES, "%s", wanted);
    return true;
}

bool folder_create(const char *wanted, const char *name, uint64_t wall_ns, char *path,
                   struct error *error)
{
    if (wanted != NULL && wanted[0] == '\0')
        return error_set(error, ERROR_USAGE, PLACE_NONE, "the path of the folder is empty");
    if (wanted != NULL && strlen(wanted) >= FOLDER_PATH_BYTES - 64)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "the path of the folder is too long");
    if (wanted != NULL)
        return folder_create_wanted(wanted, path, error);
    if (!folder_make("runs", error))
        return false;
    char plain[128];
    char stamp[16];
    folder_name(name, plain, sizeof plain);
    folder_stamp(wall_ns, stamp);
    for (int i = 1; i <= SAME_SECOND_MAX; i++) {
        char again[8] = "";
        if (i > 1)
            snprintf(again, sizeof again, "-%d", i);
        snprintf(path, FOLDER_PATH_BYTES, "runs/%s-%s%s", plain, stamp, again);
        if (mkdir(path, 0777) == 0)
            return true;
        if (errno != EEXIST)
            return folder_failed(path, "make this folder", error);
    }
    return error_set(error, ERROR_LIMIT, PLACE_NONE, "%s: %d runs began within one second", path,
                     SAME_SECOND_MAX);
}

/* A name is on disk when its folder is. Some file systems cannot sync one, and need not. */
static bool sync_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool well = fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS;
    close(descriptor);
    return well;
}

bool folder_replace(const char *folder, const char *file, folder_write *write, const void *subject,
                    struct error *error)
{
    char path[FOLDER_PATH_BYTES + 64];
    char beside[FOLDER_PATH_BYTES + 96];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    /* Of this process alone: what a killed one left behind is in nobody's way. */
    snprintf(beside, sizeof beside, "%s.%d.part", path, (int)getpid());
    FILE *stream = fopen(beside, "wxe");
    if (stream == NULL)
        return folder_failed(path, "write", error);
    bool well = write(subject, stream, error);
    if (well && (fflush(stream) != 0 || fsync(fileno(stream)) != 0))
        well = folder_failed(path, "write", error);
    if (fclose(stream) != 0 && well)
        well = folder_failed(path, "write", error);
    if (well && rename(beside, path) != 0)
        well = folder_failed(path, "put it in its place", error);
    if (well && !sync_folder(folder))
        well = folder_failed(folder, "sync this folder", error);
    if (!well)
        unlink(beside);
    return well;
}

/* "a/b" to "a" and "b"; "b" to "." and "b". `folder[FOLDER_PATH_BYTES]`. */
static const char *split_path(const char *path, char *folder)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(folder, FOLDER_PATH_BYTES, ".");
    else if (slash == path)
        snprintf(folder, FOLDER_PATH_BYTES, "/");
    else
        snprintf(folder, FOLDER_PATH_BYTES, "%.*s", (int)(slash - path), path);
    return slash != NULL ? slash + 1 : path;
}

static bool is_no_file(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

bool folder_put(const char *path, folder_write *write, const void *subject, struct error *error)
{
    char folder[FOLDER_PATH_BYTES];
    if (strlen(path) >= FOLDER_PATH_BYTES)
        return error_set(error, ERROR_SYSTEM, PLACE_NONE, "the path of the file is too long");
    if (!is_no_file(path)) {
        const char *file = split_path(path, folder);
        return folder_replace(folder, file, write, subject, error);
    }
    FILE *stream = fopen(path, "we");
    if (stream == NULL)
        return folder_failed(path, "write", error);
    bool well = write(subject, stream, error);
    if (fclose(stream) != 0 && well)
        well = folder_failed(path, "write", error);
    return well;
}
