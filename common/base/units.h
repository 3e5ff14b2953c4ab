/** "250ms", "10k/s", "64KiB", "0.1%" to numbers, and back. Pure. */
#ifndef CLOBBER_BASE_UNITS_H
#define CLOBBER_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#define UNITS_TEXT_BYTES 48u

/** Each reads all of `text` and nothing else; false leaves the result untouched. No sign, no blank
 *  but around it, no exponent; decimals are fine ("1.5s").
 *  Duration, to the nearest ns: ns, us, ms, s, m, h, also in descending rows ("1h30m"); a unit is
 *  required, bare 0 is fine.
 *  Rate: number, optional k or M, then /s, /min or /h; result per second.
 *  Size: number, then B, kB, MB, GB (thousands), KiB, MiB, GiB, or nothing (bytes).
 *  Share: "0.1%" or a bare number from 0 to 1; result 0 to 1. */
bool units_read_duration(const char *text, uint64_t *duration_ns);
bool units_read_rate(const char *text, double *rate_per_s);
bool units_read_size(const char *text, uint64_t *size_bytes);
bool units_read_share(const char *text, double *share);
/** A plain number: decimals, optional k or M suffix. */
bool units_read_number(const char *text, double *number);
/** A plain whole number, 0 to UINT64_MAX. */
bool units_read_count(const char *text, uint64_t *count);

/** How the screens show a duration: three significant digits, two below 1 ms, and in ms below 1 s
 *  ("10.8ms", "0.23ms", "121ms", "1.09s", "2m05s", "1h13m"); zero is "0ms".
 *  Into `text[UNITS_TEXT_BYTES]`, as all below; returns `text`. */
const char *units_show_latency(uint64_t duration_ns, char *text);
/** How plans show a duration: exact, so that it reads back; in minutes from two minutes on
 *  ("250ms", "1.5s", "60s", "5m", "1h30m"). */
const char *units_show_duration(uint64_t duration_ns, char *text);
/** "5000/s", "0.5/s", "4999.6/s": at most `decimals`, trailing zeros dropped. */
const char *units_show_rate(double rate_per_s, int decimals, char *text);
/** "0.054 %", "12 %", "99.99 %": of a share, three significant digits at most, four from 99 % to
 *  100 %; what is not zero never shows as "0 %". */
const char *units_show_share(double share, char *text);
/** "64KiB" when whole, else bytes "1000B". */
const char *units_show_size(uint64_t size_bytes, char *text);

/** The one of `words[count]` nearest to `word` by edit distance, or NULL when none is near
 *  (distance above 2 and above a third of its length, or nothing of it would stay). For "did you
 *  mean". */
const char *units_nearest(const char *word, const char *const *words, size_t count);

#endif
