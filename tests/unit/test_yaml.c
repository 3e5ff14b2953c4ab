#include "coordinator/yaml.h"

#include "common/base/check.h"
#include "tests/support/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan_errors errors;

/* What lies behind the text may not be touched. */
static struct node *read_bytes(const char *text, size_t text_bytes)
{
    struct guard guard = guard_open(text_bytes);
    errors = (struct plan_errors){0};
    struct node *root = yaml_read("p.yaml", (const char *)guard_copy(&guard, text, text_bytes),
                                  text_bytes, &errors);
    guard_close(&guard);
    return root;
}

static struct node *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void assert_error(uint32_t index, const char *wanted)
{
    char text[ERROR_MESSAGE_BYTES + 64] = "no error";
    if (index < errors.count)
        error_text(&errors.items[index], text, sizeof text);
    assert_string_equal(text, wanted);
}

static void yaml_gives_every_value_its_key_and_place(void **state)
{
    (void)state;
    struct node *root = read_text("a: 1\nb:\n  - x\n  - {c: \"y z\"}\n");

    assert_non_null(root);
    assert_int_equal(root->kind, NODE_MAP);
    assert_int_equal(root->count, 2);
    const struct node *a = node_find(root, "a");
    assert_string_equal(a->text, "1");
    assert_false(a->quoted);
    assert_int_equal(a->place.line, 1);
    assert_int_equal(a->place.column, 4);
    const struct node *b = node_find(root, "b");
    assert_int_equal(b->kind, NODE_LIST);
    assert_int_equal(b->key_place.line, 2);
    assert_string_equal(b->first->text, "x");
    const struct node *c = node_find(b->last, "c");
    assert_string_equal(c->text, "y z");
    assert_true(c->quoted);
    assert_int_equal(c->place.line, 4);
    assert_int_equal(c->place.column, 9);
    assert_null(node_find(root, "c"));
    assert_int_equal(errors.count, 0);
    yaml_destroy(root);
}

static void yaml_keeps_a_nul_that_an_escape_made(void **state)
{
    (void)state;
    struct node *root = read_text("a: \"x\\0y\"\n");

    const struct node *a = node_find(root, "a");
    assert_int_equal(a->text_bytes, 3);
    assert_memory_equal(a->text, "x\0y", 4);
    yaml_destroy(root);
}

static void yaml_reads_on_after_a_repeated_key(void **state)
{
    (void)state;
    struct node *root = read_text("b: 1\na: 1\nb: 2\nb: {c: 1}\n");

    assert_non_null(root);
    assert_int_equal(errors.count, 2);
    assert_error(0, "p.yaml:3:1: the key 'b' again; it is on line 1 already, and may come once");
    assert_error(1, "p.yaml:4:1: the key 'b' again; it is on line 3 already, and may come once");
    assert_string_equal(node_find(root, "b")->text, "1");
    assert_int_equal(root->last->kind, NODE_REFUSED);
    yaml_destroy(root);
}

static void yaml_names_the_line_where_the_repeated_key_is(void **state)
{
    (void)state;
    yaml_destroy(read_text("limits: {a: 1,\n  b: 2,\n  a: 3}\n"));

    assert_error(0, "p.yaml:3:3: the key 'a' again; it is on line 1 already, and may come once");
}

static void yaml_refuses_aliases_anchors_and_tags_all_at_once(void **state)
{
    (void)state;
    struct node *root = read_text("a: &x 1\nb: *x\nc: !!str 2\nd: !mine [1]\n");

    assert_non_null(root);
    assert_int_equal(errors.count, 4);
    assert_error(0, "p.yaml:1:4: the anchor '&x'; a plan has none: leave it out");
    assert_error(1, "p.yaml:2:4: the alias '*x'; a plan has none: write the value out");
    assert_error(2, "p.yaml:3:4: the tag 'tag:yaml.org,2002:str'; a plan has none: leave it out");
    assert_error(3, "p.yaml:4:4: the tag '!mine'; a plan has none: leave it out");
    assert_int_equal(node_find(root, "b")->kind, NODE_REFUSED);
    assert_string_equal(node_find(root, "c")->text, "2");
    yaml_destroy(root);
}

/* Texts that give no tree, and why. */
struct refusal {
    const char *name;
    const char *text;
    const char *error;
};

