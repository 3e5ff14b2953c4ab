#include "agent/share.h"

#include "common/base/check.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t share_workers(uint64_t total_milli, uint32_t count, uint32_t index)
{
    CHECK(index < count);
    uint64_t whole = total_milli / 1000u;
    uint64_t part = (whole / count + (index < whole % count)) * 1000u;
    return index == whole % count ? part + total_milli % 1000u : part;
}

uint64_t share_rate(uint64_t total_milli, uint32_t count, uint32_t index)
{
    CHECK(index < count);
    return total_milli / count + (index < total_milli % count);
}

void share_grant(struct share *shares, uint32_t count, uint64_t total_milli)
{
    uint64_t held_milli = 0;
    for (uint32_t i = 0; i < count; i++)
        held_milli += shares[i].held_milli;
    for (uint32_t i = 0; i < count; i++) {
        struct share *share = &shares[i];
        uint64_t part = share_workers(total_milli, count, i);
        if (part > share->held_milli) {
            uint64_t room = total_milli > held_milli ? total_milli - held_milli : 0;
            uint64_t more = smaller(part - share->held_milli, room);
            share->held_milli += more;
            held_milli += more;
        }
        share->granted_milli = smaller(part, share->held_milli);
    }
}

void share_seen(struct share *share, uint32_t in_flight)
{
    uint64_t running_milli = in_flight * UINT64_C(1000);
    share->held_milli = running_milli > share->granted_milli ? running_milli : share->granted_milli;
}

bool share_complete(const struct share *shares, uint32_t count, uint64_t total_milli)
{
    for (uint32_t i = 0; i < count; i++) {
        if (shares[i].granted_milli < share_workers(total_milli, count, i))
            return false;
    }
    return true;
}

uint32_t share_carrying(const struct share *shares, uint32_t count)
{
    uint32_t carrying = 0;
    while (carrying < count && shares[carrying].granted_milli > 0)
        carrying++;
    return carrying > 0 ? carrying : 1;
}
