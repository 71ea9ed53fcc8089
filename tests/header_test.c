/* SPDX-License-Identifier: MIT
 * The public header compiles alone as C11, and a C program can call what it declares. */
#include <tacit/tacit.h>

int main(void) { return tacit_version()[0] == '0' ? 0 : 1; }