static const struct refusal refusals[] = {
    {"yaml_refuses_an_empty_file", "", "p.yaml:1:1: the file is empty; give a plan"},
    {"yaml_refuses_a_file_of_comments", "# a\n# b\n", "p.yaml:1:1: the file is empty; give a plan"},
    {"yaml_refuses_a_second_document", "a: 1\n---\nb: 1\n",
     "p.yaml:2:1: a second document; a plan is one document"},
    {"yaml_refuses_directives", "%YAML 1.1\n---\na: 1\n",
     "p.yaml:1:1: a line that begins with '%' is a YAML directive; a plan has none: indent it if "
     "it "
     "is text"},
    {"yaml_refuses_a_list_as_a_key", "? [a]\n: b\n",
     "p.yaml:1:3: a key that is a list, a map or an alias; give a word"},
    {"yaml_refuses_an_alias_as_a_key", "a: 1\n*b : 2\n",
     "p.yaml:2:1: the alias '*b'; a plan has none: write the value out"},
    {"yaml_refuses_a_key_with_a_nul", "\"a\\0b\": 1\n",
     "p.yaml:1:1: a key with a NUL; give a word"},
    {"yaml_names_the_place_of_bad_syntax", "a: [1\nb: 2\n",
     "p.yaml:2:2: this is not YAML: did not find expected ',' or ']' (while parsing a flow "
     "sequence, from line 1)"},
    {"yaml_names_the_place_of_a_tab", "a:\n\tb: 1\n",
     "p.yaml:2:1: this is not YAML: found character that cannot start any token (while scanning "
     "for the next token, from line 2)"},
    {"yaml_refuses_a_lone_continuation_byte", "a: 1\nb: \x80\n",
     "p.yaml:2:4: byte 0x80 is not UTF-8; save the file as UTF-8"},
    {"yaml_refuses_a_character_cut_by_the_end", "a: \xE2\x82",
     "p.yaml:1:4: byte 0xE2 is not UTF-8; save the file as UTF-8"},
    {"yaml_refuses_a_surrogate", "\xED\xA0\x80",
     "p.yaml:1:1: byte 0xED is not UTF-8; save the file as UTF-8"},
    {"yaml_refuses_an_overlong_slash", "a: \xC0\xAF",
     "p.yaml:1:4: byte 0xC0 is not UTF-8; save the file as UTF-8"},
    {"yaml_refuses_control_characters", "a: \x07",
     "p.yaml:1:4: control character U+0007; write it as an escape in double quotes, such as "
     "\"\\x07\""},
    {"yaml_refuses_c1_control_characters", "# \xC2\x9B",
     "p.yaml:1:3: control character U+009B; write it as an escape in double quotes, such as "
     "\"\\x9B\""},
};

static void yaml_refuses(void **state)
{
    const struct refusal *refusal = *state;

    struct node *root = read_text(refusal->text);

    assert_null(root);
    assert_true(errors.count >= 1);
    assert_error(0, refusal->error);
}

static void yaml_refuses_utf16(void **state)
{
    (void)state;
    assert_null(read_bytes("\xFF\xFE"
                           "a\0:\0",
                           6));

    assert_error(0, "p.yaml:1:1: byte 0xFF is not UTF-8; save the file as UTF-8");
}

static void yaml_counts_columns_in_characters(void **state)
{
    (void)state;
    yaml_destroy(read_text("{\"\xC3\xA4\": *x}\n"));

    assert_error(0, "p.yaml:1:7: the alias '*x'; a plan has none: write the value out");
}

