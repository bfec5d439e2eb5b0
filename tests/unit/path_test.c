/*
 * From the path of a request to the name of a file, its type, and the form that a client likes best.
 */
#include "service/http/path.h"

#include "service/http/accept.h"
#include "service/http/mime.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct row {
	const char *path;
	int status;
	const char *name;
};

static const struct row rows[] = {
	{ "/", 0, "" },
	{ "/a", 0, "a" },
	{ "/a/", 0, "a/" },
	{ "/a/b.c", 0, "a/b.c" },
	{ "//a", 0, "a" },
	{ "///", 0, "" },
	{ "/a//b", 0, "a/b" },
	{ "/a//", 0, "a/" },
	{ "/./a/./b/.", 0, "a/b/" },
	{ "/a/../b", 0, "b" },
	{ "/a/b/..", 0, "a/" },
	{ "/a/..", 0, "" },
	{ "/a/b/../../c", 0, "c" },
	{ "/a%20b/%C3%A4", 0, "a b/\xc3\xa4" },
	{ "/a%2fb", 0, "a/b" },
	{ "/a+b", 0, "a+b" },
	{ "/a\\..\\b", 0, "a\\..\\b" },
	{ "/a..b/c..", 0, "a..b/c.." },
	{ "/.well-known/acme/x", 0, ".well-known/acme/x" },
	{ "/a/../.well-known/x", 0, ".well-known/x" },
	/* out of the root */
	{ "/..", 400, NULL },
	{ "/../", 400, NULL },
	{ "/../etc/passwd", 400, NULL },
	{ "/a/../../etc/passwd", 400, NULL },
	{ "/%2e%2e/etc/passwd", 400, NULL },
	{ "/..%2fetc/passwd", 400, NULL },
	{ "/a/%2E./.%2e/x", 400, NULL },
	{ "//../x", 400, NULL },
	/* hidden, though they may not be there */
	{ "/.git/config", 404, NULL },
	{ "/a/.htpasswd", 404, NULL },
	{ "/...", 404, NULL },
	{ "/..a/b", 404, NULL },
	{ "/%2egit", 404, NULL },
	{ "/a/.well-known/x", 404, NULL },
	{ "/.well-known-not/x", 404, NULL },
	{ "/.well-know", 404, NULL },
	/* no paths */
	{ "/a%00b", 400, NULL },
	{ "/a%0", 400, NULL },
	{ "/%zz", 400, NULL },
	{ "*", 400, NULL },
	{ "", 400, NULL },
	{ "a", 400, NULL },
	{ "%2fa", 0, "a" },
};

static void
paths_become_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[PATH_SIZE];
		size_t len = 0;
		int r = path_resolve((struct http_text){ rows[i].path, strlen(rows[i].path) }, name, &len);

		if (r != rows[i].status)
			fail_msg("%s: %d", rows[i].path, r);
		if (r != 0)
			continue;
		assert_string_equal(name, rows[i].name);
		assert_int_equal(len, strlen(name));
	}
}

static void
long_paths_have_an_end(void **state)
{
	char path[PATH_SIZE + 10], name[PATH_SIZE];
	size_t len;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	assert_int_equal(path_resolve((struct http_text){ path, PATH_SIZE - 1 }, name, &len), 0);
	assert_int_equal(len, PATH_SIZE - 2);
	assert_int_equal(path_resolve((struct http_text){ path, PATH_SIZE }, name, &len), 414);
}

static void
names_become_paths(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(path_encode("a b/\xc3\xa4?#%\"", path, sizeof(path)), 0);
	assert_string_equal(path, "/a%20b/%C3%A4%3F%23%25%22");
	assert_int_equal(path_encode("", path, sizeof(path)), 0);
	assert_string_equal(path, "/");
	assert_int_equal(path_encode("abc", path, 7), 0);
	assert_int_equal(path_encode("abcdef", path, 7), -ENAMETOOLONG);
}

static const struct http_text forms[] = { { "text/plain", 10 }, { "text/html", 9 },
	{ "application/json", 16 } };

