#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/http2_request.h"
#include "common/base/check.h"
#include "tests/support/guard.h"

#include <stdio.h>
#include <string.h>

/* All fields as "name=value;" and the body behind a '|'; "" when it is no request. */
static const char *read(const char *text, char *shown, size_t shown_bytes)
{
    static struct http2_request request;
    struct guard guard = guard_open(strlen(text) + 1);
    size_t used = 0;
    shown[0] = '\0';
    if (http2_request_read(guard_copy(&guard, text, strlen(text)), strlen(text), "http",
                           &request)) {
        for (uint32_t i = 0; i < request.field_count; i++) {
            const struct http2_field *field = &request.fields[i];
            used += (size_t)snprintf(shown + used, shown_bytes - used, "%.*s=%.*s;",
                                     (int)field->name_bytes, field->name, (int)field->value_bytes,
                                     field->value);
        }
        snprintf(shown + used, shown_bytes - used, "|%.*s", (int)request.body_bytes, request.body);
    }
    guard_close(&guard);
    return shown;
}

#define HEAD ":method=GET;:scheme=http;:path=/a?b;:authority=h:1;"

static const struct request_case {
    const char *name, *text, *fields;
} request_cases[] = {
    {"a_request_has_its_pseudo_fields_first", "GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\n", HEAD "|"},
    {"fields_keep_their_order", "GET /a?b HTTP/1.1\r\nB: 1\r\nHost: h:1\r\nA:2 \r\nB: \r\n\r\n",
     HEAD "B=1;A=2;B=;|"},
    {"a_body_is_what_is_left", "GET /a?b HTTP/1.1\r\nHost: h:1\r\nContent-Length: 4\r\n\r\na\r\nb",
     HEAD "Content-Length=4;|a\r\nb"},
    {"what_belongs_to_one_connection_is_left_out",
     "GET /a?b HTTP/1.1\r\nhost: h:1\r\nConnection: close\r\nKeep-Alive: 5\r\nUpgrade: x\r\n"
     "Proxy-Connection: x\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n",
     HEAD "TE=trailers;|"},
    {"a_value_may_hold_colons", "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX: a:b\r\n\r\n", HEAD "X=a:b;|"},
    {"a_request_without_its_blank_line_is_none", "GET /a?b HTTP/1.1\r\nHost: h:1\r\n", ""},
    {"a_request_without_a_path_is_none", "GET HTTP/1.1\r\n\r\n", ""},
    {"a_request_with_an_empty_path_is_none", "GET  HTTP/1.1\r\n\r\n", ""},
    {"a_request_without_a_method_is_none", " / HTTP/1.1\r\n\r\n", ""},
    {"a_line_without_a_colon_is_none", "GET /a?b HTTP/1.1\r\nHost\r\n\r\n", ""},
    {"a_line_without_a_name_is_none", "GET /a?b HTTP/1.1\r\n: h\r\n\r\n", ""},
    {"a_bare_lf_is_no_line_end", "GET /a?b HTTP/1.1\r\nHost: h:1\n\r\n", ""},
    {"nothing_is_no_request", "", ""},
};

static void request_is_taken_apart(void **state)
{
    const struct request_case *row = *state;
    char shown[512];

    assert_string_equal(read(row->text, shown, sizeof shown), row->fields);
}

static void a_request_has_as_many_fields_as_fit(void **state)
{
    (void)state;
    static char text[64 * HTTP2_FIELDS_MAX];
    static struct http2_request request;
    size_t used = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n");
    for (uint32_t i = 0; i < HTTP2_FIELDS_MAX - HTTP2_PSEUDO_FIELDS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "A: %u\r\n", i);

    memcpy(text + used, "\r\n", 2);
    assert_true(http2_request_read((const uint8_t *)text, used + 2, "https", &request));
    assert_int_equal(request.field_count, HTTP2_FIELDS_MAX);
    memcpy(text + used, "B: 1\r\n\r\n", 8);
    assert_false(http2_request_read((const uint8_t *)text, used + 8, "https", &request));
}

int main(void)
{
    struct CMUnitTest tests[COUNT(request_cases) + 1];
    for (size_t i = 0; i < COUNT(request_cases); i++) {
        tests[i] = (struct CMUnitTest){.name = request_cases[i].name,
                                       .test_func = request_is_taken_apart,
                                       .initial_state = (void *)(uintptr_t)&request_cases[i]};
    }
    tests[COUNT(request_cases)] =
        (struct CMUnitTest)cmocka_unit_test(a_request_has_as_many_fields_as_fit);
    return _cmocka_run_group_tests("http2_request", tests, COUNT(tests), NULL, NULL);
}
