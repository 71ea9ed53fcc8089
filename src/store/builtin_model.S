/* SPDX-License-Identifier: MIT
 * The built-in model's file, linked in as bytes (src/store/builtin_model.h). TACIT_BUILTIN_MODEL is its path. */
#if defined(__APPLE__)
    .const
#else
    .section .rodata
#endif
    .balign 4096
    .global tacit_builtin_model_begin
    .global tacit_builtin_model_end
    .hidden tacit_builtin_model_begin
    .hidden tacit_builtin_model_end
tacit_builtin_model_begin:
    .incbin TACIT_BUILTIN_MODEL
tacit_builtin_model_end:
    .byte 0
#if defined(__linux__)
    .section .note.GNU-stack,"",%progbits
#endif
