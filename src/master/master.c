/*
 * The master: brings signals, systemd, the pool and the reload together.
 */
#include "config.h"

#include "master/master.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/log_pump.h"
#include "master/inventory.h"
#include "master/log_event.h"
#include "master/loop.h"
#include "master/pool_heritage.h"
#include "master/recycle.h"
#include "master/reexec.h"
#include "master/reload.h"
#include "master/report.h"
#include "master/stray.h"
#include "master/trial.h"
#include "master/wish.h"
#include "systemd/journal.h"
#include "systemd/listen_fds.h"
#include "systemd/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define EXTEND_INTERVAL_US (5 * US_PER_SEC) /* how often systemd hears that a reload or stop is under way … */
#define EXTEND_US          (30 * US_PER_SEC) /* … and what it then allows at least */
#define LEAVE_TIMEOUT_US   (US_PER_SEC / 2)  /* how long the last words may take */

struct master;

/* A signal is an ordinary event. */
struct master_signal {
	int number;
	const char *name;
	void (*handle)(struct master *m, const char *name);
};

static void on_hup(struct master *m, const char *name);
static void on_term(struct master *m, const char *name);
static void on_quit(struct master *m, const char *name);
static void on_usr1(struct master *m, const char *name);
static void on_usr2(struct master *m, const char *name);
static void on_ttin(struct master *m, const char *name);
static void on_ttou(struct master *m, const char *name);
static void on_chld(struct master *m, const char *name);

static const struct master_signal signals[] = {
	{ SIGHUP, "SIGHUP", on_hup },
	{ SIGTERM, "SIGTERM", on_term },
	{ SIGINT, "SIGINT", on_term },
	{ SIGQUIT, "SIGQUIT", on_quit },
	{ SIGUSR1, "SIGUSR1", on_usr1 },
	{ SIGUSR2, "SIGUSR2", on_usr2 },
	{ SIGTTIN, "SIGTTIN", on_ttin },
	{ SIGTTOU, "SIGTTOU", on_ttou },
	{ SIGCHLD, "SIGCHLD", on_chld },
};

enum { N_SIGNALS = sizeof(signals) / sizeof(signals[0]) };

struct master {
	const struct master_options *options;
	const struct master_extension *extension; /* NULL: none */
	struct event_base *base;
	struct listen_fds passed;
	struct pool *pool;
	struct candidate first; /* the configuration of the start */
	struct reload reload;
	struct wish hup, ttin, ttou;
	struct recycle recycle;
	struct reexec reexec;
	struct stray_list strays;
	struct event *on_lame_duck; /* while a stop still accepts */
	enum master_state state;    /* written by enter_state alone */
	uint64_t started_us, started_wall_us;
	int exit_status;
	int signal_fd; /* the signals stay blocked: one that comes while another image takes over waits for it */
	struct event *on_signal;
	struct event *on_child;    /* timer: one has ended, STRAY_REAP_DELAY_US ago */
	struct event *on_watchdog; /* NULL: nobody watches */
	struct event *on_extend;   /* while reloading or stopping */
	struct log_pump *log_pump;
};

/* ---- reports ---- */

struct report
master_report(const struct master *m)
{
	return (struct report){
		.state = m->state,
		.started_us = m->started_us,
		.started_wall_us = m->started_wall_us,
		.pool = m->pool,
		.last_reload = &m->reload.last,
	};
}

static void
report_status(const struct master *m)
{
	const struct report report = master_report(m);
	char line[256];

	if (!notify_is_heard())
		return;
	report_line(&report, line, sizeof(line));
	notify_status(line);
}

/* event: a reload or stop under way, which may take as long as the drains do */
static void
on_extend(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd, (void)what;
	notify_extend_timeout(EXTEND_US);
	report_status(m);
}

/* The one writer of the state; systemd is told here, so no path can forget it. */
static void
enter_state(struct master *m, enum master_state state)
{
	struct timeval interval = clock_timeval(EXTEND_INTERVAL_US);
	bool was_stopping = m->state == MASTER_STOPPING;

	m->state = state;
	if (state == MASTER_STOPPING && !was_stopping)
		notify_stopping();
	if (state == MASTER_RELOADING)
		notify_reloading();
	report_status(m);
	if (state == MASTER_RUNNING) {
		notify_ready();
		event_del(m->on_extend);
	} else {
		notify_extend_timeout(EXTEND_US);
		event_add(m->on_extend, &interval);
	}
}

