#include "proto/wire.h"

#include "common/base/check.h"
#include "common/base/limits.h"

#include <inttypes.h>
#include <msgpack.h>
#include <string.h>

enum item_kind { ITEM_UNSIGNED, ITEM_TEXT, ITEM_BYTES, ITEM_ARRAY };

static const char *const item_words[] = {
    [ITEM_UNSIGNED] = "an unsigned integer",
    [ITEM_TEXT] = "a str",
    [ITEM_BYTES] = "a bin",
    [ITEM_ARRAY] = "an array",
};

/** One object as its first bytes describe it; an array's elements are objects of their own. */
struct item {
    enum item_kind kind;
    size_t header_bytes;
    size_t body_bytes; /* of a str or bin, or of an integer wider than its first byte */
    uint32_t children; /* of an array */
};

/** A row of the msgpack specification that may pass. */
struct form {
    uint8_t first, last; /* of the first byte */
    enum item_kind kind;
    uint8_t width; /* bytes that follow the first: of the length, or of an integer's value */
    uint8_t mask;  /* width 0: where in the first byte the length is */
};

static const struct form forms[] = {
    {0x00, 0x7f, ITEM_UNSIGNED, 0, 0x00}, /* positive fixint */
    {0x90, 0x9f, ITEM_ARRAY, 0, 0x0f},    /* fixarray */
    {0xa0, 0xbf, ITEM_TEXT, 0, 0x1f},     /* fixstr */
    {0xc4, 0xc4, ITEM_BYTES, 1, 0x00},    /* bin 8, 16, 32 */
    {0xc5, 0xc5, ITEM_BYTES, 2, 0x00},    /* */
    {0xc6, 0xc6, ITEM_BYTES, 4, 0x00},    /* */
    {0xcc, 0xcc, ITEM_UNSIGNED, 1, 0x00}, /* uint 8, 16, 32, 64 */
    {0xcd, 0xcd, ITEM_UNSIGNED, 2, 0x00}, /* */
    {0xce, 0xce, ITEM_UNSIGNED, 4, 0x00}, /* */
    {0xcf, 0xcf, ITEM_UNSIGNED, 8, 0x00}, /* */
    {0xd9, 0xd9, ITEM_TEXT, 1, 0x00},     /* str 8, 16, 32 */
    {0xda, 0xda, ITEM_TEXT, 2, 0x00},     /* */
    {0xdb, 0xdb, ITEM_TEXT, 4, 0x00},     /* */
    {0xdc, 0xdc, ITEM_ARRAY, 2, 0x00},    /* array 16, 32 */
    {0xdd, 0xdd, ITEM_ARRAY, 4, 0x00},    /* */
};

static const struct form *form_of(uint8_t first)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (first >= forms[i].first && first <= forms[i].last)
            return &forms[i];
    }
    return NULL;
}

/** Describes the object at `position` (below `length`), and that it lies within the bytes: a str or
 *  bin whole, an array with at least one byte for each element it declares. */
static bool item_read(const uint8_t *bytes, size_t length, size_t position, struct item *item,
                      struct error *error)
{
    CHECK(position < length);
    const struct form *form = form_of(bytes[position]);
    if (form == NULL) {
        return error_set(
            error, ERROR_PROTOCOL, PLACE_NONE,
            "byte %zu is 0x%02x; expected an array, an unsigned integer, a str or a bin", position,
            bytes[position]);
    }
    size_t left = length - position - 1;
    if (form->width > left) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s at byte %zu is cut off: %zu bytes are left and it needs %u",
                         item_words[form->kind], position, left, form->width);
    }
    if (form->kind == ITEM_UNSIGNED) {
        *item = (struct item){.kind = ITEM_UNSIGNED, .header_bytes = 1, .body_bytes = form->width};
        return true;
    }
    uint32_t declared = bytes[position] & form->mask;
    for (size_t i = 1; i <= form->width; i++)
        declared = declared << 8 | bytes[position + i];
    left -= form->width;
    if (declared > left) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s at byte %zu declares a length of %" PRIu32 " and %zu bytes are left",
                         item_words[form->kind], position, declared, left);
    }
    *item = (struct item){.kind = form->kind, .header_bytes = 1u + form->width};
    if (form->kind == ITEM_ARRAY)
        item->children = declared;
    else
        item->body_bytes = declared;
    return true;
}

/** How many elements each array around the present position still has; the outermost first. */
struct nesting {
    uint32_t left[WIRE_DEPTH_MAX];
    uint32_t depth;
};

