/*
 * Calls to the control socket, by libcurl's multi interface.
 */
#include "config.h"

#include "ctl/client.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

#define CONNECT_TIMEOUT_US (2 * US_PER_SEC)
#define KNOCK_US           (10 * US_PER_MS) /* where the queue of the socket is full: there is no event for that */
#define TURN_US            (1 * US_PER_SEC) /* of any length: there is an event for all that is waited for */
#define ERROR_MAX          512

struct client {
	CURLM *multi;
	LIST_HEAD(, client_call) knocking; /* they found the queue full, and are not with libcurl */
	const char *socket_path;
	char error[ERROR_MAX];
};

struct client_call {
	struct client *client;
	LIST_ENTRY(client_call) entry; /* while `knocks` */
	bool knocks;
	uint64_t connect_until_us;
	CURL *easy;
	struct curl_slist *headers;
	client_data_fn *on_data;
	void *arg;
	uint64_t timeout_us;
	enum client_state state;
	bool has_head; /* of the answer */
	char *body;    /* what has come; NULL: nothing, or on_data took it */
	size_t len, room;
	int data_error; /* negative errno that ended it; 0: none */
	CURLcode code;  /* once ended */
};

struct client *
client_new(const char *socket_path)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->socket_path = socket_path;
	LIST_INIT(&client->knocking);
	/* no TLS, so there is nothing to initialise */
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK || !(client->multi = curl_multi_init())) {
		free(client);
		return NULL;
	}
	return client;
}

void
client_free(struct client *client)
{
	if (!client)
		return;
	curl_multi_cleanup(client->multi);
	curl_global_cleanup();
	free(client);
}

const char *
client_socket(const struct client *client)
{
	return client->socket_path;
}

const char *
client_error(const struct client *client)
{
	return client->error;
}

int
client_set_error(struct client *client, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(client->error, sizeof(client->error), fmt, ap);
	va_end(ap);
	return error;
}

/* ---- what libcurl calls ---- */

static unsigned
http_status(const struct client_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned)status;
}

/* CURLOPT_HEADERFUNCTION: the empty line ends the head; those of 1xx are not the answer yet. */
static size_t
take_header(char *data, size_t size, size_t n, void *arg)
{
	struct client_call *call = arg;
	const size_t len = size * n;

	if ((len == 2 && memcmp(data, "\r\n", 2) == 0) || (len == 1 && *data == '\n'))
		if (http_status(call) >= 200) {
			call->state = CLIENT_OPEN;
			call->has_head = true;
		}
	return len;
}

/* Twice what is needed, so that the time for a long answer stays in proportion to its length. */
static int
make_room(struct client_call *call, size_t needed)
{
	char *body;

	if (needed <= call->room)
		return 0;
	body = realloc(call->body, 2 * needed);
	if (!body)
		return -ENOMEM;
	call->body = body;
	call->room = 2 * needed;
	return 0;
}

static int
keep_data(struct client_call *call, const char *data, size_t len)
{
	if (len > CLIENT_ANSWER_MAX - call->len)
		return -EMSGSIZE;
	if (make_room(call, call->len + len + 1) < 0)
		return -ENOMEM;
	memcpy(call->body + call->len, data, len);
	call->len += len;
	call->body[call->len] = '\0';
	return 0;
}

/* CURLOPT_WRITEFUNCTION */
static size_t
take_data(char *data, size_t size, size_t n, void *arg)
{
	struct client_call *call = arg;
	const size_t len = size * n;

	if (call->on_data && http_status(call) / 100 == 2)
		call->data_error = call->on_data(data, len, call->arg);
	else
		call->data_error = keep_data(call, data, len);
	return call->data_error == 0 ? len : 0;
}

/* ---- calls ---- */

/* Whether all of it could be set. */
static bool
set_connection(struct client_call *call)
{
	CURL *easy = call->easy;

	return curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->client->socket_path) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(CONNECT_TIMEOUT_US / US_PER_MS)) ==
	               CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK && /* whatever the environment says */
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
}

static bool
set_answer(struct client_call *call)
{
	CURL *easy = call->easy;

	return curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_data) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK;
}

static bool
set_body(struct client_call *call, const char *body)
{
	call->headers = curl_slist_append(NULL, "Content-Type: application/json");
	return call->headers && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
}

static bool
set_request(struct client_call *call, const struct client_request *request)
{
	const long timeout_ms = (long)((request->timeout_us + US_PER_MS - 1) / US_PER_MS);
	char url[256];

	call->timeout_us = request->timeout_us;
	call->on_data = request->on_data;
	call->arg = request->arg;
	snprintf(url, sizeof(url), "http://localhost%s", request->path);
	return curl_easy_setopt(call->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_USERAGENT, "gracefulctl/" PACKAGE_VERSION) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
	       (!request->body || set_body(call, request->body));
}

