/* Our parser beside two that others wrote, on generated and mutated answers, cut in two at every
 * byte: the same verdict, or a difference that docs/http.md explains. A difference without a row
 * fails, and so does a row without a difference.
 *
 * Usage: test_http1_oracles [ANSWERS [SEED]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/http1.h"
#include "answers.h"
#include "common/base/check.h"
#include "oracles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGE_BYTES_MAX 65536u /* of docs/http.md */
#define SHOWN_BYTES    (4 * ANSWER_BYTES_MAX + 1)

static uint64_t answers_wanted = 6000;
static uint64_t seed = 1;

/* One answer and what was made of it. */
struct scene {
    const struct answer *answer;
    const struct opinion *ours, *theirs;
    /* We refused it at this byte, having come to `before`. */
    uint8_t byte;
    uint8_t byte_before;
    struct http1_response before;
    struct http1_response after; /* all of it, or what of it we took */
};

static bool they_say(const struct scene *scene, const char *why)
{
    return scene->theirs->why != NULL && strcmp(scene->theirs->why, why) == 0;
}

static bool we_refuse(const struct scene *scene)
{
    return scene->ours->judgement == JUDGED_FAILED;
}

static bool both_done(const struct scene *scene)
{
    return scene->ours->judgement == JUDGED_DONE && scene->theirs->judgement == JUDGED_DONE;
}

/* In any case, as names are. */
static bool holds_text(const uint8_t *bytes, size_t count, const char *text)
{
    size_t length = strlen(text);
    for (; count >= length; bytes++, count--) {
        if (strncasecmp((const char *)bytes, text, length) == 0)
            return true;
    }
    return false;
}

static bool has(const struct scene *scene, const char *text)
{
    return holds_text(scene->answer->bytes, scene->answer->count, text);
}

static bool is_status_refused(const struct scene *scene)
{
    return we_refuse(scene) && scene->before.status < 100;
}

static bool is_cr_alone(const struct scene *scene)
{
    return we_refuse(scene) && scene->byte_before == '\r';
}

static bool is_control_byte(const struct scene *scene)
{
    return we_refuse(scene) && scene->byte != '\n' && (scene->byte < 0x20 || scene->byte == 0x7f);
}

static bool is_folded(const struct scene *scene)
{
    return we_refuse(scene) && scene->byte_before == '\n' &&
           (scene->byte == ' ' || scene->byte == '\t');
}

/* A line of the framing of chunks is a block of its own. */
static bool is_chunk_line_refused(const struct scene *scene)
{
    return we_refuse(scene) && scene->before.chunked && !scene->before.trailer &&
           scene->before.header_bytes == scene->before.line_bytes;
}

static bool is_chunked_twice(const struct scene *scene)
{
    return we_refuse(scene) && scene->before.coded && scene->before.chunked;
}

static bool is_name_refused(const struct scene *scene)
{
    return we_refuse(scene);
}

static bool is_without_body(const struct scene *scene)
{
    return scene->ours->judgement == JUDGED_DONE &&
           (scene->ours->status == 204 || scene->ours->status == 304);
}

static bool is_bare_lf(const struct scene *scene)
{
    if (we_refuse(scene))
        return false;
    for (size_t i = 1; i < scene->answer->count; i++) {
        if (scene->answer->bytes[i] == '\n' && scene->answer->bytes[i - 1] != '\r')
            return they_say(scene, "HPE_INVALID_HEADER_TOKEN") || they_say(scene, "HPE_STRICT") ||
                   they_say(scene, "HPE_LF_EXPECTED") || they_say(scene, "HPE_CR_EXPECTED");
    }
    return false;
}

static bool is_two_framings(const struct scene *scene)
{
    return !we_refuse(scene) && they_say(scene, "HPE_UNEXPECTED_CONTENT_LENGTH");
}

static bool is_length_refused(const struct scene *scene)
{
    return !we_refuse(scene) && they_say(scene, "HPE_INVALID_CONTENT_LENGTH");
}

static bool is_size_line_refused(const struct scene *scene)
{
    return !we_refuse(scene) && scene->after.chunked &&
           (they_say(scene, "HPE_STRICT") || they_say(scene, "HPE_INVALID_CHUNK_SIZE"));
}

