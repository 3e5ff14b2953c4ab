#include "agent/staffing.h"

void staffing_see(struct staffing *staffing, uint64_t now_ns, uint32_t demand, uint32_t own_late)
{
    if (own_late > 0)
        staffing->calm_ns = now_ns + STAFFING_CALM_NS;
    if (now_ns >= staffing->calm_ns && demand > staffing->peak)
        staffing->peak = demand;
}

void staffing_tick(struct staffing *staffing, uint32_t cap)
{
    staffing->peaks[staffing->next] = staffing->peak < cap ? staffing->peak : cap;
    staffing->next = (staffing->next + 1) % STAFFING_TICKS;
    staffing->peak = 0;
}

uint32_t staffing_pool(const struct staffing *staffing, uint32_t floor, uint32_t cap)
{
    uint32_t pool = floor;
    for (uint32_t i = 0; i < STAFFING_TICKS; i++) {
        if (staffing->peaks[i] > pool)
            pool = staffing->peaks[i];
    }
    return pool < cap ? pool : cap;
}
