#include "coordinator/plan_secret.h"

#include "common/base/check.h"
#include "coordinator/assign.h"
#include "proto/assignment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HTTP  "version: 1\ntarget: http://h/\ngoal: {hold: 5/s}\nduration: 9s\n"
#define REDIS "version: 1\ntarget: redis://h\ngoal: {hold: 5/s}\nduration: 9s\n"
#define VALUE "s3cr3t-value"

/* The world of these tests: one variable, and one file that ends as editors end files. */
static bool get_secret(void *context, enum plan_secret_kind kind, const char *name,
                       size_t bytes_max, char **value, size_t *value_bytes, struct error *error)
{
    static const struct {
        enum plan_secret_kind kind;
        const char *name, *value;
    } secrets[] = {
        {SECRET_OF_ENVIRONMENT, "TOKEN", VALUE},
        {SECRET_OF_FILE, "pw", VALUE "\n"},
        {SECRET_OF_FILE, "dos/pw", VALUE "\r\n"},
        {SECRET_OF_FILE, "two", VALUE "\n\n"},
        {SECRET_OF_FILE, "empty", "\n"},
        {SECRET_OF_ENVIRONMENT, "NOTHING", ""},
        {SECRET_OF_ENVIRONMENT, "LINES", "a\r\nB: c"},
    };
    uint32_t *asked = context;
    (*asked)++;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        if (secrets[i].kind != kind || strcmp(secrets[i].name, name) != 0)
            continue;
        *value_bytes = strlen(secrets[i].value);
        assert_true(*value_bytes <= bytes_max);
        *value = strdup(secrets[i].value);
        return true;
    }
    return error_set(error, ERROR_PLAN, PLACE_NONE, "it is not in this test");
}

static struct plan *read_plan(const char *text, uint32_t *asked, struct plan_errors *errors)
{
    struct plan_files files = {.context = asked, .secret = get_secret};
    *errors = (struct plan_errors){0};
    *asked = 0;
    return plan_read_with("p.yaml", text, strlen(text), &files, errors);
}

static struct plan *read_fine(const char *text)
{
    static struct plan_errors errors;
    uint32_t asked;
    struct plan *plan = read_plan(text, &asked, &errors);
    if (plan == NULL)
        fail_msg("%s", errors.items[0].message);
    return plan;
}

/* The bytes of the only request that agents get. */
static void request_of(const struct plan *plan, char *request, size_t request_bytes)
{
    static uint8_t bytes[ASSIGNMENT_BYTES_MAX];
    static char texts[ASSIGNMENT_TEXT_BYTES];
    static struct assignment assignment;
    struct error error = {0};
    size_t count = 0;
    if (!assign_from_plan(plan, bytes, &count, &error) ||
        !assignment_decode(bytes, count, texts, &assignment, &error))
        fail_msg("%s", error.message);
    size_t length = assignment.requests[0].byte_count;
    assert_true(length < request_bytes);
    memcpy(request, assignment.requests[0].bytes, length);
    request[length] = '\0';
}

static char *printed(const struct plan *plan)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    plan_print(plan, stream);
    fclose(stream);
    return text;
}

struct sent_case {
    const char *name, *plan, *sent;
};

