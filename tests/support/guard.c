#include "tests/support/guard.h"

#include "common/base/check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard guard_open(size_t capacity)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t pages = capacity / page_bytes + 1;
    struct guard guard = {.mapped_bytes = (pages + 1) * page_bytes, .capacity = pages * page_bytes};
    void *memory =
        mmap(NULL, guard.mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    guard.memory = memory;
    CHECK(mprotect(guard.memory + guard.capacity, page_bytes, PROT_NONE) == 0);
    return guard;
}

void guard_close(struct guard *guard)
{
    CHECK(munmap(guard->memory, guard->mapped_bytes) == 0);
    *guard = (struct guard){0};
}

uint8_t *guard_copy(struct guard *guard, const void *bytes, size_t count)
{
    CHECK(count <= guard->capacity);
    uint8_t *copy = guard->memory + guard->capacity - count;
    if (count > 0)
        memcpy(copy, bytes, count);
    return copy;
}
