/* SPDX-License-Identifier: MIT */
/* The report of a stack overflow.
 *
 * State: `watched`, set by the first caller. All else happens in the handler, which may call hardly
 * anything: so the sentence is put together by hand, and written by a system call. A fault is an
 * overflow if it touches the guard of a stack in use while the stack pointer is in or near that
 * stack; else somebody wrote past the end of something. */
#include "strand/overflow.h"

#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "os/os.h"
#include "strand/stack.h"

const char *(*hkti_overflow_name)(void);

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(HKT_SIM) || defined(SANITIZED) || defined(__SANITIZE_ADDRESS__) ||                     \
    defined(__SANITIZE_THREAD__)

void hkti_overflow_watch(void)
{
}

int hkti_overflow_thread(void)
{
    return 0;
}

void hkti_overflow_thread_end(void)
{
}

#else

struct line {
    size_t length;
    char text[240];
};

static void add(struct line *line, const char *text)
{
    size_t room = sizeof line->text - line->length;
    size_t length = strnlen(text, room);
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void add_number(struct line *line, size_t number)
{
    char digits[24];
    char *first = digits + sizeof digits - 1;
    *first = 0;
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    add(line, first);
}

static void report(const struct hkti_stack *stack)
{
    struct line line = { 0 };
    const char *(*name_of)(void) = hkti_load_relaxed(&hkti_overflow_name);
    const char *name = name_of ? name_of() : NULL;
    add(&line, "hocket: stack overflow in ");
    if (name) {
        add(&line, "strand \"");
        add(&line, name);
        add(&line, "\"");
    } else {
        add(&line, "a strand");
    }
    add(&line, " on thread ");
    add_number(&line, (size_t)hkti_os_native_id());
    add(&line, ": ");
    add_number(&line, (stack->size + hkti_os_page_size()) / 1024);
    add(&line, " KiB are not enough, ask for more by .stack_size");
    if (line.length == sizeof line.text)
        line.length--;
    line.text[line.length++] = '\n';
    hkti_os_write_error(line.text, line.length);
}

static bool look(const void *address, const void *stack_pointer)
{
    struct hkti_stack stack;
    if (!hkti_stack_find(address, &stack))
        return false;
    uintptr_t low = (uintptr_t)stack.low, here = (uintptr_t)stack_pointer;
    if (here < low - stack.size || here >= low + stack.size)
        return false;
    report(&stack);
    return true;
}

static uint32_t watched;

void hkti_overflow_watch(void)
{
    if (!hkti_load_relaxed(&watched) && hkti_cas_relaxed(&watched, 0, 1))
        (void)hkti_os_fault_watch(look);
}

int hkti_overflow_thread(void)
{
    return hkti_os_signal_stack();
}

void hkti_overflow_thread_end(void)
{
    hkti_os_signal_stack_end();
}

#endif
