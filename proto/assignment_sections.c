#include "proto/assignment_sections.h"

#include "common/base/check.h"
#include "proto/wire.h"

#define SHA256_BYTES 32u
#define TIME_NS_MAX  ((uint64_t)RUN_S_MAX * UINT64_C(1000000000))
#define PATH_BYTES   107u /* sun_path, less its NUL */
#define SECTIONS_MAX (16u + DATA_FILES_MAX + SLOTS_MAX + EXPECTATIONS_MAX)

/* On the wire: never renumber. */
enum section_id {
    SECTION_TLS = 1,
    SECTION_CONNECTION = 2,
    SECTION_HTTP = 3,
    SECTION_NUMBERING = 4,
    SECTION_OPTIONS = 5,
    SECTION_DATA = 6,
    SECTION_EXPECTATION = 7,
    SECTION_SLOT = 8,
    SECTION_SCATTER = 9,
};

/* A kind of section. On the wire each is [id, fields...]. */
struct section {
    enum section_id id;
    uint32_t fields; /* the id among them */
    uint32_t (*wanted)(const struct assignment *assignment);
    void (*put)(const struct assignment *assignment, uint32_t index, struct wire_writer *writer);
    bool (*get)(struct wire_reader *reader, struct assignment *assignment, struct error *error);
};

static void put(struct wire_writer *writer, struct assignment_bytes text)
{
    wire_put_bytes(writer, text.bytes, text.count);
}

static bool get(struct wire_reader *reader, const char *name, size_t most,
                struct assignment_bytes *text, struct error *error)
{
    return wire_get_bytes(reader, name, 0, most, &text->bytes, &text->count, error);
}

/* One more of a list, or an error. */
static bool room(uint32_t count, uint32_t most, const char *name, struct error *error)
{
    return count < most ||
           error_set(error, ERROR_PROTOCOL, PLACE_NONE, "more than %u %s", most, name);
}

static bool once(bool used, const char *name, struct error *error)
{
    return !used ||
           error_set(error, ERROR_PROTOCOL, PLACE_NONE, "the section %s comes twice", name);
}

static uint32_t tls_wanted(const struct assignment *assignment)
{
    return assignment->tls.used;
}

static void tls_put(const struct assignment *assignment, uint32_t index, struct wire_writer *writer)
{
    (void)index;
    const struct assignment_tls *tls = &assignment->tls;
    wire_put_u64(writer, tls->verify);
    wire_put_u64(writer, tls->resumption);
    put(writer, tls->server_name);
    put(writer, tls->authority);
    put(writer, tls->certificate);
    put(writer, tls->key);
}

static bool tls_get(struct wire_reader *reader, struct assignment *assignment, struct error *error)
{
    struct assignment_tls *tls = &assignment->tls;
    if (!once(tls->used, "tls", error))
        return false;
    tls->used = true;
    return wire_get_bool(reader, "tls.verify", &tls->verify, error) &&
           wire_get_bool(reader, "tls.resumption", &tls->resumption, error) &&
           get(reader, "tls.server_name", NAME_BYTES_MAX, &tls->server_name, error) &&
           get(reader, "tls.authority", ASSIGNMENT_BYTES_MAX, &tls->authority, error) &&
           get(reader, "tls.certificate", ASSIGNMENT_BYTES_MAX, &tls->certificate, error) &&
           get(reader, "tls.key", ASSIGNMENT_BYTES_MAX, &tls->key, error);
}

static uint32_t connection_wanted(const struct assignment *assignment)
{
    return assignment->connection.used;
}

static void connection_put(const struct assignment *assignment, uint32_t index,
                           struct wire_writer *writer)
{
    (void)index;
    const struct assignment_connection *connection = &assignment->connection;
    wire_put_u64(writer, connection->connect_timeout_ns);
    wire_put_u64(writer, connection->first_byte_timeout_ns);
    wire_put_u64(writer, connection->lifetime_ns);
    wire_put_u64(writer, connection->requests_max);
    wire_put_u64(writer, connection->resolve_every_ns);
    put(writer, connection->unix_path);
}

