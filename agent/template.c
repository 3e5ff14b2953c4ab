#include "agent/template.h"

#include "common/base/check.h"
#include "common/control/random.h"
#include "proto/dataset.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX   20u /* of a number of 64 bits */
#define UUID_BYTES   36u
#define ENCODED_MOST 3u                  /* %XX of one byte */
#define DRAW_OF_ROWS (UINT64_C(1) << 32) /* beside those of slots, which count from 0 */
static_assert(SLOTS_MAX < DRAW_OF_ROWS, "rows and slots draw apart");

/* The slots of one kind of request. */
struct range {
    const struct assignment_slot *first;
    uint32_t count;
};

struct templates {
    const struct assignment *assignment; /* borrowed */
    struct dataset data[DATA_FILES_MAX];
    struct range ranges[REQUEST_NAMES_MAX];
    size_t room_bytes;
};

/* What goes into a slot. */
struct value {
    const uint8_t *bytes;
    uint32_t count;
    uint8_t own[UUID_BYTES]; /* behind `bytes`, when they are made anew */
};
static_assert(UUID_BYTES >= DIGITS_MAX, "a number fits where a UUID does");

/* Unreserved in RFC 3986, section 2.3: all others are written as %XX in a path. */
static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

/* The same for the same seed, index and position, on any machine; no two positions of one request
 * are alike. */
static uint64_t draw(uint64_t seed, uint64_t index, uint64_t position)
{
    struct random random = {.state = seed};
    random.state = random_next(&random) ^ index;
    random.state = random_next(&random) ^ position;
    return random_next(&random);
}

/* Below `count`, or any when it is 0. A remainder favours the lower ones by less than count / 2^64.
 */
static uint64_t draw_below(uint64_t drawn, uint64_t count)
{
    return count == 0 ? drawn : drawn % count;
}

static void put_number(struct value *value, uint64_t number)
{
    uint8_t *at = value->own + DIGITS_MAX;
    do {
        *--at = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    value->bytes = at;
    value->count = (uint32_t)(value->own + DIGITS_MAX - at);
}

/* RFC 9562, section 5.4: random but for the version and the variant. */
static void put_uuid(struct value *value, uint64_t high, uint64_t low)
{
    static const char digits[] = "0123456789abcdef";
    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    uint8_t *at = value->own;
    for (uint32_t nibble = 0; nibble < 32; nibble++) {
        uint64_t half = nibble < 16 ? high : low;
        if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20)
            *at++ = '-';
        *at++ = (uint8_t)digits[half >> (60 - 4 * (nibble % 16)) & 15u];
    }
    value->bytes = value->own;
    value->count = UUID_BYTES;
}

/* In `unique` each index has a row of its own as long as there are any: the coordinator ends the
 * run before. */
static uint32_t row_of(const struct templates *templates, uint32_t file, uint64_t index)
{
    uint32_t rows = templates->data[file].rows;
    if (templates->assignment->data[file].order == DATA_RANDOM)
        index = draw(templates->assignment->seed, index, DRAW_OF_ROWS + file);
    return (uint32_t)(index % rows);
}

static struct range range_of(const struct templates *templates, uint32_t kind)
{
    CHECK(kind < templates->assignment->request_count);
    return templates->ranges[kind];
}

static uint64_t length_between(const struct templates *templates, struct range range,
                               const struct assignment_slot *length, uint64_t index);

/* `slot` is the `position`th of its request. */
static void fill(const struct templates *templates, struct range range, uint32_t position,
                 uint64_t index, struct value *value)
{
    const struct assignment_slot *slot = &range.first[position];
    uint64_t seed = templates->assignment->seed;
    struct cell cell;
    switch (slot->kind) {
    case SLOT_INDEX:
        put_number(value, index);
        break;
    case SLOT_RANDOM:
        put_number(value, slot->least + draw_below(draw(seed, index, position),
                                                   slot->most - slot->least + 1));
        break;
    case SLOT_UUID:
        put_uuid(value, draw(seed, index, position), draw(~seed, index, position));
        break;
    case SLOT_CELL:
        cell = dataset_cell(&templates->data[slot->file], row_of(templates, slot->file, index),
                            slot->column);
        value->bytes = cell.bytes;
        value->count = cell.count;
        break;
    case SLOT_LENGTH:
        put_number(value, length_between(templates, range, slot, index));
        break;
    case SLOT_KINDS:
        CHECK(false);
    }
}

static size_t filled_bytes(const struct value *value, bool encoded)
{
    size_t bytes = value->count;
    for (uint32_t i = 0; encoded && i < value->count; i++)
        bytes += is_unreserved(value->bytes[i]) ? 0 : ENCODED_MOST - 1;
    return bytes;
}

