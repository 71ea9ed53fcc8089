# Compiler flags for every target. -ffp-contract=off is part of the numeric contract (spec/numeric.md): without it
# GCC fuses a multiply and an add, even of intrinsics, and logits differ between instruction sets.
add_compile_options(-Wall -Wextra -Wshadow -Werror -ffp-contract=off -fno-math-errno -fvisibility=hidden)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns falsely of "text" + std::string and of growing vectors (GCC bugs 105651 and 105329); clang and the
  # sanitizers watch the same things.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overread>)
endif()
if(TACIT_SANITIZE)
  add_compile_options(-fsanitize=${TACIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TACIT_SANITIZE})
endif()
