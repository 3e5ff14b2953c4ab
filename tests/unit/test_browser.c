/* A worker with cookies and redirects: what it sends after what it was answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/workload.h"
#include "common/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET   "GET /shop/a?q HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST  "POST /shop/a HTTP/1.1\r\nHost: h\r\nContent-Type: x\r\nContent-Length: 2\r\n\r\nhi"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define FOUND "HTTP/1.1 302 Found\r\n"
#define STEPS 4u

/* What is answered in turn, what follows, and what is sent next. */
struct step {
    const char *answer;
    bool followed, ok;
    const char *sent;
};

static const struct browser_case {
    const char *name, *request;
    uint32_t redirects_max;
    bool cookies;
    struct step steps[STEPS];
} browser_cases[] = {
    {"request_without_cookies_is_as_it_was",
     GET,
     0,
     true,
     {{"HTTP/1.1 200 x\r\n" EMPTY, false, true, GET}}},
    {"cookie_is_the_last_of_the_headers",
     POST,
     0,
     true,
     {{"HTTP/1.1 200 x\r\nSet-Cookie: a=b\r\n" EMPTY, false, true,
       "POST /shop/a HTTP/1.1\r\nHost: h\r\nContent-Type: x\r\nContent-Length: 2\r\n"
       "Cookie: a=b\r\n\r\nhi"}}},
    {"cookie_of_another_path_is_not_sent",
     GET,
     0,
     true,
     {{"HTTP/1.1 200 x\r\nSet-Cookie: a=b; Path=/x\r\n" EMPTY, false, true, GET}}},
    {"cookie_of_a_redirect_goes_with_the_hop",
     GET,
     1,
     true,
     {{FOUND "set-cookie: a=b\r\nlocation: b\r\n" EMPTY, true, true,
       "GET /shop/b HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n"}}},
    {"cookies_are_not_kept_unless_asked",
     GET,
     1,
     false,
     {{"HTTP/1.1 200 x\r\nSet-Cookie: a=b\r\n" EMPTY, false, true, GET}}},
    {"redirect_is_followed_once_and_then_the_plan_goes_on",
     GET,
     1,
     false,
     {{FOUND "Location: /x\r\n" EMPTY, true, true, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"HTTP/1.1 200 x\r\n" EMPTY, false, true, GET}}},
    {"hop_is_relative_to_the_hop_before",
     GET,
     2,
     false,
     {{FOUND "Location: /x/y\r\n" EMPTY, true, true, "GET /x/y HTTP/1.1\r\nHost: h\r\n\r\n"},
      {FOUND "Location: z\r\n" EMPTY, true, true, "GET /x/z HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"HTTP/1.1 500 x\r\n" EMPTY, false, false, GET}}},
    {"loop_ends_with_the_last_hop",
     GET,
     2,
     false,
     {{FOUND "Location: /x\r\n" EMPTY, true, true, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"},
      {FOUND "Location: /x\r\n" EMPTY, true, true, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"},
      {FOUND "Location: /x\r\n" EMPTY, false, true, GET},
      {FOUND "Location: /x\r\n" EMPTY, true, true, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"}}},
    {"redirect_is_not_followed_unless_asked",
     GET,
     0,
     true,
     {{FOUND "Location: /x\r\n" EMPTY, false, true, GET}}},
    {"redirect_elsewhere_is_an_answer",
     GET,
     9,
     false,
     {{FOUND "Location: http://other/x\r\n" EMPTY, false, true, GET}}},
    {"redirect_without_a_place_is_an_answer", GET, 9, false, {{FOUND EMPTY, false, true, GET}}},
    {"status_that_sends_nowhere_is_an_answer",
     GET,
     9,
     false,
     {{"HTTP/1.1 300 x\r\nLocation: /x\r\n" EMPTY, false, true, GET},
      {"HTTP/1.1 200 x\r\nLocation: /x\r\n" EMPTY, false, true, GET}}},
    {"post_becomes_a_get",
     POST,
     9,
     false,
     {{FOUND "Location: /x\r\n" EMPTY, true, true, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"HTTP/1.1 307 x\r\nLocation: /y\r\n" EMPTY, true, true,
       "GET /y HTTP/1.1\r\nHost: h\r\n\r\n"}}},
    {"post_stays_one_when_told",
     POST,
     9,
     false,
     {{"HTTP/1.1 308 x\r\nLocation: /x\r\n" EMPTY, true, true,
       "POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: x\r\nContent-Length: 2\r\n\r\nhi"}}},
};

static void begin(const void *configuration, void *room, bool follows, struct workload_state *state,
                  const char *sent)
{
    struct workload_request request;
    struct workload_turn turn = {.room = room, .follows = follows};
    workload_http1.begin(configuration, &turn, state, &request);
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)request.byte_count, (const char *)request.bytes);
    assert_string_equal(text, sent);
}

static void browser_answers_as_a_browser_would(void **state)
{
    const struct browser_case *row = *state;
    static struct assignment assignment;
    assignment = (struct assignment){
        .keep_alive = true,
        .host = "h",
        .port = 80,
        .request_count = 1,
        .requests = {{.name = "only",
                      .weight = 1,
                      .bytes = (const uint8_t *)row->request,
                      .byte_count = strlen(row->request)}},
        .http = {.used = true, .cookies = row->cookies, .redirects_max = row->redirects_max},
    };
    struct error error = {0};
    void *configuration = workload_http1.configure(&assignment, &error);
    assert_non_null(configuration);
    void *room = calloc(1, workload_http1.room_bytes(configuration) + 1);
    struct workload_state answer = {0};
    begin(configuration, room, false, &answer, row->request);
    for (size_t i = 0; i < STEPS && row->steps[i].answer != NULL; i++) {
        const struct step *step = &row->steps[i];
        struct feed_result result;
        enum feed_outcome outcome = workload_http1.feed(
            configuration, &answer, (const uint8_t *)step->answer, strlen(step->answer), &result);
        assert_int_equal(outcome, FEED_DONE);
        assert_int_equal(result.followed, step->followed);
        assert_int_equal(result.ok, step->ok);
        begin(configuration, room, result.followed, &answer, step->sent);
    }
    free(room);
    workload_http1.release(configuration);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(browser_cases)];
    for (size_t i = 0; i < COUNT(browser_cases); i++)
        tests[i] = (struct CMUnitTest){.name = browser_cases[i].name,
                                       .test_func = browser_answers_as_a_browser_would,
                                       .initial_state = (void *)(uintptr_t)&browser_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