static bool nesting_take(struct nesting *nesting, const struct item *item, size_t position,
                         struct error *error)
{
    if (nesting->depth > 0)
        nesting->left[nesting->depth - 1]--;
    if (item->kind == ITEM_ARRAY) {
        if (nesting->depth == WIRE_DEPTH_MAX) {
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "the array at byte %zu is nested deeper than %u", position,
                             WIRE_DEPTH_MAX);
        }
        nesting->left[nesting->depth++] = item->children;
    }
    while (nesting->depth > 0 && nesting->left[nesting->depth - 1] == 0)
        nesting->depth--;
    return true;
}

static bool scan(const uint8_t *bytes, size_t length, struct error *error)
{
    struct nesting nesting = {0};
    uint32_t elements = 0;
    size_t position = 0;
    while (position < length) {
        struct item item = {0};
        if (!item_read(bytes, length, position, &item, error))
            return false;
        elements++;
        if (elements > WIRE_ELEMENTS_MAX || item.children > WIRE_ELEMENTS_MAX - elements) {
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "more than %u elements, seen at byte %zu", WIRE_ELEMENTS_MAX,
                             position);
        }
        if (!nesting_take(&nesting, &item, position, error))
            return false;
        position += item.header_bytes + item.body_bytes;
    }
    if (nesting.depth > 0) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "the bytes end inside an array that lacks %" PRIu32 " elements",
                         nesting.left[nesting.depth - 1]);
    }
    return true;
}

bool wire_reader_init(struct wire_reader *reader, const void *bytes, size_t length,
                      struct error *error)
{
    if (!scan(bytes, length, error))
        return false;
    *reader = (struct wire_reader){.bytes = bytes, .length = length};
    return true;
}

/** Describes the next object, which must be of `kind`; the reader stays before it. */
static bool expect(const struct wire_reader *reader, const char *name, enum item_kind kind,
                   struct item *item, struct error *error)
{
    if (reader->position == reader->length) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s is missing: expected %s", name,
                         item_words[kind]);
    }
    if (!item_read(reader->bytes, reader->length, reader->position, item, error))
        return false;
    if (item->kind != kind) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s is %s; expected %s", name,
                         item_words[item->kind], item_words[kind]);
    }
    return true;
}

static void pass(struct wire_reader *reader, const struct item *item)
{
    reader->position += item->header_bytes + item->body_bytes;
    CHECK(reader->position <= reader->length);
}

bool wire_get_array(struct wire_reader *reader, const char *name, uint32_t minimum,
                    uint32_t maximum, uint32_t *count, struct error *error)
{
    struct item item = {0};
    if (!expect(reader, name, ITEM_ARRAY, &item, error))
        return false;
    if (item.children < minimum || item.children > maximum) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s has %" PRIu32 " elements; expected %" PRIu32 " to %" PRIu32, name,
                         item.children, minimum, maximum);
    }
    *count = item.children;
    pass(reader, &item);
    return true;
}

bool wire_get_u64(struct wire_reader *reader, const char *name, uint64_t minimum, uint64_t maximum,
                  uint64_t *value, struct error *error)
{
    struct item item = {0};
    if (!expect(reader, name, ITEM_UNSIGNED, &item, error))
        return false;

    /* The one kind whose bytes have a value to work out; msgpack-c takes no memory for it. */
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t end = reader->position;
    msgpack_unpack_return outcome =
        msgpack_unpack_next(&unpacked, (const char *)reader->bytes, reader->length, &end);
    CHECK(outcome == MSGPACK_UNPACK_SUCCESS || outcome == MSGPACK_UNPACK_EXTRA_BYTES);
    CHECK(unpacked.data.type == MSGPACK_OBJECT_POSITIVE_INTEGER);
    CHECK(unpacked.zone == NULL);
    CHECK(end == reader->position + item.header_bytes + item.body_bytes);
    uint64_t found = unpacked.data.via.u64;

    if (found < minimum || found > maximum) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s is %" PRIu64 "; expected %" PRIu64 " to %" PRIu64, name, found,
                         minimum, maximum);
    }
    *value = found;
    pass(reader, &item);
    return true;
}

bool wire_get_u32(struct wire_reader *reader, const char *name, uint32_t minimum, uint32_t maximum,
                  uint32_t *value, struct error *error)
{
    uint64_t wide = 0;
    if (!wire_get_u64(reader, name, minimum, maximum, &wide, error))
        return false;
    *value = (uint32_t)wide;
    return true;
}

bool wire_get_u16(struct wire_reader *reader, const char *name, uint16_t minimum, uint16_t maximum,
                  uint16_t *value, struct error *error)
{
    uint64_t wide = 0;
    if (!wire_get_u64(reader, name, minimum, maximum, &wide, error))
        return false;
    *value = (uint16_t)wide;
    return true;
}

