/** One line per event, key=value, to stderr. Called by shells only; a core returns errors. */
#ifndef CLOBBER_BASE_LOG_H
#define CLOBBER_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/** Lines above `level` are not written. Default: LOG_WARNING. Call before threads start. */
void log_set_level(enum log_level level);

/** Writes one line "clobber: LEVEL sentence" (printf style) in one write; control characters in
 *  it are shown as \xNN, so that a peer's bytes cannot drive the terminal. Thread-safe. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
