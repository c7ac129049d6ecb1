# SPDX-License-Identifier: MIT
# What is built on the library: the command, the benchmarks, the examples.
# All of it sees public headers only.

# The command: bin/hocket from cli/*.c. OpenSSL is optional, and so is llhttp, by which `hocket serve`
# parses requests: its C sources are in Debian's node-llhttp, and are compiled as they are.
function(hkt_add_llhttp)
    find_path(HKT_LLHTTP llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
    find_path(HKT_LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp NO_DEFAULT_PATH
        NO_CMAKE_FIND_ROOT_PATH)
    if(HKT_LLHTTP AND HKT_LLHTTP_INCLUDE)
        add_library(hocket_llhttp STATIC
            ${HKT_LLHTTP}/llhttp.c ${HKT_LLHTTP}/http.c ${HKT_LLHTTP}/api.c)
        target_include_directories(hocket_llhttp SYSTEM PUBLIC ${HKT_LLHTTP_INCLUDE})
        target_compile_options(hocket_llhttp PRIVATE -w)
        target_compile_definitions(hocket_llhttp PUBLIC LLHTTP_STRICT_MODE=1
            INTERFACE HOCKET_HAVE_LLHTTP=1)
    endif()
endfunction()

if(HKT_BUILD_CLI)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
    if(sources)
        find_package(OpenSSL QUIET)
        hkt_add_llhttp()
        add_executable(hocket_cli ${sources})
        set_target_properties(hocket_cli PROPERTIES OUTPUT_NAME hocket)
        target_link_libraries(hocket_cli PRIVATE hocket hocket_flags)
        if(TARGET OpenSSL::Crypto)
            target_link_libraries(hocket_cli PRIVATE OpenSSL::Crypto)
            target_compile_definitions(hocket_cli PRIVATE HOCKET_HAVE_OPENSSL=1)
        endif()
        if(TARGET hocket_llhttp)
            target_link_libraries(hocket_cli PRIVATE hocket_llhttp)
        endif()
    endif()
endif()

# The benchmarks: bin/bench_<topic> from bench/bench_<topic>.c, all
# bench/common*.c, the topic's other parts bench/<topic>_*.c, and its rivals:
# bench/rival_<topic>*.c, and bench/rival_<topic>*.cpp where oneTBB is found;
# rival_task.* and rival_echo* are programs of their own. HAVE_TBB, HAVE_GLIB,
# HAVE_UV and HAVE_URING say which rivals there are.
function(hkt_add_bench source)
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "^bench_" "" topic ${name})
    file(GLOB rivals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/rival_${topic}*.c)
    list(FILTER rivals EXCLUDE REGEX "/rival_task\\.c$")
    if(TARGET TBB::tbb)
        file(GLOB cpp_rivals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/rival_${topic}*.cpp)
        list(FILTER cpp_rivals EXCLUDE REGEX "/rival_task\\.cpp$")
    endif()
    file(GLOB parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/${topic}_*.c)
    add_executable(${name} ${source} ${ARGN} ${parts} ${rivals} ${cpp_rivals})
    target_link_libraries(${name} PRIVATE hocket hocket_flags m)
    if(cpp_rivals)
        target_link_libraries(${name} PRIVATE TBB::tbb)
        target_compile_definitions(${name} PRIVATE HAVE_TBB=1)
        set_target_properties(${name} PROPERTIES CXX_STANDARD 17)
    endif()
    foreach(library GLIB UV URING)
        if(TARGET PkgConfig::${library})
            target_link_libraries(${name} PRIVATE PkgConfig::${library})
            target_compile_definitions(${name} PRIVATE HAVE_${library}=1)
        endif()
    endforeach()
endfunction()

# Rivals that are programs of their own, bin/rivals/<name>, by a compiler of
# their own, whatever that of the tree is: hkt_add_rival(name source command...).
function(hkt_add_rival name source)
    set(program ${PROJECT_BINARY_DIR}/bin/rivals/${name})
    add_custom_command(OUTPUT ${program}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/bin/rivals
        COMMAND ${ARGN} -o ${program} ${source}
        DEPENDS ${source} ${headers} VERBATIM)
    add_custom_target(rival_${name} ALL DEPENDS ${program})