/* ---- start ---- */

static void
use_log_options(const struct master *m, const struct config *config)
{
	bool journal = config->log.target == CONFIG_LOG_JOURNAL ||
	               (config->log.target == CONFIG_LOG_AUTO && journal_is_stderr());
	int r = 0;

	log_set_level(m->options->log_level >= 0 ? m->options->log_level : config->log.level);
	if (journal)
		r = journal_open();
	else
		journal_close();
	if (r < 0)
		log_warning("the journal cannot be reached, logging to stderr: %s", strerror(-r));
}

static void
fail_start(struct master *m, int exit_status, const char *why)
{
	log_event(LOG_ERR, EVENT_DAEMON_FAILED, NULL, "cannot start: %s", why);
	m->exit_status = exit_status;
	notify_errno(exit_status == EX_UNAVAILABLE ? EADDRINUSE : exit_status == EX_CONFIG ? EINVAL : EIO);
	enter_state(m, MASTER_STOPPING);
	pool_stop(m->pool);
}

static void
fail_with_problems(struct master *m, int exit_status, const struct problems *problems)
{
	char why[64];

	for (size_t i = 0; i < problems_kept(problems); i++)
		log_event(LOG_ERR, EVENT_DAEMON_FAILED, NULL, "%s", problems->text[i]);
	snprintf(why, sizeof(why), "%zu error%s", problems->n, problems->n == 1 ? "" : "s");
	fail_start(m, exit_status, why);
}

static bool
prepare_extension(const struct generation *generation, struct problems *problems, void *arg)
{
	struct master *m = arg;

	return !m->extension || m->extension->prepare(m, generation->config, problems, m->extension->arg);
}

static void
discard_extension(void *arg)
{
	struct master *m = arg;

	if (m->extension)
		m->extension->discard(m->extension->arg);
}

/* The first configuration has been checked, or is none. */
static void
on_first_candidate(struct candidate *c, void *arg)
{
	struct master *m = arg;

	if (!c->generation) {
		fail_with_problems(m, c->denied ? EX_OSERR : EX_CONFIG, &c->problems);
		return;
	}
	if (c->warning)
		log_warning("%s", c->warning);
	use_log_options(m, c->generation->config);
	if (!prepare_extension(c->generation, &c->problems, m) ||
		!pool_prepare(m->pool, c->generation, &c->problems)) {
		fail_with_problems(m, EX_UNAVAILABLE, &c->problems);
		return;
	}
	pool_roll(m->pool, c->generation);
}

static void
on_started(struct master *m, enum roll_result result)
{
	const struct pool *pool = m->pool;
	char addresses[512];

	candidate_done(&m->first);
	if (result != ROLL_APPLIED) {
		if (m->state != MASTER_STOPPING)
			fail_start(m, EX_SOFTWARE, pool->roll.why);
		return;
	}
	report_addresses(pool, addresses, sizeof(addresses));
	enter_state(m, MASTER_RUNNING);
	log_event(LOG_NOTICE, EVENT_DAEMON_READY,
		&(struct event_about){ .generation = pool->running->number },
		"ready: generation %" PRIu64 ", %u workers ready, listening on %s", pool->running->number,
		pool_count(pool).ready, addresses);
	reload_resume(&m->reload);
}

/* ---- what the pool tells ---- */

static bool
is_worker(pid_t pid, void *arg)
{
	const struct pool *pool = arg;

	for (unsigned i = 0; i < pool->n_slots; i++) {
		const struct slot *slot = pool->slot[i];

		if ((slot->incumbent && slot->incumbent->pid == pid) ||
			(slot->successor && slot->successor->pid == pid))
			return true;
	}
	return false;
}

static void
on_commit(struct pool *pool, void *arg)
{
	struct master *m = arg;

	use_log_options(m, pool->running->config);
	recycle_apply(&m->recycle, pool->running->config);
	if (m->extension)
		m->extension->commit(m->extension->arg);
	reload_on_commit(&m->reload);
}

static void
on_roll_end(struct pool *pool, enum roll_result result, void *arg)
{
	struct master *m = arg;

	(void)pool;
	if (m->reload.under_way)
		reload_on_roll_end(&m->reload, result);
	else
		on_started(m, result);
}

