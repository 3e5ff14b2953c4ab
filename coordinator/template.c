#include "coordinator/template.h"

#include "common/base/check.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/plan_secret.h"
#include "coordinator/plan_target.h"
#include "proto/dataset.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OPEN         "{{"
#define CLOSE        "}}"
#define LIST_BYTES   200
#define SHOWN_BYTES  64
#define WORDS_MAX    (3u + VARIABLES_MAX + DATA_FILES_MAX)
#define LETTERS      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define UNRESERVED   LETTERS "0123456789-.~" /* RFC 3986, section 2.3 */
#define ENCODED_MOST 3u                      /* %XX of one byte */

static const char *const built_in[] = {"seq", "uuid", "random"};

enum piece_kind { PIECE_LITERAL, PIECE_VALUE, PIECE_SECRET, PIECE_SLOT };

/* A stretch of text that stays, a value that the plan gives (to be encoded as its place asks), one
 * that it refers to, or a
 * slot that each request fills. */
struct piece {
    enum piece_kind kind;
    const char *text;
    size_t text_bytes;
    struct assignment_slot slot;
};

struct reader {
    const struct plan *plan;
    const char *at, *end;
};

/* What is between two braces, without the blanks around it. */
struct expression {
    const char *text;
    size_t bytes;
};

static struct expression trim(const char *text, size_t bytes)
{
    while (bytes > 0 && isspace((unsigned char)text[0])) {
        text++;
        bytes--;
    }
    while (bytes > 0 && isspace((unsigned char)text[bytes - 1]))
        bytes--;
    return (struct expression){text, bytes};
}

static bool is_word(struct expression expression, const char *word)
{
    return expression.bytes == strlen(word) && memcmp(expression.text, word, expression.bytes) == 0;
}

static bool wrong(struct expression expression, struct error *error, const char *sentence)
{
    char inside[SHOWN_BYTES];
    char shown[SHOWN_BYTES];
    snprintf(inside, sizeof inside, "%.*s", (int)expression.bytes, expression.text);
    return error_set(error, ERROR_PLAN, PLACE_NONE, "{{ %s }} %s",
                     harmless_text(inside, shown, sizeof shown), sentence);
}

/* "; did you mean 'users'?", or all that there is. */
static bool unknown(struct expression expression, struct error *error, const char *what,
                    struct expression name, const char *const *words, size_t count)
{
    char copy[SHOWN_BYTES];
    char sentence[LIST_BYTES + SHOWN_BYTES];
    snprintf(copy, sizeof copy, "%.*s", (int)name.bytes, name.text);
    const char *nearest = units_nearest(copy, words, count);
    size_t used = (size_t)snprintf(sentence, sizeof sentence, "names no %s", what);
    if (nearest != NULL) {
        snprintf(sentence + used, sizeof sentence - used, "; did you mean '%s'?", nearest);
        return wrong(expression, error, sentence);
    }
    for (size_t i = 0; i < count && used < LIST_BYTES; i++)
        used += (size_t)snprintf(sentence + used, sizeof sentence - used, "%s%s",
                                 i == 0 ? "; there are " : ", ", words[i]);
    return wrong(expression, error, sentence);
}

static bool read_random(struct expression expression, struct assignment_slot *slot,
                        struct error *error)
{
    static const char help[] =
        "is no range; give two whole numbers, the smaller one first, as in random(1, 100)";
    char copy[SHOWN_BYTES];
    char *ends[2];
    uint64_t numbers[2];
    if (expression.bytes >= sizeof copy || expression.text[expression.bytes - 1] != ')')
        return wrong(expression, error, help);
    memcpy(copy, expression.text, expression.bytes);
    copy[expression.bytes - 1] = '\0';
    ends[0] = strchr(copy, '(') + 1;
    ends[1] = strchr(ends[0], ',');
    if (ends[1] == NULL)
        return wrong(expression, error, help);
    *ends[1]++ = '\0';
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct expression number = trim(ends[i], strlen(ends[i]));
        ((char *)(uintptr_t)number.text)[number.bytes] = '\0';
        if (!units_read_count(number.text, &numbers[i]))
            return wrong(expression, error, help);
    }
    if (numbers[0] > numbers[1])
        return wrong(expression, error, help);
    *slot = (struct assignment_slot){.kind = SLOT_RANDOM, .least = numbers[0], .most = numbers[1]};
    return true;
}

/* FILE.COLUMN */
static bool read_cell(const struct plan *plan, struct expression expression, const char *dot,
                      struct assignment_slot *slot, struct error *error)
{
    struct expression file = trim(expression.text, (size_t)(dot - expression.text));
    struct expression column =
        trim(dot + 1, expression.bytes - (size_t)(dot + 1 - expression.text));
    const char *names[DATA_FILES_MAX];
    uint32_t found = DATA_FILES_MAX;
    for (uint32_t i = 0; i < plan->data_count; i++) {
        names[i] = plan->data[i].name;
        if (is_word(file, names[i]))
            found = i;
    }
    if (found == DATA_FILES_MAX)
        return unknown(expression, error, "data file", file, names, plan->data_count);
    const struct plan_data *data = &plan->data[found];
    uint32_t index = 0;
    while (index < data->column_count && !is_word(column, data->columns[index]))
        index++;
    if (index == data->column_count && data->block != NULL)
        return unknown(expression, error, "column of that file", column,
                       (const char *const *)data->columns, data->column_count);
    *slot = (struct assignment_slot){.kind = SLOT_CELL, .file = found, .column = index};
    return true;
}

