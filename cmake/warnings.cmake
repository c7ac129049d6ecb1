# SPDX-License-Identifier: MIT
# Warnings and sanitizers, as one target that everything of ours links
# privately: no flag of ours reaches a consumer.
add_library(hocket_flags INTERFACE)

set(c_only -Wstrict-prototypes -Wmissing-prototypes)
target_compile_options(hocket_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wshadow -Wundef -Wvla -Wpointer-arith>
    "$<$<COMPILE_LANGUAGE:C>:${c_only}>")
target_compile_definitions(hocket_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE>)
if(HKT_WERROR)
    target_compile_options(hocket_flags INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()

if(HKT_SANITIZE)
    target_compile_options(hocket_flags INTERFACE
        $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${HKT_SANITIZE}>
        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>
        $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>)
    target_link_options(hocket_flags INTERFACE -fsanitize=${HKT_SANITIZE})
endif()
if(HKT_SIM)
    target_compile_definitions(hocket_flags INTERFACE HKT_SIM)
endif()
if(HKT_CHECKED)
    target_compile_definitions(hocket_flags INTERFACE HKT_CHECKED)
endif()