static void
on_change(struct pool *pool, void *arg)
{
	struct master *m = arg;

	(void)pool;
	report_status(m);
	/* a request that came while the pool was at work */
	reload_resume(&m->reload);
	reexec_resume(&m->reexec);
}

static void
on_empty(struct pool *pool, void *arg)
{
	struct timeval timeout = clock_timeval(LEAVE_TIMEOUT_US);
	struct master *m = arg;

	(void)pool;
	stray_kill_adopted(is_worker, m->pool);
	log_event(LOG_NOTICE, EVENT_DAEMON_STOPPED, NULL, "stopped");
	event_base_loopexit(m->base, &timeout);
	if (m->extension)
		m->extension->leave(m->extension->arg);
	else
		event_base_loopbreak(m->base);
}

/* ---- what the reload tells ---- */

static void
on_reload_begin(struct reload *reload, void *arg)
{
	(void)reload;
	enter_state(arg, MASTER_RELOADING);
}

static void
on_reload_end(struct reload *reload, void *arg)
{
	struct master *m = arg;

	(void)reload;
	if (m->state == MASTER_RELOADING)
		enter_state(m, MASTER_RUNNING);
	recycle_go_on(&m->recycle);
	reexec_resume(&m->reexec);
}

/* ---- signals ---- */

static void
on_hup(struct master *m, const char *name)
{
	wish_ask(&m->hup, &m->reload, &(struct reload_request){ .kind = RELOAD_FILE, .origin = name });
}

static void
scale(struct master *m, struct wish *wish, int delta, const char *name)
{
	wish_ask(wish, &m->reload,
		&(struct reload_request){ .kind = RELOAD_SCALE, .delta = delta, .origin = name });
}

static void
on_ttin(struct master *m, const char *name)
{
	scale(m, &m->ttin, 1, name);
}

static void
on_ttou(struct master *m, const char *name)
{
	scale(m, &m->ttou, -1, name);
}

/* event: load balancers have had their time to notice */
static void
on_lame_duck(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd, (void)what;
	pool_stop(m->pool);
}

static void
stop(struct master *m, const char *name)
{
	uint64_t lame_duck_us = m->pool->running ? m->pool->running->config->lame_duck_us : 0;
	struct timeval lame_duck = clock_timeval(lame_duck_us);

	log_event(LOG_NOTICE, EVENT_DAEMON_STOPPING, NULL, "stopping (%s)", name);
	enter_state(m, MASTER_STOPPING);
	candidate_done(&m->first);
	reload_cancel(&m->reload);
	reexec_cancel(&m->reexec);
	if (lame_duck_us == 0) {
		pool_stop(m->pool);
		return;
	}
	log_event(LOG_NOTICE, EVENT_DAEMON_STOPPING, NULL, "still accepting for %.1f s (lame_duck)",
		(double)lame_duck_us / (double)US_PER_SEC);
	event_add(m->on_lame_duck, &lame_duck);
}

static void
on_term(struct master *m, const char *name)
{
	if (m->state == MASTER_STOPPING)
		on_quit(m, name);
	else
		stop(m, name);
}

static void
on_quit(struct master *m, const char *name)
{
	if (m->state != MASTER_STOPPING)
		stop(m, name);
	log_event(LOG_NOTICE, EVENT_DAEMON_STOPPING, NULL, "stopping at once (%s)", name);
	event_del(m->on_lame_duck);
	if (!m->pool->stopping)
		pool_stop(m->pool);
	pool_stop_now(m->pool);
}

struct event_base *
master_base(struct master *m)
{
	return m->base;
}

struct reload *
master_reload(struct master *m)
{
	return &m->reload;
}

int
master_drain_upstream(struct master *m, const char *name, bool is_drained)
{
	return pool_drain_upstream(m->pool, name, is_drained);
}

void
master_stop(struct master *m, const char *origin, bool now)
{
	if (now)
		on_quit(m, origin);
	else if (m->state != MASTER_STOPPING)
		stop(m, origin);
}

static void
on_usr1(struct master *m, const char *name)
{
	const struct report report = master_report(m);

	(void)name;
	report_log(&report);
}

static void
on_usr2(struct master *m, const char *name)
{
	if (m->state != MASTER_STOPPING)
		reexec_ask(&m->reexec, name);
}

