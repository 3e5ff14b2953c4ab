/** The checked plan. One table of keys, types, units, ranges and docs (plan_table.c) drives
 * reading, errors, `clobber validate` and docs/plan.md. */
#ifndef CLOBBER_COORDINATOR_PLAN_H
#define CLOBBER_COORDINATOR_PLAN_H

#include "common/base/error.h"
#include "common/base/limits.h"
#include "common/control/controller.h"
#include "common/control/schedule.h"
#include "coordinator/plan_errors.h"
#include "proto/assignment.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum plan_scheme { SCHEME_HTTP, SCHEME_TCP, SCHEME_REDIS };
enum http_version { HTTP_VERSION_1, HTTP_VERSION_2 };
enum on_loss { ON_LOSS_REDISTRIBUTE, ON_LOSS_ABORT, ON_LOSS_HOLD };

/** Statuses from `least` to `most`: one, or a class. */
struct plan_status {
    uint16_t least, most;
};

/** Any of these is a good one. */
struct plan_statuses {
    uint32_t count; /* 0: any below 400 */
    struct plan_status items[EXPECT_ITEMS_MAX];
};

/** How many bytes there may be. */
struct plan_sizes {
    bool given;
    uint64_t least, most;
};

/** A time between these, each as likely as another. */
struct plan_span {
    uint64_t least_ns, most_ns; /* most 0: none */
};

/** One kind of request of the mix. All strings are owned by the plan and never NULL. */
struct plan_request {
    char *name;
    uint32_t weight;    /* 1 to WEIGHT_MAX */
    char *payload_file; /* body or send as the plan names a file; "": it is in the plan */
    /* http */
    char *method;  /* "GET" */
    char *path;    /* "/p?q=1" */
    char *headers; /* "Name: value\r\n" each, the plan's common ones first; may be empty */
    char *body;    /* body_bytes of it; may hold any byte */
    uint32_t body_bytes;
    struct plan_statuses expect_statuses;
    char *expect_headers; /* "Name: text\r\n" each; may be empty */
    char *expect_body;    /* expect_body_bytes of it; none: any body */
    uint32_t expect_body_bytes;
    struct plan_sizes expect_sizes; /* of the body */
    /* tcp, redis */
    char *send; /* send_bytes of it; tcp: none: connect and close; redis: the command in RESP */
    uint32_t send_bytes;
    char *expect_prefix; /* expect_prefix_bytes of it; none: any answer of at least one byte */
    uint32_t expect_prefix_bytes;
    bool reconnect; /* a new connection for each request */
};

enum threshold_metric {
    METRIC_LATENCY_QUANTILE, /* response latency; `quantile` */
    METRIC_LATENCY_MEAN,
    METRIC_LATENCY_MAX,
    METRIC_SERVICE_QUANTILE,
    METRIC_ERRORS_RATE, /* 0 to 1 */
    METRIC_THROUGHPUT,  /* per second */
};

struct threshold {
    char *text; /* as the plan wrote it, single blanks */
    enum threshold_metric metric;
    double quantile; /* 0 to 1 */
    bool below;      /* true: passes when value < bound (or <=, see `inclusive`) */
    bool inclusive;
    double bound; /* ns, share or per second */
};

/** A constant that templates name. */
struct plan_variable {
    char *name;
    char *value; /* value_bytes of it */
    uint32_t value_bytes;
};

/** A file of rows that templates take values from. */
struct plan_data {
    char *name;
    char *file; /* as the plan names it */
    enum data_order order;
    uint32_t rows, column_count;
    char *columns[DATA_COLUMNS_MAX];
    uint8_t *block; /* the rows, as proto/dataset.h has them; block_bytes of it */
    size_t block_bytes;
};

enum plan_secret_kind { SECRET_OF_ENVIRONMENT, SECRET_OF_FILE };

/** What a reference in a text of the plan stands for. */
struct plan_secret {
    char *reference; /* "${env:TOKEN}", all that is shown of it */
    char *value;     /* value_bytes of it; NULL: it could not be had, and there is no plan */
    uint32_t value_bytes;
};

#define BOUNDS_MAX 2u /* of `while`: a latency quantile, errors.rate */

enum spacing { SPACING_UNIFORM, SPACING_POISSON };

/** `http.tls`. */
struct plan_tls {
    bool verify, resumption;
    char *server_name; /* "": the target's host */
    /* As the plan names them, and what is in them; "": none. */
    char *authority_file, *certificate_file, *key_file;
    char *authority, *certificate, *key; /* PEM; the key is shown nowhere */
};