static bool connection_get(struct wire_reader *reader, struct assignment *assignment,
                           struct error *error)
{
    struct assignment_connection *connection = &assignment->connection;
    if (!once(connection->used, "connection", error))
        return false;
    connection->used = true;
    return wire_get_u64(reader, "connection.connect_timeout_ns", 0, TIME_NS_MAX,
                        &connection->connect_timeout_ns, error) &&
           wire_get_u64(reader, "connection.first_byte_timeout_ns", 0, TIME_NS_MAX,
                        &connection->first_byte_timeout_ns, error) &&
           wire_get_u64(reader, "connection.lifetime_ns", 0, TIME_NS_MAX, &connection->lifetime_ns,
                        error) &&
           wire_get_u32(reader, "connection.requests_max", 0, UINT32_MAX, &connection->requests_max,
                        error) &&
           wire_get_u64(reader, "connection.resolve_every_ns", 0, TIME_NS_MAX,
                        &connection->resolve_every_ns, error) &&
           get(reader, "connection.unix_path", PATH_BYTES, &connection->unix_path, error);
}

static uint32_t http_wanted(const struct assignment *assignment)
{
    return assignment->http.used;
}

static void http_put(const struct assignment *assignment, uint32_t index,
                     struct wire_writer *writer)
{
    (void)index;
    const struct assignment_http *http = &assignment->http;
    wire_put_u64(writer, http->redirects_max);
    wire_put_u64(writer, http->cookies);
    wire_put_u64(writer, http->think_least_ns);
    wire_put_u64(writer, http->think_most_ns);
    wire_put_u64(writer, http->streams);
}

static bool http_get(struct wire_reader *reader, struct assignment *assignment, struct error *error)
{
    struct assignment_http *http = &assignment->http;
    if (!once(http->used, "http", error))
        return false;
    http->used = true;
    return wire_get_u32(reader, "http.redirects_max", 0, REDIRECTS_MAX, &http->redirects_max,
                        error) &&
           wire_get_bool(reader, "http.cookies", &http->cookies, error) &&
           wire_get_u64(reader, "http.think_least_ns", 0, TIME_NS_MAX, &http->think_least_ns,
                        error) &&
           wire_get_u64(reader, "http.think_most_ns", http->think_least_ns, TIME_NS_MAX,
                        &http->think_most_ns, error) &&
           wire_get_u32(reader, "http.streams", 0, STREAMS_MAX, &http->streams, error);
}

static uint32_t numbering_wanted(const struct assignment *assignment)
{
    return assignment->numbering.used;
}

static void numbering_put(const struct assignment *assignment, uint32_t index,
                          struct wire_writer *writer)
{
    (void)index;
    wire_put_u64(writer, assignment->numbering.total);
}

static bool numbering_get(struct wire_reader *reader, struct assignment *assignment,
                          struct error *error)
{
    struct assignment_numbering *numbering = &assignment->numbering;
    if (!once(numbering->used, "numbering", error))
        return false;
    numbering->used = true;
    return wire_get_u64(reader, "numbering.total", 0, UINT64_MAX, &numbering->total, error);
}

static uint32_t options_wanted(const struct assignment *assignment)
{
    return assignment->options.used;
}

static void options_put(const struct assignment *assignment, uint32_t index,
                        struct wire_writer *writer)
{
    (void)index;
    const struct assignment_options *options = &assignment->options;
    wire_put_u64(writer, options->pipeline);
    put(writer, options->plugin);
    put(writer, options->text);
}

static bool options_get(struct wire_reader *reader, struct assignment *assignment,
                        struct error *error)
{
    struct assignment_options *options = &assignment->options;
    if (!once(options->used, "options", error))
        return false;
    options->used = true;
    return wire_get_u32(reader, "options.pipeline", 0, STREAMS_MAX, &options->pipeline, error) &&
           get(reader, "options.plugin", NAME_BYTES_MAX, &options->plugin, error) &&
           get(reader, "options.text", ASSIGNMENT_BYTES_MAX, &options->text, error);
}

static uint32_t scatter_wanted(const struct assignment *assignment)
{
    return assignment->scatter.used;
}

static void scatter_put(const struct assignment *assignment, uint32_t index,
                        struct wire_writer *writer)
{
    (void)assignment;
    (void)index;
    (void)writer; /* that it is there says all */
}

static bool scatter_get(struct wire_reader *reader, struct assignment *assignment,
                        struct error *error)
{
    (void)reader;
    if (!once(assignment->scatter.used, "scatter", error))
        return false;
    assignment->scatter.used = true;
    return true;
}

