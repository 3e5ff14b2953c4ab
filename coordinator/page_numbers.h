/** Numbers as the page and the summary write them: three significant digits, thin no-break spaces
 *  between thousands, a no-break space before a unit and none before "/s". The same rules as
 *  page/numbers.js. Pure. Each writes into `text[PAGE_NUMBER_BYTES]` and returns it. */
#ifndef CLOBBER_COORDINATOR_PAGE_NUMBERS_H
#define CLOBBER_COORDINATOR_PAGE_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_NUMBER_BYTES 64u

/** "296 414". */
const char *page_count(uint64_t count, char *text);
/** "4 950", "49.5": whole from 100 on; without its "/s". */
const char *page_rate(double rate_per_s, char *text);
/** "50.7 ms", "380 µs", "1.21 s", "2 min 5 s". */
const char *page_time(uint64_t time_ns, char *text);
/** "60 s", "2.5 s": a length of time that somebody chose, without zeros that say nothing. */
const char *page_length(uint64_t time_ns, char *text);
/** "0.053 %", "99 %"; what is not zero never shows as zero, nor as 100 % what is less. */
const char *page_share(double share, char *text);
/** "00:21", "00:00.4" where tenths matter, "1:02:03" from an hour on. */
const char *page_clock(uint64_t time_ns, char *text);

#endif