static void
the_best_form_is_chosen(void **state)
{
	enum { TEXT, HTML, JSON };
	static const struct {
		const char *accept;
		size_t form;
	} choices[] = {
		{ NULL, TEXT },
		{ "", TEXT },
		{ "*/*", TEXT },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", HTML },
		{ "application/json", JSON },
		{ "Application/JSON", JSON },
		{ "application/json, text/plain, */*", JSON },
		{ "text/plain, application/json", TEXT },
		{ "application/json;q=0.5, text/html;q=0.4", JSON },
		{ "application/json;q=0.4, text/html;q=0.5", HTML },
		{ "application/json;q=0, */*", TEXT },
		{ "text/plain;q=0, */*", HTML },
		{ "text/*;q=0, */*", JSON },
		{ "text/*, application/json;q=0.9", TEXT },
		{ "text/*;q=0.5, text/html;q=0.6", HTML },
		{ "text/html ; level=1 ; q=0.1 , application/json ; q=0.2", JSON },
		{ "text/html;q=0.001, text/plain;q=0.0", HTML },
		{ "image/png", TEXT },
		{ "text", TEXT },
		{ "text/htmlx, x/json", TEXT },
		{ "application/json;q=nonsense", JSON },
		{ ";q=1,;,=", TEXT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		const char *accept = choices[i].accept;
		struct http_request request = { .n_fields = accept != NULL };

		request.fields[0].name = HTTP_TEXT("accept");
		request.fields[0].value = (struct http_text){ accept, accept ? strlen(accept) : 0 };
		if (accept_choose(&request, forms, ARRAY_LEN(forms)) != choices[i].form)
			fail_msg("%s", accept);
	}
}

static void
assert_type(const struct mime *mime, const char *name, const char *type)
{
	struct http_text found = mime_type(mime, name);

	if (!http_text_equal(found, (struct http_text){ type, strlen(type) }))
		fail_msg("%s: %.*s", name, (int)found.len, found.at);
}

static void
common_types_are_built_in(void **state)
{
	static const char *const known[] = { "avif", "css", "csv", "gif", "htm", "html", "ico", "jpeg", "jpg",
		"js", "json", "mjs", "mp4", "pdf", "png", "svg", "txt", "wasm", "webm", "webmanifest", "webp",
		"woff", "woff2", "xml", "zip" };
	struct mime *mime = mime_new("/nonexistent/mime.types");

	(void)state;
	assert_non_null(mime);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) { /* each is found: the table is in order */
		char name[32];

		snprintf(name, sizeof(name), "x.%s", known[i]);
		assert_false(http_text_equal(mime_type(mime, name), HTTP_TEXT("application/octet-stream")));
	}
	assert_type(mime, "index.html", "text/html");
	assert_type(mime, "a.b/INDEX.HTML", "text/html");
	assert_type(mime, "a.tar.zip", "application/zip");
	assert_type(mime, "a.html/file", "application/octet-stream");
	assert_type(mime, "html", "application/octet-stream");
	assert_type(mime, "file.", "application/octet-stream");
	assert_type(mime, "", "application/octet-stream");
	assert_type(mime, "x.an-extension-without-end", "application/octet-stream");
	mime_free(mime);
}

static void
the_systems_types_come_first(void **state)
{
	static const char table[] = "# types\n"
				    "text/x-first\tone TWO\n"
				    "text/x-second two three\n\n"
				    "application/x-own html\r\n"
				    "notype four\n"
				    "text/x-none\n"
				    "text/x-last five";
	char path[] = "/tmp/mime-test-XXXXXX";
	cleanup_fd int fd = mkstemp(path);
	struct mime *mime;

	(void)state;
	assert_int_equal(fd_write_all(fd, table, sizeof(table) - 1), 0);
	mime = mime_new(path);
	unlink(path);
	assert_non_null(mime);
	assert_type(mime, "x.one", "text/x-first");
	assert_type(mime, "x.two", "text/x-first");
	assert_type(mime, "x.three", "text/x-second");
	assert_type(mime, "x.html", "application/x-own");
	assert_type(mime, "x.four", "application/octet-stream");
	assert_type(mime, "x.five", "text/x-last");
	assert_type(mime, "x.png", "image/png");
	mime_free(mime);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_become_names),
		cmocka_unit_test(long_paths_have_an_end),
		cmocka_unit_test(names_become_paths),
		cmocka_unit_test(the_best_form_is_chosen),
		cmocka_unit_test(common_types_are_built_in),
		cmocka_unit_test(the_systems_types_come_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