/* `count` times `unit`, between `head` and `tail`. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + count * strlen(unit) + strlen(tail) + 1);
    CHECK(text != NULL);
    char *end = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, unit);
    stpcpy(end, tail);
    return text;
}

static void yaml_reads_down_to_the_named_depth_and_no_further(void **state)
{
    (void)state;
    for (size_t depth = PLAN_DEPTH_MAX; depth <= PLAN_DEPTH_MAX + 1; depth++) {
        char *opened = repeat("", "[", depth, "");
        char *text = repeat(opened, "]", depth, "");

        struct node *root = read_text(text);

        if (depth <= PLAN_DEPTH_MAX)
            assert_non_null(root);
        else
            assert_error(0, "p.yaml:1:17: lists and maps more than 16 deep; a plan needs 5");
        yaml_destroy(root);
        free(text);
        free(opened);
    }
}

static void yaml_stops_at_too_many_values(void **state)
{
    (void)state;
    char *text = repeat("[", "1,", PLAN_NODES_MAX, "]");

    assert_null(read_text(text));

    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.items[0].message, "more than 20000 values"));
    free(text);
}

static void yaml_takes_the_largest_file_and_not_a_byte_more(void **state)
{
    (void)state;
    char *text = repeat("a: 1 #", "x", PLAN_BYTES_MAX - strlen("a: 1 #") + 1, "");

    struct node *root = read_bytes(text, PLAN_BYTES_MAX);
    assert_non_null(root);
    yaml_destroy(root);
    assert_null(read_bytes(text, PLAN_BYTES_MAX + 1));

    assert_error(0, "p.yaml:1:1: the file is larger than 256 KiB, the most a plan may have");
    free(text);
}

static void yaml_keeps_the_first_mistakes_of_the_file_when_there_are_too_many(void **state)
{
    (void)state;
    char *text = repeat("[", "*a,\n", PLAN_ERRORS_MAX + 1, "]");

    struct node *root = read_text(text);

    assert_int_equal(errors.count, PLAN_ERRORS_MAX);
    assert_true(errors.more);
    assert_int_equal(errors.items[0].place.line, 1);
    assert_int_equal(errors.items[PLAN_ERRORS_MAX - 1].place.line, PLAN_ERRORS_MAX);
    yaml_destroy(root);
    free(text);
}

static void errors_stand_in_the_order_of_the_file(void **state)
{
    (void)state;
    static const uint32_t lines[] = {3, 1, 2, 1, 30, 29};
    struct plan_errors list = {0};

    for (uint32_t i = 0; i < COUNT(lines); i++)
        plan_errors_add(&list, ERROR_PLAN, (struct place){.line = lines[i], .column = i}, "%u", i);

    static const char *const wanted[] = {"1", "3", "2", "0", "5", "4"};
    assert_int_equal(list.count, COUNT(wanted));
    for (uint32_t i = 0; i < COUNT(wanted); i++)
        assert_string_equal(list.items[i].message, wanted[i]);
    assert_false(list.more);
}

static void errors_let_the_last_of_the_file_fall_out(void **state)
{
    (void)state;
    struct plan_errors list = {0};

    for (uint32_t line = PLAN_ERRORS_MAX + 5; line > 0; line--)
        plan_errors_add(&list, ERROR_PLAN, (struct place){.line = line, .column = 1}, "%u", line);

    assert_int_equal(list.count, PLAN_ERRORS_MAX);
    assert_true(list.more);
    for (uint32_t i = 0; i < PLAN_ERRORS_MAX; i++)
        assert_int_equal(list.items[i].place.line, i + 1);
}

int main(void)
{
    static const struct CMUnitTest plain[] = {
        cmocka_unit_test(yaml_gives_every_value_its_key_and_place),
        cmocka_unit_test(yaml_keeps_a_nul_that_an_escape_made),
        cmocka_unit_test(yaml_reads_on_after_a_repeated_key),
        cmocka_unit_test(yaml_names_the_line_where_the_repeated_key_is),
        cmocka_unit_test(yaml_refuses_aliases_anchors_and_tags_all_at_once),
        cmocka_unit_test(yaml_refuses_utf16),
        cmocka_unit_test(yaml_counts_columns_in_characters),
        cmocka_unit_test(yaml_reads_down_to_the_named_depth_and_no_further),
        cmocka_unit_test(yaml_stops_at_too_many_values),
        cmocka_unit_test(yaml_takes_the_largest_file_and_not_a_byte_more),
        cmocka_unit_test(yaml_keeps_the_first_mistakes_of_the_file_when_there_are_too_many),
        cmocka_unit_test(errors_stand_in_the_order_of_the_file),
        cmocka_unit_test(errors_let_the_last_of_the_file_fall_out),
    };
    struct CMUnitTest tests[COUNT(plain) + COUNT(refusals)];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        tests[COUNT(plain) + i] =
            (struct CMUnitTest){.name = refusals[i].name,
                                .test_func = yaml_refuses,
                                .initial_state = (void *)(uintptr_t)&refusals[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