/* Lengths are no part of what another length counts. */
static uint64_t length_between(const struct templates *templates, struct range range,
                               const struct assignment_slot *length, uint64_t index)
{
    uint64_t bytes = length->most - length->least;
    for (uint32_t i = 0; i < range.count; i++) {
        const struct assignment_slot *slot = &range.first[i];
        struct value value;
        if (slot->kind == SLOT_LENGTH || slot->offset < length->least ||
            slot->offset > length->most)
            continue;
        fill(templates, range, i, index, &value);
        bytes += filled_bytes(&value, slot->encoded);
    }
    return bytes;
}

static uint8_t *put_value(uint8_t *at, const struct value *value, bool encoded)
{
    static const char digits[] = "0123456789ABCDEF";
    if (!encoded)
        return mempcpy(at, value->bytes, value->count);
    for (uint32_t i = 0; i < value->count; i++) {
        uint8_t byte = value->bytes[i];
        if (is_unreserved(byte)) {
            *at++ = byte;
            continue;
        }
        *at++ = '%';
        *at++ = (uint8_t)digits[byte >> 4];
        *at++ = (uint8_t)digits[byte & 15u];
    }
    return at;
}

struct assignment_bytes templates_render(const struct templates *templates, uint32_t kind,
                                         uint64_t index, uint8_t *room)
{
    const struct assignment_request *request = &templates->assignment->requests[kind];
    struct range range = range_of(templates, kind);
    if (range.count == 0)
        return (struct assignment_bytes){request->bytes, request->byte_count};
    uint8_t *at = room;
    size_t done = 0;
    for (uint32_t i = 0; i < range.count; i++) {
        const struct assignment_slot *slot = &range.first[i];
        struct value value;
        at = mempcpy(at, request->bytes + done, slot->offset - done);
        done = slot->offset;
        fill(templates, range, i, index, &value);
        at = put_value(at, &value, slot->encoded);
    }
    at = mempcpy(at, request->bytes + done, request->byte_count - done);
    CHECK((size_t)(at - room) <= templates->room_bytes);
    return (struct assignment_bytes){room, (size_t)(at - room)};
}

/* The most that a slot can take. */
static size_t slot_bytes_max(const struct templates *templates, const struct assignment_slot *slot)
{
    if (slot->kind == SLOT_UUID)
        return UUID_BYTES;
    if (slot->kind != SLOT_CELL)
        return DIGITS_MAX;
    const struct dataset *data = &templates->data[slot->file];
    size_t longest = 0;
    for (uint32_t row = 0; row < data->rows; row++) {
        size_t bytes = dataset_cell(data, row, slot->column).count;
        if (bytes > longest)
            longest = bytes;
    }
    return slot->encoded ? ENCODED_MOST * longest : longest;
}

static bool open_data(struct templates *templates, struct error *error)
{
    const struct assignment *assignment = templates->assignment;
    for (uint32_t i = 0; i < assignment->data_count; i++) {
        if (assignment->data[i].block == NULL)
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "a data file of the plan has not come");
        if (!dataset_open(assignment->data[i].block, assignment->data[i].byte_count,
                          &templates->data[i], error))
            return false;
    }
    for (uint32_t i = 0; i < assignment->slot_count; i++) {
        const struct assignment_slot *slot = &assignment->slots[i];
        if (slot->kind == SLOT_CELL && slot->column >= templates->data[slot->file].columns)
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "a request asks for column %u of a data file that has %u",
                             slot->column, templates->data[slot->file].columns);
    }
    return true;
}

/* Slots come in the order of their requests. */
static bool find_ranges(struct templates *templates, struct error *error)
{
    const struct assignment *assignment = templates->assignment;
    size_t bytes[REQUEST_NAMES_MAX] = {0};
    for (uint32_t i = 0; i < assignment->slot_count; i++) {
        const struct assignment_slot *slot = &assignment->slots[i];
        struct range *range = &templates->ranges[slot->request];
        if (range->count++ == 0) {
            range->first = slot;
            bytes[slot->request] = assignment->requests[slot->request].byte_count;
        }
        bytes[slot->request] += slot_bytes_max(templates, slot);
    }
    for (uint32_t i = 0; i < assignment->request_count; i++) {
        if (bytes[i] > RENDERED_BYTES_MAX)
            return error_set(error, ERROR_LIMIT, PLACE_NONE,
                             "request '%.64s' can take %zu bytes with what is filled in; at most "
                             "%u are kept for each worker",
                             assignment->requests[i].name, bytes[i], RENDERED_BYTES_MAX);
        if (bytes[i] > templates->room_bytes)
            templates->room_bytes = bytes[i];
    }
    return true;
}

struct templates *templates_create(const struct assignment *assignment, struct error *error)
{
    struct templates *templates = calloc(1, sizeof *templates);
    if (templates == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for templates");
        return NULL;
    }
    templates->assignment = assignment;
    if (open_data(templates, error) && find_ranges(templates, error))
        return templates;
    templates_destroy(templates);
    return NULL;
}

void templates_destroy(struct templates *templates)
{
    free(templates);
}

bool templates_fill(const struct templates *templates, uint32_t kind)
{
    return range_of(templates, kind).count > 0;
}

size_t templates_room_bytes(const struct templates *templates)
{
    return templates->room_bytes;
}
