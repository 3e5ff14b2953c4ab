#include "coordinator/yaml.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define SHOWN_BYTES 64 /* so much of a foreign word is repeated in a sentence */

/* A tree in the making: the maps and lists that are open, outermost first. */
struct builder {
    yaml_parser_t parser;
    const char *path;
    struct plan_errors *errors;
    struct node *root;
    struct node *open[PLAN_DEPTH_MAX];
    uint32_t depth;
    char *key; /* of the map's child that comes next; owned; NULL: none yet */
    struct place key_place;
};

size_t utf8_read(const char *text, size_t text_bytes, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = (uint8_t)text[0];
    size_t length = lead < 0x80       ? 1
                    : lead >> 5 == 6  ? 2
                    : lead >> 4 == 14 ? 3
                    : lead >> 3 == 30 ? 4
                                      : 0;
    if (length == 0 || length > text_bytes)
        return 0;
    uint32_t read = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)text[i] & 0xC0) != 0x80)
            return 0;
        read = read << 6 | ((uint8_t)text[i] & 0x3Fu);
    }
    if (read < smallest[length] || read > 0x10FFFF || (read >= 0xD800 && read <= 0xDFFF))
        return 0;
    *code = read;
    return length;
}

static bool is_allowed(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0x7F) ||
           code == 0x85 || (code >= 0xA0 && code != 0xFFFE && code != 0xFFFF);
}

/* Finds what libyaml would refuse without a line, or what would cost it much time: it compares each
 * %TAG directive with all before it (256 KiB of them take half a second). Brackets are no danger
 * once the depth is bounded event by event: it looks ahead 1024 characters at most, and any number
 * of `[` ends within 3 ms. */
static bool yaml_scan(const char *path, const char *text, size_t text_bytes,
                      struct plan_errors *errors)
{
    struct place place = {.path = path, .line = 1, .column = 1};
    if (text_bytes > (size_t)PLAN_BYTES_MAX) {
        return plan_errors_add(errors, ERROR_LIMIT, place,
                               "the file is larger than %u KiB, the most a plan may have",
                               PLAN_BYTES_MAX / 1024);
    }
    for (size_t at = 0; at < text_bytes;) {
        uint32_t code;
        size_t length = utf8_read(text + at, text_bytes - at, &code);
        if (length == 0) {
            return plan_errors_add(errors, ERROR_PLAN, place,
                                   "byte 0x%02X is not UTF-8; save the file as UTF-8",
                                   (unsigned)(uint8_t)text[at]);
        }
        if (!is_allowed(code)) {
            return plan_errors_add(errors, ERROR_PLAN, place,
                                   "control character U+%04X; write it as an escape in double "
                                   "quotes, such as \"\\x%02X\"",
                                   (unsigned)code, (unsigned)code & 0xFF);
        }
        if (code == '%' && place.column == 1) {
            return plan_errors_add(errors, ERROR_PLAN, place,
                                   "a line that begins with '%%' is a YAML directive; a plan has "
                                   "none: indent it if it is text");
        }
        at += length;
        bool line_ends = code == '\n' || (code == '\r' && !(at < text_bytes && text[at] == '\n'));
        place.line += line_ends;
        place.column = line_ends ? 1 : place.column + 1;
    }
    return true;
}

static struct place builder_place(const struct builder *builder, yaml_mark_t mark)
{
    return (struct place){.path = builder->path,
                          .line = (uint32_t)mark.line + 1,
                          .column = (uint32_t)mark.column + 1};
}

static bool builder_no_memory(struct builder *builder, struct place place)
{
    return plan_errors_add(builder->errors, ERROR_MEMORY, place, "out of memory reading the plan");
}

static struct node *builder_top(const struct builder *builder)
{
    return builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;
}

static bool builder_wants_key(const struct builder *builder)
{
    struct node *top = builder_top(builder);
    return top != NULL && top->kind == NODE_MAP && builder->key == NULL;
}