/* event: somebody has ended. Workers are waited for by their pidfds, which have been looked at by now. */
static void
on_child(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd, (void)what;
	stray_reap_adopted(is_worker, m->pool);
}

static void
on_chld(struct master *m, const char *name)
{
	struct timeval delay = clock_timeval(STRAY_REAP_DELAY_US);

	(void)name;
	if (!event_pending(m->on_child, EV_TIMEOUT, NULL))
		event_add(m->on_child, &delay);
}

static void
handle_signal(struct master *m, int number)
{
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (signals[i].number == number)
			signals[i].handle(m, signals[i].name);
}

/* event: signals; each waits once at most, so this ends */
static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo info;

	(void)what;
	for (size_t i = 0; i < N_SIGNALS && read(fd, &info, sizeof(info)) == sizeof(info); i++)
		handle_signal(arg, (int)info.ssi_signo);
}

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaddset(set, signals[i].number);
}

void
master_block_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, def = { .sa_handler = SIG_DFL };
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* what a parent ignores is for us all the same; with SIGCHLD the kernel would reap our children, and their status be lost */
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaction(signals[i].number, &def, NULL);
	/* not used, but its default would end the daemon */
	sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- life ---- */

/* event: half of the watchdog's time is over */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	notify_watchdog();
}

static bool
start_watchdog(struct master *m)
{
	uint64_t interval_us = notify_watchdog_interval_us();
	struct timeval half = clock_timeval(interval_us / 2);

	if (interval_us == 0)
		return true;
	m->on_watchdog = event_new(m->base, -1, EV_PERSIST, on_watchdog, NULL);
	return m->on_watchdog && event_add(m->on_watchdog, &half) == 0;
}

static bool
catch_signals(struct master *m)
{
	sigset_t set;

	signal_set(&set);
	m->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (m->signal_fd < 0)
		return false;
	m->on_signal = event_new(m->base, m->signal_fd, EV_READ | EV_PERSIST, on_signal, m);
	m->on_child = event_new(m->base, -1, 0, on_child, m);
	return m->on_signal && m->on_child && event_priority_set(m->on_child, LOOP_PRIORITY_CLIENTS) == 0 &&
	       event_add(m->on_signal, NULL) == 0;
}

/*
 * The master holds a socket for each address and slot: it takes all descriptors that it may have. Returns
 * what was the limit, for workers go on with that unless limits.open_files says otherwise.
 */
static unsigned
raise_open_files(void)
{
	struct rlimit limit;
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	return (unsigned)before;
}

/*
 * Where 0, 1 and 2 are closed, the next descriptors that are opened would get these numbers: the log would be written into them, and
 * workers, who inherit them, could too.
 */
static int
hold_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return -errno;
	return 0;
}

/* ---- re-exec ---- */

/* Where everything is that another image goes on with. */
static struct inventory
inventory_of(struct master *m)
{
	return (struct inventory){
		.pool = m->pool,
		.passed = &m->passed,
		.reload = &m->reload,
		.recycle = &m->recycle,
		.extension = m->extension,
		.own = { .started_us = m->started_us,
			.started_wall_us = m->started_wall_us,
			.begun_us = clock_now_us(),
			.open_files = m->pool->host.open_files,
			.log_lost = (unsigned)log_lost(),
			.program = m->reexec.program },
	};
}

static bool
is_quiet(void *arg)
{
	const struct master *m = arg;

	return m->state == MASTER_RUNNING && reload_is_idle(&m->reload) && pool_is_quiet(m->pool);
}

static const char *
fingerprint(void *arg)
{
	const struct master *m = arg;

	return m->pool->running->sha256;
}

static json_t *
save(struct heritage *heritage, bool trial, void *arg)
{
	const struct inventory inventory = inventory_of(arg);

	return inventory_save(heritage, &inventory, trial);
}

/* To systemd it looks like a reload. */
static void
on_leave(void *arg)
{
	notify_watchdog();
	enter_state(arg, MASTER_RELOADING);
}

static void
on_return(void *arg)
{
	struct master *m = arg;

	if (m->extension)
		m->extension->resume(m->extension->arg);
	enter_state(m, MASTER_RUNNING);
}

