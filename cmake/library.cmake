# SPDX-License-Identifier: MIT
# The library. Its folders are layers (ARCHITECTURE.md); every .c file in them
# belongs to it. One set of objects becomes the static and the shared library,
# and tests/unit links the objects themselves.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set(HKT_ARCH x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(HKT_ARCH aarch64)
else()
    message(FATAL_ERROR "hocket does not know the processor ${CMAKE_SYSTEM_PROCESSOR}")
endif()

set(hkt_layers base os os/linux os/${HKT_ARCH} park sync thread strand exec loop io proc)
if(HKT_SIM)
    list(APPEND hkt_layers os/sim)
endif()
set(hkt_sources)
foreach(layer IN LISTS hkt_layers)
    file(GLOB found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${layer}/*.c
                                      ${PROJECT_SOURCE_DIR}/src/${layer}/*.S)
    list(APPEND hkt_sources ${found})
endforeach()

add_library(hocket_objects OBJECT ${hkt_sources})
set_target_properties(hocket_objects PROPERTIES
    C_VISIBILITY_PRESET hidden
    POSITION_INDEPENDENT_CODE ON)
target_include_directories(hocket_objects
    PUBLIC ${PROJECT_SOURCE_DIR}/include
    PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/src/os/${HKT_ARCH})
target_link_libraries(hocket_objects PRIVATE hocket_flags PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
# TLS loads OpenSSL when it is first used; only its headers are needed here. Not those of the host for
# another machine.
if(NOT CMAKE_CROSSCOMPILING)
    find_package(OpenSSL 3.0 QUIET)
endif()
if(OPENSSL_FOUND)
    target_include_directories(hocket_objects SYSTEM PRIVATE ${OPENSSL_INCLUDE_DIR})
    target_compile_definitions(hocket_objects PRIVATE HKT_HAVE_OPENSSL=1)
endif()

# The start object: behind everything else on the link line of each program, since its constructor is
# to be the last one. So it is named by its path, as a library would be.
set(hkt_start ${PROJECT_BINARY_DIR}/lib/hocket/hocket_start.o)
add_subdirectory(${PROJECT_SOURCE_DIR}/src/start ${PROJECT_BINARY_DIR}/start)
add_dependencies(hocket_objects hocket_start_object)
target_link_libraries(hocket_objects INTERFACE ${hkt_start})

# What a consumer of either library sees.
function(hkt_usage target)
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:hocket_flags>)
    target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:${hkt_start}>
        $<INSTALL_INTERFACE:$<INSTALL_PREFIX>/${CMAKE_INSTALL_LIBDIR}/hocket/hocket_start.o>)
    add_dependencies(${target} hocket_start_object)
    if(HKT_SIM)
        target_compile_definitions(${target} INTERFACE HKT_SIM)
    endif()
    if(HKT_CHECKED)
        target_compile_definitions(${target} INTERFACE HKT_CHECKED)
    endif()
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME hocket
        LINKER_LANGUAGE C
        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
endfunction()

add_library(hocket STATIC $<TARGET_OBJECTS:hocket_objects>)
add_library(hocket::hocket ALIAS hocket)
hkt_usage(hocket)

add_library(hocket_shared SHARED $<TARGET_OBJECTS:hocket_objects>)
add_library(hocket::hocket_shared ALIAS hocket_shared)
hkt_usage(hocket_shared)
set(hkt_map ${PROJECT_SOURCE_DIR}/src/hocket.map)
set_target_properties(hocket_shared PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${hkt_map})
target_link_options(hocket_shared PRIVATE
    LINKER:--version-script=${hkt_map} LINKER:-Bsymbolic-functions)
