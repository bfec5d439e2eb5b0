/*
 * libconfig's grammar as a small machine: what may come next, and a stack of the brackets that are open.
 */
#include "config/syntax.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "config/scan.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What may come next. */
enum want {
	WANT_NAME, /* a setting's name, or the end of the group */
	WANT_EQUALS,
	WANT_VALUE,
	WANT_FIRST,  /* the first value of a list, or its end */
	WANT_NEXT,   /* behind a value: what separates it from the next, or the next name at once */
	WANT_NOTHING /* all is read, or can't be understood any more */
};

struct name {
	const char *text;
	size_t len;
	unsigned line;
};

struct bracket {
	char open; /* { ( [, or NUL for the group that is the whole text */
	unsigned line;
	size_t first_name; /* of a group: where its names begin */
};

struct syntax {
	struct scan scan;
	const struct places *places;
	struct problems *problems;
	bool failed;
	bool had_string;    /* the token before was a string: another one may join it */
	unsigned last_line; /* of the last token: where the text ended */
	struct syntax_value *value;
	size_t values;
	struct bracket bracket[SYNTAX_DEPTH_MAX + 1];
	size_t depth;      /* bracket[depth] is the innermost that is open */
	struct name *name; /* of all groups that are open, outer ones first; room for SYNTAX_VALUES_MAX */
	size_t names;
};

typedef enum want step_fn(struct syntax *syntax);

static void __attribute__((format(printf, 3, 4)))
add_problem(struct syntax *syntax, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	places_vproblem(syntax->places, syntax->problems, line, fmt, ap);
	va_end(ap);
	syntax->failed = true;
}

/* The token as it can be shown. */
static const char *
show_token(const struct scan *scan, char buf[static 48])
{
	if (scan->type == SCAN_END && scan->len == 0)
		return "the end of the text";
	text_escape(buf, 48, scan->token, scan->len);
	return buf;
}

/* Something else should stand here. Nothing behind it can be relied on. */
static enum want
refuse(struct syntax *syntax, const char *expected)
{
	const struct scan *scan = &syntax->scan;
	const bool is_bare = scan->type == SCAN_NAME && strcmp(expected, "a value") == 0;
	char token[48];

	if (scan->type == SCAN_END && syntax->depth > 0)
		add_problem(syntax, syntax->bracket[syntax->depth].line,
			"syntax error: \"%c\" is never closed", syntax->bracket[syntax->depth].open);
	else if (scan->type == SCAN_AT)
		add_problem(syntax, scan->line,
			"syntax error: @include must stand at the beginning of a line of a file");
	else
		add_problem(syntax, scan->type == SCAN_END ? syntax->last_line : scan->line,
			"syntax error: %s expected, not %s%s", expected, show_token(scan, token),
			is_bare ? "; text must stand in quotes" : "");
	return WANT_NOTHING;
}

static bool
is_group(const struct bracket *bracket)
{
	return bracket->open == '{' || bracket->open == '\0';
}

static enum want
open_bracket(struct syntax *syntax)
{
	if (syntax->depth == SYNTAX_DEPTH_MAX) {
		add_problem(syntax, syntax->scan.line, "nested deeper than %d levels", SYNTAX_DEPTH_MAX);
		return WANT_NOTHING;
	}
	syntax->bracket[++syntax->depth] = (struct bracket){
		.open = *syntax->scan.token,
		.line = syntax->scan.line,
		.first_name = syntax->names,
	};
	return is_group(&syntax->bracket[syntax->depth]) ? WANT_NAME : WANT_FIRST;
}

/* Does the token close the bracket that is open? */
static bool
closes(const struct syntax *syntax)
{
	const char open = syntax->bracket[syntax->depth].open;

	return syntax->scan.type == SCAN_CLOSE &&
	       ((open == '{' && *syntax->scan.token == '}') || (open == '(' && *syntax->scan.token == ')') ||
		       (open == '[' && *syntax->scan.token == ']'));
}

static enum want
close_bracket(struct syntax *syntax)
{
	syntax->names = syntax->bracket[syntax->depth].first_name;
	syntax->depth--;
	return WANT_NEXT;
}

static void
check_duplicate(struct syntax *syntax, const struct name *name)
{
	for (size_t i = syntax->bracket[syntax->depth].first_name; i < syntax->names; i++) {
		const struct name *other = &syntax->name[i];
		const char *file;
		unsigned line;

		if (other->len != name->len || memcmp(other->text, name->text, name->len) != 0)
			continue;
		places_find(syntax->places, other->line, &file, &line);
		add_problem(syntax, name->line, "\"%.*s\" is given twice, first at %s:%u", (int)name->len,
			name->text, file, line);
		return;
	}
}

