/* SPDX-License-Identifier: MIT */
/* Names of functions: there and back, in this process and in others, of libraries too. */
#include <dlfcn.h>
#include <errno.h>
#include <hocket.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/arena.h"
#include "proc/identity.h"
#include "proc/start.h"
#include "test.h"

static int first(void *arg)
{
    (void)arg;
    return 1;
}

int second(void *arg);
int second(void *arg)
{
    (void)arg;
    return 2;
}

TEST(a_function_has_one_name_which_leads_back_to_it)
{
    hkti_function_name one, other, again;
    hkt_job *found;
    CHECK_EQ(hkti_function_encode(first, &one), 0);
    CHECK_EQ(hkti_function_encode(second, &other), 0);
    CHECK_EQ(hkti_function_encode(first, &again), 0);
    CHECK(one != other && one == again && one != 0);
    CHECK_EQ(hkti_function_decode(one, &found), 0);
    CHECK(found == first);
    CHECK_EQ(hkti_function_decode(other, &found), 0);
    CHECK(found == second);
    hkti_function_forget(); /* and without what is remembered */
    CHECK_EQ(hkti_function_encode(first, &again), 0);
    CHECK_EQ(again, one);
    CHECK_EQ(hkti_function_decode(one, &found), 0);
    CHECK(found == first);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(what_is_no_function_has_no_name_and_no_name_is_no_function)
{
    hkti_function_name name;
    hkt_job *found;
    void *heap = malloc(64);
    CHECK_EQ(hkti_function_encode((hkt_job *)(uintptr_t)heap, &name), -ESRCH);
    CHECK_EQ(hkti_function_encode(NULL, &name), -ESRCH);
    CHECK_EQ(hkti_function_decode(0, &found), -ENOEXEC);
    CHECK_EQ(hkti_function_decode((uint64_t)63 << 48 | 4096, &found), -ENOEXEC);
    CHECK_EQ(hkti_function_decode(UINT64_MAX, &found), -ENOEXEC);
    free(heap);
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(a_function_of_a_library_has_a_name_too)
{
    hkti_function_name name;
    hkt_job *found;
    hkt_job *function = (hkt_job *)(uintptr_t)dlsym(RTLD_DEFAULT, "strlen_is_not_there");
    CHECK(function == NULL);
    function = (hkt_job *)(uintptr_t)dlsym(RTLD_DEFAULT, "puts");
    CHECK(function != NULL);
    CHECK_EQ(hkti_function_encode(function, &name), 0);
    CHECK(name >> 48 != 0 || name != 0);
    CHECK_EQ(hkti_function_decode(name, &found), 0);
    CHECK(found == function);
    CHECK_EQ(hkt_finalize(), 0);
}

/* The names of this process, as one that is of another build sees them. */
TEST(another_build_is_refused)
{
    hkti_function_name name;
    hkt_job *found;
    CHECK_EQ(hkti_function_encode(first, &name), 0);
    struct hkti_module *module = &hkti_arena_modules()->module[name >> 48];
    CHECK_EQ(module->program, 1);
    module->id[0] ^= 1;
    hkti_function_forget();
    CHECK_EQ(hkti_function_decode(name, &found), -ENOEXEC);
    CHECK(strstr(hkt_sentence(-ENOEXEC), "another build") != NULL);
    module->program = 0; /* a library that is there, and another build */
    snprintf(module->path, sizeof module->path, "libm.so.6");
    CHECK_EQ(hkti_function_decode(name, &found), -ENOEXEC);
    snprintf(module->path, sizeof module->path, "/there/is/none.so");
    CHECK_EQ(hkti_function_decode(name, &found), -ENOEXEC);
    CHECK(strstr(hkt_sentence(-ENOEXEC), "none.so") != NULL);
    module->id[0] ^= 1;
    CHECK_EQ(hkt_finalize(), 0);
}

static int many_functions(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        /* Not from where the file's own header may lie, which is the name of none. */
        for (uintptr_t at = 16; at < part->p_memsz && at < 4000 * 16; at += 16) {
            hkt_job *function = (hkt_job *)(info->dlpi_addr + part->p_vaddr + at), *found;
            hkti_function_name name;
            CHECK_EQ(hkti_function_encode(function, &name), 0);
            CHECK_EQ(hkti_function_decode(name, &found), 0);
            CHECK(found == function);
        }
        *(int *)arg += 1;
        break;
    }
    return *(int *)arg >= 2;
}

TEST(more_functions_than_are_remembered_keep_their_names)
{
    int modules = 0;
    dl_iterate_phdr(many_functions, &modules);
    CHECK(modules >= 1);
    CHECK_EQ(hkt_finalize(), 0);
}

static int name_all(void *arg)
{
    hkti_function_name *names = arg;
    hkt_job *found;
    CHECK_EQ(hkti_function_encode(first, &names[0]), 0);
    CHECK_EQ(hkti_function_encode(second, &names[1]), 0);
    CHECK_EQ(hkti_function_decode(names[0], &found), 0);
    CHECK(found == first);
    return 0;
}

TEST(threads_name_functions_at_once)
{
    hkt_thread *threads[4];
    hkti_function_name names[4][2];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(hkt_thread_spawn(&threads[i], name_all, names[i], NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(hkt_thread_join(threads[i]), 0);
        hkt_thread_destroy(threads[i]);
    }
    CHECK_EQ(hkt_finalize(), 0);
}

TEST(without_the_start_object_a_start_says_how_to_link)
{
    hkt_process *process;
    hkt_start_method methods[3];
    CHECK_EQ(hkti_start_linked, 1);
    hkti_start_linked = 0;
    CHECK_EQ(hkt_process_spawn(&process, first, NULL, 0, NULL), -ENOSYS);
    CHECK(strstr(hkt_sentence(-ENOSYS), "hocket_start.o") != NULL);
    CHECK_EQ(hkt_process_start_methods(methods, 3), 1);
    CHECK_EQ(methods[0], HKT_START_FORK);
    hkti_start_linked = 1;
    CHECK_EQ(hkt_finalize(), 0);
}
