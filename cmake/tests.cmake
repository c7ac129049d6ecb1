# SPDX-License-Identifier: MIT
# Tests. tests/<dir>/test_<topic>.c becomes bin/tests/<dir>_<topic>, a program
# of its own on the harness (tests/harness), and one CTest test with the label
# <dir>. Files of a folder that are not called test_* are linked into each of
# its programs.
#
#   unit       sees src/, links the library's objects
#   sim        the same, in the simulated build only
#   contract   public headers only
#   api        public headers only; .cpp files too, where there is a C++ compiler
#   tools      the self-tests of the checks in tools/
#   examples   tools/run-examples for each example
file(GLOB harness_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/harness/*.c)
add_library(hocket_harness OBJECT ${harness_sources})
target_include_directories(hocket_harness PUBLIC ${PROJECT_SOURCE_DIR}/tests/harness)
target_link_libraries(hocket_harness PRIVATE hocket_flags PUBLIC Threads::Threads)

function(hkt_add_test name label)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 900)
    if(CMAKE_CROSSCOMPILING_EMULATOR)
        list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
        set_tests_properties(${name} PROPERTIES ENVIRONMENT "HOCKET_TEST_EMULATOR=${emulator}")
    endif()
endfunction()

# Tests of waits run twice: by threads, and as coroutines_<name> with each body in a task of an event
# loop, so that its waits switch to other coroutines and do not block the thread. Not so:
#
#   loop*, two_loops, run, task*, handle*, watcher, gather, to_thread, foreign_loop, coroutine_pool*
#                        make loops themselves, which a task may not run
#   bad_*, pool_bad_*    what the system refuses, counted in calls that a loop makes too
#   fork*, crowd, thread_exit   a child of fork has no loop
#   memory               the process's memory before and after everything
#   report               what is written about threads, line by line
#   thread_foreign       threads that hocket did not start, the main thread among them
#   harness              no waits
#
# Single tests are left out in tests/harness/in_loop/in_loop.c.
set(hkt_tests_in_loop
    api_barrier api_barrier_broken api_c_signals api_cancel api_condition api_condition_forms
    api_connect api_connection api_connection_fd api_connection_listener api_connection_waits
    api_context api_context_model api_error api_event api_executor api_executor_engine
    api_executor_map api_fd api_future api_future_callbacks api_future_wait api_giant_lock
    api_giant_lock_turns api_giant_lock_waits api_idle api_imap api_lock api_once api_one_cpu
    api_parallel api_parallel_ends api_pool_limits api_pool_nesting api_pool_stress
    api_priority_queue api_queue api_queue_shutdown api_queue_stress api_queue_tasks
    api_queue_waiting api_reduce api_reschedule api_rlock api_rwlock api_scheduler
    api_scheduler_stress api_scope api_semaphore api_server api_shared_barrier
    api_shared_condition api_shared_event api_shared_lock api_shared_queue_waits
    api_shared_rlock api_shared_semaphore api_shared_value api_signals api_simple_queue
    api_stream api_stream_close api_stream_races api_stream_write api_subprocess
    api_subprocess_bad_days api_subprocess_ends api_subprocess_talk api_thread api_thread_join
    api_thread_local api_thread_names api_thread_pool api_thread_state api_time api_timer
    api_wait_many contract_giant_lock contract_lock contract_rlock contract_rwlock_write
    contract_semaphore contract_shared_lock contract_shared_rlock contract_shared_semaphore)

# The loops of others, where they are: HAVE_GLIB and HAVE_UV say which. Not under sanitizers, which
# know nothing of what was not built with them.
function(hkt_link_foreign_loops target)
    find_package(PkgConfig QUIET)
    if(NOT PkgConfig_FOUND OR CMAKE_CROSSCOMPILING OR HKT_SANITIZE)
        return()
    endif()
    pkg_check_modules(FOREIGN_GLIB QUIET IMPORTED_TARGET glib-2.0)
    pkg_check_modules(FOREIGN_UV QUIET IMPORTED_TARGET libuv)
    foreach(library GLIB UV)
        if(TARGET PkgConfig::FOREIGN_${library})
            target_link_libraries(${target} PRIVATE PkgConfig::FOREIGN_${library})
            target_compile_definitions(${target} PRIVATE HAVE_${library}=1)
        endif()
    endforeach()
endfunction()

function(hkt_add_test_folder folder)
    set(dir ${PROJECT_SOURCE_DIR}/tests/${folder})
    file(GLOB shared CONFIGURE_DEPENDS ${dir}/*.c)
    list(FILTER shared EXCLUDE REGEX "/(test|bench)_[^/]*$")
    file(GLOB tests CONFIGURE_DEPENDS ${dir}/test_*.c)
    if(CMAKE_CXX_COMPILER)
        file(GLOB cpp_tests CONFIGURE_DEPENDS ${dir}/test_*.cpp)
    endif()
    foreach(source IN LISTS tests cpp_tests)
        cmake_path(GET source STEM topic)
        string(REGEX REPLACE "^test_" "${folder}_" name ${topic})
        set(target test_${name})
        add_executable(${target} ${source} ${shared})
        set_target_properties(${target} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
        target_link_libraries(${target} PRIVATE hocket_harness hocket_flags)
        if(folder MATCHES "^(unit|sim)$")
            target_link_libraries(${target} PRIVATE hocket_objects)
            target_include_directories(${target} PRIVATE
                ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/src/os/${HKT_ARCH})
        else()
            target_link_libraries(${target} PRIVATE hocket)
        endif()
        if(name STREQUAL "api_foreign_loop")
            hkt_link_foreign_loops(${target})
        endif()
        if(name MATCHES "^api_tls" AND TARGET OpenSSL::SSL)
            target_link_libraries(${target} PRIVATE OpenSSL::SSL OpenSSL::Crypto)
            target_compile_definitions(${target} PRIVATE HAVE_OPENSSL=1)
        endif()
        hkt_add_test(${name} ${folder} ${target})
        if(name IN_LIST hkt_tests_in_loop)
            target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness/in_loop/in_loop.c)
            target_link_options(${target} PRIVATE
                -Wl,--wrap=hkt_finalize -Wl,--wrap=hkt_allocation_count
                -Wl,--wrap=hkt_set_allocator)
            hkt_add_test(coroutines_${name} coroutines ${target} --in-loop)
        endif()
    endforeach()
endfunction()

# tests/unit/bench_<topic>.c: benchmarks of what has no public form, bin/bench_<topic>.
function(hkt_add_unit_benches)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/bench_*.c)
    file(GLOB common CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common*.c)
    find_library(HKT_BOOST_CONTEXT boost_context)
    foreach(source IN LISTS benches)
        cmake_path(GET source STEM name)
        add_executable(${name} ${source} ${common})
        target_link_libraries(${name} PRIVATE hocket_objects hocket_flags m)
        target_include_directories(${name} PRIVATE
            ${PROJECT_SOURCE_DIR}/bench ${PROJECT_SOURCE_DIR}/src
            ${PROJECT_SOURCE_DIR}/src/os/${HKT_ARCH})
        if(HKT_BOOST_CONTEXT AND NOT CMAKE_CROSSCOMPILING)
            target_link_libraries(${name} PRIVATE ${HKT_BOOST_CONTEXT})
            target_compile_definitions(${name} PRIVATE HAVE_BOOST=1)
        endif()
    endforeach()
endfunction()

hkt_add_test_folder(unit)
if(HKT_BUILD_BENCH)
    hkt_add_unit_benches()
endif()
hkt_add_test_folder(contract)
hkt_add_test_folder(api)
if(HKT_SIM)
    hkt_add_test_folder(sim)
endif()
if(HKT_CHECKED)
    hkt_add_test_folder(checked)
endif()

# The program whose job is to fail, and the test that the runner notices.
if(TARGET test_api_harness)
    add_executable(harness_selftest ${PROJECT_SOURCE_DIR}/tests/harness/selftest/failing.c)
    add_executable(harness_empty ${PROJECT_SOURCE_DIR}/tests/harness/selftest/empty.c)
    foreach(target harness_selftest harness_empty)
        target_link_libraries(${target} PRIVATE hocket_harness hocket_flags)
        add_dependencies(test_api_harness ${target})
    endforeach()
    target_compile_definitions(test_api_harness PRIVATE
        FAILING_PROGRAM="$<TARGET_FILE:harness_selftest>"
        EMPTY_PROGRAM="$<TARGET_FILE:harness_empty>")
endif()

# Two builds of a library that a test loads.
if(TARGET test_api_process_files)
    foreach(answer 42 43)
        add_library(test_module_${answer} MODULE ${PROJECT_SOURCE_DIR}/tests/api/module/module.c)
        target_compile_definitions(test_module_${answer} PRIVATE MODULE_ANSWER=${answer})
        target_link_libraries(test_module_${answer} PRIVATE hocket_flags)
        target_link_options(test_module_${answer} PRIVATE -Wl,--build-id)
        set_target_properties(test_module_${answer} PROPERTIES
            LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/tests)
        add_dependencies(test_api_process_files test_module_${answer})
    endforeach()
    target_compile_definitions(test_api_process_files PRIVATE
        MODULE_FILE="$<TARGET_FILE:test_module_42>"
        OTHER_MODULE_FILE="$<TARGET_FILE:test_module_43>")
endif()

find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
    set(stretch 1)
    if(HKT_SANITIZE)
        set(stretch 4)
    endif()
    foreach(name IN LISTS hkt_examples)
        hkt_add_test(example_${name} examples ${Python3_EXECUTABLE}
            ${PROJECT_SOURCE_DIR}/tools/run-examples --stretch ${stretch}
            ${PROJECT_BINARY_DIR}/bin/examples ${name})
    endforeach()
    if(TARGET hocket_cli AND NOT HKT_SANITIZE AND NOT HKT_SIM)
        hkt_add_test(cli tools ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/cli/test_cli.py
            $<TARGET_FILE:hocket_cli>)
    endif()
    # Once is enough: they do not depend on how the library is built.
    if(NOT HKT_SANITIZE AND NOT HKT_SIM AND NOT CMAKE_CROSSCOMPILING)
        file(GLOB tool_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/tools/test_*.py)
    endif()
    foreach(script IN LISTS tool_tests)
        cmake_path(GET script STEM topic)
        string(REGEX REPLACE "^test_" "tools_" name ${topic})
        hkt_add_test(${name} tools ${Python3_EXECUTABLE} ${script})
    endforeach()
    if(TEST tools_gdb)
        set_tests_properties(tools_gdb PROPERTIES
            ENVIRONMENT "HOCKET_BUILD=${PROJECT_BINARY_DIR};CC=${CMAKE_C_COMPILER}")
    endif()
endif()

# tests/fuzz/fuzz_<topic>.c: LLVMFuzzerTestOneInput, and a main that feeds it mutations for some seconds.
# With clang's libFuzzer: -DHKT_LIBFUZZER and -fsanitize=fuzzer, see the head of the file.
if(TARGET hocket_llhttp AND NOT HKT_SIM AND EXISTS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_http.c)
    set(cli ${PROJECT_SOURCE_DIR}/cli)
    add_executable(fuzz_http ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_http.c ${cli}/http_request.c
        ${cli}/http_answer.c ${cli}/http_conditions.c ${cli}/target_path.c ${cli}/files.c)
    target_include_directories(fuzz_http PRIVATE ${cli})
    target_link_libraries(fuzz_http PRIVATE hocket hocket_llhttp hocket_flags)
    set_target_properties(fuzz_http PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
    hkt_add_test(fuzz_http fuzz fuzz_http --seconds 3)
endif()

if(NOT HKT_SIM)
    add_executable(fuzz_connection ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_connection.c)
    target_link_libraries(fuzz_connection PRIVATE hocket hocket_flags)
    set_target_properties(fuzz_connection PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
    hkt_add_test(fuzz_connection fuzz fuzz_connection --seconds 3)
endif()