struct plan {
    char *path; /* where it was read from, for messages; "-" for stdin, the URL for one made from
                   flags */
    char *text; /* the file's own text, for the record; "" when made from flags */
    char *name;
    char *target; /* as written: "http://127.0.0.1:8080/x" */
    enum plan_scheme scheme;
    bool tls;   /* https, tls, rediss: encrypted */
    char *host; /* name or address, IPv6 without brackets */
    uint16_t port;
    char *unix_path;   /* of the socket in place of host and port; "": none */
    char *target_path; /* the URL's own path and query: "/" at least */
    enum goal_kind goal;
    enum arrivals arrivals; /* of a hold */
    enum spacing spacing;   /* of its open arrivals */
    double tolerance;       /* of a hold: 0 to 1 */
    double precision;       /* of a maximize: 0 to 1 */
    uint32_t bound_count;   /* `while` of a maximize: at most one of each metric, each `below` */
    struct threshold bounds[BOUNDS_MAX];
    struct schedule schedule; /* goal values, duration, warm-up */
    uint64_t requests_total;  /* the run ends when so many have ended; 0: with its duration */
    uint64_t seed;
    uint32_t concurrency_max; /* limits.concurrency */
    uint64_t stop_after_ns;   /* limits.stop_after; 0: never */
    uint32_t agents_expect;   /* 1 to AGENTS_MAX */
    bool agents_expect_given; /* written in the plan */
    uint32_t agents_min;
    uint64_t agents_wait_ns;
    enum on_loss on_loss;
    uint64_t timeout_ns; /* http.timeout: of a whole request, from its start */
    uint64_t connect_timeout_ns, first_byte_timeout_ns; /* 0: none beside that */
    uint64_t connection_age_ns;                         /* 0: no bound */
    uint32_t connection_requests;                       /* 0: no bound */
    uint64_t resolve_every_ns;                          /* 0: once */
    char *headers; /* http.headers, "Name: value\r\n" each; every request has them already */
    bool keep_alive;
    uint32_t pipeline; /* redis.pipeline: requests on their way on one connection */
    char *plugin;      /* plugin.name; "": none */
    char *plugin_options;
    enum http_version http_version;
    uint32_t streams;       /* http.streams: workers on a connection of HTTP/2 */
    uint32_t redirects_max; /* http.follow_redirects; 0: none */
    bool cookies;
    struct plan_span think; /* of a worker, after each answer */
    uint32_t variable_count;
    struct plan_variable variables[VARIABLES_MAX];
    uint32_t data_count;
    struct plan_data data[DATA_FILES_MAX];
    uint32_t secret_count;
    struct plan_secret secrets[SECRETS_MAX];
    uint32_t slot_count; /* values that requests fill in by their index; 0: none does */
    struct plan_tls tls_options;
    uint32_t request_count; /* 1 to REQUEST_NAMES_MAX */
    struct plan_request requests[REQUEST_NAMES_MAX];
    uint32_t threshold_count;
    struct threshold thresholds[THRESHOLDS_MAX];
};

/** What `run URL` and its flags say; NULL, 0 or false: not given. */
struct plan_flags {
    const char *url;
    uint64_t duration_ns;
    uint64_t requests_total;
    double rate_per_s;
    uint32_t concurrency;
    const char *const *bounds; /* --while: lines as "p(99)<20ms", or several with commas between */
    uint32_t bound_given_count;
    const char *method;
    const char *const *headers; /* "K: V" each */
    uint32_t header_count;
    const char *body;
    uint64_t timeout_ns;
    bool trusting; /* -k */
    const char *name;
};

/** How a plan gets at the files that it names. */
struct plan_files {
    void *context;
    /** All of the file that the plan calls `name`, of at most `bytes_max`, and a NUL behind it;
     * the caller owns `*text`: free(). False: ERROR_SYSTEM, ERROR_LIMIT, ERROR_MEMORY. */
    bool (*load)(void *context, const char *name, size_t bytes_max, char **text, size_t *text_bytes,
                 struct error *error);
    /** The value of a secret, of at most `bytes_max`; else as load(). NULL: there are none. */
    bool (*secret)(void *context, enum plan_secret_kind kind, const char *name, size_t bytes_max,
                   char **value, size_t *value_bytes, struct error *error);
};

/** Reads and checks the plan in `text[text_bytes]`; `path` is for messages: copied into the plan,
 * borrowed by the errors. `files` gives what the plan names; NULL: nothing. NULL: `errors` (zeroed
 * before) holds one or more. The caller owns the plan: plan_destroy(). Pure: opens no file. */
struct plan *plan_read_with(const char *path, const char *text, size_t text_bytes,
                            const struct plan_files *files, struct plan_errors *errors);
/** The same for a plan that names no file. */
struct plan *plan_read(const char *path, const char *text, size_t text_bytes,
                       struct plan_errors *errors);

/** Reads the whole file at `path` ("-": stdin, once), then as plan_read_with(); the files that it
 * names are found from its folder. `path` outlives `errors`. */
struct plan *plan_load(const char *path, struct plan_errors *errors);

/** The files beside the plan at `path` (borrowed), and the environment of this process. */
struct plan_files plan_files_beside(const char *path);

/** The plan that `run URL` means: hold a rate, a fixed concurrency, or neither: maximize; for 30 s
 * unless told, of which 3 s (of a run below 6 s: half) are warm-up. NULL: as plan_read(),
 * ERROR_USAGE. */
struct plan *plan_from_flags(const struct plan_flags *flags, struct plan_errors *errors);

void plan_destroy(struct plan *plan);

/** The phases of a run whose goal searches: it stays in the last one when the search begins again,
 * for bounds hold over all that was measured after the first answer. */
enum search_phase { PHASE_WARMUP, PHASE_SEARCH, PHASE_ANSWER, SEARCH_PHASES };

/** How many phases the run has: the schedule's, or SEARCH_PHASES. */
uint32_t plan_phase_count(const struct plan *plan);
/** Whether the goal is one that searches: maximize, with bounds or without. */
bool plan_searches(const struct plan *plan);
/** Whether each request has an index of its own among all of all agents. */
bool plan_numbers(const struct plan *plan);
/** Borrows the bound of `while` on `metric`, or NULL. */
const struct threshold *plan_bound(const struct plan *plan, enum threshold_metric metric);

/** Prints the plan in full with its defaults, as YAML that reads back to an equal plan. */
void plan_print(const struct plan *plan, FILE *stream);

/** Prints the table of keys as Markdown: the body of docs/plan.md. */
void plan_print_reference(FILE *stream);

/** "hold 5000/s", "concurrency 64", "hold 0 to 5000/s in 2 stages", "maximize throughput while
 *  latency.p(99) < 20ms": the goal in words, into `text[text_bytes]`; returns `text`. */
const char *plan_goal_text(const struct plan *plan, char *text, size_t text_bytes);

#endif