static uint32_t data_wanted(const struct assignment *assignment)
{
    return assignment->data_count;
}

static void data_put(const struct assignment *assignment, uint32_t index,
                     struct wire_writer *writer)
{
    const struct assignment_data *data = &assignment->data[index];
    CHECK(data->digest.count == SHA256_BYTES);
    put(writer, data->name);
    wire_put_u64(writer, data->order);
    wire_put_u64(writer, data->byte_count);
    put(writer, data->digest);
}

static bool data_get(struct wire_reader *reader, struct assignment *assignment, struct error *error)
{
    if (!room(assignment->data_count, DATA_FILES_MAX, "data files", error))
        return false;
    struct assignment_data *data = &assignment->data[assignment->data_count++];
    uint32_t order;
    if (!get(reader, "data.name", NAME_BYTES_MAX, &data->name, error) ||
        !wire_get_u32(reader, "data.order", 0, DATA_ORDERS - 1, &order, error) ||
        !wire_get_u64(reader, "data.byte_count", 1, DATA_BYTES_MAX, &data->byte_count, error) ||
        !wire_get_bytes(reader, "data.digest", SHA256_BYTES, SHA256_BYTES, &data->digest.bytes,
                        &data->digest.count, error)) {
        return false;
    }
    data->order = (enum data_order)order;
    return true;
}

static uint32_t expectation_wanted(const struct assignment *assignment)
{
    return assignment->expectation_count;
}

static void expectation_put(const struct assignment *assignment, uint32_t index,
                            struct wire_writer *writer)
{
    const struct assignment_expectation *expectation = &assignment->expectations[index];
    CHECK(expectation->request < assignment->request_count);
    wire_put_u64(writer, expectation->request);
    wire_put_u64(writer, expectation->kind);
    put(writer, expectation->name);
    put(writer, expectation->text);
    wire_put_u64(writer, expectation->least);
    wire_put_u64(writer, expectation->most);
}

static bool expectation_get(struct wire_reader *reader, struct assignment *assignment,
                            struct error *error)
{
    if (!room(assignment->expectation_count, EXPECTATIONS_MAX, "expectations", error))
        return false;
    struct assignment_expectation *expectation =
        &assignment->expectations[assignment->expectation_count++];
    uint32_t kind;
    if (!wire_get_u32(reader, "expectation.request", 0, assignment->request_count - 1,
                      &expectation->request, error) ||
        !wire_get_u32(reader, "expectation.kind", 0, EXPECTATION_KINDS - 1, &kind, error) ||
        !get(reader, "expectation.name", NAME_BYTES_MAX, &expectation->name, error) ||
        !get(reader, "expectation.text", ASSIGNMENT_BYTES_MAX, &expectation->text, error) ||
        !wire_get_u64(reader, "expectation.least", 0, UINT64_MAX, &expectation->least, error) ||
        !wire_get_u64(reader, "expectation.most", expectation->least, UINT64_MAX,
                      &expectation->most, error)) {
        return false;
    }
    expectation->kind = (enum expectation_kind)kind;
    return true;
}

static uint32_t slots_wanted(const struct assignment *assignment)
{
    return assignment->slot_count;
}

/* What is filled in stands in order, within the request, and is of what is there. */
static bool slot_is_sound(const struct assignment *assignment, const struct assignment_slot *slot)
{
    const struct assignment_slot *before = slot > assignment->slots ? slot - 1 : NULL;
    size_t bytes = assignment->requests[slot->request].byte_count;
    bool sorted = before == NULL || before->request < slot->request ||
                  (before->request == slot->request && before->offset <= slot->offset);
    bool there = slot->kind != SLOT_CELL || slot->file < assignment->data_count;
    bool within = slot->kind != SLOT_LENGTH || slot->most <= bytes;
    return sorted && there && within && slot->offset <= bytes;
}

static void slot_put(const struct assignment *assignment, uint32_t index,
                     struct wire_writer *writer)
{
    const struct assignment_slot *slot = &assignment->slots[index];
    CHECK(slot->request < assignment->request_count);
    CHECK(slot->least <= slot->most);
    CHECK(slot_is_sound(assignment, slot));
    wire_put_u64(writer, slot->request);
    wire_put_u64(writer, slot->offset);
    wire_put_u64(writer, slot->kind);
    wire_put_u64(writer, slot->encoded);
    wire_put_u64(writer, slot->file);
    wire_put_u64(writer, slot->column);
    wire_put_u64(writer, slot->least);
    wire_put_u64(writer, slot->most);
}