static bool read_variable(const struct plan *plan, struct expression expression,
                          struct piece *piece, struct error *error)
{
    const char *words[WORDS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < plan->variable_count; i++) {
        const struct plan_variable *variable = &plan->variables[i];
        if (is_word(expression, variable->name)) {
            *piece = (struct piece){PIECE_VALUE, variable->value, variable->value_bytes, {0}};
            return true;
        }
        words[count++] = variable->name;
    }
    for (size_t i = 0; i < COUNT(built_in); i++)
        words[count++] = built_in[i];
    for (uint32_t i = 0; i < plan->data_count; i++)
        words[count++] = plan->data[i].name;
    return unknown(expression, error, "variable", expression, words, count);
}

static bool read_expression(const struct plan *plan, struct expression expression,
                            struct piece *piece, struct error *error)
{
    *piece = (struct piece){.kind = PIECE_SLOT};
    if (expression.bytes == 0)
        return wrong(expression, error, "is empty; give a name, or {{ '{{' }} for the braces");
    if (is_word(expression, "seq")) {
        piece->slot.kind = SLOT_INDEX;
        return true;
    }
    if (is_word(expression, "uuid")) {
        piece->slot.kind = SLOT_UUID;
        return true;
    }
    if (expression.bytes > strlen("random(") && memcmp(expression.text, "random(", 7) == 0)
        return read_random(expression, &piece->slot, error);
    const char *dot = memchr(expression.text, '.', expression.bytes);
    if (dot != NULL)
        return read_cell(plan, expression, dot, &piece->slot, error);
    return read_variable(plan, expression, piece, error);
}

/* 'text': what is between the quotes stands for itself, so that braces can be said. */
static bool read_quoted(struct reader *reader, const char *quote, struct piece *piece,
                        struct error *error)
{
    const char *stop = memchr(quote + 1, '\'', (size_t)(reader->end - quote - 1));
    const char *close = stop;
    if (stop != NULL)
        for (close = stop + 1; close < reader->end && isspace((unsigned char)*close);)
            close++;
    if (stop == NULL || reader->end - close < 2 || memcmp(close, CLOSE, 2) != 0)
        return error_set(error, ERROR_PLAN, PLACE_NONE,
                         "{{ ' has no ' }} behind it; a text between quotes ends so");
    *piece = (struct piece){PIECE_VALUE, quote + 1, (size_t)(stop - quote - 1), {0}};
    reader->at = close + 2;
    return true;
}

/* A secret that could not be had is nothing: that was reported. */
static bool read_secret(struct reader *reader, struct piece *piece, struct error *error)
{
    struct secret_reference reference;
    if (!plan_secret_reference(reader->at, reader->end, &reference, error))
        return false;
    const struct plan_secret *secret = plan_secret_find(reader->plan, &reference);
    bool there = secret != NULL && secret->value != NULL;
    *piece = (struct piece){
        PIECE_SECRET, there ? secret->value : "", there ? secret->value_bytes : 0, {0}};
    reader->at = reference.text + reference.bytes;
    return true;
}

/* The next piece; the reader is not at its end. */
static bool next(struct reader *reader, struct piece *piece, struct error *error)
{
    size_t left = (size_t)(reader->end - reader->at);
    const char *open = memmem(reader->at, left, OPEN, 2);
    const char *secret = plan_secret_mark(reader->at, left);
    const char *first = open == NULL || (secret != NULL && secret < open) ? secret : open;
    if (first != reader->at) {
        size_t bytes = first != NULL ? (size_t)(first - reader->at) : left;
        *piece = (struct piece){PIECE_LITERAL, reader->at, bytes, {0}};
        reader->at += bytes;
        return true;
    }
    if (first == secret)
        return read_secret(reader, piece, error);
    const char *inside = open + 2;
    while (inside < reader->end && isspace((unsigned char)*inside))
        inside++;
    if (inside < reader->end && *inside == '\'')
        return read_quoted(reader, inside, piece, error);
    const char *close = memmem(inside, (size_t)(reader->end - inside), CLOSE, 2);
    if (close == NULL)
        return error_set(error, ERROR_PLAN, PLACE_NONE,
                         "'{{' has no '}}' behind it; write {{ '{{' }} for the braces themselves");
    reader->at = close + 2;
    return read_expression(reader->plan, trim(inside, (size_t)(close - inside)), piece, error);
}

static struct reader begin(const struct plan *plan, const char *text, size_t text_bytes)
{
    return (struct reader){plan, text, text + text_bytes};
}

static bool holds_control(const char *text, size_t text_bytes)
{
    for (size_t i = 0; i < text_bytes; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7F)
            return true;
    return false;
}

