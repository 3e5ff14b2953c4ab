#include "coordinator/history_index.h"

#include "coordinator/folder.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 2000 /* another history at work in the same folder is done by then */
#define VERSION "1"  /* of the table: one of another version is made anew */

struct history_index {
    sqlite3 *database;
    sqlite3_stmt *find;
    sqlite3_stmt *put;
};

static const char table[] =
    "CREATE TABLE IF NOT EXISTS runs (folder TEXT PRIMARY KEY, bytes INTEGER NOT NULL,"
    " changed_ns INTEGER NOT NULL, name TEXT NOT NULL, started_at TEXT NOT NULL,"
    " goal TEXT NOT NULL, verdict TEXT NOT NULL, throughput_per_s REAL NOT NULL,"
    " workers REAL NOT NULL, response_p99_ns INTEGER NOT NULL) STRICT;"
    "PRAGMA user_version = " VERSION;

/* The first value of the first row; "" when there is none. */
static bool answers(sqlite3 *database, const char *question, const char *wanted)
{
    sqlite3_stmt *statement = NULL;
    bool well = sqlite3_prepare_v2(database, question, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    const char *answer = well ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    well = answer != NULL && strcmp(answer, wanted) == 0;
    sqlite3_finalize(statement);
    return well;
}

static bool run(sqlite3 *database, const char *statements)
{
    return sqlite3_exec(database, statements, NULL, NULL, NULL) == SQLITE_OK;
}

static bool is_ours(sqlite3 *database)
{
    return answers(database, "PRAGMA quick_check(1)", "ok") &&
           (answers(database, "PRAGMA user_version", VERSION) ||
            answers(database, "SELECT count(*) FROM sqlite_master", "0"));
}

static void done(struct history_index *index)
{
    sqlite3_finalize(index->find);
    sqlite3_finalize(index->put);
    sqlite3_close(index->database);
    *index = (struct history_index){0};
}

static bool begin(struct history_index *index, const char *path)
{
    bool well =
        sqlite3_open(path, &index->database) == SQLITE_OK &&
        sqlite3_busy_timeout(index->database, BUSY_MS) == SQLITE_OK && is_ours(index->database) &&
        run(index->database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL") &&
        run(index->database, table) &&
        sqlite3_prepare_v2(index->database,
                           "SELECT name, started_at, goal, verdict, throughput_per_s, workers,"
                           " response_p99_ns FROM runs"
                           " WHERE folder = ?1 AND bytes = ?2 AND changed_ns = ?3",
                           -1, &index->find, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(index->database,
                           "INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", -1,
                           &index->put, NULL) == SQLITE_OK;
    if (!well)
        done(index);
    return well;
}

/* With what SQLite keeps beside it. */
static void discard(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char file[FOLDER_PATH_BYTES + 64];
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file); /* who cannot be removed is met again when it is opened */
    }
}

struct history_index *history_index_open(const char *folder)
{
    struct history_index *index = calloc(1, sizeof *index);
    char path[FOLDER_PATH_BYTES + 32];
    if (index == NULL)
        return NULL;
    int length = snprintf(path, sizeof path, "%s/" HISTORY_INDEX_FILE, folder);
    bool fits = length > 0 && (size_t)length < sizeof path;
    if (fits && begin(index, path))
        return index;
    if (fits) {
        discard(path);
        if (begin(index, path))
            return index;
    }
    if (begin(index, ":memory:"))
        return index;
    free(index);
    return NULL;
}

void history_index_close(struct history_index *index)
{
    if (index == NULL)
        return;
    done(index);
    free(index);
}

static void copy_text(sqlite3_stmt *statement, int column, char *text)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);
    snprintf(text, HISTORY_TEXT_BYTES, "%s", found != NULL ? found : "");
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

/* As SQLite has it: no unsigned numbers, and no record nor time so large. */
static void bind_count(sqlite3_stmt *statement, int place, uint64_t count)
{
    sqlite3_bind_int64(statement, place, count < INT64_MAX ? (sqlite3_int64)count : INT64_MAX);
}

static void bind_key(sqlite3_stmt *statement, const struct history_run *key)
{
    bind_text(statement, 1, key->folder);
    bind_count(statement, 2, key->bytes);
    bind_count(statement, 3, key->changed_ns);
}

bool history_index_find(struct history_index *index, struct history_run *run)
{
    bind_key(index->find, run);
    bool found = sqlite3_step(index->find) == SQLITE_ROW;
    if (found) {
        copy_text(index->find, 0, run->name);
        copy_text(index->find, 1, run->started_at);
        copy_text(index->find, 2, run->goal);
        copy_text(index->find, 3, run->verdict);
        run->throughput_per_s = sqlite3_column_double(index->find, 4);
        run->workers = sqlite3_column_double(index->find, 5);
        sqlite3_int64 p99_ns = sqlite3_column_int64(index->find, 6);
        run->response_p99_ns = p99_ns > 0 ? (uint64_t)p99_ns : 0;
    }
    sqlite3_reset(index->find);
    return found;
}

static bool put(struct history_index *index, const struct history_run *run)
{
    bind_key(index->put, run);
    bind_text(index->put, 4, run->name);
    bind_text(index->put, 5, run->started_at);
    bind_text(index->put, 6, run->goal);
    bind_text(index->put, 7, run->verdict);
    sqlite3_bind_double(index->put, 8, run->throughput_per_s);
    sqlite3_bind_double(index->put, 9, run->workers);
    bind_count(index->put, 10, run->response_p99_ns);
    bool well = sqlite3_step(index->put) == SQLITE_DONE;
    sqlite3_reset(index->put);
    return well;
}

bool history_index_replace(struct history_index *index, const struct history_run *runs,
                           uint32_t count)
{
    bool well = run(index->database, "BEGIN IMMEDIATE; DELETE FROM runs");
    for (uint32_t i = 0; well && i < count; i++)
        well = put(index, &runs[i]);
    if (well && run(index->database, "COMMIT"))
        return true;
    run(index->database, "ROLLBACK");
    return false;
}
