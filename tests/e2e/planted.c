/* What somebody put where we read: links, FIFOs, and files that others can read or write (C-30, D-30). */
#include "e2e/world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

Suite *planted_suite(void);

static struct world w;
static char out[8192];

static void
setup(void)
{
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", "");
}

static void
teardown(void)
{
	world_free(&w);
}

/* In the world's directory. */
static void
shell(const char *how)
{
	char command[600];

	snprintf(command, sizeof command, "cd %s && %s", w.dir, how);
	ck_assert_msg(system(command) == 0, "%s", how);
}

static void
expect(const char *what)
{
	ck_assert_msg(strstr(out, what) != NULL, "%s not in\n%s", what, out);
}

/* --- the spool ---------------------------------------------------------------------- */

static const struct {
	const char *how, *command, *what;
} spools[] = {
	{ "echo only-for-root >kept && ln -sf ../../kept spool/tls/ca.pem", "ca", "ca.pem: is a symbolic link" },
	{ "rm spool/tls/ca.pem && mkfifo spool/tls/ca.pem", "ca", "ca.pem: is not a regular file" },
	{ "mv spool/tls spool/real && ln -s real spool/tls", "ca", "Not a directory" },
	{ "rm spool/tls/cert.pem && mkfifo spool/tls/cert.pem", "check", "cert.pem: is not a regular file" },
	{ "rm spool/tls/cert.pem && ln -s ../../secret spool/tls/cert.pem", "check", "cert.pem: is a symbolic link" },
	{ "mv spool/history spool/old && ln -s old spool/history", "check", "spool/history is no directory but a link" },
	{ "mv spool/blob old && ln -s ../old spool/blob", "check", "spool/blob is no directory but a link" },
	{ "mv spool/log old && ln -s ../old spool/log", "check", "spool/log is no directory but a link" },
	{ "rm spool/log/00000001.seg && mkfifo spool/log/00000001.seg", "spool check", "not a regular file" },
	{ "rm spool/log/00000001.seg && ln -s ../../secret spool/log/00000001.seg", "spool dump", "00000001.seg" },
};

START_TEST(a_command_is_not_led_astray)
{
	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	shell(spools[_i].how);
	ck_assert_int_ne(world_run(&w, out, sizeof out, NULL, spools[_i].command), 0);
	expect(spools[_i].what);
	ck_assert_msg(strstr(out, "only-for-root") == NULL, "%s", out);
}
END_TEST

START_TEST(a_fifo_does_not_keep_the_daemon_waiting)
{
	static const char *const files[] = { "key.pem", "cert.pem", "ca.pem" };
	char how[200], *log;

	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	snprintf(how, sizeof how, "rm spool/tls/%s && mkfifo spool/tls/%s", files[_i], files[_i]);
	shell(how);
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	snprintf(how, sizeof how, "%s: is not a regular file", files[_i]);
	ck_assert_msg(strstr(log, how) != NULL, "%s", log);
	free(log);
}
END_TEST