static bool is_trailer_believed(const struct scene *scene)
{
    return !we_refuse(scene) && scene->after.trailer;
}

static bool is_list_word(const struct scene *scene)
{
    static const char *const odd[] = {"\t\r\n", "\t\n", ":\t", ":,",  ": ,", ",,",
                                      ", ,",    ", \t", ",\t", ",\r", ",\n"};
    for (size_t i = 0; i < COUNT(odd); i++) {
        if (has(scene, odd[i]))
            return !we_refuse(scene);
    }
    return false;
}

static bool is_minor_version(const struct scene *scene)
{
    return !we_refuse(scene) && they_say(scene, "HPE_INVALID_VERSION");
}

static bool is_chunked_of_http_1_0(const struct scene *scene)
{
    return has(scene, "HTTP/1.0") && both_done(scene) && !scene->ours->reusable &&
           scene->theirs->reusable;
}

static bool is_proxy_connection(const struct scene *scene)
{
    return has(scene, "Proxy-Connection") && both_done(scene) &&
           scene->ours->reusable != scene->theirs->reusable;
}

/* Words of an interim answer about its own framing and connection. */
static bool is_interim_remembered(const struct scene *scene)
{
    const uint8_t *first = scene->answer->bytes;
    size_t count = scene->answer->count;
    if (we_refuse(scene) || count < 10 || first[9] != '1')
        return false;
    const uint8_t *final = memmem(first + 1, count - 1, "HTTP/1.", 7);
    size_t length = final != NULL ? (size_t)(final - first) : count;
    return holds_text(first, length, "HTTP/1.0") || holds_text(first, length, "-Encoding") ||
           holds_text(first, length, "-Length") || holds_text(first, length, "Connection");
}

/* The first that holds is the reason. */
static const struct difference {
    const char *name; /* of its row in docs/http.md */
    bool (*holds)(const struct scene *scene);
} differences[] = {
    {"status_line", is_status_refused},
    {"cr_alone", is_cr_alone},
    {"folded_line", is_folded},
    {"control_byte", is_control_byte},
    {"chunk_line", is_chunk_line_refused},
    {"chunked_twice", is_chunked_twice},
    {"header_name", is_name_refused},
    {"no_body", is_without_body},
    {"minor_version", is_minor_version},
    {"two_framings", is_two_framings},
    {"length_refused", is_length_refused},
    {"chunk_size_line", is_size_line_refused},
    {"bare_lf", is_bare_lf},
    {"chunked_of_http_1_0", is_chunked_of_http_1_0},
    {"proxy_connection", is_proxy_connection},
    {"interim_remembered", is_interim_remembered},
    {"trailer_believed", is_trailer_believed},
    {"list_words", is_list_word},
};

static const struct {
    const char *name;
    ask *ask;
} oracles[] = {{"http-parser", ask_http_parser}, {"llhttp", ask_llhttp}};

static uint64_t seen[COUNT(differences)];

static void look_closer(struct scene *scene, bool head)
{
    size_t stopped = scene->ours->stopped;
    size_t used;
    enum failure failure;
    http1_begin(&scene->after, head);
    http1_feed(&scene->after, scene->answer->bytes, scene->answer->count, &used, &failure);
    if (!we_refuse(scene))
        return;
    http1_begin(&scene->before, head);
    http1_feed(&scene->before, scene->answer->bytes, stopped - 1, &used, &failure);
    scene->byte = scene->answer->bytes[stopped - 1];
    scene->byte_before = stopped > 1 ? scene->answer->bytes[stopped - 2] : 0;
}

static const char *shown(const struct answer *answer, char *text)
{
    char *at = text;
    for (size_t i = 0; i < answer->count; i++) {
        bool plain = answer->bytes[i] >= ' ' && answer->bytes[i] < 0x7f && answer->bytes[i] != '\\';
        at += sprintf(at, plain ? "%c" : "\\x%02x", answer->bytes[i]);
    }
    return text;
}

