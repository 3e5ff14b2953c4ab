#include "coordinator/plan.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "coordinator/plan_command.h"
#include "coordinator/plan_expect.h"
#include "coordinator/plan_headers.h"
#include "coordinator/plan_table.h"
#include "coordinator/yaml.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DECIMALS_MAX 17 /* as many as a double has digits */
#define INDENT       2

/* What prints, and how deep it stands. */
struct printer {
    const struct plan *plan;
    FILE *stream;
    int depth;
    bool item; /* the next line begins an item of a list */
};

static const void *field_of(const struct plan_key *key, const void *object)
{
    return (const char *)object + key->offset;
}

static uint32_t count_of(const struct plan_key *key, const void *object)
{
    return *(const uint32_t *)(const void *)((const char *)object + key->count_offset);
}

static const char *text_of(const struct plan_key *key, const void *object)
{
    return *(char *const *)field_of(key, object);
}

/* The fewest decimals that read back to the same; per minute or hour where that is what was
 * written. */
static const char *rate_text(double rate_per_s, char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"/s", 1.0}, {"/min", 60.0}, {"/h", 3600.0}};
    char digits[UNITS_TEXT_BYTES];
    for (int decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
        for (size_t i = 0; i < COUNT(units); i++) {
            double read;
            snprintf(digits, sizeof digits, "%.*f", decimals, rate_per_s * units[i].seconds);
            snprintf(text, UNITS_TEXT_BYTES, "%.40s%s", digits, units[i].unit);
            if (units_read_rate(text, &read) && read == rate_per_s)
                return text;
        }
    }
    return units_show_rate(rate_per_s, 6, text);
}

static const char *share_text(double share, char *text)
{
    for (int decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
        double read;
        snprintf(text, UNITS_TEXT_BYTES, "%.*f%%", decimals, share * 100.0);
        if (units_read_share(text, &read) && read == share)
            return text;
    }
    snprintf(text, UNITS_TEXT_BYTES, "%.17f", share);
    return text;
}

/* Whether YAML takes the text as one plain scalar, in a list and in braces too, and people as text.
 */