endfunction()

# OpenMP by gcc and by clang, where it works; Go, where its compiler is.
function(hkt_add_rivals)
    set(source ${PROJECT_SOURCE_DIR}/bench/rival_openmp.c)
    file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.h)
    foreach(pair gcc:libgomp clang:libomp)
        string(REPLACE ":" ";" pair ${pair})
        list(GET pair 0 compiler)
        list(GET pair 1 name)
        set(flags -std=c11 -D_GNU_SOURCE -O2 -fopenmp)
        execute_process(COMMAND ${compiler} ${flags} -include omp.h -S -o /dev/null -x c /dev/null
            RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
        if(NOT failed)
            hkt_add_rival(${name} ${source} ${compiler} ${flags})
        endif()
    endforeach()
    find_program(HKT_GO go)
    if(HKT_GO)
        hkt_add_rival(go ${PROJECT_SOURCE_DIR}/bench/rival_go.go ${CMAKE_COMMAND} -E env
            GO111MODULE=off GOCACHE=${PROJECT_BINARY_DIR}/go ${HKT_GO} build)
        foreach(topic task echo)
            hkt_add_rival(go-${topic} ${PROJECT_SOURCE_DIR}/bench/rival_${topic}.go
                ${CMAKE_COMMAND} -E env GO111MODULE=off GOCACHE=${PROJECT_BINARY_DIR}/go
                ${HKT_GO} build)
        endforeach()
    endif()
endfunction()

# Boost's asio, where a compiler knows its coroutines: HKT_ASIO_COROUTINES.
macro(hkt_find_asio)
    set(CMAKE_CXX_STANDARD 20)
    if(CMAKE_CXX_COMPILER)
        include(CheckCXXSourceCompiles)
        set(CMAKE_REQUIRED_LIBRARIES Threads::Threads)
        check_cxx_source_compiles("#include <utility>
            #include <boost/asio.hpp>
            boost::asio::awaitable<int> f() { co_return 0; }
            int main() {}" HKT_ASIO_COROUTINES)
    endif()
endmacro()

# The echo servers of bench_io: libuv, io_uring, asio, asyncio (Go's is above); Python's pools.
function(hkt_add_echo_rivals)
    set(rivals ${PROJECT_BINARY_DIR}/bin/rivals)
    configure_file(${PROJECT_SOURCE_DIR}/bench/rival_echo.py ${rivals}/asyncio-echo COPYONLY)
    configure_file(${PROJECT_SOURCE_DIR}/bench/rival_process_pool.py ${rivals}/python-pools COPYONLY)
    if(TARGET PkgConfig::UV)
        add_executable(rival_uv_echo ${PROJECT_SOURCE_DIR}/bench/rival_echo.c)
        set_target_properties(rival_uv_echo PROPERTIES OUTPUT_NAME uv-echo
            RUNTIME_OUTPUT_DIRECTORY ${rivals})
        target_link_libraries(rival_uv_echo PRIVATE hocket_flags PkgConfig::UV)
    endif()
    if(TARGET PkgConfig::URING)
        add_executable(rival_uring_echo ${PROJECT_SOURCE_DIR}/bench/rival_echo_uring.c)
        set_target_properties(rival_uring_echo PROPERTIES OUTPUT_NAME uring-echo
            RUNTIME_OUTPUT_DIRECTORY ${rivals})
        target_link_libraries(rival_uring_echo PRIVATE hocket_flags PkgConfig::URING)
    endif()
    hkt_find_asio()
    if(HKT_ASIO_COROUTINES)
        add_executable(rival_asio_echo ${PROJECT_SOURCE_DIR}/bench/rival_echo.cpp)
        set_target_properties(rival_asio_echo PROPERTIES OUTPUT_NAME asio-echo
            RUNTIME_OUTPUT_DIRECTORY ${rivals})
        target_link_libraries(rival_asio_echo PRIVATE Threads::Threads)
    endif()
endfunction()

# The rivals of tasks and loops: libuv and ucontext; Boost's asio, context and
# fibers, where a compiler knows coroutines; Python's asyncio.
function(hkt_add_task_rivals)
    set(rivals ${PROJECT_BINARY_DIR}/bin/rivals)
    add_executable(rival_uv_task ${PROJECT_SOURCE_DIR}/bench/rival_task.c)
    set_target_properties(rival_uv_task PROPERTIES OUTPUT_NAME uv-task
        RUNTIME_OUTPUT_DIRECTORY ${rivals})
    target_link_libraries(rival_uv_task PRIVATE hocket_flags Threads::Threads)
    if(TARGET PkgConfig::UV)
        target_link_libraries(rival_uv_task PRIVATE PkgConfig::UV)
        target_compile_definitions(rival_uv_task PRIVATE HAVE_UV=1)
    endif()
    configure_file(${PROJECT_SOURCE_DIR}/bench/rival_task.py ${rivals}/asyncio-task COPYONLY)

    find_library(HKT_BOOST_CONTEXT boost_context)
    find_library(HKT_BOOST_FIBER boost_fiber)
    hkt_find_asio()
    if(NOT HKT_ASIO_COROUTINES OR NOT HKT_BOOST_CONTEXT)
        return()
    endif()
    add_executable(rival_boost_task ${PROJECT_SOURCE_DIR}/bench/rival_task.cpp)
    set_target_properties(rival_boost_task PROPERTIES OUTPUT_NAME boost-task
        RUNTIME_OUTPUT_DIRECTORY ${rivals})
    if(HKT_BOOST_FIBER)
        target_link_libraries(rival_boost_task PRIVATE ${HKT_BOOST_FIBER})
        target_compile_definitions(rival_boost_task PRIVATE HAVE_FIBER=1)
    endif()
    target_link_libraries(rival_boost_task PRIVATE ${HKT_BOOST_CONTEXT} Threads::Threads)
endfunction()

if(HKT_BUILD_BENCH)
    file(GLOB benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/bench_*.c)
    if(benches)
        if(CMAKE_CXX_COMPILER)
            find_package(TBB CONFIG QUIET)
        endif()
        find_package(PkgConfig QUIET)
        if(PkgConfig_FOUND)
            pkg_check_modules(GLIB QUIET IMPORTED_TARGET glib-2.0 gthread-2.0)
            pkg_check_modules(UV QUIET IMPORTED_TARGET libuv)
            pkg_check_modules(URING QUIET IMPORTED_TARGET liburing>=2.3)
        endif()
        file(GLOB common CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common*.c)
        find_package(OpenSSL QUIET)
        foreach(source IN LISTS benches)
            if(NOT source MATCHES "/bench_tls.c$" OR TARGET OpenSSL::SSL)
                hkt_add_bench(${source} ${common})
            endif()
        endforeach()
        if(TARGET bench_tls)
            target_link_libraries(bench_tls PRIVATE OpenSSL::SSL OpenSSL::Crypto)
        endif()
        if(NOT CMAKE_CROSSCOMPILING AND NOT HKT_SANITIZE AND NOT HKT_SIM)
            hkt_add_rivals()
            hkt_add_task_rivals()
            hkt_add_echo_rivals()
        endif()
    endif()
endif()

# The examples: bin/examples/<name> from examples/<name>.c; glib_<topic> where GLib is found.
set(hkt_examples)
if(HKT_BUILD_EXAMPLES)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND AND NOT CMAKE_CROSSCOMPILING)
        pkg_check_modules(GLIB_LOOP QUIET IMPORTED_TARGET glib-2.0)
    endif()
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        if(name MATCHES "^glib_" AND NOT TARGET PkgConfig::GLIB_LOOP)
            continue()
        endif()
        list(APPEND hkt_examples ${name})
        add_executable(example_${name} ${source})
        set_target_properties(example_${name} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/examples)
        target_link_libraries(example_${name} PRIVATE hocket hocket_flags)
        if(name MATCHES "^glib_")
            target_link_libraries(example_${name} PRIVATE PkgConfig::GLIB_LOOP)
        endif()
    endforeach()
endif()