static void explain(const char *oracle, const struct answer *answer, bool head,
                    const struct opinion *ours, const struct opinion *theirs)
{
    struct scene scene = {.answer = answer, .ours = ours, .theirs = theirs};
    look_closer(&scene, head);
    for (size_t i = 0; i < COUNT(differences); i++) {
        if (differences[i].holds(&scene)) {
            seen[i]++;
            return;
        }
    }
    char text[SHOWN_BYTES];
    fail_msg("nobody explains why %s says %d (%s; %zu bytes, status %u, reusable %d, until close "
             "%d) and clobber %d (%zu bytes, status %u, reusable %d, until close %d) of\n%s",
             oracle, theirs->judgement, theirs->why != NULL ? theirs->why : "-", theirs->consumed,
             theirs->status, theirs->reusable, theirs->until_close, ours->judgement, ours->consumed,
             ours->status, ours->reusable, ours->until_close, shown(answer, text));
}

/* Ours says the same however the answer is cut; so do theirs, or it is their own affair. */
static void cut_everywhere(const struct answer *answer, bool head, const struct opinion *ours)
{
    for (size_t at = 1; at < answer->count; at++) {
        struct opinion cut = ask_clobber(answer->bytes, answer->count, at, head);
        if (!opinions_agree(&cut, ours) || cut.stopped != ours->stopped) {
            char text[SHOWN_BYTES];
            fail_msg("cut at %zu, clobber says %d after %zu bytes, and whole %d after %zu, of\n%s",
                     at, cut.judgement, cut.consumed, ours->judgement, ours->consumed,
                     shown(answer, text));
        }
        for (size_t i = 0; i < COUNT(oracles); i++) {
            struct opinion theirs = oracles[i].ask(answer->bytes, answer->count, at, head);
            if (!opinions_agree(&cut, &theirs))
                explain(oracles[i].name, answer, head, &cut, &theirs);
        }
    }
}

static void parsers_agree_or_the_difference_has_a_row(void **state)
{
    (void)state;
    struct random random = {.state = seed};
    print_message("%" PRIu64 " answers of seed %" PRIu64 "\n", answers_wanted, seed);
    for (uint64_t i = 0; i < answers_wanted; i++) {
        struct answer answer;
        answer_draw(&answer, &random);
        bool head = random_next(&random) % 8 == 0;
        struct opinion ours = ask_clobber(answer.bytes, answer.count, 0, head);
        cut_everywhere(&answer, head, &ours);
        for (size_t j = 0; j < COUNT(oracles); j++) {
            struct opinion theirs = oracles[j].ask(answer.bytes, answer.count, 0, head);
            if (!opinions_agree(&ours, &theirs))
                explain(oracles[j].name, &answer, head, &ours, &theirs);
        }
    }
    for (size_t i = 0; i < COUNT(differences); i++) {
        print_message("%8" PRIu64 " %s\n", seen[i], differences[i].name);
        if (seen[i] == 0)
            fail_msg("%s was not seen: its row is one too many", differences[i].name);
    }
}

/* The names of the rows: lines that begin with "| `name` |". */
static void the_page_has_these_rows_and_no_others(void **state)
{
    (void)state;
    static char page[PAGE_BYTES_MAX];
    FILE *stream = fopen(CLOBBER_SOURCE_DIR "/docs/http.md", "re");
    assert_non_null(stream);
    size_t length = fread(page, 1, sizeof page - 1, stream);
    fclose(stream);
    page[length] = '\0';
    const char *table = strstr(page, "| difference |");
    assert_non_null(table);

    size_t rows = 0;
    for (const char *at = table; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    for (size_t i = 0; i < COUNT(differences); i++) {
        char row[64];
        snprintf(row, sizeof row, "\n| `%s` |", differences[i].name);
        if (strstr(table, row) == NULL)
            fail_msg("docs/http.md has no row for %s", differences[i].name);
    }
    assert_int_equal(rows, COUNT(differences));
}

int main(int count, char **arguments)
{
    if (count > 1)
        answers_wanted = strtoull(arguments[1], NULL, 10);
    if (count > 2)
        seed = strtoull(arguments[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsers_agree_or_the_difference_has_a_row),
        cmocka_unit_test(the_page_has_these_rows_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
