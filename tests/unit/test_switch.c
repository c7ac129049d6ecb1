/* SPDX-License-Identifier: MIT */
/* os/switch.h: the switch from one stack to another. */
#include "os/switch.h"

#include <stdlib.h>

#include "os/os.h"
#include "random.h"
#include "test.h"

#define STACK_SIZE ((size_t)64 * 1024)

static struct hkti_context main_context;

struct side {
    struct hkti_context context;
    char *stack;
};

static void side_make(struct side *side, void (*entry)(void *))
{
    side->stack = hkti_os_stack_map(STACK_SIZE);
    CHECK(side->stack != NULL);
    hkti_context_make(&side->context, side->stack, STACK_SIZE, entry);
}

static void side_end(struct side *side)
{
    hkti_os_stack_unmap(side->stack, STACK_SIZE);
}

static struct side other;

static void add_one_to_each(void *value)
{
    for (;;)
        value = hkti_switch(&other.context, &main_context, (char *)value + 1);
}

TEST(a_value_is_brought_both_ways)
{
    side_make(&other, add_one_to_each);
    for (uintptr_t i = 0; i < 1000; i++) {
        void *answer = hkti_switch(&main_context, &other.context, (void *)(i * 1000));
        CHECK_EQ((uintptr_t)answer, i * 1000 + 1);
    }
    side_end(&other);
}

static void tell_alignment(void *value)
{
    (void)value;
    /* The frame of a function is aligned only if its caller kept to the rules. */
    _Alignas(16) volatile char local[16];
    uintptr_t low_bits = ((uintptr_t)__builtin_frame_address(0) | (uintptr_t)local) & 15;
    hkti_switch(&other.context, &main_context, (void *)(low_bits + 1));
}

TEST(a_stack_is_aligned_at_entry)
{
    side_make(&other, tell_alignment);
    for (size_t less = 0; less < 32; less++) {
        hkti_context_make(&other.context, other.stack, STACK_SIZE - less, tell_alignment);
        CHECK_EQ((uintptr_t)hkti_switch(&main_context, &other.context, NULL), 1);
    }
    side_end(&other);
}

/* Eight values of each kind, all alive over the switch; each side has other ones. The results are
 * what they were before only if the switch keeps what a function must keep. */
static void keep(struct hkti_context *from, const struct hkti_context *to, uint64_t seed)
{
    volatile uint64_t source = seed;
    uint64_t a = source, b = source * 3, c = source * 5, d = source * 7, e = source * 11;
    uint64_t f = source * 13, g = source * 17, h = source * 19;
    double s = (double)source, t = s * 0.5, u = s * 0.25, v = s * 0.125, w = s * 3.0;
    double x = s * 5.0, y = s * 7.0, z = s * 9.0;
    hkti_switch(from, to, NULL);
    CHECK(a == source && b == source * 3 && c == source * 5 && d == source * 7);
    CHECK(e == source * 11 && f == source * 13 && g == source * 17 && h == source * 19);
    double again = (double)source;
    CHECK(s == again && t == again * 0.5 && u == again * 0.25 && v == again * 0.125);
    CHECK(w == again * 3.0 && x == again * 5.0 && y == again * 7.0 && z == again * 9.0);
}

static void keep_others(void *value)
{
    (void)value;
    for (uint64_t seed = 1;; seed += 2)
        keep(&other.context, &main_context, seed);
}

TEST(values_of_integers_and_of_floating_point_survive)
{
    side_make(&other, keep_others);
    for (uint64_t seed = 0; seed < 2000; seed += 2)
        keep(&main_context, &other.context, seed);
    side_end(&other);
}

/* The registers themselves: a compiler may keep the values above on the stack. */
#if defined(__x86_64__)
#define REGISTERS 5
/* rbp may be the frame's, and is seen to survive by the frame itself. */
#define SWITCH_WITH(values)                                                                        \
    __asm__ volatile("movq 0(%[v]), %%rbx\n\t movq 8(%[v]), %%r12\n\t movq 16(%[v]), %%r13\n\t"    \
                     "movq 24(%[v]), %%r14\n\t movq 32(%[v]), %%r15\n\t"                           \
                     "pushq %[v]\n\t pushq %[v]\n\t call *%[function]\n\t"                         \
                     "popq %%rcx\n\t popq %%rcx\n\t"                                               \
                     "movq %%rbx, 0(%%rcx)\n\t movq %%r12, 8(%%rcx)\n\t movq %%r13, 16(%%rcx)\n\t" \
                     "movq %%r14, 24(%%rcx)\n\t movq %%r15, 32(%%rcx)"                             \
                     : "+D"(from), "+S"(to),                                                       \
                       "+d"(nothing), [v] "+c"(where), [function] "+a"(function)                   \
                     :                                                                             \
                     : "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",      \
                       "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7")