/* A value with a line break would be a header of its own, or a request. */
static bool check_in_header(const struct plan *plan, const struct piece *piece, struct error *error)
{
    if (piece->kind != PIECE_SLOT)
        return !holds_control(piece->text, piece->text_bytes) ||
               error_set(error, ERROR_PLAN, PLACE_NONE,
                         "a %s with a control character stands in a header; give one line of text",
                         piece->kind == PIECE_SECRET ? "secret" : "variable");
    const struct plan_data *data = &plan->data[piece->slot.file];
    struct dataset dataset;
    if (piece->slot.kind != SLOT_CELL || data->block == NULL)
        return true;
    CHECK(dataset_open(data->block, data->block_bytes, &dataset, NULL));
    for (uint32_t row = 0; row < dataset.rows; row++) {
        struct cell cell = dataset_cell(&dataset, row, piece->slot.column);
        if (holds_control((const char *)cell.bytes, cell.count))
            return error_set(error, ERROR_PLAN, PLACE_NONE,
                             "{{ %s.%.64s }} stands in a header, and its value in row %u holds a "
                             "control character; give one line of text",
                             data->name, data->columns[piece->slot.column], row + 1);
    }
    return true;
}

static bool check_in_path(const struct piece *piece, struct error *error)
{
    const char *mistake =
        piece->kind == PIECE_LITERAL ? target_text_mistake(piece->text, piece->text_bytes) : NULL;
    return mistake == NULL || error_set(error, ERROR_PLAN, PLACE_NONE, "%s", mistake);
}

bool template_is_one(const char *text, size_t text_bytes)
{
    return memmem(text, text_bytes, OPEN, 2) != NULL || plan_secret_mark(text, text_bytes) != NULL;
}

bool template_name_is_good(const char *name)
{
    for (size_t i = 0; i < COUNT(built_in); i++)
        if (strcmp(name, built_in[i]) == 0)
            return false;
    return name[0] != '\0' && strchr(LETTERS, name[0]) != NULL &&
           name[strspn(name, LETTERS "0123456789")] == '\0' && strlen(name) < SHOWN_BYTES;
}

bool template_check(const struct plan *plan, enum template_use use, const char *text,
                    size_t text_bytes, struct error *error)
{
    struct reader reader = begin(plan, text, text_bytes);
    while (reader.at < reader.end) {
        struct piece piece;
        if (!next(&reader, &piece, error) ||
            (use == TEMPLATE_HEADER && !check_in_header(plan, &piece, error)) ||
            (use == TEMPLATE_PATH && !check_in_path(&piece, error)))
            return false;
    }
    return true;
}

static struct piece next_checked(struct reader *reader)
{
    struct piece piece;
    CHECK(next(reader, &piece, NULL));
    return piece;
}

/* A value of the plan in a path, byte by byte as RFC 3986, section 2.1 has it. */
static size_t encode_byte(char byte, char *encoded)
{
    encoded[0] = byte;
    if (byte != '\0' && strchr(UNRESERVED, byte) != NULL)
        return 1;
    static const char digits[] = "0123456789ABCDEF";
    encoded[0] = '%';
    encoded[1] = digits[(unsigned char)byte >> 4];
    encoded[2] = digits[(unsigned char)byte & 15u];
    return ENCODED_MOST;
}

static size_t write_fixed(const struct piece *piece, enum template_use use, FILE *stream)
{
    bool encoded = piece->kind == PIECE_VALUE && use == TEMPLATE_PATH;
    size_t written = 0;
    for (size_t i = 0; i < piece->text_bytes; i++) {
        char bytes[ENCODED_MOST] = {piece->text[i]};
        size_t count = encoded ? encode_byte(piece->text[i], bytes) : 1;
        if (stream != NULL)
            fwrite(bytes, 1, count, stream);
        written += count;
    }
    return written;
}

uint32_t template_measure(const struct plan *plan, enum template_use use, const char *text,
                          size_t text_bytes, size_t *literal_bytes)
{
    struct reader reader = begin(plan, text, text_bytes);
    uint32_t slots = 0;
    *literal_bytes = 0;
    while (reader.at < reader.end) {
        struct piece piece = next_checked(&reader);
        if (piece.kind == PIECE_SLOT)
            slots++;
        else
            *literal_bytes += write_fixed(&piece, use, NULL);
    }
    return slots;
}

void template_write(const struct plan *plan, enum template_use use, const char *text,
                    size_t text_bytes, FILE *stream, long start, uint32_t request,
                    struct assignment *assignment)
{
    struct reader reader = begin(plan, text, text_bytes);
    while (reader.at < reader.end) {
        struct piece piece = next_checked(&reader);
        if (piece.kind != PIECE_SLOT) {
            write_fixed(&piece, use, stream);
            continue;
        }
        CHECK(assignment->slot_count < SLOTS_MAX);
        piece.slot.request = request;
        piece.slot.offset = (uint32_t)(ftell(stream) - start);
        piece.slot.encoded = use == TEMPLATE_PATH;
        assignment->slots[assignment->slot_count++] = piece.slot;
    }
}