bool wire_get_bool(struct wire_reader *reader, const char *name, bool *value, struct error *error)
{
    uint64_t wide = 0;
    if (!wire_get_u64(reader, name, 0, 1, &wide, error))
        return false;
    *value = wide == 1;
    return true;
}

bool wire_get_text(struct wire_reader *reader, const char *name, char *text, size_t text_bytes,
                   struct error *error)
{
    struct item item = {0};
    if (!expect(reader, name, ITEM_TEXT, &item, error))
        return false;
    if (item.body_bytes >= text_bytes) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "%s has %zu bytes; expected at most %zu", name, item.body_bytes,
                         text_bytes - 1);
    }
    const uint8_t *body = reader->bytes + reader->position + item.header_bytes;
    if (item.body_bytes > 0 && memchr(body, 0, item.body_bytes) != NULL)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s holds a NUL", name);
    memcpy(text, body, item.body_bytes);
    text[item.body_bytes] = '\0';
    pass(reader, &item);
    return true;
}

bool wire_get_bytes(struct wire_reader *reader, const char *name, size_t minimum, size_t maximum,
                    const uint8_t **bytes, size_t *count, struct error *error)
{
    struct item item = {0};
    if (!expect(reader, name, ITEM_BYTES, &item, error))
        return false;
    if (item.body_bytes < minimum || item.body_bytes > maximum) {
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%s has %zu bytes; expected %zu to %zu",
                         name, item.body_bytes, minimum, maximum);
    }
    *bytes = reader->bytes + reader->position + item.header_bytes;
    *count = item.body_bytes;
    pass(reader, &item);
    return true;
}

bool wire_get_fixed(struct wire_reader *reader, const char *name, void *bytes, size_t count,
                    struct error *error)
{
    const uint8_t *found = NULL;
    size_t found_bytes = 0;
    if (!wire_get_bytes(reader, name, count, count, &found, &found_bytes, error))
        return false;
    CHECK(found != NULL);
    memcpy(bytes, found, found_bytes);
    return true;
}

bool wire_skip(struct wire_reader *reader, uint32_t count, struct error *error)
{
    uint64_t left = count; /* an array adds its elements; the scan has bounded them all */
    while (left > 0) {
        if (reader->position == reader->length) {
            return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                             "%" PRIu64 " fields to skip are missing", left);
        }
        struct item item = {0};
        if (!item_read(reader->bytes, reader->length, reader->position, &item, error))
            return false;
        left += item.children;
        left--;
        pass(reader, &item);
    }
    return true;
}

bool wire_end(const struct wire_reader *reader, struct error *error)
{
    if (reader->position == reader->length)
        return true;
    return error_set(error, ERROR_PROTOCOL, PLACE_NONE, "%zu bytes too many after the last field",
                     reader->length - reader->position);
}

void wire_writer_init(struct wire_writer *writer, void *bytes, size_t capacity)
{
    *writer = (struct wire_writer){.bytes = bytes, .capacity = capacity};
}

/** Where msgpack-c leaves what it has packed. */
static int append(void *context, const char *bytes, size_t count)
{
    struct wire_writer *writer = context;
    CHECK(writer->length <= writer->capacity);
    if (writer->overflow || count > writer->capacity - writer->length) {
        writer->overflow = true;
        return -1;
    }
    if (count > 0) /* memcpy wants real pointers even for nothing */
        memcpy(writer->bytes + writer->length, bytes, count);
    writer->length += count;
    return 0;
}

static msgpack_packer packer_into(struct wire_writer *writer)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, append);
    return packer;
}

void wire_put_array(struct wire_writer *writer, uint32_t count)
{
    msgpack_packer packer = packer_into(writer);
    msgpack_pack_array(&packer, count);
}

void wire_put_u64(struct wire_writer *writer, uint64_t value)
{
    msgpack_packer packer = packer_into(writer);
    msgpack_pack_uint64(&packer, value);
}

void wire_put_text(struct wire_writer *writer, const char *text)
{
    size_t length = strnlen(text, NAME_BYTES_MAX + 1u);
    CHECK(length <= NAME_BYTES_MAX);
    msgpack_packer packer = packer_into(writer);
    msgpack_pack_str(&packer, length);
    msgpack_pack_str_body(&packer, text, length);
}

void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t count)
{
    msgpack_packer packer = packer_into(writer);
    msgpack_pack_bin(&packer, count);
    msgpack_pack_bin_body(&packer, bytes, count);
}
