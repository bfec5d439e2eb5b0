/*
 * Lines of the access log: whatever a client sends, a line is JSON, and not too long.
 */
#include "service/http/access_log.h"

#include "base/cleanup.h"

#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

static void
add_field(struct http_request *request, struct http_text name, struct http_text value)
{
	request->fields[request->n_fields++] = (struct http_field){ name, value };
}

static json_t *
parse(const struct access *access)
{
	char line[ACCESS_LOG_LINE_MAX];
	json_t *json;

	memset(line, 'x', sizeof(line));
	access_log_format(access, line);
	json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static void
assert_text(json_t *json, const char *name, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(json, name)), value);
}

static void
a_line_says_what_happened(void **state)
{
	static struct http_request request;
	json_t *json;

	(void)state;
	request = (struct http_request){ .method = HTTP_TEXT("GET"),
		.target = HTTP_TEXT("/a?b=\"c\\"),
		.host = HTTP_TEXT("example.org:80") };
	add_field(&request, HTTP_TEXT("User-Agent"), HTTP_TEXT("a\tb\xe4\x01\x7f"));
	json = parse(&(struct access){ "192.0.2.1:80", &request, 206, UINT64_C(1) << 40 });
	assert_text(json, "client", "192.0.2.1:80");
	assert_text(json, "method", "GET");
	assert_text(json, "target", "/a?b=\"c\\");
	assert_text(json, "host", "example.org:80");
	assert_text(json, "agent", "a\tb\xc3\xa4\x01\x7f");
	assert_null(json_object_get(json, "referer"));
	assert_int_equal(json_integer_value(json_object_get(json, "status")), 206);
	assert_int_equal(json_integer_value(json_object_get(json, "length")), UINT64_C(1) << 40);
	json_decref(json);
	json = parse(&(struct access){ "unix", NULL, 400, 0 });
	assert_text(json, "client", "unix");
	assert_int_equal(json_object_size(json), 3);
	json_decref(json);
}

static void
a_long_line_is_cut_and_still_json(void **state)
{
	static const unsigned char bytes[] = { 'a', '"', 1, 0xff };
	static char text[70000];
	static struct http_request request;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		struct http_text all = { text, sizeof(text) };
		const char *target;
		json_t *json;

		memset(text, bytes[i], sizeof(text));
		request = (struct http_request){ .method = all, .target = all, .host = all };
		add_field(&request, HTTP_TEXT("Referer"), all);
		add_field(&request, HTTP_TEXT("User-Agent"), all);
		json = parse(&(struct access){ "unix", &request, 200, UINT64_MAX / 2 });
		target = json_string_value(json_object_get(json, "target"));
		assert_true(strlen(target) > 100);
		assert_string_equal(target + strlen(target) - 3, "...");
		json_decref(json);
	}
}

static void
clients_have_names(void **state)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cleanup_fd int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cleanup_fd int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
	socklen_t len = sizeof(any);
	char name[ACCESS_LOG_CLIENT_MAX], expected[ACCESS_LOG_CLIENT_MAX];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	access_log_client(ends[0], name);
	assert_string_equal(name, "unix");
	close(ends[0]);
	close(ends[1]);
	/* IPv4 through a socket of IPv6 */
	assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&any, &len), 0);
	v4.sin_port = any.sin6_port;
	assert_int_equal(connect(client, (struct sockaddr *)&v4, sizeof(v4)), 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	len = sizeof(v4);
	assert_int_equal(getsockname(client, (struct sockaddr *)&v4, &len), 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(v4.sin_port));
	access_log_client(server, name);
	assert_string_equal(name, expected);
	/* and IPv4 itself */
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(any.sin6_port));
	access_log_client(client, name);
	assert_string_equal(name, expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_what_happened),
		cmocka_unit_test(a_long_line_is_cut_and_still_json),
		cmocka_unit_test(clients_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
