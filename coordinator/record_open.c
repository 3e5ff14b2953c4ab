#include "coordinator/record_read.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RECORD_FILE "run.jsonl"
#define RUNS_FOLDER "runs" /* where runs are kept unless told otherwise */

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* The folder in runs/ whose record was written last. */
static bool find_latest(char *path, size_t path_bytes, struct error *error)
{
    DIR *folder = opendir(RUNS_FOLDER);
    if (folder == NULL)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "there is no folder " RUNS_FOLDER "/ here, so no latest run");
    struct timespec latest = {0};
    bool found = false;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char record[FOLDER_PATH_BYTES];
        struct stat status;
        snprintf(record, sizeof record, RUNS_FOLDER "/%s/" RECORD_FILE, entry->d_name);
        if (stat(record, &status) != 0 || (found && !is_later(status.st_mtim, latest)))
            continue;
        found = true;
        latest = status.st_mtim;
        snprintf(path, path_bytes, "%s", record);
    }
    closedir(folder);
    return found ||
           error_set(error, ERROR_USAGE, PLACE_NONE, "there is no run in " RUNS_FOLDER "/ here");
}

/* The path of the record that `run` names. */
static bool find_record(const char *run, char *path, size_t path_bytes, struct error *error)
{
    struct stat status;
    if (strcmp(run, "latest") == 0 && stat(run, &status) != 0)
        return find_latest(path, path_bytes, error);
    if (strlen(run) + sizeof "/" RECORD_FILE > path_bytes)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "the path of the run is too long");
    if (stat(run, &status) != 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE,
                         "%.300s: %s; give a run's folder, its " RECORD_FILE ", or latest", run,
                         strerror(errno));
    bool folder = S_ISDIR(status.st_mode);
    snprintf(path, path_bytes, "%s%s", run, folder ? "/" RECORD_FILE : "");
    if (folder && access(path, F_OK) != 0)
        return error_set(error, ERROR_USAGE, PLACE_NONE, "%.300s holds no " RECORD_FILE, run);
    return true;
}

struct run_record *run_record_open(const char *run, struct error *error)
{
    char path[FOLDER_PATH_BYTES];
    if (!find_record(run, path, sizeof path, error))
        return NULL;
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        error_set(error, ERROR_SYSTEM, PLACE_NONE, "%.300s: %s", path, strerror(errno));
        return NULL;
    }
    char folder[FOLDER_PATH_BYTES];
    char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) : 1;
    snprintf(folder, sizeof folder, "%.*s", (int)length, slash != NULL ? path : ".");
    struct run_record *record = run_record_read(stream, folder, error);
    fclose(stream);
    if (record == NULL)
        error_prefix(error, "%.300s", path);
    return record;
}
