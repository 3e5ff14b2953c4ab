/** Every named bound of the system, each with the reason for its size. Reaching one is an error
 *  with a sentence, never a silent drop. */
#ifndef CLOBBER_BASE_LIMITS_H
#define CLOBBER_BASE_LIMITS_H

#include <assert.h>
#include <stdint.h>

/* The fleet */
#define AGENTS_MAX      8192u    /* more than one coordinator core's worth of beats, ten a second */
#define CONCURRENCY_MAX 1000000u /* per agent; a host runs out of ports long before */
#define RATE_PER_S_MAX  1e7      /* above what a 10 Gbit/s link carries of the smallest requests */
#define LANES_MAX       256u     /* cores of the largest machine that runs an agent today */
#define RUN_S_MAX       (31u * 24u * 3600u) /* a month: the longest soak; ns never wrap */

/* The wire (proto/) */
#define MESSAGE_BYTES_MAX       (256u * 1024u) /* what a coordinator takes in one frame */
#define AGENT_MESSAGE_BYTES_MAX (96u * 1024u)  /* what an agent takes: an assignment, wrapped */
#define ASSIGNMENT_BYTES_MAX    (64u * 1024u)  /* a plan's requests; bulk data travels apart */
#define SAMPLE_BYTES_MAX        (200u * 1024u) /* a larger sample is split over several messages */
#define WIRE_DEPTH_MAX          3u     /* the deepest message: a list of lists in an envelope */
#define WIRE_ELEMENTS_MAX       16384u /* above the largest honest message, far below what hurts */
#define WIRE_UNKNOWN_FIELDS_MAX 8u     /* fields a newer minor version may have added */
#define NAME_BYTES_MAX          255u   /* one length byte: hosts, names, sentences */

/* The plan (coordinator/plan.c, proto/assignment.c) */
#define PLAN_BYTES_MAX    (256u * 1024u) /* people write plans by hand */
#define PLAN_DEPTH_MAX    16u            /* the schema is 5 deep; libyaml itself has no bound */
#define PLAN_NODES_MAX    20000u         /* bounds the time that a hostile file can take */
#define PLAN_ERRORS_MAX   20u            /* more than anyone mends in one go */
#define STAGES_MAX        64u            /* each stage has its own meters */
#define REQUEST_NAMES_MAX 32u            /* each name has a histogram of its own on the wire */
#define THRESHOLDS_MAX    32u            /* they fit on a screen */
#define HEADERS_BYTES_MAX 16384u         /* of one request; servers refuse more than 8 to 16 KiB */
#define HEADERS_MAX       100u           /* of one request; Apache refuses more lines than that */
#define PEM_BYTES_MAX     8192u          /* four certificates, or the longest of keys */
#define CA_BYTES_MAX      24576u         /* a dozen; so there is room left for requests */
#define BODY_BYTES_MAX    32768u         /* all requests together must fit an assignment */
#define DATA_FILES_MAX    8u             /* users, products, ...: more are a plan for two runs */
#define VARIABLES_MAX     64u            /* constants of a plan that people write by hand */
#define SLOTS_MAX         512u        /* values that requests fill in: sixteen for each of them */
#define EXPECTATIONS_MAX  128u        /* four for each of the requests */
#define REDIRECTS_MAX     20u         /* as browsers do */
#define SECRETS_MAX       32u         /* references that differ: a key or two for each service */
#define SECRET_BYTES_MAX  8192u       /* of one: a token with many claims; more than headers take */
#define STREAMS_MAX       1024u       /* on one connection; servers allow 100 to 256 */
#define REUSES_MAX        1000000000u /* of a connection: more than the longest run sees */
#define WEIGHT_MAX        1000000u    /* a share of one in a million is as fine as anyone asks */

/* Data files (coordinator/plan_data.c, agent/intake.c): in memory at the coordinator and in every
 * agent, so of a size that a small container carries beside its work */
#define DATA_BYTES_MAX      (64u * 1024u * 1024u)  /* of one: a million rows of 60 bytes */
#define DATA_BYTES_MAX_ALL  (256u * 1024u * 1024u) /* of a plan's files together */
#define DATA_COLUMNS_MAX    64u                    /* a table that people fill by hand or export */
#define DATA_CELL_BYTES_MAX (16u * 1024u)          /* a body; more than a header or a path takes */
#define DATA_PART_BYTES     (64u * 1024u) /* travels at once: a message that an agent takes */
#define DATA_PARTS_ASKED    4u            /* under way at once: 2.5 MB a round trip of 100 ms */
#define DATA_PARTS_A_TICK                                                                          \
    512u /* that a coordinator sends: 320 MiB/s, at 30 us each a sixth of it */