static enum want
add_name(struct syntax *syntax)
{
	const struct name name = { syntax->scan.token, syntax->scan.len, syntax->scan.line };

	if (name.len > SYNTAX_NAME_MAX) {
		add_problem(syntax, name.line, "name longer than %d letters", SYNTAX_NAME_MAX);
		return WANT_NOTHING;
	}
	if (syntax->names - syntax->bracket[syntax->depth].first_name == SYNTAX_GROUP_MAX) {
		add_problem(syntax, name.line, "more than %d options in one group", SYNTAX_GROUP_MAX);
		return WANT_NOTHING;
	}
	check_duplicate(syntax, &name);
	syntax->name[syntax->names++] = name;
	return WANT_EQUALS;
}

static enum want
want_name(struct syntax *syntax)
{
	if (syntax->scan.type == SCAN_NAME)
		return add_name(syntax);
	if (closes(syntax))
		return close_bracket(syntax);
	if (syntax->scan.type == SCAN_END && syntax->depth == 0)
		return WANT_NOTHING;
	return refuse(syntax, "the name of an option");
}

static enum want
want_equals(struct syntax *syntax)
{
	return syntax->scan.type == SCAN_EQUALS ? WANT_VALUE : refuse(syntax, "\"=\"");
}

static enum want
want_value(struct syntax *syntax)
{
	const bool is_array = syntax->bracket[syntax->depth].open == '[';
	const enum scan_type type = syntax->scan.type;

	if (type != SCAN_OPEN && type != SCAN_BOOLEAN && type != SCAN_NUMBER && type != SCAN_STRING)
		return refuse(syntax, "a value");
	/* every name needs a value, so this bounds the names too */
	if (syntax->values == SYNTAX_VALUES_MAX) {
		add_problem(syntax, syntax->scan.line, "more than %d values in all", SYNTAX_VALUES_MAX);
		return WANT_NOTHING;
	}
	syntax->value[syntax->values++] = (struct syntax_value){ syntax->scan.line, syntax->scan.integer };
	if (type != SCAN_OPEN)
		return WANT_NEXT;
	return is_array ? refuse(syntax, "a number, string or boolean") : open_bracket(syntax);
}

static enum want
want_first(struct syntax *syntax)
{
	return closes(syntax) ? close_bracket(syntax) : want_value(syntax);
}

static enum want
want_next(struct syntax *syntax)
{
	const struct bracket *bracket = &syntax->bracket[syntax->depth];
	const enum scan_type type = syntax->scan.type;

	if (type == SCAN_STRING && syntax->had_string)
		return WANT_NEXT;
	if (is_group(bracket))
		return type == SCAN_SEMICOLON || type == SCAN_COMMA ? WANT_NAME : want_name(syntax);
	if (type == SCAN_COMMA)
		return WANT_VALUE;
	if (closes(syntax))
		return close_bracket(syntax);
	return refuse(syntax, bracket->open == '(' ? "\",\" or \")\"" : "\",\" or \"]\"");
}

/* One token. */
static enum want
step(struct syntax *syntax, enum want want)
{
	static step_fn *const steps[] = {
		[WANT_NAME] = want_name,
		[WANT_EQUALS] = want_equals,
		[WANT_VALUE] = want_value,
		[WANT_FIRST] = want_first,
		[WANT_NEXT] = want_next,
	};
	const struct scan *scan = &syntax->scan;
	char token[48];

	if (scan->error)
		add_problem(syntax, scan->line, "syntax error: %s: %s", scan->error, show_token(scan, token));
	if (scan->error && (scan->type == SCAN_BAD || scan->type == SCAN_END))
		return WANT_NOTHING;
	want = steps[want](syntax);
	syntax->had_string = scan->type == SCAN_STRING;
	syntax->last_line = scan->line;
	return want;
}

int
syntax_check(const char *text, const struct places *places, struct problems *problems,
	struct syntax_value values[static SYNTAX_VALUES_MAX])
{
	struct syntax syntax = { .places = places, .problems = problems, .value = values };
	cleanup_free struct name *names = reallocarray(NULL, SYNTAX_VALUES_MAX + 1, sizeof(*names));
	enum want want = WANT_NAME;

	if (!names)
		return -ENOMEM;
	syntax.name = names;
	scan_init(&syntax.scan, text);
	while (want != WANT_NOTHING)
		if (scan_next(&syntax.scan) != SCAN_MARK)
			want = step(&syntax, want);
	return syntax.failed ? -EINVAL : 0;
}