#elif defined(__aarch64__)
#define REGISTERS 17
/* x29 may be the frame's, and x30 is the return address: both are seen to survive by the frame. */
#define SWITCH_WITH(values)                                                                        \
    __asm__ volatile("ldp x19, x20, [%[v]]\n\t ldp x21, x22, [%[v], 16]\n\t"                       \
                     "ldp x23, x24, [%[v], 32]\n\t ldp x25, x26, [%[v], 48]\n\t"                   \
                     "ldp x27, x28, [%[v], 64]\n\t"                                                \
                     "ldp d8, d9, [%[v], 80]\n\t ldp d10, d11, [%[v], 96]\n\t"                     \
                     "ldp d12, d13, [%[v], 112]\n\t ldr d14, [%[v], 128]\n\t"                      \
                     "str %[v], [sp, -16]!\n\t blr %[function]\n\t ldr x3, [sp], 16\n\t"           \
                     "stp x19, x20, [x3]\n\t stp x21, x22, [x3, 16]\n\t"                           \
                     "stp x23, x24, [x3, 32]\n\t stp x25, x26, [x3, 48]\n\t"                       \
                     "stp x27, x28, [x3, 64]\n\t"                                                  \
                     "stp d8, d9, [x3, 80]\n\t stp d10, d11, [x3, 96]\n\t"                         \
                     "stp d12, d13, [x3, 112]\n\t str d14, [x3, 128]"                              \
                     : "+r"(from), "+r"(to),                                                       \
                       "+r"(nothing), [v] "+r"(where), [function] "+r"(function)                   \
                     :                                                                             \
                     : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",     \
                       "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",       \
                       "x27", "x28", "x30", "d8", "d9", "d10", "d11", "d12", "d13", "d14", "v0",   \
                       "v1", "v2", "v3", "v4", "v5", "v6", "v7", "memory", "cc")
#endif

/* Switches with these values in the registers that a function must preserve, and leaves there what
 * came back in them. */
static void switch_with(struct hkti_context *from_context, const struct hkti_context *to_context,
                        uint64_t values[REGISTERS])
{
#if defined(__x86_64__)
    struct hkti_context *from = from_context;
    const struct hkti_context *to = to_context;
    void *nothing = NULL;
    uint64_t *where = values;
    void *(*function)(struct hkti_context *, const struct hkti_context *, void *) = hkti_switch;
#else
    register struct hkti_context *from __asm__("x0") = from_context;
    register const struct hkti_context *to __asm__("x1") = to_context;
    register void *nothing __asm__("x2") = NULL;
    register uint64_t *where __asm__("x3") = values;
    register void *(*function)(struct hkti_context *, const struct hkti_context *,
                               void *)__asm__("x4") = hkti_switch;
#endif
    SWITCH_WITH(values);
}

static void fill(uint64_t values[REGISTERS], uint64_t start)
{
    for (uint64_t i = 0; i < REGISTERS; i++)
        values[i] = start + i * UINT64_C(0x0101010101010101);
}

static void check_filled(const uint64_t values[REGISTERS], uint64_t start)
{
    for (uint64_t i = 0; i < REGISTERS; i++)
        CHECK_EQ(values[i], start + i * UINT64_C(0x0101010101010101));
}

static void switch_with_others(void *value)
{
    (void)value;
    uint64_t values[REGISTERS];
    for (uint64_t start = 1000000;; start++) {
        fill(values, start);
        switch_with(&other.context, &main_context, values);
        check_filled(values, start);
    }
}

TEST(the_registers_that_a_function_must_keep_survive)
{
    uint64_t values[REGISTERS];
    side_make(&other, switch_with_others);
    for (uint64_t start = 1; start < 1000; start++) {
        fill(values, start);
        switch_with(&main_context, &other.context, values);
        check_filled(values, start);
    }
    side_end(&other);
}

#define RING 1000
static struct side ring[RING];
static int visits[RING];

/* Each hands on to the next; the last one to the test. */
static void go_round(void *value)
{
    int *number = value;
    struct side *self = &ring[*number];
    for (;;) {
        int mine = *number;
        visits[mine]++;
        *number = mine + 1;
        number = hkti_switch(&self->context,
                             mine + 1 == RING ? &main_context : &ring[mine + 1].context, number);
    }
}

TEST(a_thousand_contexts_go_round_in_a_ring)
{
    for (int i = 0; i < RING; i++)
        side_make(&ring[i], go_round);
    for (int round = 1; round <= 20; round++) {
        int number = 0;
        CHECK(hkti_switch(&main_context, &ring[0].context, &number) == &number);
        CHECK_EQ(number, RING);
        for (int i = 0; i < RING; i++)
            CHECK_EQ(visits[i], round);
    }
    for (int i = 0; i < RING; i++)
        side_end(&ring[i]);
}