/* A spool that others may read is closed; one that they may write is refused before anything is in it. */
START_TEST(an_open_spool)
{
	static const struct {
		const char *how, *what;		/* what NULL: it starts, and it is closed then */
		bool as_root;
	} open_spools[] = {
		{ "mkdir -m 755 spool", NULL, false },
		{ "mkdir -m 755 spool spool/lost+found", NULL, false },
		{ "mkdir -m 700 spool && touch spool/mine", NULL, false },
		{ "mkdir -m 777 spool", "spool can be written by others (mode 777): chmod 0700 it", false },
		{ "mkdir -m 1777 spool", "chmod 0700 it", false },
		{ "mkdir -m 770 spool", "chmod 0700 it", false },
		{ "mkdir -m 755 spool && touch spool/mine", "is no spool, and other files are in it", false },
		{ "mkdir -m 755 spool && touch spool/.profile", "is no spool, and other files are in it", false },
		{ "mkdir -m 755 spool spool/blob && touch spool/important", "is no spool, and other files are in it", false },
		{ "mkdir -m 755 real && ln -s real spool", "spool: Not a directory", false },
		{ "mkdir -m 777 spool && echo 'user = nobody' >>gatepost.conf && chmod 711 . && chmod 644 users gatepost.conf", "chmod 0700 it", true },
		{ "mkdir -m 755 spool && touch spool/mine && echo 'user = nobody' >>gatepost.conf && chmod 711 .", "other files are in it", true },
	};
	char path[128], *log;
	struct stat st;

	if (open_spools[_i].as_root && geteuid() != 0)
		return;
	shell(open_spools[_i].how);
	snprintf(path, sizeof path, "%s/spool", w.dir);
	if (open_spools[_i].what == NULL) {
		world_start(&w);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0700);
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		return;
	}
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	if (!open_spools[_i].as_root)		/* what it says of the user nobody is said elsewhere */
		expect(open_spools[_i].what);
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 1);
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, open_spools[_i].what) != NULL, "%s", log);
	free(log);
	shell("test ! -e spool/tls -a ! -e spool/log");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, geteuid());	/* nor was it given to anybody */
}
END_TEST

/* What was open when it was started, it cannot use later. */
START_TEST(descriptors_left_open_are_closed)
{
	char path[64], to[256];
	int secret, fd;
	ssize_t n;

	snprintf(to, sizeof to, "%s/secret", w.dir);
	secret = open(to, O_RDONLY);
	fd = dup2(secret, 77);		/* both without FD_CLOEXEC */
	ck_assert_int_eq(fd, 77);
	world_start(&w);
	for (fd = 3; fd < 200; fd++) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)w.pid, fd);
		n = readlink(path, to, sizeof to - 1);
		to[n > 0 ? n : 0] = '\0';
		ck_assert_msg(strstr(to, "/secret") == NULL, "%d: %s", fd, to);
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	close(secret);
	close(77);
}
END_TEST

/* --- modes and owners -------------------------------------------------------------------- */

/* What others could read or write is refused by `run' and `check' alike (C-30, C-32). */
static const struct {
	const char *how, *rest, *what;
	bool as_root;
} open_files[] = {
	{ "chmod 644 secret", "", "secret: others can read it (mode 644); chmod 640 or 600 it", false },
	{ "chmod 666 gatepost.conf", "", "gatepost.conf: anybody can write it (mode 666); chmod o-w it", false },
	{ "chmod 646 users", "", "users: anybody can write it (mode 646); chmod o-w it", false },
	{ "chmod 646 more", "aliases_file = \"more\"\n", "more: anybody can write it", false },
	{ "chmod 646 more", "include(\"more\")\n", "more: anybody can write it", false },
	{ "chmod 777 .", "", "gatepost.conf: anybody can put another in its place; chmod o-w /", false },
	{ "mkdir -m 777 a && mkdir a/b && mv gatepost.conf a/b/conf && ln -s a/b/conf gatepost.conf", "",
	  "gatepost.conf: anybody can put another in its place; chmod o-w /", false },
	{ "mkdir -m 777 a && mkdir a/b && mv more a/b/ && ln -s a/b/more more", "aliases_file = \"more\"\n",
	  "more: anybody can put another in its place; chmod o-w /", false },
	{ "chmod 644 key.pem", "tls { certificate = \"cert.pem\" key = \"key.pem\" }\n", "key.pem: others can read it (mode 644)", false },
	{ "chmod 602 key.pem", "tls { certificate = \"cert.pem\" key = \"key.pem\" }\n", "key.pem: others can read it (mode 602)", false },
	{ "chown 12345 secret", "", "secret: belongs to user 12345, who is neither root nor the daemon's user; chown root it", true },
};

START_TEST(what_others_could_change_is_refused)
{
	char *log;

	if (open_files[_i].as_root && geteuid() != 0)
		return;
	world_start(&w);			/* makes a certificate and a key */
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	shell("cp -p spool/tls/cert.pem spool/tls/key.pem . && echo '# nothing' >more && chmod 600 more");
	world_configure(&w, "", open_files[_i].rest);
	shell("chmod 600 secret");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	shell(open_files[_i].how);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	expect(open_files[_i].what);
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, open_files[_i].what) != NULL, "%s", log);
	free(log);
}
END_TEST

