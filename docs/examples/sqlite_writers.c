/* How many connections should write into one SQLite database at the same time?
 *
 * With a write-ahead log readers do not wait for the writer, but there is one writer at a time, and
 * a commit waits for the disk. Is it one thread then, or do more fill the gaps? It depends on the
 * disk and on the transaction, so: measure. First the whole curve, with a pool whose minimum and
 * maximum are the same; then the tuner's own answer, in the time of a few points of it.
 *
 *   cc sqlite_writers.c $(pkg-config --cflags --libs clobber sqlite3) -pthread -o sqlite_writers
 */
#include <clobber/pool.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WRITERS_MAX 16
#define POINT_MS    700
#define SEARCH_MS   5000
#define BUSY_MS     2000 /* a writer whose turn does not come in this time fails */

struct database {
    char path[64];
    pthread_key_t connection; /* each thread has one of its own */
};

static sqlite3 *open_connection(const struct database *database)
{
    sqlite3 *connection = NULL;
    if (sqlite3_open(database->path, &connection) != SQLITE_OK ||
        sqlite3_busy_timeout(connection, BUSY_MS) != SQLITE_OK ||
        sqlite3_exec(connection, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) != SQLITE_OK) {
        sqlite3_close(connection);
        return NULL;
    }
    return connection;
}

static void close_connection(void *connection)
{
    sqlite3_close(connection);
}

/* One transaction of ten rows. */
static int write_rows(void *context)
{
    const struct database *database = context;
    sqlite3 *connection = pthread_getspecific(database->connection);
    if (connection == NULL) {
        connection = open_connection(database);
        if (connection == NULL)
            return 1;
        pthread_setspecific(database->connection, connection);
    }
    if (sqlite3_exec(connection,
                     "BEGIN IMMEDIATE; INSERT INTO log (text) WITH RECURSIVE row(i) AS (SELECT 1 "
                     "UNION ALL SELECT i + 1 FROM row WHERE i < 10) SELECT hex(randomblob(100)) "
                     "FROM row; COMMIT",
                     NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    sqlite3_exec(connection, "ROLLBACK", NULL, NULL, NULL);
    return 1;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

/* Writes with `least` to `most` threads for a while; transactions a second. */
static double measure(struct database *database, double least, double most, int ms,
                      struct clobber_pool_view *view)
{
    char message[256];
    struct clobber_options options = {.bytes = sizeof options,
                                      .goal = CLOBBER_MAXIMIZE,
                                      .error_share_max = 1,
                                      .concurrency_min = least,
                                      .concurrency_max = most,
                                      .interval_ns = 100000000};
    struct clobber_pool *pool =
        clobber_pool_start(&options, write_rows, database, message, sizeof message);
    if (pool == NULL) {
        fprintf(stderr, "%s\n", message);
        exit(1);
    }
    view->bytes = sizeof *view;
    sleep_ms(ms - POINT_MS / 2); /* the last part is what counts */
    clobber_pool_look(pool, view);
    uint64_t before = view->completed;
    sleep_ms(POINT_MS / 2);
    clobber_pool_look(pool, view);
    clobber_pool_stop(pool);
    return (double)(view->completed - before) / (POINT_MS / 2) * 1000;
}

int main(void)
{
    char folder[] = "/tmp/sqlite_writers_XXXXXX";
    struct database database;
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(database.path, sizeof database.path, "%s/log.db", folder);
    pthread_key_create(&database.connection, close_connection);
    sqlite3 *first = open_connection(&database);
    if (first == NULL || sqlite3_exec(first, "PRAGMA journal_mode = WAL; CREATE TABLE log (text)",
                                      NULL, NULL, NULL) != SQLITE_OK)
        return 1;

    struct clobber_pool_view view;
    double sum = 0;
    int points = 0;
    printf("writers  transactions/s\n");
    for (int writers = 1; writers <= WRITERS_MAX; writers *= 2) {
        double per_s = measure(&database, writers, writers, POINT_MS, &view);
        sum += per_s;
        points++;
        printf("%7d  %14.0f\n", writers, per_s);
    }
    double least = 0.5 * sum / points; /* far from the worst that one might have guessed */
    double chosen = 0;
    for (int tries = 0; chosen <= least && tries < 3; tries++) { /* the disk is not ours alone */
        chosen = measure(&database, 1, WRITERS_MAX, SEARCH_MS, &view);
        printf("%7.1f  %14.0f  <- the tuner; %d failed\n", view.concurrency, chosen,
               (int)view.failed);
    }

    sqlite3_close(first); /* the last one out removes the log */
    unlink(database.path);
    rmdir(folder);
    return chosen > least ? 0 : 1;
}
