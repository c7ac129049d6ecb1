/* SPDX-License-Identifier: MIT */
/* What tests of the arena share: is its heap whole? */
#ifndef HOCKET_UNIT_HEAPS_H
#define HOCKET_UNIT_HEAPS_H

#include <stdlib.h>
#include <sys/mman.h>

#include "proc/span.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline bool is_emulated(void)
{
    return getenv("HOCKET_TEST_EMULATOR") != NULL;
}

static inline bool can_limit_addresses(void)
{
    return !SANITIZED && !is_emulated();
}

static inline bool can_filter_calls(void)
{
    return !is_emulated();
}

static inline bool map_something_at(uintptr_t address)
{
    void *wanted = (void *)address;
    return mmap(wanted, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                0) == wanted;
}

/* Nobody is at it: each span is something whole. */
static inline void check_heap(void)
{
    uint32_t top = hkti_span_top();
    for (uint32_t span = 0; span < top; span++) {
        uint64_t word = hkti_span_look(span);
        uint32_t n = hkti_span_number(word);
        switch (hkti_span_kind(word)) {
        case HKTI_SPAN_FREE:
        case HKTI_SPAN_CLASS:
            break;
        case HKTI_SPAN_LARGE:
            CHECK(n > 0 && n <= top - span);
            for (uint32_t i = span + 1; i < span + n; i++)
                CHECK(hkti_span_look(i) == hkti_span_word(HKTI_SPAN_REST, 0, span));
            span += n - 1;
            break;
        default:
            test_fail(__FILE__, __LINE__, "span %u is torn: %#llx", span, (unsigned long long)word);
        }
    }
}

#endif
