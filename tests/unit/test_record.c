#include "coordinator/sink.h"

#include "common/base/check.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[32];
    char path[64];
    struct plan plan;
    struct sink sink;
};

static int folder_made(void **state)
{
    static char name[] = "n", text[] = "version: 1\n", target[] = "http://h/";
    struct fixture *fixture = calloc(1, sizeof *fixture);
    CHECK(fixture != NULL);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/clobber-unit-XXXXXX");
    CHECK(mkdtemp(fixture->folder) != NULL);
    snprintf(fixture->path, sizeof fixture->path, "%s/run.jsonl", fixture->folder);
    fixture->plan = (struct plan){.name = name, .text = text, .target = target};
    struct sink_start start = {
        .plan = &fixture->plan, .run_id = "00", .folder = fixture->folder, .endpoint = "ipc://x"};
    CHECK(sink_record_open(&fixture->sink, &start, NULL));
    *state = fixture;
    return 0;
}

static int folder_removed(void **state)
{
    struct fixture *fixture = *state;
    fixture->sink.close(fixture->sink.state);
    unlink(fixture->path);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* The number of lines, each of which must be a JSON object that ends with a newline. */
static size_t whole_lines(const struct fixture *fixture)
{
    char line[32768];
    size_t count = 0;
    FILE *stream = fopen(fixture->path, "re");
    assert_non_null(stream);
    for (; fgets(line, sizeof line, stream) != NULL; count++) {
        assert_non_null(strchr(line, '\n'));
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        json_decref(object);
    }
    fclose(stream);
    return count;
}

static void every_line_is_a_whole_object(void **state)
{
    struct fixture *fixture = *state;
    struct tick_agent agent = {.name = "bad \xff name"};
    struct tick tick = {.at_ns = 1, .agents = &agent, .agent_count = 1};
    struct report_event event = {.kind = "x", .sentence = "quote \" and \x01"};

    assert_true(fixture->sink.tick(fixture->sink.state, &tick, NULL));
    assert_true(fixture->sink.event(fixture->sink.state, &event, NULL));

    assert_int_equal(whole_lines(fixture), 3);
}

/* The first line of the record that has `key`; the caller owns it. */
static json_t *line_with(const struct fixture *fixture, const char *key)
{
    char line[32768];
    json_t *found = NULL;
    FILE *stream = fopen(fixture->path, "re");
    assert_non_null(stream);
    while (found == NULL && fgets(line, sizeof line, stream) != NULL) {
        json_t *object = json_loads(line, 0, NULL);
        if (json_object_get(object, key) != NULL)
            found = object;
        else
            json_decref(object);
    }
    fclose(stream);
    assert_non_null(found);
    return found;
}

static void a_tick_tells_where_a_search_stands(void **state)
{
    struct fixture *fixture = *state;
    struct tick tick = {.at_ns = 1,
                        .status = CONTROL_BOUNDED,
                        .bound = CONTROL_BY_ERRORS,
                        .converged = true,
                        .latency_ns_quantile = 19e6};

    assert_true(fixture->sink.tick(fixture->sink.state, &tick, NULL));

    json_t *line = line_with(fixture, "latency_quantile_ns");
    assert_string_equal(json_string_value(json_object_get(line, "status")), "bounded");
    assert_string_equal(json_string_value(json_object_get(line, "bound")), "errors");
    assert_true(json_is_true(json_object_get(line, "converged")));
    assert_true(json_number_value(json_object_get(line, "latency_quantile_ns")) == 19e6);
    json_decref(line);
}

static void a_large_fleet_takes_turns(void **state)
{
    static const uint32_t turns[][2] = {{0, 64}, {64, 64}, {128, 2}, {0, 64}}; /* from, count */
    struct fixture *fixture = *state;
    struct tick_agent agents[130];
    char line[32768];
    for (size_t i = 0; i < COUNT(agents); i++)
        agents[i] = (struct tick_agent){.name = "one"};
    struct tick tick = {.at_ns = 1, .agents = agents, .agent_count = COUNT(agents)};

    for (size_t i = 0; i < COUNT(turns); i++)
        assert_true(fixture->sink.tick(fixture->sink.state, &tick, NULL));

    FILE *stream = fopen(fixture->path, "re");
    assert_non_null(stream);
    assert_non_null(fgets(line, sizeof line, stream)); /* the start */
    for (size_t i = 0; i < COUNT(turns); i++) {
        assert_non_null(fgets(line, sizeof line, stream));
        json_t *object = json_loads(line, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(object, "agents_from")), turns[i][0]);
        assert_int_equal(json_array_size(json_object_get(object, "agents")), turns[i][1]);
        json_decref(object);
    }
    fclose(stream);
}

static void a_record_is_never_opened_over_another(void **state)
{
    struct fixture *fixture = *state;
    struct sink second = {0};
    struct error error = {0};
    struct sink_start start = {
        .plan = &fixture->plan, .run_id = "00", .folder = fixture->folder, .endpoint = "ipc://x"};

    assert_false(sink_record_open(&second, &start, &error));

    assert_non_null(strstr(error.message, "exists"));
}

static void a_full_disk_leaves_no_torn_line(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before;
    struct error error = {0};
    struct tick tick = {.at_ns = 1};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 1500, .rlim_max = before.rlim_max});

    size_t written = 0;
    while (written < 100 && fixture->sink.tick(fixture->sink.state, &tick, &error))
        written++;
    setrlimit(RLIMIT_FSIZE, &before);

    assert_in_range(written, 1, 10);
    assert_non_null(strstr(error.message, "cannot write run.jsonl"));
    assert_int_equal(whole_lines(fixture), 1 + written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_line_is_a_whole_object, folder_made, folder_removed),
        cmocka_unit_test_setup_teardown(a_large_fleet_takes_turns, folder_made, folder_removed),
        cmocka_unit_test_setup_teardown(a_tick_tells_where_a_search_stands, folder_made,
                                        folder_removed),
        cmocka_unit_test_setup_teardown(a_record_is_never_opened_over_another, folder_made,
                                        folder_removed),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_no_torn_line, folder_made,
                                        folder_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