/* As secrets are mounted into containers, and /tmp is. */
static const char *const fine_files[] = {
	"chmod 440 secret",
	"chmod 1777 .",
	"chmod 640 users && chmod 644 gatepost.conf",
	"chown 0:12345 secret && chmod 440 secret",
	"mkdir -m 1777 a && mkdir a/b && mv users a/b/ && ln -s a/b/users users",
	"mkdir real && mv gatepost.conf real/conf && ln -s real/conf there && ln -s $PWD/there gatepost.conf",
};

START_TEST(what_is_usual_is_taken)
{
	if (strstr(fine_files[_i], "chown") != NULL && geteuid() != 0)
		return;
	shell(fine_files[_i]);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "check") == 0, "%s", out);
	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

START_TEST(hashes_that_others_can_read_are_told_of)
{
	shell("chmod 644 users");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	expect("has password hashes that anybody can read");
	world_start(&w);
	ck_assert(world_wait_log(&w, "event=users_readable", 15000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

/* The upstream's CA is root's alone: the daemon does not start, and says nothing of reloads. */
START_TEST(what_stops_a_start_is_told_once)
{
	char *log;

	if (geteuid() != 0)
		return;
	world_configure(&w, "", "user = \"nobody\"\n");
	shell("chown -R nobody:nogroup .");
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, ": Permission denied; name a file") != NULL && strstr(log, "reload_impossible") == NULL, "%s", log);
	free(log);
}
END_TEST

/* --- passwd in somebody else's place ---------------------------------------------------------- */

/* As root, in the directory of `nobody': what is done there that one could have done (C-30).  $PLACE is root's: a file that nobody else may read, and one that all may. */
static const struct {
	const char *how, *more, *said;	/* said NULL: the password is set */
} places[] = {
	{ "true", "", NULL },
	{ "rm users", "", NULL },
	{ "chown 0 users", "", NULL },			/* as root made it once */
	{ "mv users real && ln -s real users && chown -h nobody users", "", NULL },
	{ "rm users && ln -s $PLACE/kept users && chown -h nobody users", "", ": kept: " },
	{ "rm users && ln -s $PLACE/open users && chown -h nobody users", "", "Permission denied" },
	{ "ln -s $PLACE more && chown -h nobody more", "users_file = \"more/kept\"\n", "kept: " },
	{ "true", "users_file = \"${PLACE}/kept\"\n", ": kept: " },
	{ "rm users && mkfifo users", "", "users: is not a regular file" },
};

START_TEST(root_sets_a_password_as_the_owner)
{
	char dir[] = "/tmp/gatepost-of-root-XXXXXX", path[128];
	struct stat st;
	int status;

	if (geteuid() != 0)
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("PLACE", dir, 1);
	world_configure(&w, "", places[_i].more);
	shell("chown -R nobody:nogroup . && chmod 640 users");
	shell("chmod 755 $PLACE && echo x:! >$PLACE/kept && chmod 600 $PLACE/kept && echo x:! >$PLACE/open && chmod 644 $PLACE/open");
	shell(places[_i].how);
	status = world_run(&w, out, sizeof out, "new-secret\n", "passwd added");
	ck_assert_msg(status == (places[_i].said == NULL ? 0 : 1), "%s", out);
	if (places[_i].said != NULL)
		expect(places[_i].said);
	shell("echo x:! | cmp - $PLACE/kept && cmp $PLACE/kept $PLACE/open && test $(ls -A $PLACE | wc -l) = 2");
	if (places[_i].said == NULL) {
		shell("grep -q ^added: users");
		snprintf(path, sizeof path, "%s/users", w.dir);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_uid, 65534);
		ck_assert_uint_eq(st.st_mode & 07777, 0640);
	}
	shell("rm -r $PLACE");
	unsetenv("PLACE");
}
END_TEST

