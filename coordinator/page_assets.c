#include "coordinator/page_assets.h"

/* The assembler reads the files as they are: no tool makes C of them. The names are global, for the
 * link-time optimiser may take this and who uses it apart. */
#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".globl page_embedded_" #name ", page_embedded_" #name "_end\n"                        \
            ".hidden page_embedded_" #name ", page_embedded_" #name "_end\n"                       \
            "page_embedded_" #name ": .incbin \"" path "\"\n"                                      \
            "page_embedded_" #name "_end:\n"                                                       \
            ".popsection\n");                                                                      \
    extern const char page_embedded_##name[] __attribute__((visibility("hidden")));                \
    extern const char page_embedded_##name##_end[] __attribute__((visibility("hidden")));          \
    struct page_asset page_##name(void)                                                            \
    {                                                                                              \
        return (struct page_asset){page_embedded_##name,                                           \
                                   (size_t)(page_embedded_##name##_end - page_embedded_##name)};   \
    }

EMBED(template, PAGE_FOLDER "/page.html")
EMBED(style, PAGE_FOLDER "/page.css")
EMBED(script, PAGE_FOLDER "/page.js")
