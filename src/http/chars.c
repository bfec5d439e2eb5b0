/*
 * The table of characters.
 */
#include "http/chars.h"

#define T HTTP_CHARS_TOKEN
#define V HTTP_CHARS_VALUE
#define N HTTP_CHARS_NAME
#define G HTTP_CHARS_TARGET

/* What isn't named is of no kind: control characters. */
const unsigned char http_chars[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T | V | N | G,
	['"'] = V | G,
	['#'] = T | V,
	['$' ... '\''] = T | V | N | G, /* $ % & ' */
	['(' ... ')'] = V | N | G,
	['*' ... '+'] = T | V | N | G,
	[','] = V | G,
	['-' ... '.'] = T | V | N | G,
	['/'] = V | G,
	['0' ... '9'] = T | V | N | G,
	[':'] = V | G,
	[';'] = V | N | G,
	['<'] = V | G,
	['='] = V | N | G,
	['>' ... '@'] = V | G, /* > ? @ */
	['A' ... 'Z'] = T | V | N | G,
	['[' ... ']'] = V | G, /* [ \ ] */
	['^'] = T | V | G,
	['_'] = T | V | N | G,
	['`'] = T | V | G,
	['a' ... 'z'] = T | V | N | G,
	['{'] = V | G,
	['|'] = T | V | G,
	['}'] = V | G,
	['~'] = T | V | N | G,
	[0x80 ... 0xff] = V,
};
