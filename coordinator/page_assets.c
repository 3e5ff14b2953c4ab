#include "coordinator/page_assets.h"

/* The assembler reads the files as they are: no tool makes C of them. Global, for link-time
 * optimisation may put the assembler's part and the functions into different objects. */
#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".globl embedded_" #name ", embedded_" #name "_end\n"                                  \
            ".hidden embedded_" #name ", embedded_" #name "_end\n"                                 \
            "embedded_" #name ": .incbin \"" path "\"\n"                                           \
            "embedded_" #name "_end:\n"                                                            \
            ".popsection\n");                                                                      \
    extern const char embedded_##name[] __attribute__((visibility("hidden")));                     \
    extern const char embedded_##name##_end[] __attribute__((visibility("hidden")));               \
    struct page_asset page_##name(void)                                                            \
    {                                                                                              \
        return (struct page_asset){embedded_##name,                                                \
                                   (size_t)(embedded_##name##_end - embedded_##name)};             \
    }

EMBED(template, PAGE_FOLDER "/page.html")
EMBED(style, PAGE_FOLDER "/page.css")
EMBED(script, PAGE_FOLDER "/page.js")