#define RENDERED_BYTES_MAX (128u * 1024u) /* of one request: every worker keeps room for it */

/* Numbered requests (agent/numbers.c, coordinator/numbering.c) */
#define INDEX_BLOCKS_MAX 4u /* that an agent holds: one in use, one ready, odd ends of others */
#define REQUESTS_MAX     (UINT64_C(1) << 46) /* in one run: COUNTERS_COUNT_MAX */

/* The load path (agent/) */
#define BACKLOG_MAX               262144u /* requests due and waiting in a lane: 1 s at 262,144/s */
#define RESPONSE_HEADER_BYTES_MAX 65536u  /* a header block; beyond it the target is hostile */
#define RESPONSE_LINE_BYTES_MAX   16384u  /* one header line */
#define RESPONSE_HEADERS_MAX      256u    /* header lines in one block */
#define RESPONSE_INTERIM_MAX      32u /* 1xx answers before the real one; a storm is an attack */
/* Of what a worker remembers of answers, when the plan asks for it: memory for each of them. */
#define HEADER_LINE_BYTES_MAX   4096u /* a line that comes in pieces; the most of one cookie */
#define COOKIES_BYTES_MAX       4096u /* all of a worker; servers refuse more than 8 KiB of headers */
#define REDIRECT_PATH_BYTES_MAX 2048u /* where answers send to; longer ones are not followed */
#define REDIRECTS_MAX           20u   /* hops behind one request: what browsers give up after */
#define EXPECT_ITEMS_MAX        16u   /* headers, and statuses, that one request expects */
#define EXPECT_TEXTS_MAX        4u    /* texts in its body */
#define RECORDING_BYTES_MAX                                                                        \
    (64u << 20) /* a flight recorder: 8 lanes of 30 phases, in memory that is meant for more */
#define REPLY_VALUES_MAX       (1u << 24)   /* of Redis: values still to come; more take seconds */
#define REPLY_STRING_BYTES_MAX (512u << 20) /* Redis' own proto-max-bulk-len */

/* The library (common/clobber.c): beyond what one process can do, and so small that every product
 * of two of them is finite */
#define TUNER_RATE_PER_S_MAX  1e12     /* a thousand cores that do nothing but count */
#define TUNER_COUNT_MAX       1e12     /* workers, requests waiting: more than memory holds */
#define TUNER_CONCURRENCY_MAX 1e9      /* the advice: still exact in thousandths */
#define TUNER_PARTS_MAX       1000000u /* above AGENTS_MAX times the lanes of most of them */
#define TUNER_INTERVAL_NS_MIN 1000u    /* a step itself takes a part of a microsecond */
#define TUNER_INTERVAL_NS_MAX (UINT64_C(3600) * 1000000000)      /* an hour: beyond, nobody steps */
#define TUNER_LATENCY_NS_MAX  (UINT64_C(24) * 3600 * 1000000000) /* a day: the longest batch job */

#define POOL_THREADS_MAX 8192u /* a quarter of the threads that Linux lets a machine have */

/* Times */
#define TICK_MS         100u  /* the control interval: ten looks a second */
#define LEASE_MS        2000u /* how long load may run without a word from the coordinator */
#define LEASE_MS_MIN    500u  /* five ticks; a shorter one ends on ordinary jitter */
#define LEASE_MS_MAX    30000u
#define SAMPLE_MS       1000u /* histograms once a second */
#define SAMPLE_MS_MAX   8000u /* the slowest a busy coordinator may ask for */
#define FINAL_REPEAT_MS 250u
#define FINAL_MS_MAX    30000u /* an agent gives its last word so long to a silent coordinator */

/** A lease ends on the granting side this much later: two clocks may drift apart by 2 %. */
#define LEASE_DRIFT 1.02

static_assert(SAMPLE_BYTES_MAX < MESSAGE_BYTES_MAX, "a sample must fit in one message");
static_assert(DATA_PART_BYTES < AGENT_MESSAGE_BYTES_MAX, "a part must fit in a message");
static_assert(ASSIGNMENT_BYTES_MAX < AGENT_MESSAGE_BYTES_MAX,
              "an assignment must fit in a WELCOME");
static_assert((uint64_t)AGENTS_MAX * CONCURRENCY_MAX * 1000u <= UINT64_MAX / 2,
              "the sum of all setpoints, in thousandths");

#endif