static bool is_plain(const char *text, size_t text_bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char inside[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+";
    if (text_bytes == 0 || strspn(text, inside) != text_bytes || strcasecmp(text, "null") == 0)
        return false;
    return strchr(letters, text[0]) != NULL || text[0] == '/';
}

/* Inside double quotes. What YAML might fold, or a terminal act upon, is escaped. */
static void print_escaped(uint32_t code, const char *text, size_t length, FILE *stream)
{
    if (code == '"' || code == '\\')
        fprintf(stream, "\\%c", (char)code);
    else if (code == '\n')
        fputs("\\n", stream);
    else if (code == '\r')
        fputs("\\r", stream);
    else if (code == '\t')
        fputs("\\t", stream);
    else if (code < 0x20 || (code >= 0x7F && code <= 0xA0))
        fprintf(stream, "\\x%02" PRIX32, code);
    else if ((code >= 0x2000 && code <= 0x206F) || code == 0x61C ||
             (code >= 0xFEFF && code <= 0xFFFF))
        fprintf(stream, "\\u%04" PRIX32, code);
    else
        fwrite(text, 1, length, stream);
}

static void print_text(const char *text, size_t text_bytes, FILE *stream)
{
    if (is_plain(text, text_bytes)) {
        fwrite(text, 1, text_bytes, stream);
        return;
    }
    fputc('"', stream);
    for (size_t at = 0; at < text_bytes;) {
        uint32_t code;
        size_t length = utf8_read(text + at, text_bytes - at, &code);
        CHECK(length > 0); /* all text of a plan is UTF-8 */
        print_escaped(code, text + at, length, stream);
        at += length;
    }
    fputc('"', stream);
}

static uint64_t count_field(const struct plan_key *key, const void *object)
{
    const void *field = field_of(key, object);
    if (key->bytes == sizeof(uint16_t))
        return *(const uint16_t *)field;
    if (key->bytes == sizeof(uint32_t))
        return *(const uint32_t *)field;
    return *(const uint64_t *)field;
}

static void print_headers(const char *headers, FILE *stream)
{
    struct header header;
    const char *separator = "{";
    while (header_next(&headers, &header)) {
        fputs(separator, stream);
        char *name = strndup(header.name, header.name_bytes);
        CHECK(name != NULL);
        print_text(name, header.name_bytes, stream);
        free(name);
        fputs(": ", stream);
        print_text(header.value, header.value_bytes, stream);
        separator = ", ";
    }
    fputs("}", stream);
}

static void print_command(const char *bytes, uint32_t byte_count, FILE *stream)
{
    const char *end = bytes + byte_count;
    const char *separator = "[";
    for (struct command_word word; command_next(&bytes, end, &word); separator = ", ") {
        fputs(separator, stream);
        print_text(word.text, word.bytes, stream);
    }
    fputs("]", stream);
}

static void print_payload(const struct plan_key *key, const struct plan_request *request,
                          FILE *stream)
{
    const char *file = request->payload_file;
    if (file[0] == '\0') {
        print_text(text_of(key, request), count_of(key, request), stream);
        return;
    }
    fputs("{file: ", stream);
    print_text(file, strlen(file), stream);
    fputs("}", stream);
}

static void print_variables(const struct plan *plan, FILE *stream)
{
    for (uint32_t i = 0; i < plan->variable_count; i++) {
        const struct plan_variable *variable = &plan->variables[i];
        fprintf(stream, "%s%s: ", i == 0 ? "{" : ", ", variable->name);
        print_text(variable->value, variable->value_bytes, stream);
    }
    fputs("}", stream);
}

static void print_duration(uint64_t duration_ns, FILE *stream)
{
    char text[UNITS_TEXT_BYTES];
    fputs(duration_ns == 0 ? "0" : units_show_duration(duration_ns, text), stream);
}

static void print_goal(const struct plan *plan, double value, FILE *stream)
{
    char text[UNITS_TEXT_BYTES];
    if (plan->goal == GOAL_HOLD)
        fputs(rate_text(value, text), stream);
    else
        fprintf(stream, "%.0f", value);
}

static void print_value(const struct printer *printer, const struct plan_key *key,
                        const void *object)
{
    FILE *stream = printer->stream;
    char text[UNITS_TEXT_BYTES];
    unsigned word;
    switch (key->type) {
    case PLAN_VERSION:
        fputs(key->preset, stream);
        break;
    case PLAN_TEXT:
    case PLAN_TARGET:
        print_text(text_of(key, object), strlen(text_of(key, object)), stream);
        break;
    case PLAN_BYTES:
        print_text(text_of(key, object), count_of(key, object), stream);
        break;
    case PLAN_COMMAND:
        print_command(text_of(key, object), count_of(key, object), stream);
        break;
    case PLAN_PAYLOAD:
        print_payload(key, object, stream);
        break;
    case PLAN_VARIABLES:
        print_variables(printer->plan, stream);
        break;
    case PLAN_METHOD:
        print_text(((const struct plan_request *)object)->path,
                   strlen(((const struct plan_request *)object)->path), stream);
        break;
    case PLAN_STATUSES:
    case PLAN_SIZES:
    case PLAN_SPAN:
        plan_expect_print(key, field_of(key, object), stream);
        break;
    case PLAN_EXPECTED:
    case PLAN_HEADERS:
        print_headers(text_of(key, object), stream);
        break;
    case PLAN_COUNT:
        fprintf(stream, "%" PRIu64, count_field(key, object));
        break;
    case PLAN_DURATION:
        print_duration(*(const uint64_t *)field_of(key, object), stream);
        break;
    case PLAN_SHARE:
        fputs(share_text(*(const double *)field_of(key, object), text), stream);
        break;
    case PLAN_BOOL:
        fputs(*(const bool *)field_of(key, object) ? "true" : "false", stream);
        break;
    case PLAN_WORD:
        memcpy(&word, field_of(key, object), sizeof word);
        fputs(key->words[word], stream);
        break;
    case PLAN_RATE:
    case PLAN_WORKERS:
        if (printer->plan->schedule.stage_count > 0)
            fputs("stages", stream);
        else
            print_goal(printer->plan, *(const double *)field_of(key, object), stream);
        break;
    case PLAN_OBJECTIVE:
        fputs(key->words[0], stream);
        break;
    case PLAN_STAGE_TO:
        print_goal(printer->plan, *(const double *)field_of(key, object), stream);
        break;
    case PLAN_THRESHOLD:
    case PLAN_BOUND:
        fputs(((const struct threshold *)object)->text, stream);
        break;
    case PLAN_MAP:
    case PLAN_LIST:
    case PLAN_NAMED:
    case PLAN_LATER:
        CHECK(false); /* these are no values */
    }
}

/* Whether there is something to print for `key`; what has no default and was not given is not. */
static bool is_present(const struct plan *plan, const struct plan_key *key, const void *object)
{
    if (!plan_key_applies(key, plan, plan->schedule.stage_count > 0))
        return false;
    const struct plan_key *child = NULL;
    switch (key->type) {
    case PLAN_LATER:
        return false;
    case PLAN_MAP:
        while ((child = plan_key_next(key->path, child)) != NULL) {
            if (is_present(plan, child, object))
                return true;
        }
        return false;
    case PLAN_LIST:
    case PLAN_NAMED:
    case PLAN_VARIABLES:
    case PLAN_BYTES:
    case PLAN_COMMAND:
        return count_of(key, object) > 0;
    case PLAN_PAYLOAD:
        return count_of(key, object) > 0 ||
               ((const struct plan_request *)object)->payload_file[0] != '\0';
    case PLAN_STATUSES:
    case PLAN_SIZES:
    case PLAN_SPAN:
        return plan_expect_given(key, field_of(key, object));
    case PLAN_TEXT:
    case PLAN_EXPECTED:
    case PLAN_HEADERS:
        return text_of(key, object)[0] != '\0';
    case PLAN_METHOD:
        return strcasecmp(((const struct plan_request *)object)->method, plan_key_word(key)) == 0;
    case PLAN_RATE:
        return plan->goal == GOAL_HOLD;
    case PLAN_WORKERS:
        return plan->goal == GOAL_CONCURRENCY;
    case PLAN_OBJECTIVE:
        return plan_searches(plan);
    case PLAN_COUNT:
        return key->preset != NULL || count_field(key, object) > 0;
    default:
        return true;
    }
}

/* The blanks before a line, or the dash of an item in their place. */
static void print_margin(struct printer *printer)
{
    if (printer->item)
        fprintf(printer->stream, "%*s- ", (printer->depth - 1) * INDENT, "");
    else
        fprintf(printer->stream, "%*s", printer->depth * INDENT, "");
    printer->item = false;
}

static void print_section(struct printer *printer, const char *section, const void *object);

static void print_list(struct printer *printer, const struct plan_key *key, const void *object)
{
    const char *item = field_of(key, object);
    printer->depth += 2; /* the dash, and what stands behind it */
    for (uint32_t i = 0; i < count_of(key, object); i++, item += key->element_bytes) {
        printer->item = true;
        if (key->element == PLAN_MAP) {
            print_section(printer, key->path, item);
        } else {
            struct plan_key element = *key;
            element.type = key->element;
            print_margin(printer);
            print_value(printer, &element, item);
            fputc('\n', printer->stream);
        }
    }
    printer->depth -= 2;
}

static void print_named(struct printer *printer, const struct plan_key *key, const void *object)
{
    const char *item = field_of(key, object);
    printer->depth++;
    for (uint32_t i = 0; i < count_of(key, object); i++, item += key->element_bytes) {
        print_margin(printer);
        fprintf(printer->stream, "%s:\n", *(char *const *)(const void *)item);
        printer->depth++;
        print_section(printer, key->path, item);
        printer->depth--;
    }
    printer->depth--;
}

static void print_section(struct printer *printer, const char *section, const void *object)
{
    const struct plan_key *key = NULL;
    while ((key = plan_key_next(section, key)) != NULL) {
        if (!is_present(printer->plan, key, object))
            continue;
        print_margin(printer);
        fprintf(printer->stream, "%s:", plan_key_word(key));
        if (key->type == PLAN_MAP || key->type == PLAN_LIST || key->type == PLAN_NAMED) {
            fputc('\n', printer->stream);
            if (key->type != PLAN_MAP) {
                (key->type == PLAN_LIST ? print_list : print_named)(printer, key, object);
                continue;
            }
            printer->depth++;
            print_section(printer, key->path, object);
            printer->depth--;
        } else {
            fputc(' ', printer->stream);
            print_value(printer, key, object);
            fputc('\n', printer->stream);
        }
    }
}

void plan_print(const struct plan *plan, FILE *stream)
{
    struct printer printer = {.plan = plan, .stream = stream};
    print_section(&printer, "", plan);
    for (uint32_t i = 0; i < plan->secret_count; i++)
        fprintf(stream, "# %s is ***\n", plan->secrets[i].reference);
}

/* "`5s`", "required", "-": what a key is when nobody gives it. */
static void print_preset(const struct plan_key *key, FILE *stream)
{
    if (key->required && key->counted_out)
        fprintf(stream, "**required**; %s", key->preset_words);
    else if (key->required)
        fputs("**required**", stream);
    else if (key->preset != NULL)
        fprintf(stream, "`%s`", key->preset);
    else if (key->preset_words != NULL)
        fputs(key->preset_words, stream);
    else
        fputs("-", stream);
}

void plan_print_reference(FILE *stream)
{
    size_t count;
    const struct plan_key *keys = plan_keys(&count);
    fputs("| key | takes | default | meaning |\n|---|---|---|---|\n", stream);
    for (size_t i = 0; i < count; i++) {
        char allowed[320];
        if (keys[i].type == PLAN_LATER) {
            fprintf(stream, "| `%s` | - | - | Not built in this release: %s. |\n", keys[i].path,
                    keys[i].doc);
            continue;
        }
        fprintf(stream, "| `%s` | %s | ", keys[i].path,
                plan_key_allowed(&keys[i], NULL, allowed, sizeof allowed));
        print_preset(&keys[i], stream);
        fprintf(stream, " | %s", keys[i].doc);
        if (keys[i].when != WHEN_ALWAYS)
            fprintf(stream, " Goes with %s.", plan_when_words(keys[i].when));
        fputs(" |\n", stream);
    }
}

static const char *search_text(const struct plan *plan, char *text, size_t text_bytes)
{
    size_t used = (size_t)snprintf(text, text_bytes, "maximize throughput");
    for (uint32_t i = 0; i < plan->bound_count && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, " %s %s", i == 0 ? "while" : "and",
                                 plan->bounds[i].text);
    return text;
}

const char *plan_goal_text(const struct plan *plan, char *text, size_t text_bytes)
{
    if (plan_searches(plan))
        return search_text(plan, text, text_bytes);
    const struct schedule *schedule = &plan->schedule;
    double highest = schedule->value;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        if (i == 0 || schedule->stages[i].to > highest)
            highest = schedule->stages[i].to;
    }
    char value[UNITS_TEXT_BYTES];
    if (plan->goal == GOAL_HOLD)
        rate_text(highest, value);
    else
        snprintf(value, sizeof value, "%.0f", highest);
    const char *goal = plan->goal == GOAL_HOLD ? "hold" : "concurrency";
    if (schedule->stage_count == 0)
        snprintf(text, text_bytes, "%s %s", goal, value);
    else
        snprintf(text, text_bytes, "%s 0 to %s in %u stage%s", goal, value, schedule->stage_count,
                 schedule->stage_count == 1 ? "" : "s");
    return text;
}
