/*
 * Has a sanitizer been compiled into the program? gcc says so by a macro, clang (before 20) when it is asked.
 */
#ifndef BASE_SANITIZER_H
#define BASE_SANITIZER_H

#include <stdbool.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

#endif
