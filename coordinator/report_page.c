#include "common/base/base64.h"
#include "common/base/harmless.h"
#include "common/base/units.h"
#include "coordinator/json.h"
#include "coordinator/page_assets.h"
#include "coordinator/page_data.h"
#include "coordinator/report_formats.h"
#include "coordinator/run_facts.h"
#include "proto/sha256.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* One page being written. */
struct page {
    const struct run_record *record;
    struct run_facts facts;
    FILE *stream;
    struct error *error;
};

static void put(const struct page *page, const char *text)
{
    char shown[8 * FACTS_TEXT_BYTES];
    fputs(harmless_html(text, shown, sizeof shown), page->stream);
}

static void put_asset(const struct page *page, struct page_asset asset)
{
    fwrite(asset.text, 1, asset.text_bytes, page->stream);
}

static void put_hash(const struct page *page, struct page_asset asset)
{
    uint8_t digest[SHA256_BYTES];
    char text[BASE64_BYTES(SHA256_BYTES)];
    sha256(asset.text, asset.text_bytes, digest);
    fprintf(page->stream, "'sha256-%s'", base64_encode(digest, sizeof digest, text));
}

static void put_title(const struct page *page)
{
    fprintf(page->stream, "%s ", page->facts.word);
    put(page, json_get_text(page->record->result, "name"));
}

static void put_run(const struct page *page)
{
    const json_t *result = page->record->result;
    char text[PAGE_NUMBER_BYTES];
    size_t agents = json_array_size(json_get(result, "agents"));
    fputs("<b>clobber</b>", page->stream);
    const char *const words[] = {
        json_get_text(result, "name"), json_get_text(json_get(result, "goal"), "text"),
        json_get_text(result, "target"), json_get_text(result, "started_at")};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        fputs("<span>", page->stream);
        put(page, words[i]);
        fputs("</span>", page->stream);
    }
    fprintf(page->stream, "<span>%zu agent%s</span>", agents, agents == 1 ? "" : "s");
    uint64_t warmup_ns = json_get_count(result, "warmup_ns");
    fprintf(page->stream, "<span>%s", page_length(json_get_count(result, "duration_ns"), text));
    if (warmup_ns > 0)
        fprintf(page->stream, ", first %s not counted", page_length(warmup_ns, text));
    fputs("</span>", page->stream);
}

static void put_verdict(const struct page *page)
{
    static const char *const states[] = {
        [FACTS_PASS] = "pass", [FACTS_FAIL] = "fail", [FACTS_DOUBT] = "doubt"};
    static const char *const glyphs[] = {[FACTS_PASS] = "M6 17l7 7L27 8",
                                         [FACTS_FAIL] = "M8 8l16 16M24 8L8 24",
                                         [FACTS_DOUBT] = "M16 6v12M16 25v.5"};
    const struct run_facts *facts = &page->facts;
    fprintf(page->stream,
            "<section class=\"verdict %s\" aria-labelledby=\"word\">\n"
            "<p class=\"stamp\"><svg aria-hidden=\"true\" viewBox=\"0 0 32 32\"><path d=\"%s\"/>"
            "</svg><strong id=\"word\">%s</strong></p>\n<h1 id=\"sentence\">",
            states[facts->state], glyphs[facts->state], facts->word);
    put(page, facts->sentence);
    fputs("</h1>\n<ul class=\"evidence\">\n", page->stream);
    for (uint32_t i = 0; i < facts->evidence_count; i++) {
        fprintf(page->stream, "<li>%s <b>", facts->evidence[i].name);
        put(page, facts->evidence[i].text);
        fputs("</b></li>\n", page->stream);
    }
    fputs("</ul>\n</section>\n", page->stream);
}