/* Puts a new node under what is open. NULL: the mistake is reported. */
static struct node *builder_attach(struct builder *builder, enum node_kind kind, struct place place)
{
    if (builder_wants_key(builder)) {
        plan_errors_add(builder->errors, ERROR_PLAN, place,
                        "a key that is a list, a map or an alias; give a word");
        return NULL;
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        builder_no_memory(builder, place);
        return NULL;
    }
    node->kind = kind;
    node->place = place;
    node->key = builder->key;
    node->key_place = builder->key_place;
    builder->key = NULL;
    struct node *parent = builder_top(builder);
    if (parent == NULL) {
        CHECK(builder->root == NULL);
        builder->root = node;
        return node;
    }
    *(parent->last != NULL ? &parent->last->next : &parent->first) = node;
    parent->last = node;
    parent->count++;
    return node;
}

static char *copy_text(const yaml_event_t *event)
{
    size_t bytes = event->data.scalar.length;
    char *copy = malloc(bytes + 1);
    if (copy != NULL) {
        memcpy(copy, event->data.scalar.value, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}

static bool builder_take_key(struct builder *builder, const yaml_event_t *event, struct place place)
{
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
        return plan_errors_add(builder->errors, ERROR_PLAN, place, "a key with a NUL; give a word");
    builder->key = copy_text(event);
    builder->key_place = place;
    return builder->key != NULL || builder_no_memory(builder, place);
}

static bool builder_take_scalar(struct builder *builder, const yaml_event_t *event,
                                struct place place)
{
    if (builder_wants_key(builder))
        return builder_take_key(builder, event, place);
    struct node *node = builder_attach(builder, NODE_SCALAR, place);
    if (node == NULL)
        return false;
    node->text = copy_text(event);
    node->text_bytes = event->data.scalar.length;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node->text != NULL || builder_no_memory(builder, place);
}

static bool builder_open(struct builder *builder, enum node_kind kind, struct place place)
{
    if (builder->depth == PLAN_DEPTH_MAX) {
        return plan_errors_add(builder->errors, ERROR_LIMIT, place,
                               "lists and maps more than %u deep; a plan needs 5", PLAN_DEPTH_MAX);
    }
    struct node *node = builder_attach(builder, kind, place);
    if (node == NULL)
        return false;
    builder->open[builder->depth++] = node;
    return true;
}

static int by_key(const void *left, const void *right)
{
    const struct node *a = *(const struct node *const *)left;
    const struct node *b = *(const struct node *const *)right;
    int order = strcmp(a->key, b->key);
    if (order != 0)
        return order;
    if (a->key_place.line != b->key_place.line)
        return a->key_place.line < b->key_place.line ? -1 : 1;
    return a->key_place.column < b->key_place.column ? -1 : 1;
}

/* Sorted rather than each against each: a hostile map has ten thousand keys. */
static bool builder_check_keys(struct builder *builder, const struct node *map)
{
    if (map->count < 2)
        return true;
    struct node **sorted = malloc(map->count * sizeof(struct node *));
    if (sorted == NULL)
        return builder_no_memory(builder, map->place);
    size_t count = 0;
    for (struct node *child = map->first; child != NULL; child = child->next)
        sorted[count++] = child;
    qsort(sorted, count, sizeof(struct node *), by_key);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
            continue;
        char shown[SHOWN_BYTES];
        plan_errors_add(builder->errors, ERROR_PLAN, sorted[i]->key_place,
                        "the key '%s' again; it is on line %u already, and may come once",
                        harmless_text(sorted[i]->key, shown, sizeof shown),
                        sorted[i - 1]->key_place.line);
        sorted[i]->kind = NODE_REFUSED;
    }
    free(sorted);
    return true;
}

static bool builder_close(struct builder *builder)
{
    const struct node *node = builder->open[--builder->depth];
    return node->kind != NODE_MAP || builder_check_keys(builder, node);
}

/* An anchor or a tag changes nothing that a plan could mean, so reading goes on. */
static void builder_refuse_decoration(struct builder *builder, const yaml_char_t *anchor,
                                      const yaml_char_t *tag, struct place place)
{
    char shown[SHOWN_BYTES];
    if (anchor != NULL) {
        plan_errors_add(builder->errors, ERROR_PLAN, place,
                        "the anchor '&%s'; a plan has none: leave it out",
                        harmless_text((const char *)anchor, shown, sizeof shown));
    }
    if (tag != NULL) {
        plan_errors_add(builder->errors, ERROR_PLAN, place,
                        "the tag '%s'; a plan has none: leave it out",
                        harmless_text((const char *)tag, shown, sizeof shown));
    }
}

static bool builder_take_alias(struct builder *builder, const yaml_event_t *event,
                               struct place place)
{
    char shown[SHOWN_BYTES];
    plan_errors_add(builder->errors, ERROR_PLAN, place,
                    "the alias '*%s'; a plan has none: write the value out",
                    harmless_text((const char *)event->data.alias.anchor, shown, sizeof shown));
    return builder_attach(builder, NODE_REFUSED, place) != NULL;
}

/* False: reading cannot go on, and the mistake is reported. */
static bool builder_take(struct builder *builder, const yaml_event_t *event)
{
    struct place place = builder_place(builder, event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return builder->root == NULL ||
               plan_errors_add(builder->errors, ERROR_PLAN, place,
                               "a second document; a plan is one document");
    case YAML_ALIAS_EVENT:
        return builder_take_alias(builder, event, place);
    case YAML_SCALAR_EVENT:
        builder_refuse_decoration(builder, event->data.scalar.anchor, event->data.scalar.tag,
                                  place);
        return builder_take_scalar(builder, event, place);
    case YAML_SEQUENCE_START_EVENT:
        builder_refuse_decoration(builder, event->data.sequence_start.anchor,
                                  event->data.sequence_start.tag, place);
        return builder_open(builder, NODE_LIST, place);
    case YAML_MAPPING_START_EVENT:
        builder_refuse_decoration(builder, event->data.mapping_start.anchor,
                                  event->data.mapping_start.tag, place);
        return builder_open(builder, NODE_MAP, place);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return builder_close(builder);
    default: /* the stream and the document begin and end */
        return true;
    }
}

static bool builder_syntax_error(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    struct place place = builder_place(builder, parser->problem_mark);
    if (parser->error == YAML_MEMORY_ERROR)
        return builder_no_memory(builder, place);
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read";
    if (parser->context == NULL)
        return plan_errors_add(builder->errors, ERROR_PLAN, place, "this is not YAML: %s", problem);
    return plan_errors_add(builder->errors, ERROR_PLAN, place,
                           "this is not YAML: %s (%s, from line %u)", problem, parser->context,
                           (unsigned)parser->context_mark.line + 1);
}

/* All events of the stream, one by one. */
static bool builder_run(struct builder *builder)
{
    for (uint32_t count = 0; count < PLAN_NODES_MAX; count++) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event))
            return builder_syntax_error(builder);
        bool last = event.type == YAML_STREAM_END_EVENT;
        bool taken = builder_take(builder, &event);
        yaml_event_delete(&event);
        if (!taken || last)
            return taken;
    }
    return plan_errors_add(
        builder->errors, ERROR_LIMIT, builder_place(builder, builder->parser.mark),
        "more than %u values, keys and brackets; a plan needs far fewer", PLAN_NODES_MAX);
}

struct node *yaml_read(const char *path, const char *text, size_t text_bytes,
                       struct plan_errors *errors)
{
    if (!yaml_scan(path, text, text_bytes, errors))
        return NULL;
    struct builder builder = {.path = path, .errors = errors};
    struct place start = {.path = path, .line = 1, .column = 1};
    if (!yaml_parser_initialize(&builder.parser)) {
        builder_no_memory(&builder, start);
        return NULL;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, text_bytes);
    bool read = builder_run(&builder);
    yaml_parser_delete(&builder.parser);
    free(builder.key);
    if (read && builder.root == NULL)
        read = plan_errors_add(errors, ERROR_PLAN, start, "the file is empty; give a plan");
    if (!read) {
        yaml_destroy(builder.root);
        return NULL;
    }
    return builder.root;
}

void yaml_destroy(struct node *root)
{
    if (root == NULL)
        return;
    for (struct node *child = root->first; child != NULL;) {
        struct node *next = child->next;
        yaml_destroy(child);
        child = next;
    }
    free(root->text);
    free(root->key);
    free(root);
}

const struct node *node_find(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP)
        return NULL;
    for (const struct node *child = map->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0)
            return child;
    }
    return NULL;
}
