#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/resp.h"
#include "common/base/check.h"
#include "common/base/limits.h"
#include "tests/support/guard.h"

#include <string.h>

/* What became of some bytes. */
struct verdict {
    enum resp_outcome outcome;
    size_t consumed;
    enum failure failure; /* of RESP_FAILED */
    bool is_error;
};

/* Feeds `bytes` in pieces of `piece` bytes, each with a forbidden page behind it. */
static struct verdict feed(const char *bytes, size_t count, size_t piece)
{
    struct guard guard = guard_open(count + 1);
    struct resp_answer answer;
    struct verdict verdict = {.outcome = RESP_MORE, .failure = FAILURE_COUNT};
    resp_begin(&answer);
    while (verdict.consumed < count && verdict.outcome == RESP_MORE) {
        size_t size = piece < count - verdict.consumed ? piece : count - verdict.consumed;
        size_t used = 0;
        verdict.outcome = resp_feed(&answer, guard_copy(&guard, bytes + verdict.consumed, size),
                                    size, &used, &verdict.failure);
        assert_true(used <= size);
        assert_true(verdict.outcome != RESP_MORE || used == size);
        verdict.consumed += used;
    }
    verdict.is_error = answer.is_error;
    guard_close(&guard);
    return verdict;
}

struct answer_case {
    const char *name;
    const char *bytes;
    enum resp_outcome outcome;
    bool is_error;
    bool too_large; /* of those that fail: else malformed */
    uint16_t spare; /* bytes behind the answer that are not its own */
};

static const struct answer_case answer_cases[] = {
    /* Values of RESP2 */
    {"a_line_is_an_answer", "+PONG\r\n", .outcome = RESP_DONE},
    {"an_empty_line_is_an_answer", "+\r\n", .outcome = RESP_DONE},
    {"an_error_is_an_answer", "-ERR no such key\r\n", .outcome = RESP_DONE, .is_error = true},
    {"an_integer_is_an_answer", ":-9223372036854775808\r\n", .outcome = RESP_DONE},
    {"an_integer_may_have_a_plus", ":+1\r\n", .outcome = RESP_DONE},
    {"a_string_is_an_answer", "$5\r\nhe\r\no\r\n", .outcome = RESP_DONE},
    {"an_empty_string_is_an_answer", "$0\r\n\r\n", .outcome = RESP_DONE},
    {"no_string_is_an_answer", "$-1\r\n", .outcome = RESP_DONE},
    {"a_list_is_an_answer", "*3\r\n$1\r\na\r\n:1\r\n+b\r\n", .outcome = RESP_DONE},
    {"an_empty_list_is_an_answer", "*0\r\n", .outcome = RESP_DONE},
    {"no_list_is_an_answer", "*-1\r\n", .outcome = RESP_DONE},
    {"lists_may_hold_lists", "*2\r\n*1\r\n*0\r\n*2\r\n+a\r\n*-1\r\n", .outcome = RESP_DONE},
    {"an_error_in_a_list_is_the_lists_own", "*2\r\n-ERR x\r\n-ERR y\r\n", .outcome = RESP_DONE},
    {"what_follows_an_answer_is_left", "+OK\r\n+OK\r\n", .outcome = RESP_DONE, .spare = 5},
    /* Values of RESP3 */
    {"null_is_an_answer", "_\r\n", .outcome = RESP_DONE},
    {"true_is_an_answer", "#t\r\n", .outcome = RESP_DONE},
    {"a_double_is_an_answer", ",1.25\r\n", .outcome = RESP_DONE},
    {"a_big_number_is_an_answer", "(3492890328409238509324850943850943825024385\r\n",
     .outcome = RESP_DONE},
    {"a_long_error_is_an_error", "!5\r\nERR x\r\n", .outcome = RESP_DONE, .is_error = true},
    {"a_verbatim_string_is_an_answer", "=8\r\ntxt:Some\r\n", .outcome = RESP_DONE},
    {"a_map_counts_in_pairs", "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", .outcome = RESP_DONE},
    {"a_set_is_an_answer", "~1\r\n+a\r\n", .outcome = RESP_DONE},
    {"what_is_pushed_is_no_answer", ">2\r\n+invalidate\r\n-x\r\n", .outcome = RESP_MORE},
    {"an_answer_may_follow_what_is_pushed", ">1\r\n-x\r\n+OK\r\n", .outcome = RESP_DONE},
    {"an_error_may_follow_an_attribute", "|1\r\n+ttl\r\n:3600\r\n-ERR x\r\n", .outcome = RESP_DONE,
     .is_error = true},
    {"an_attribute_alone_is_waited_on", "|0\r\n", .outcome = RESP_MORE},
    /* Not whole */
    {"half_a_line_is_waited_for", "+PON", .outcome = RESP_MORE},
    {"a_cr_is_waited_on", "+PONG\r", .outcome = RESP_MORE},
    {"half_a_string_is_waited_for", "$5\r\nhel", .outcome = RESP_MORE},
    {"the_end_of_a_string_is_waited_for", "$5\r\nhello\r", .outcome = RESP_MORE},
    {"the_rest_of_a_list_is_waited_for", "*2\r\n:1\r\n", .outcome = RESP_MORE},
    {"the_longest_string_is_waited_for", "$536870912\r\n", .outcome = RESP_MORE},
    {"the_longest_list_is_waited_for", "*16777215\r\n", .outcome = RESP_MORE},
    /* No answers */
    {"another_protocol_is_malformed", "HTTP/1.1 400 Bad Request\r\n", .outcome = RESP_FAILED},
    {"an_empty_answer_is_malformed", "\r\n", .outcome = RESP_FAILED},
    {"a_string_of_unknown_length_is_malformed", "$?\r\n", .outcome = RESP_FAILED},
    {"a_length_without_digits_is_malformed", "$\r\n", .outcome = RESP_FAILED},
    {"a_length_of_a_sign_alone_is_malformed", "$-\r\n", .outcome = RESP_FAILED},
    {"a_length_with_a_plus_is_malformed", "$+1\r\n", .outcome = RESP_FAILED},
    {"an_integer_of_two_signs_is_malformed", ":++1\r\n", .outcome = RESP_FAILED},
    {"a_length_below_minus_one_is_malformed", "$-2\r\n", .outcome = RESP_FAILED},
    {"a_map_that_is_null_is_malformed", "%-1\r\n", .outcome = RESP_FAILED},
    {"a_length_with_a_blank_is_malformed", "$ 1\r\n", .outcome = RESP_FAILED},
    {"a_bare_lf_is_malformed", "+OK\n", .outcome = RESP_FAILED},
    {"a_cr_without_lf_is_malformed", "+OK\rx", .outcome = RESP_FAILED},
    {"a_string_longer_than_it_said_is_malformed", "$1\r\nab\r\n", .outcome = RESP_FAILED},
    {"a_string_without_its_lf_is_malformed", "$1\r\na\rx", .outcome = RESP_FAILED},
    {"a_string_one_byte_too_long_is_too_large", "$536870913\r\n", .outcome = RESP_FAILED,
     .too_large = true},
    {"a_length_of_a_hundred_digits_is_too_large", "$99999999999999999999999999999999999999999\r\n",
     .outcome = RESP_FAILED, .too_large = true},
    {"a_list_one_value_too_long_is_too_large", "*16777216\r\n", .outcome = RESP_FAILED,
     .too_large = true},
    {"a_map_of_half_as_many_is_too_large", "%8388608\r\n", .outcome = RESP_FAILED,
     .too_large = true},
    {"lists_in_lists_count_together", "*16777214\r\n*3\r\n", .outcome = RESP_FAILED,
     .too_large = true},
};

