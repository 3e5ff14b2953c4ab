/** Text from networks, targets, plans and files, made harmless where it reaches a person: one place
 *  for every sink. Pure. */
#ifndef CLOBBER_BASE_HARMLESS_H
#define CLOBBER_BASE_HARMLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** For a terminal, a log, a sentence: copies `source` into `text[text_bytes]` with C0, C1, DEL,
 *  bidi controls, line separators and bad UTF-8 shown as \xNN; cut between characters when there is
 *  no room. Returns `text`. */
const char *harmless_text(const char *source, char *text, size_t text_bytes);

/** For a cell of a CSV file: as harmless_text(), quoted when it holds a comma, a quote or a blank
 * at its ends, and with ' before what a spreadsheet would take for a formula (= + - @, and what was
 * a tab). A number is left alone. `text_bytes` of 4 * strlen(source) + 4 always holds it; when
 * there is less room the cell is cut, and closed. Returns `text`. */
const char *harmless_cell(const char *source, char *text, size_t text_bytes);

/** For the text of an HTML element or a quoted attribute: as harmless_text(), and & < > " ' as
 *  entities. Returns `text`. */
const char *harmless_html(const char *source, char *text, size_t text_bytes);

/** For JSON inside <script>: writes `json`, whose strings keep their meaning, with < > & and all
 * that is unsafe in a terminal as \uNNNN, so that no string can end the element. False: the stream
 * failed. */
bool harmless_script(FILE *stream, const char *json);

#endif