static bool
init_reexec(struct master *m)
{
	const struct reexec_host host = {
		.base = m->base,
		.argv = m->options->argv,
		.is_quiet = is_quiet,
		.fingerprint = fingerprint,
		.save = save,
		.on_leave = on_leave,
		.on_return = on_return,
		.arg = m,
	};

	LIST_INIT(&m->strays);
	return reexec_init(&m->reexec, &host, m->options->program ? strdup(m->options->program) : NULL) == 0;
}

/* What was described applies; who is interested is told. */
static void
go_on(struct master *m, const struct inventory_own *own)
{
	const struct generation *running = m->pool->running;

	m->started_us = own->started_us;
	m->started_wall_us = own->started_wall_us;
	/* our own limit was raised by the image before */
	m->pool->host.open_files = m->pool->slot_host.workers.open_files = own->open_files;
	use_log_options(m, running->config);
	log_add_lost(own->log_lost);
	recycle_apply(&m->recycle, running->config);
	stray_find(&m->strays, m->base, is_worker, m->pool);
	enter_state(m, MASTER_RUNNING);
	log_event(LOG_NOTICE, EVENT_REEXEC_DONE, &(struct event_about){ .generation = running->number },
		"re-exec: gracefuld " PACKAGE_VERSION " goes on: generation %" PRIu64
		", %u workers ready, after %.1f ms",
		running->number, pool_count(m->pool).ready,
		(double)(clock_now_us() - own->begun_us) / (double)US_PER_MS);
}

/* The image before this one has left its state. False: it can't be taken over, and the workers leave by themselves. */
static bool
take_over(struct master *m)
{
	struct heritage heritage = { 0 };
	json_t *json = heritage_open(&heritage, m->options->state_fd);
	struct inventory inventory = inventory_of(m);
	bool good;

	notify_watchdog(); /* its timer begins anew */
	inventory.own.program = NULL;
	good = json && inventory_load(&heritage, json, &inventory, m);
	json_decref(json);
	if (inventory.own.program) {
		free(m->reexec.program);
		m->reexec.program = inventory.own.program;
	}
	if (good && identity_drop_capabilities() == 0) {
		go_on(m, &inventory.own);
		return true;
	}
	log_event(LOG_ERR, EVENT_DAEMON_FAILED, NULL, "cannot take over: %s",
		*heritage.error ? heritage.error : strerror(errno));
	notify_errno(EIO);
	pool_discard(m->pool);
	m->pool = NULL;
	m->exit_status = EX_SOFTWARE;
	return false;
}

static bool
master_init(struct master *m, const struct master_options *options, const struct master_extension *extension)
{
	struct pool_host pool_host = {
		.program = options->worker_program,
		.open_files = raise_open_files(),
		.passed = &m->passed,
		.on_commit = on_commit,
		.on_roll_end = on_roll_end,
		.on_change = on_change,
		.on_empty = on_empty,
		.arg = m,
	};

	*m = (struct master){
		.options = options,
		.extension = extension,
		.started_us = clock_now_us(),
		.started_wall_us = clock_wall_us(),
		.signal_fd = -1,
	};
	m->base = pool_host.base = loop_new();
	m->pool = m->base ? pool_new(&pool_host) : NULL;
	if (!m->pool)
		return false;
	m->reload = (struct reload){
		.base = m->base,
		.pool = m->pool,
		.program = options->worker_program,
		.path = options->config_path,
		.on_begin = on_reload_begin,
		.on_prepare = prepare_extension,
		.on_discard = discard_extension,
		.on_end = on_reload_end,
		.arg = m,
	};
	reload_init(&m->reload);
	m->on_extend = event_new(m->base, -1, EV_PERSIST, on_extend, m);
	m->on_lame_duck = evtimer_new(m->base, on_lame_duck, m);
	m->log_pump = log_pump_new(m->base);
	/* what a hosted program leaves behind comes to us, not to init */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return m->log_pump && m->on_extend && m->on_lame_duck &&
	       recycle_init(&m->recycle, m->base, m->pool, &m->reload) == 0 && init_reexec(m) &&
	       start_watchdog(m) && catch_signals(m);
}

