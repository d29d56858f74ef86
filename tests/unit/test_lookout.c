/* Files with passwords that change, in every way that files are changed.  The gate's part is for tests/e2e/logins.c. */
#include "queue/private.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "scratch.h"
#include "support_net.h"

static struct queue queue;
static struct upstream settings[2];
static struct gateway gateway[2], *gateways[2];
static char file[2][256];

static void
setup(void)
{
	scratch_make();
	log_open(LOG_ERROR, LOG_LOGFMT);
	memset(&queue, 0, sizeof queue);
	memset(settings, 0, sizeof settings);
	memset(gateway, 0, sizeof gateway);
	queue.loop = loop_new("test");
	queue.gateway = gateways;
	queue.ngateway = 2;
	ck_assert_int_eq(mkdir(scratch_path("keys"), 0700), 0);
	for (int i = 0; i < 2; i++) {
		char name[32], *none = (char *)(uintptr_t)"";

		snprintf(name, sizeof name, "keys/%d", i);
		scratch_write_n(name, "old\n", 4, 0600);
		snprintf(file[i], sizeof file[i], "%s", scratch_path(name));
		gateways[i] = &gateway[i];
		gateway[i].queue = &queue;
		gateway[i].name = (char *)(uintptr_t)"up";
		gateway[i].settings = &settings[i];
		settings[i].password = (char *)(uintptr_t)"old";
		settings[i].password_file = file[i];
		settings[i].oauth2.client_id = settings[i].oauth2.client_secret_file =
		    settings[i].oauth2.refresh_token_file = none;
	}
	lookout_configure(&queue);
}

static void
teardown(void)
{
	lookout_stop(&queue);
	credential_clear(&gateway[0]);
	credential_clear(&gateway[1]);
	loop_free(&queue.loop);
	scratch_remove();
}

static bool
has(const char *password)
{
	const char *fresh = gateway[0].credential.fresh;

	return fresh != NULL && strcmp(fresh, password) == 0;
}

static void
move(const char *from, const char *to)
{
	char path[256];

	snprintf(path, sizeof path, "%s", scratch_path(from));
	ck_assert_int_eq(rename(path, scratch_path(to)), 0);
}

START_TEST(written_in_place)
{
	scratch_write_n("keys/0", "new\n", 4, 0600);
	UNTIL(queue.loop, has("new"));
	ck_assert_ptr_null(gateway[1].credential.fresh);
}
END_TEST

START_TEST(renamed_over)
{
	scratch_write_n("keys/x", "new\n", 4, 0600);
	move("keys/x", "keys/0");
	UNTIL(queue.loop, has("new"));
	scratch_write_n("y", "newer\n", 6, 0600);	/* from another directory */
	move("y", "keys/0");
	UNTIL(queue.loop, has("newer"));
}
END_TEST

START_TEST(made_private_after_it_was_written)	/* C-30 */
{
	scratch_write_n("keys/x", "new\n", 4, 0644);
	move("keys/x", "keys/0");
	scratch_write_n("keys/1", "seen\n", 5, 0600);	/* comes after */
	UNTIL(queue.loop, gateway[1].credential.fresh != NULL);
	ck_assert_ptr_null(gateway[0].credential.fresh);
	ck_assert_int_eq(chmod(file[0], 0600), 0);
	UNTIL(queue.loop, has("new"));
}
END_TEST

START_TEST(the_directory_replaced)
{
	ck_assert_int_eq(mkdir(scratch_path("other"), 0700), 0);
	scratch_write_n("other/0", "new\n", 4, 0600);
	scratch_write_n("other/1", "old\n", 4, 0600);
	move("keys", "away");
	move("other", "keys");
	UNTIL(queue.loop, has("new"));
	scratch_write_n("keys/0", "newer\n", 6, 0600);	/* and it is watched again */
	UNTIL(queue.loop, has("newer"));
}
END_TEST

START_TEST(what_means_nothing)
{
	scratch_write_n("keys/0", "old\n", 4, 0600);
	scratch_write_n("keys/00", "new\n", 4, 0600);
	scratch_write_n("0", "new\n", 4, 0600);
	ck_assert_int_eq(unlink(scratch_path("keys/00")), 0);
	scratch_write_n("keys/1", "seen\n", 5, 0600);	/* comes after */
	UNTIL(queue.loop, gateway[1].credential.fresh != NULL);
	ck_assert_ptr_null(gateway[0].credential.fresh);
}
END_TEST

START_TEST(an_upstream_that_is_gone)
{
	gateway[0].settings = NULL;
	scratch_write_n("keys/0", "new\n", 4, 0600);
	scratch_write_n("keys/1", "seen\n", 5, 0600);
	UNTIL(queue.loop, gateway[1].credential.fresh != NULL);
	lookout_configure(&queue);
	scratch_write_n("keys/1", "again\n", 6, 0600);
	UNTIL(queue.loop, strcmp(gateway[1].credential.fresh, "again") == 0);
	ck_assert_ptr_null(gateway[0].credential.fresh);
}
END_TEST

Suite *test_lookout(void);

Suite *
test_lookout(void)
{
	Suite *s = suite_create("test_lookout");
	TCase *t = tcase_create("lookout");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, written_in_place);
	tcase_add_test(t, renamed_over);
	tcase_add_test(t, made_private_after_it_was_written);
	tcase_add_test(t, the_directory_replaced);
	tcase_add_test(t, what_means_nothing);
	tcase_add_test(t, an_upstream_that_is_gone);
	suite_add_tcase(s, t);
	return s;
}