/* --- what a daemon that was taken over could write ------------------------------------------ */

static void
reload_is_refused(const char *reason)
{
	ck_assert_int_ne(world_run(&w, out, sizeof out, NULL, "reload"), 0);
	expect(reason);
}

/* The state directory itself is not the daemon's to write to: its configuration is there. */
START_TEST(only_named_places_are_writable)
{
	world_start(&w);
	if (world_wait_log(&w, "event=no_landlock", 0))
		return;
	world_configure(&w, "capture = \"mail\"", "");
	reload_is_refused("capture /");
	expect("is not among the places that the running daemon may write to: restart");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);		/* makes it, so that its ground is its own */
	shell("test -d mail");
	world_configure(&w, "capture = \"mail/other\"", "");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "reload"), 0);
	world_configure(&w, "capture = \"mail2\"", "");
	reload_is_refused("is not among the places");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

/* A token beside the configuration makes that writable; then a reload brings no command (C-06). */
START_TEST(commands_come_by_a_reload_only_from_a_safe_place)
{
	static const char oauth2[] = "upstream \"tokens\" { host = \"127.0.0.1\" username = \"me\" "
	    "oauth2 { token_url = \"https://127.0.0.1:1/\" client_id = \"me\" refresh_token_file = \"%s\" } }\n";
	char rest[400], more[600];

	shell("echo token >token && mkdir tokens && echo token >tokens/token && chmod 600 token tokens/token");
	snprintf(rest, sizeof rest, oauth2, _i == 0 ? "token" : "tokens/token");
	world_configure(&w, "", rest);
	world_start(&w);
	if (world_wait_log(&w, "event=no_landlock", 0))
		return;
	snprintf(more, sizeof more, "%salert { command = \"/bin/true\" }\n", rest);
	world_configure(&w, "", more);
	if (_i == 0) {
		reload_is_refused("the command of alert is new, and the daemon itself may write to this file, or to a directory on the way to it: restart");
		snprintf(more, sizeof more, "%slog { level = \"debug\" }\n", rest);
		world_configure(&w, "", more);		/* all else is as ever */
	}
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "reload") == 0, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

/* A kernel without it, for this process and the daemon that it starts. */
static bool
take_landlock(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof code / sizeof code[0], code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Nothing but modes keeps it from writing its configuration then. */
START_TEST(without_landlock_modes_alone_make_a_place_safe)	/* C-06 */
{
	if (getenv("GATEPOST_PRELOAD") != NULL || !take_landlock())
		return;
	world_start(&w);
	ck_assert(world_wait_log(&w, "event=no_landlock", 15000));
	world_configure(&w, "", "alert { command = \"/bin/true\" }\n");
	reload_is_refused("the command of alert is new, and the daemon itself may write to this file");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

Suite *
planted_suite(void)
{
	Suite *s = suite_create("planted");
	TCase *t = tcase_create("planted");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_command_is_not_led_astray, 0, sizeof spools / sizeof spools[0]);
	tcase_add_loop_test(t, a_fifo_does_not_keep_the_daemon_waiting, 0, 3);
	tcase_add_loop_test(t, an_open_spool, 0, 12);
	tcase_add_test(t, descriptors_left_open_are_closed);
	tcase_add_loop_test(t, what_others_could_change_is_refused, 0, sizeof open_files / sizeof open_files[0]);
	tcase_add_loop_test(t, what_is_usual_is_taken, 0, sizeof fine_files / sizeof fine_files[0]);
	tcase_add_test(t, hashes_that_others_can_read_are_told_of);
	tcase_add_loop_test(t, root_sets_a_password_as_the_owner, 0, sizeof places / sizeof places[0]);
	tcase_add_test(t, only_named_places_are_writable);
	tcase_add_loop_test(t, commands_come_by_a_reload_only_from_a_safe_place, 0, 2);
	tcase_add_test(t, what_stops_a_start_is_told_once);
	tcase_add_test(t, without_landlock_modes_alone_make_a_place_safe);
	suite_add_tcase(s, t);
	return s;
}