static void put_figures(const struct page *page)
{
    fputs("<dl class=\"figures\" aria-label=\"Headline figures\">\n", page->stream);
    for (size_t i = 0; i < FACTS_FIGURES; i++) {
        const struct facts_figure *figure = &page->facts.figures[i];
        fprintf(page->stream, "<div><dt>%s</dt><dd class=\"v\">%s<small>%s</small></dd>",
                figure->name, figure->value, figure->unit);
        for (size_t j = 0; j < sizeof figure->notes / sizeof figure->notes[0]; j++) {
            fputs("<dd class=\"s\">", page->stream);
            put(page, figure->notes[j]);
            fputs("</dd>", page->stream);
        }
        fputs("</div>\n", page->stream);
    }
    fputs("</dl>\n", page->stream);
}

static void put_event(const struct page *page, uint32_t index)
{
    char at[PAGE_NUMBER_BYTES];
    const struct run_facts *facts = &page->facts;
    fputs("<li>", page->stream);
    if (facts->numbers[index] > 0)
        fprintf(page->stream, "<span class=\"n\">%u</span>", facts->numbers[index]);
    fprintf(page->stream, "<time>%s</time><span>", page_clock(facts->began_ns[index], at));
    put(page, page->record->events[index].sentence);
    fputs("</span></li>\n", page->stream);
}

/* Those with a number are in sight, the rest behind a fold. */
static void put_events(const struct page *page)
{
    const struct run_record *record = page->record;
    uint32_t more = 0;
    fputs("<ol class=\"events\">\n", page->stream);
    for (uint32_t i = 0; i < record->event_count; i++) {
        if (page->facts.numbers[i] > 0)
            put_event(page, i);
        else
            more++;
    }
    fputs("</ol>\n", page->stream);
    if (more == 0)
        return;
    fprintf(page->stream,
            "<details class=\"more\"><summary>%u more event%s</summary>"
            "<ol class=\"events\">\n",
            more + record->events_more, more + record->events_more == 1 ? "" : "s");
    for (uint32_t i = 0; i < record->event_count; i++)
        if (page->facts.numbers[i] == 0)
            put_event(page, i);
    fputs("</ol></details>\n", page->stream);
}

static void put_style(const struct page *page)
{
    put_asset(page, page_style());
}

static void put_script(const struct page *page)
{
    put_asset(page, page_script());
}

static void put_style_hash(const struct page *page)
{
    put_hash(page, page_style());
}

static void put_script_hash(const struct page *page)
{
    put_hash(page, page_script());
}

static void put_data(const struct page *page)
{
    page_data_write(page->record, &page->facts, page->stream, page->error);
}

/* What stands at the {{places}} of page/page.html. */
static const struct part {
    const char *name;
    void (*put)(const struct page *page);
} parts[] = {
    {"title", put_title},
    {"run", put_run},
    {"verdict", put_verdict},
    {"figures", put_figures},
    {"events", put_events},
    {"style", put_style},
    {"style hash", put_style_hash},
    {"script", put_script},
    {"script hash", put_script_hash},
    {"data", put_data},
};

static void put_part(const struct page *page, const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strlen(parts[i].name) == name_bytes && memcmp(parts[i].name, name, name_bytes) == 0)
            parts[i].put(page);
}

static void put_page(const struct page *page)
{
    struct page_asset template = page_template();
    const char *at = template.text;
    const char *end = at + template.text_bytes;
    while (at < end) {
        const char *open = memmem(at, (size_t)(end - at), "{{", 2);
        const char *close = open != NULL ? memmem(open, (size_t)(end - open), "}}", 2) : NULL;
        if (close == NULL)
            break;
        fwrite(at, 1, (size_t)(open - at), page->stream);
        put_part(page, open + 2, (size_t)(close - open - 2));
        at = close + 2;
    }
    fwrite(at, 1, (size_t)(end - at), page->stream);
}

bool report_as_html(const struct run_record *record, FILE *stream, struct error *error)
{
    struct page *page = malloc(sizeof *page);
    if (page == NULL)
        return error_set(error, ERROR_MEMORY, PLACE_NONE, "no memory for the page");
    *page = (struct page){.record = record, .stream = stream, .error = error};
    run_facts_fill(record, &page->facts);
    put_page(page);
    free(page);
    return !ferror(stream) || error_set(error, ERROR_SYSTEM, PLACE_NONE, "cannot write the page");
}