static void
master_done(struct master *m)
{
	if (m->extension)
		m->extension->done(m->extension->arg);
	candidate_done(&m->first);
	reload_done(&m->reload);
	pool_free(m->pool);
	listen_fds_done(&m->passed);
	if (m->on_signal)
		event_free(m->on_signal);
	if (m->on_child)
		event_free(m->on_child);
	fd_close(&m->signal_fd);
	reexec_done(&m->reexec);
	stray_done(&m->strays);
	if (m->on_watchdog)
		event_free(m->on_watchdog);
	recycle_done(&m->recycle);
	if (m->on_extend)
		event_free(m->on_extend);
	if (m->on_lame_duck)
		event_free(m->on_lame_duck);
	log_pump_free(m->log_pump);
	if (m->base)
		event_base_free(m->base);
}

static void
begin(struct master *m)
{
	int r;

	log_event(LOG_NOTICE, EVENT_DAEMON_STARTED, NULL,
		"gracefuld " PACKAGE_VERSION " started: configuration %s", m->options->config_path);
	r = listen_fds_take(&m->passed);
	if (r == 0)
		r = identity_drop_capabilities();
	if (r < 0)
		fail_start(m, EX_OSERR, strerror(-r));
	else
		candidate_start(&m->first, m->base, m->options->worker_program, m->options->config_path,
			on_first_candidate, m);
}

int
master_run(const struct master_options *options, const struct master_extension *extension)
{
	struct master m;
	int r = hold_standard();

	if (r < 0)
		return EX_OSERR; /* there is nowhere to say so */
	if (journal_is_stderr())
		journal_open();
	if (options->log_level >= 0)
		log_set_level(options->log_level);
	if (!master_init(&m, options, extension)) {
		log_error("cannot start: no event loop: %s", strerror(errno));
		master_done(&m);
		return EX_OSERR;
	}
	if (options->state_fd < 0)
		begin(&m);
	if (options->state_fd < 0 || take_over(&m))
		event_base_dispatch(m.base);
	r = m.exit_status;
	master_done(&m);
	return r;
}

/* ---- -t ---- */

static void
on_checked(struct candidate *c, void *arg)
{
	(void)c;
	event_base_loopbreak(arg);
}

int
master_check(const struct master_options *options)
{
	struct candidate candidate;
	struct event_base *base = hold_standard() == 0 ? loop_new() : NULL;
	int r = EX_OK;

	if (!base)
		return EX_OSERR;
	candidate_start(&candidate, base, options->worker_program, options->config_path, on_checked, base);
	if (candidate.checker)
		event_base_dispatch(base);
	for (size_t i = 0; i < problems_kept(&candidate.problems); i++)
		fprintf(stderr, "%s\n", candidate.problems.text[i]);
	if (candidate.problems.n > 0)
		r = candidate.denied ? EX_OSERR : EX_CONFIG;
	else
		printf("%s: good\n", options->config_path);
	candidate_done(&candidate);
	event_base_free(base);
	return r;
}

/* ---- --check-state ---- */

/* False with the reason in `heritage`. */
static bool
check_state(const struct master_options *options, const struct master_extension *extension,
	struct heritage *heritage, struct event_base *base)
{
	struct listen_fds passed = { 0 };
	struct recycle recycle = { 0 };
	struct reload reload = { 0 };
	const struct pool_host host = { .base = base, .program = options->worker_program, .passed = &passed };
	struct inventory inventory = {
		.pool = base ? pool_new(&host) : NULL,
		.passed = &passed,
		.reload = &reload,
		.recycle = &recycle,
		.extension = extension,
	};
	json_t *json = heritage_open(heritage, options->state_fd);
	bool good = inventory.pool && json && inventory_load(heritage, json, &inventory, NULL);

	json_decref(json);
	free(inventory.own.program);
	reload_init(&reload);
	reload_done(&reload);
	if (inventory.pool)
		pool_discard(inventory.pool);
	listen_fds_done(&passed);
	return good;
}

int
master_check_state(const struct master_options *options, const struct master_extension *extension)
{
	struct event_base *base = hold_standard() == 0 ? loop_new() : NULL;
	struct heritage heritage = { .trial = true };
	bool good = check_state(options, extension, &heritage, base);

	puts(good ? TRIAL_ANSWER : *heritage.error ? heritage.error : "out of memory");
	if (extension)
		extension->done(extension->arg);
	if (base)
		event_base_free(base);
	return good ? EX_OK : EX_DATAERR;
}