static bool slot_get(struct wire_reader *reader, struct assignment *assignment, struct error *error)
{
    if (!room(assignment->slot_count, SLOTS_MAX, "slots", error))
        return false;
    struct assignment_slot *slot = &assignment->slots[assignment->slot_count++];
    uint32_t kind;
    if (!wire_get_u32(reader, "slot.request", 0, assignment->request_count - 1, &slot->request,
                      error) ||
        !wire_get_u32(reader, "slot.offset", 0, ASSIGNMENT_BYTES_MAX, &slot->offset, error) ||
        !wire_get_u32(reader, "slot.kind", 0, SLOT_KINDS - 1, &kind, error) ||
        !wire_get_bool(reader, "slot.encoded", &slot->encoded, error) ||
        !wire_get_u32(reader, "slot.file", 0, DATA_FILES_MAX - 1, &slot->file, error) ||
        !wire_get_u32(reader, "slot.column", 0, DATA_COLUMNS_MAX - 1, &slot->column, error) ||
        !wire_get_u64(reader, "slot.least", 0, UINT64_MAX, &slot->least, error) ||
        !wire_get_u64(reader, "slot.most", slot->least, UINT64_MAX, &slot->most, error)) {
        return false;
    }
    slot->kind = (enum slot_kind)kind;
    return slot_is_sound(assignment, slot) ||
           error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                     "slot %u is out of order, or of something that is not there",
                     assignment->slot_count - 1);
}

static const struct section sections[] = {
    {SECTION_TLS, 7, tls_wanted, tls_put, tls_get},
    {SECTION_CONNECTION, 7, connection_wanted, connection_put, connection_get},
    {SECTION_HTTP, 6, http_wanted, http_put, http_get},
    {SECTION_NUMBERING, 2, numbering_wanted, numbering_put, numbering_get},
    {SECTION_OPTIONS, 4, options_wanted, options_put, options_get},
    {SECTION_DATA, 5, data_wanted, data_put, data_get},
    {SECTION_EXPECTATION, 7, expectation_wanted, expectation_put, expectation_get},
    {SECTION_SLOT, 9, slots_wanted, slot_put, slot_get},
    {SECTION_SCATTER, 1, scatter_wanted, scatter_put, scatter_get},
};

uint32_t sections_wanted(const struct assignment *assignment)
{
    uint32_t count = 0;
    for (size_t i = 0; i < COUNT(sections); i++)
        count += sections[i].wanted(assignment);
    return count;
}

void sections_encode(const struct assignment *assignment, struct wire_writer *writer)
{
    wire_put_array(writer, sections_wanted(assignment));
    for (size_t i = 0; i < COUNT(sections); i++) {
        uint32_t wanted = sections[i].wanted(assignment);
        for (uint32_t index = 0; index < wanted; index++) {
            wire_put_array(writer, sections[i].fields);
            wire_put_u64(writer, sections[i].id);
            sections[i].put(assignment, index, writer);
        }
    }
}

static const struct section *section_find(uint32_t id)
{
    for (size_t i = 0; i < COUNT(sections); i++) {
        if (sections[i].id == id)
            return &sections[i];
    }
    return NULL;
}

static bool section_decode(struct wire_reader *reader, struct assignment *assignment,
                           struct error *error)
{
    uint32_t fields, id;
    if (!wire_get_array(reader, "section", 1, WIRE_ELEMENTS_MAX, &fields, error) ||
        !wire_get_u32(reader, "section.id", 0, UINT32_MAX, &id, error))
        return false;
    const struct section *section = section_find(id);
    if (section == NULL || section->fields != fields)
        return error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                         "section %u of %u fields is not known to this release", id, fields);
    return section->get(reader, assignment, error);
}

bool sections_decode(struct wire_reader *reader, struct assignment *assignment, struct error *error)
{
    uint32_t count;
    if (!wire_get_array(reader, "sections", 0, SECTIONS_MAX, &count, error))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!section_decode(reader, assignment, error))
            return false;
    }
    return true;
}
