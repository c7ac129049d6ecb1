/* SPDX-License-Identifier: MIT */
/* The start object: what a program that starts processes is linked with, behind everything else.
 *
 * A process of the family that is the program anew must begin when all constructors have run, and
 * before main; so this is the last one of them (a library's own constructors run before those of the
 * program, or, in a static program, in an order that nobody knows). It is an object and not in the
 * library, since it must be the program's, and its place is on the link line; our CMake targets and
 * pkg-config say so. Without the library, or in one, it does nothing; twice it does no more. */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>

/* In src/proc/entry.c; weak, so that a program that starts no processes is linked without it. */
extern void hkti_start_here(int argc, char **argv, char **envp) __attribute__((weak));

/* The beginning of the module that this is linked into, from the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((weak, visibility("hidden")));

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
    uintptr_t headers = getauxval(AT_PHDR); /* of the program */
    if (&__ehdr_start && headers &&
        headers != (uintptr_t)&__ehdr_start + (uintptr_t)__ehdr_start.e_phoff)
        return;
    if (hkti_start_here)
        hkti_start_here(argc, argv, envp);
}