int
client_start(struct client *client, const struct client_request *request, struct client_call **ret)
{
	struct client_call *call = calloc(1, sizeof(*call));

	if (!call)
		return client_set_error(client, -ENOMEM, "out of memory");
	call->client = client;
	call->connect_until_us = clock_now_us() + CONNECT_TIMEOUT_US;
	call->easy = curl_easy_init();
	if (!call->easy || !set_connection(call) || !set_answer(call) || !set_request(call, request) ||
		curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
		client_call_free(call);
		return client_set_error(client, -ENOMEM, "out of memory");
	}
	*ret = call;
	return 0;
}

void
client_call_free(struct client_call *call)
{
	if (!call)
		return;
	if (call->knocks)
		LIST_REMOVE(call, entry);
	else if (call->easy)
		curl_multi_remove_handle(call->client->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	free(call->body);
	free(call);
}

/* Was the queue full? Then connect says EAGAIN, which libcurl takes for "under way" and gives up on, without an error. */
static bool
was_full(const struct client_call *call)
{
	long error = 0;

	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	return call->code == CURLE_COULDNT_CONNECT && error == 0;
}

/* Nothing was sent yet, so it may begin anew. */
static void
knock_later(struct client_call *call)
{
	struct client *client = call->client;

	curl_multi_remove_handle(client->multi, call->easy);
	call->knocks = true;
	LIST_INSERT_HEAD(&client->knocking, call, entry);
}

static CURLMcode
knock_again(struct client *client)
{
	struct client_call *call;
	CURLMcode code = CURLM_OK;

	while (code == CURLM_OK && (call = LIST_FIRST(&client->knocking))) {
		code = curl_multi_add_handle(client->multi, call->easy);
		LIST_REMOVE(call, entry);
		call->knocks = false;
	}
	return code;
}

static void
collect_ended(struct client *client)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct client_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		call->code = message->data.result;
		if (was_full(call) && clock_now_us() < call->connect_until_us)
			knock_later(call);
		else
			call->state = CLIENT_ENDED;
	}
}

int
client_turn(struct client *client, uint64_t max_us)
{
	const bool knocks = !LIST_EMPTY(&client->knocking);
	const uint64_t wait_us = knocks && max_us > KNOCK_US ? KNOCK_US : max_us;
	CURLMcode code =
		curl_multi_poll(client->multi, NULL, 0, (int)((wait_us + US_PER_MS - 1) / US_PER_MS), NULL);
	int running;

	if (code == CURLM_OK)
		code = knock_again(client);
	if (code == CURLM_OK)
		code = curl_multi_perform(client->multi, &running);
	if (code != CURLM_OK)
		return client_set_error(client, code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO, "%s",
			curl_multi_strerror(code));
	collect_ended(client);
	return 0;
}

enum client_state
client_call_state(const struct client_call *call)
{
	return call->state;
}

/* ---- what came of it ---- */

static int
fail_to_connect(const struct client_call *call)
{
	struct client *client = call->client;
	long error = 0;

	if (was_full(call))
		return client_set_error(
			client, -EAGAIN, "no daemon answers at %s: its queue is full", client->socket_path);
	curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	return client_set_error(client, -(int)error, "%s %s: %s",
		error == EACCES || error == EPERM ? "may not connect to" : "no daemon answers at",
		client->socket_path, strerror((int)error));
}

static int
fail_by_data(const struct client_call *call)
{
	struct client *client = call->client;

	if (call->data_error == -EMSGSIZE)
		return client_set_error(
			client, -EMSGSIZE, "the answer is larger than %d bytes", CLIENT_ANSWER_MAX);
	if (call->data_error == -ENOMEM)
		return client_set_error(client, -ENOMEM, "out of memory");
	return call->data_error; /* of on_data, which has said why */
}

static int
fail_by_end(const struct client_call *call)
{
	return client_set_error(call->client, -ECONNRESET, "the daemon at %s went away without an answer",
		call->client->socket_path);
}

static int
fail_by_code(const struct client_call *call)
{
	struct client *client = call->client;

	switch (call->code) {
	case CURLE_COULDNT_CONNECT:
		return fail_to_connect(call);
	case CURLE_OPERATION_TIMEDOUT:
		return client_set_error(client, -ETIMEDOUT,
			"the daemon at %s does not answer: waited for %.3g s", client->socket_path,
			(double)call->timeout_us / (double)US_PER_SEC);
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return fail_by_end(call);
	case CURLE_OUT_OF_MEMORY:
		return client_set_error(client, -ENOMEM, "out of memory");
	default:
		return client_set_error(client, -EPROTO, "what answers at %s speaks no HTTP: %s",
			client->socket_path, curl_easy_strerror(call->code));
	}
}

int
client_call_result(const struct client_call *call, struct client_answer *ret)
{
	if (call->data_error)
		return fail_by_data(call);
	if (call->code != CURLE_OK)
		return fail_by_code(call);
	if (!call->has_head) /* cut off there, libcurl calls it complete */
		return fail_by_end(call);
	*ret = (struct client_answer){
		.status = http_status(call),
		.body = call->body ? call->body : "",
		.len = call->len,
	};
	return 0;
}

int
client_finish(struct client_call *call, struct client_answer *ret)
{
	while (call->state != CLIENT_ENDED) {
		int r = client_turn(call->client, TURN_US);

		if (r < 0)
			return r;
	}
	return client_call_result(call, ret);
}
