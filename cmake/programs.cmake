# SPDX-License-Identifier: MIT
# What is built on the library: the command, the benchmarks, the examples.
# All of it sees public headers only.

# The command: bin/hocket from cli/*.c. OpenSSL is optional.
if(HKT_BUILD_CLI)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c)
    if(sources)
        find_package(OpenSSL QUIET)
        add_executable(hocket_cli ${sources})
        set_target_properties(hocket_cli PROPERTIES OUTPUT_NAME hocket)
        target_link_libraries(hocket_cli PRIVATE hocket hocket_flags)
        if(TARGET OpenSSL::Crypto)
            target_link_libraries(hocket_cli PRIVATE OpenSSL::Crypto)
            target_compile_definitions(hocket_cli PRIVATE HOCKET_HAVE_OPENSSL=1)
        endif()
    endif()
endif()

# The benchmarks: bin/bench_<topic> from bench/bench_<topic>.c, all
# bench/common*.c, and the topic's rivals: bench/rival_<topic>*.c, and
# bench/rival_<topic>*.cpp where oneTBB is found. HAVE_TBB and HAVE_GLIB say
# which rivals there are.
function(hkt_add_bench source)
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "^bench_" "" topic ${name})
    file(GLOB rivals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/rival_${topic}*.c)
    if(TARGET TBB::tbb)
        file(GLOB cpp_rivals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/rival_${topic}*.cpp)
    endif()
    add_executable(${name} ${source} ${ARGN} ${rivals} ${cpp_rivals})
    target_link_libraries(${name} PRIVATE hocket hocket_flags m)
    if(cpp_rivals)
        target_link_libraries(${name} PRIVATE TBB::tbb)
        target_compile_definitions(${name} PRIVATE HAVE_TBB=1)
        set_target_properties(${name} PROPERTIES CXX_STANDARD 17)
    endif()
    if(TARGET PkgConfig::GLIB)
        target_link_libraries(${name} PRIVATE PkgConfig::GLIB)
        target_compile_definitions(${name} PRIVATE HAVE_GLIB=1)
    endif()
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
        endif()
        file(GLOB common CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/common*.c)
        foreach(source IN LISTS benches)
            hkt_add_bench(${source} ${common})
        endforeach()
    endif()
endif()

# The examples: bin/examples/<name> from examples/<name>.c.
set(hkt_examples)
if(HKT_BUILD_EXAMPLES)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.c)
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        list(APPEND hkt_examples ${name})
        add_executable(example_${name} ${source})
        set_target_properties(example_${name} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/examples)
        target_link_libraries(example_${name} PRIVATE hocket hocket_flags)
    endforeach()
endif()