static const struct sent_case sent_cases[] = {
    {"a_header_carries_a_secret",
     HTTP "requests: [{get: /, headers: {Authorization: 'Bearer ${env:TOKEN}'}}]\n",
     "Authorization: Bearer " VALUE "\r\n"},
    {"a_common_header_carries_a_secret", HTTP "http: {headers: {X-Key: '${file:pw}'}}\n",
     "X-Key: " VALUE "\r\n"},
    {"a_body_is_measured_with_its_secret", HTTP "requests: [{post: /, body: '<${env:TOKEN}>'}]\n",
     "Content-Length: 14\r\n\r\n<" VALUE ">"},
    {"a_file_ends_before_its_line_end", HTTP "requests: [{post: /, body: '<${file:dos/pw}>'}]\n",
     "\r\n\r\n<" VALUE ">"},
    {"a_file_loses_one_line_end_alone", HTTP "requests: [{post: /, body: '<${file:two}>'}]\n",
     "\r\n\r\n<" VALUE "\n>"},
    {"a_command_carries_a_secret", REDIS "requests: [{command: 'AUTH ${env:TOKEN}'}]\n",
     "*2\r\n$4\r\nAUTH\r\n$12\r\n" VALUE "\r\n"},
    {"a_reference_in_quotes_is_text",
     HTTP "requests: [{post: /, body: \"{{ '${env:TOKEN}' }}\"}]\n", "\r\n\r\n${env:TOKEN}"},
    {"two_secrets_stand_side_by_side",
     HTTP "requests: [{post: /, body: '${env:TOKEN}${file:pw}'}]\n", "\r\n\r\n" VALUE VALUE},
};

static void an_agent_gets_it(void **state)
{
    const struct sent_case *row = *state;
    char request[2048];
    struct plan *plan = read_fine(row->plan);
    request_of(plan, request, sizeof request);
    if (strstr(request, row->sent) == NULL)
        fail_msg("'%s' does not hold '%s'", request, row->sent);
    plan_destroy(plan);
}

static void the_plan_never_shows_it(void **state)
{
    const struct sent_case *row = *state;
    struct plan *plan = read_fine(row->plan);
    char *text = printed(plan);
    assert_null(strstr(text, VALUE));
    assert_null(strstr(plan->text, VALUE));
    for (uint32_t i = 0; i < plan->secret_count; i++) {
        char line[128];
        assert_non_null(strstr(text, plan->secrets[i].reference));
        snprintf(line, sizeof line, "\n# %s is ***\n", plan->secrets[i].reference);
        assert_non_null(strstr(text, line));
    }
    struct plan *again = read_fine(text); /* what was printed is the same plan */
    assert_int_equal(again->secret_count, plan->secret_count);
    plan_destroy(again);
    plan_destroy(plan);
    free(text);
}

static void what_cannot_be_had_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *plan, *sentence;
        uint32_t line, column;
    } cases[] = {
        {HTTP "requests: [{post: /, body: '${env:NONE}'}]\n",
         "requests.body: ${env:NONE}: it is not in this test", 5, 28},
        {HTTP "requests: [{post: /, body: '${file:empty}'}]\n",
         "requests.body: ${file:empty}: it is empty", 5, 28},
        {HTTP "requests: [{post: /, body: '${env:NOTHING}'}]\n",
         "requests.body: ${env:NOTHING}: it is empty", 5, 28},
        {HTTP "requests: [{get: /, headers: {A: '${env:LINES}'}}]\n",
         "requests.headers: a secret with a control character stands in a header", 5, 34},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct plan_errors errors;
        uint32_t asked;
        assert_null(read_plan(cases[i].plan, &asked, &errors));
        assert_int_equal(errors.count, 1);
        if (strstr(errors.items[0].message, cases[i].sentence) == NULL)
            fail_msg("'%s'", errors.items[0].message);
        assert_int_equal(errors.items[0].place.line, cases[i].line);
        assert_int_equal(errors.items[0].place.column, cases[i].column);
    }
}

static void a_secret_is_asked_for_once(void **state)
{
    (void)state;
    static struct plan_errors errors;
    uint32_t asked;
    struct plan *plan = read_plan(HTTP "http: {headers: {A: '${env:TOKEN}'}}\n"
                                       "requests: [{post: /, body: '${env:TOKEN} ${env:TOKEN}'}, "
                                       "{name: b, get: /b, headers: {B: '${env:TOKEN}'}}]\n",
                                  &asked, &errors);
    assert_non_null(plan);
    assert_int_equal(asked, 1);
    assert_int_equal(plan->secret_count, 1);
    plan_destroy(plan);
}

