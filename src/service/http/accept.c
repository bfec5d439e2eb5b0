/*
 * Which of several forms of a page a client likes best.
 */
#include "service/http/accept.h"

#include <ctype.h>

#define WEIGHT_ONE 1000 /* a weight has three digits behind the point */

/* How well an element of the list fits, and how it is liked. */
struct liking {
	unsigned precision; /* 0: not at all; 1: by "*"/"*"; 2: by "text"/"*"; 3: named */
	unsigned weight;    /* 0 … WEIGHT_ONE */
	unsigned place;     /* in the list, from 0 on */
};

/* Takes what is before the next `separator`, or all, off *text; trimmed. */
static struct http_text
cut(struct http_text *text, char separator)
{
	const char *mark = memchr(text->at, separator, text->len);
	struct http_text head = { text->at, mark ? (size_t)(mark - text->at) : text->len };
	size_t taken = head.len + (mark != NULL);

	text->at += taken;
	text->len -= taken;
	return http_text_trim(head);
}

/* "0.5", in thousandths; what is none is 1. */
static unsigned
parse_weight(struct http_text text)
{
	unsigned value = 0, unit = WEIGHT_ONE / 10;

	if (text.len == 0 || (text.at[0] != '0' && text.at[0] != '1') || (text.len > 1 && text.at[1] != '.'))
		return WEIGHT_ONE;
	value = (unsigned)(text.at[0] - '0') * WEIGHT_ONE;
	for (size_t i = 2; i < text.len && unit > 0; i++, unit /= 10) {
		if (!isdigit((unsigned char)text.at[i]))
			return WEIGHT_ONE;
		value += (unsigned)(text.at[i] - '0') * unit;
	}
	return value < WEIGHT_ONE ? value : WEIGHT_ONE;
}

static unsigned
precision_of(struct http_text range, struct http_text type)
{
	const char *slash = memchr(type.at, '/', type.len);
	size_t main_len = (size_t)(slash - type.at) + 1;

	if (http_text_equal(range, HTTP_TEXT("*/*")))
		return 1;
	if (range.len == main_len + 1 && range.at[main_len] == '*' &&
		http_text_equal_nocase(
			(struct http_text){ range.at, main_len }, (struct http_text){ type.at, main_len }))
		return 2;
	return http_text_equal_nocase(range, type) ? 3 : 0;
}

/* What one element, "text/html;level=1;q=0.5", says about the type. Parameters other than q are not looked at. */
static struct liking
judge(struct http_text element, struct http_text type)
{
	struct liking liking = { .precision = precision_of(cut(&element, ';'), type), .weight = WEIGHT_ONE };

	while (liking.precision > 0 && element.len > 0) {
		struct http_text value = cut(&element, ';');
		struct http_text name = cut(&value, '=');

		if (http_text_equal_nocase(name, HTTP_TEXT("q")))
			liking.weight = parse_weight(value);
	}
	return liking;
}

/* The most precise element for a type counts. */
static struct liking
like(const struct http_request *request, struct http_text type)
{
	struct liking best = { .weight = 0 };
	unsigned place = 0;

	for (size_t i = 0; i < request->n_fields; i++) {
		struct http_text list = request->fields[i].value, element;

		if (!http_text_equal_nocase(request->fields[i].name, HTTP_TEXT("Accept")))
			continue;
		for (; http_text_next(&list, &element); place++) {
			struct liking liking = judge(element, type);

			liking.place = place;
			if (liking.precision > best.precision)
				best = liking;
		}
	}
	return best;
}

static bool
is_liked_more(struct liking a, struct liking b)
{
	if (a.weight != b.weight)
		return a.weight > b.weight;
	if (a.precision != b.precision)
		return a.precision > b.precision;
	return a.place < b.place;
}

size_t
accept_choose(const struct http_request *request, const struct http_text *types, size_t n)
{
	struct liking best = { .weight = 0 };
	size_t choice = 0;

	if (!http_request_field(request, HTTP_TEXT("Accept")))
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct liking liking = like(request, types[i]);

		if (liking.weight > 0 && is_liked_more(liking, best)) {
			best = liking;
			choice = i;
		}
	}
	return choice;
}
