#include "agent/intake.h"

#include "common/base/check.h"
#include "common/base/units.h"

#include <stdlib.h>
#include <string.h>

#define ASK_AGAIN_NS                                                                               \
    (500 * NS_PER_MS) /* above the round trips there are; costs one when it is lost */
#define SHA256_BYTES 32u

struct file {
    char name[NAME_BYTES_MAX + 1];
    uint8_t *block; /* owned */
    size_t block_bytes;
    uint32_t parts, asked, taken; /* those from `asked` on were never asked for */
};

/* A part under way. */
struct way {
    bool used;
    uint32_t file, part;
    uint64_t asked_ns;
};

struct intake {
    const struct assignment *assignment; /* borrowed */
    uint32_t file_count;
    struct file files[DATA_FILES_MAX];
    struct way ways[DATA_PARTS_ASKED];
};

static bool open_file(struct file *file, const struct assignment_data *data, struct error *error)
{
    CHECK(data->name.count <= NAME_BYTES_MAX);
    memcpy(file->name, data->name.bytes, data->name.count);
    file->block_bytes = (size_t)data->byte_count;
    file->parts = (uint32_t)((file->block_bytes + DATA_PART_BYTES - 1) / DATA_PART_BYTES);
    file->block = malloc(file->block_bytes);
    return file->block != NULL ||
           error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the %zu bytes of data file %s",
                     file->block_bytes, file->name);
}

struct intake *intake_create(const struct assignment *assignment, struct error *error)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < assignment->data_count; i++)
        bytes += assignment->data[i].byte_count;
    if (bytes > DATA_BYTES_MAX_ALL) {
        error_set(error, ERROR_LIMIT, PLACE_NONE,
                  "the data files take %llu bytes together; an agent carries at most %u",
                  (unsigned long long)bytes, DATA_BYTES_MAX_ALL);
        return NULL;
    }
    struct intake *intake = calloc(1, sizeof *intake);
    if (intake == NULL) {
        error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for data files");
        return NULL;
    }
    intake->assignment = assignment;
    intake->file_count = assignment->data_count;
    for (uint32_t i = 0; i < intake->file_count; i++) {
        if (open_file(&intake->files[i], &assignment->data[i], error))
            continue;
        intake_destroy(intake);
        return NULL;
    }
    return intake;
}

void intake_destroy(struct intake *intake)
{
    if (intake == NULL)
        return;
    for (uint32_t i = 0; i < intake->file_count; i++)
        free(intake->files[i].block);
    free(intake);
}

/* The first part that was never asked for. */
static bool next_part(struct intake *intake, struct way *way)
{
    for (uint32_t i = 0; i < intake->file_count; i++) {
        struct file *file = &intake->files[i];
        if (file->asked == file->parts)
            continue;
        *way = (struct way){.used = true, .file = i, .part = file->asked++};
        return true;
    }
    return false;
}

bool intake_ask(struct intake *intake, uint64_t now_ns, struct fetch *fetch)
{
    for (uint32_t i = 0; i < DATA_PARTS_ASKED; i++) {
        struct way *way = &intake->ways[i];
        bool due = way->used ? now_ns >= way->asked_ns + ASK_AGAIN_NS : next_part(intake, way);
        if (!due)
            continue;
        way->asked_ns = now_ns;
        memcpy(fetch->name, intake->files[way->file].name, sizeof fetch->name);
        fetch->part = way->part;
        return true;
    }
    return false;
}

static struct way *find_way(struct intake *intake, const struct data_part *part)
{
    for (uint32_t i = 0; i < DATA_PARTS_ASKED; i++) {
        struct way *way = &intake->ways[i];
        if (way->used && way->part == part->part &&
            strcmp(intake->files[way->file].name, part->name) == 0)
            return way;
    }
    return NULL;
}

static bool check_file(const struct file *file, const struct assignment_data *data,
                       struct error *error)
{
    uint8_t digest[SHA256_BYTES];
    CHECK(data->digest.count == sizeof digest);
    assignment_digest(file->block, file->block_bytes, digest);
    return memcmp(digest, data->digest.bytes, sizeof digest) == 0 ||
           error_set(error, ERROR_PROTOCOL, PLACE_NONE,
                     "data file %s came with another digest than the plan's", file->name);
}

bool intake_take(struct intake *intake, const struct data_part *part, struct error *error)
{
    struct way *way = find_way(intake, part);
    struct data_part wanted;
    if (way == NULL)
        return true; /* it came before */
    struct file *file = &intake->files[way->file];
    CHECK(data_part_of(file->block, file->block_bytes, way->part, &wanted));
    if (part->parts != wanted.parts || part->byte_count != wanted.byte_count)
        return true; /* of something else: what is meant is asked for again */
    memcpy(file->block + (size_t)part->part * DATA_PART_BYTES, part->bytes, part->byte_count);
    way->used = false;
    file->taken++;
    return file->taken < file->parts ||
           check_file(file, &intake->assignment->data[way->file], error);
}

bool intake_is_whole(const struct intake *intake)
{
    for (uint32_t i = 0; i < intake->file_count; i++)
        if (intake->files[i].taken < intake->files[i].parts)
            return false;
    return true;
}

const uint8_t *intake_block(const struct intake *intake, uint32_t file)
{
    CHECK(file < intake->file_count);
    CHECK(intake_is_whole(intake));
    return intake->files[file].block;
}
