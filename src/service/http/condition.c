/*
 * Conditional requests.
 */
#include "service/http/condition.h"

#include "service/http/date.h"

/* Is it the version's tag? Strong comparison: not if either of them is weak. */
static bool
is_tag(struct http_text tag, const struct version *version, bool strong)
{
	if (tag.len >= 2 && tag.at[0] == 'W' && tag.at[1] == '/') {
		if (strong)
			return false;
		tag.at += 2, tag.len -= 2;
	}
	return !(strong && version->is_weak) && http_text_equal(tag, version->tag);
}

/*
 * Is it in the list, which may be spread over several fields of that name? A tag may have a comma in it, at which the
 * list is split here; ours has none, and no piece of another one can be the same with both quotes.
 */
static bool
lists_tag(
	const struct http_request *request, struct http_text name, const struct version *version, bool strong)
{
	for (size_t i = 0; i < request->n_fields; i++) {
		struct http_text list = request->fields[i].value, tag;

		if (!http_text_equal_nocase(request->fields[i].name, name))
			continue;
		while (http_text_next(&list, &tag))
			if (http_text_equal(tag, HTTP_TEXT("*")) || is_tag(tag, version, strong))
				return true;
	}
	return false;
}

/* The date in a field; false: there is no such field, or no date in it, which is the same. */
static bool
date_of(const struct http_request *request, struct http_text name, time_t *ret)
{
	const struct http_text *field = http_request_field(request, name);

	return field && date_parse(*field, ret) == 0;
}

enum condition
condition_check(const struct http_request *request, const struct version *version)
{
	static const struct http_text if_match = { "If-Match", 8 }, if_none_match = { "If-None-Match", 13 };
	time_t date;

	if (http_request_field(request, if_match)) {
		if (!lists_tag(request, if_match, version, true))
			return CONDITION_FAILED;
	} else if (date_of(request, HTTP_TEXT("If-Unmodified-Since"), &date) && version->modified > date) {
		return CONDITION_FAILED;
	}
	if (http_request_field(request, if_none_match))
		return lists_tag(request, if_none_match, version, false) ? CONDITION_NOT_MODIFIED
		                                                         : CONDITION_MET;
	if (date_of(request, HTTP_TEXT("If-Modified-Since"), &date) && version->modified <= date)
		return CONDITION_NOT_MODIFIED;
	return CONDITION_MET;
}

bool
condition_allows_range(const struct http_request *request, const struct version *version)
{
	const struct http_text *field = http_request_field(request, HTTP_TEXT("If-Range"));
	time_t date;

	if (!field)
		return true;
	if (date_parse(*field, &date) == 0)
		return !version->is_weak && date == version->modified;
	return is_tag(*field, version, true);
}