/* The verdict as the row has it, with pieces of every size. */
static void answer_is_followed(void **state)
{
    const struct answer_case *row = *state;
    size_t count = strlen(row->bytes);
    for (size_t piece = 1; piece <= count; piece++) {
        struct verdict verdict = feed(row->bytes, count, piece);

        assert_int_equal(verdict.outcome, row->outcome);
        assert_int_equal(verdict.is_error, row->is_error);
        if (row->outcome != RESP_FAILED)
            assert_int_equal(verdict.consumed, count - row->spare);
        else
            assert_int_equal(verdict.failure,
                             row->too_large ? FAILURE_TOO_LARGE : FAILURE_MALFORMED);
    }
}

static void a_line_has_a_bound(void **state)
{
    (void)state;
    static char line[RESPONSE_LINE_BYTES_MAX + 1];
    memset(line, 'x', sizeof line);
    line[0] = '+';

    assert_int_equal(feed(line, RESPONSE_LINE_BYTES_MAX, 1000).outcome, RESP_MORE);
    struct verdict longer = feed(line, RESPONSE_LINE_BYTES_MAX + 1, 1000);

    assert_int_equal(longer.outcome, RESP_FAILED);
    assert_int_equal(longer.failure, FAILURE_TOO_LARGE);
}

/* Each list holds the next: a parser with a stack would need one without end. */
static void depth_costs_nothing(void **state)
{
    (void)state;
    static char nested[4 * 100000];
    for (size_t at = 0; at < sizeof nested; at += 4)
        memcpy(nested + at, "*1\r\n", 4);
    memcpy(nested + sizeof nested - 4, "*0\r\n", 4);

    struct verdict verdict = feed(nested, sizeof nested, 4096);

    assert_int_equal(verdict.outcome, RESP_DONE);
    assert_int_equal(verdict.consumed, sizeof nested);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(answer_cases) + 2];
    for (size_t i = 0; i < COUNT(answer_cases); i++) {
        tests[i] = (struct CMUnitTest){.name = answer_cases[i].name,
                                       .test_func = answer_is_followed,
                                       .initial_state = (void *)(uintptr_t)&answer_cases[i]};
    }
    tests[COUNT(answer_cases)] = (struct CMUnitTest)cmocka_unit_test(a_line_has_a_bound);
    tests[COUNT(answer_cases) + 1] = (struct CMUnitTest)cmocka_unit_test(depth_costs_nothing);
    return _cmocka_run_group_tests("resp", tests, COUNT(tests), NULL, NULL);
}
