/** The page's sources, joined when this was built (coordinator/page/). */
#ifndef CLOBBER_COORDINATOR_PAGE_ASSETS_H
#define CLOBBER_COORDINATOR_PAGE_ASSETS_H

#include <stddef.h>

struct page_asset {
    const char *text; /* static; no NUL behind it */
    size_t text_bytes;
};

struct page_asset page_template(void); /* HTML with {{places}} */
struct page_asset page_style(void);
struct page_asset page_script(void);

#endif