static void there_are_so_many_secrets_and_no_more(void **state)
{
    (void)state;
    char text[4096] = HTTP "requests: [{post: /, body: '";
    static struct plan_errors errors;
    uint32_t asked;
    for (uint32_t i = 0; i <= SECRETS_MAX; i++)
        sprintf(text + strlen(text), "${file:%u}", i);
    strcat(text, "'}]\n");
    assert_null(read_plan(text, &asked, &errors));
    assert_int_equal(asked, SECRETS_MAX);
    assert_non_null(strstr(errors.items[errors.count - 1].message, "it is not in this test"));
}

/* The real files and environment. */
static void the_files_beside_a_plan_are_judged(void **state)
{
    (void)state;
    char folder[] = "/tmp/clobber-secret-XXXXXX", plan_path[64], secret_path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(plan_path, sizeof plan_path, "%s/p.yaml", folder);
    snprintf(secret_path, sizeof secret_path, "%s/pw", folder);
    FILE *stream = fopen(secret_path, "we");
    assert_non_null(stream);
    fputs(VALUE "\n", stream);
    fclose(stream);
    struct plan_files files = plan_files_beside(plan_path);
    struct error error = {0};
    char *value = NULL;
    size_t bytes = 0;

    assert_int_equal(chmod(secret_path, 0644), 0);
    assert_false(files.secret(files.context, SECRET_OF_FILE, "pw", 64, &value, &bytes, &error));
    assert_non_null(strstr(error.message, "can be read by others (mode 0644); type: chmod 600"));
    assert_int_equal(chmod(secret_path, 0600), 0);
    assert_true(files.secret(files.context, SECRET_OF_FILE, "pw", 64, &value, &bytes, &error));
    assert_string_equal(value, VALUE "\n");
    free(value);
    assert_false(files.secret(files.context, SECRET_OF_FILE, "pw", 5, &value, &bytes, &error));
    assert_false(files.secret(files.context, SECRET_OF_FILE, "no", 64, &value, &bytes, &error));
    assert_int_equal(setenv("CLOBBER_TEST_SECRET", VALUE, 1), 0);
    assert_true(files.secret(files.context, SECRET_OF_ENVIRONMENT, "CLOBBER_TEST_SECRET", 64,
                             &value, &bytes, &error));
    assert_string_equal(value, VALUE);
    free(value);
    assert_false(files.secret(files.context, SECRET_OF_ENVIRONMENT, "CLOBBER_TEST_SECRET", 5,
                              &value, &bytes, &error));
    unsetenv("CLOBBER_TEST_SECRET");
    assert_false(files.secret(files.context, SECRET_OF_ENVIRONMENT, "CLOBBER_TEST_SECRET", 64,
                              &value, &bytes, &error));
    assert_non_null(strstr(error.message, "no such variable"));
    unlink(secret_path);
    rmdir(folder);
}

int main(void)
{
    static struct CMUnitTest sent[COUNT(sent_cases)], shown[COUNT(sent_cases)];
    for (size_t i = 0; i < COUNT(sent_cases); i++) {
        void *row = (void *)(uintptr_t)&sent_cases[i];
        sent[i] = (struct CMUnitTest){
            .name = sent_cases[i].name, .test_func = an_agent_gets_it, .initial_state = row};
        shown[i] = (struct CMUnitTest){
            .name = sent_cases[i].name, .test_func = the_plan_never_shows_it, .initial_state = row};
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_had_is_said_with_its_place),
        cmocka_unit_test(a_secret_is_asked_for_once),
        cmocka_unit_test(there_are_so_many_secrets_and_no_more),
        cmocka_unit_test(the_files_beside_a_plan_are_judged),
    };
    int failed = cmocka_run_group_tests_name("an agent gets it", sent, NULL, NULL);
    failed += cmocka_run_group_tests_name("the plan never shows it", shown, NULL, NULL);
    return failed + cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
