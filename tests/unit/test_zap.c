#include "proto/zap.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S UINT64_C(1800000000)

static const uint8_t listed[KEY_BYTES] = {1, 2, 3}, ended[KEY_BYTES] = {4, 5, 6},
                     stranger[KEY_BYTES] = {7, 8, 9};

static struct keyring *fleet(void)
{
    char one[KEY_TEXT_BYTES], other[KEY_TEXT_BYTES], text[256];
    snprintf(text, sizeof text, "eu-1 %s\neu-2 %s until 2027-01-14\n", key_text(listed, one),
             key_text(ended, other));
    struct error error = {0};
    struct keyring *keyring = keyring_read(text, strlen(text), "keys", &error);
    assert_non_null(keyring);
    return keyring;
}

static struct zap_frame frame(const void *bytes, size_t count)
{
    return (struct zap_frame){bytes, count};
}

struct request {
    struct zap_frame frames[ZAP_FRAMES + 1];
    size_t count;
};

static struct request request_of(const uint8_t *key)
{
    return (struct request){.frames = {frame("1.0", 3), frame("id", 2), frame("clobber", 7),
                                       frame("10.0.0.7", 8), frame("", 0), frame("CURVE", 5),
                                       frame(key, KEY_BYTES), frame("more", 4)},
                            .count = ZAP_FRAMES};
}

static struct zap_verdict judge(const struct request *request)
{
    struct keyring *keyring = fleet();
    struct zap_verdict verdict = zap_judge(request->frames, request->count, keyring, NOW_S);
    keyring_destroy(keyring);
    return verdict;
}

static void a_listed_key_comes_in(void **state)
{
    (void)state;
    struct request request = request_of(listed);
    struct zap_verdict verdict = judge(&request);
    char key[KEY_TEXT_BYTES];
    assert_true(verdict.accepted);
    assert_string_equal(verdict.status, "200");
    assert_string_equal(verdict.key, key_text(listed, key));
    assert_string_equal(verdict.address, "10.0.0.7");
}

static void a_key_that_is_not_listed_or_has_ended_stays_outside(void **state)
{
    (void)state;
    static const uint8_t *const keys[] = {stranger, ended};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct request request = request_of(keys[i]);
        struct zap_verdict verdict = judge(&request);
        char key[KEY_TEXT_BYTES];
        assert_false(verdict.accepted);
        assert_string_equal(verdict.status, "400");
        assert_string_equal(verdict.key, key_text(keys[i], key));
        assert_string_equal(verdict.address, "10.0.0.7");
    }
}

static void what_is_no_such_request_is_refused(void **state)
{
    (void)state;
    static const uint8_t endless[ZAP_FRAME_BYTES_MAX + 1];
    static const struct {
        size_t at;
        struct zap_frame frame;
        const char *status;
    } cases[] = {
        {0, {(const uint8_t *)"2.0", 3}, "500"},
        {0, {(const uint8_t *)"1.0.", 4}, "500"},
        {0, {NULL, 0}, "500"},
        {1, {endless, sizeof endless}, "500"},
        {2, {(const uint8_t *)"other", 5}, "400"},
        {2, {NULL, 0}, "400"},
        {5, {(const uint8_t *)"NULL", 4}, "400"},
        {5, {(const uint8_t *)"PLAIN", 5}, "400"},
        {5, {(const uint8_t *)"CURVE2", 6}, "400"},
        {6, {listed, KEY_BYTES - 1}, "400"},
        {6, {endless, KEY_BYTES + 1}, "400"},
        {6, {NULL, 0}, "400"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct request request = request_of(listed);
        request.frames[cases[i].at] = cases[i].frame;
        struct zap_verdict verdict = judge(&request);
        assert_false(verdict.accepted);
        assert_string_equal(verdict.status, cases[i].status);
    }
}

static void frames_too_few_or_too_many_are_refused(void **state)
{
    (void)state;
    for (size_t count = 0; count <= ZAP_FRAMES + 1; count++) {
        struct request request = request_of(listed);
        request.count = count;
        assert_int_equal(judge(&request).accepted, count == ZAP_FRAMES);
    }
}

static void an_address_is_cut_where_there_is_no_room(void **state)
{
    (void)state;
    char address[ZAP_ADDRESS_BYTES + 10];
    memset(address, 'a', sizeof address);
    struct request request = request_of(listed);
    request.frames[3] = frame(address, sizeof address);
    struct zap_verdict verdict = judge(&request);
    assert_int_equal(strlen(verdict.address), ZAP_ADDRESS_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_key_comes_in),
        cmocka_unit_test(a_key_that_is_not_listed_or_has_ended_stays_outside),
        cmocka_unit_test(what_is_no_such_request_is_refused),
        cmocka_unit_test(frames_too_few_or_too_many_are_refused),
        cmocka_unit_test(an_address_is_cut_where_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
