/* Group commit: who waits for it. */
#include "queue_rig.h"

#include <stdatomic.h>

#include "spool/disk.h"

/* A disk that syncs when it may. */
static atomic_bool may_sync;
static const struct disk *real;

static int
sync_when_told(int fd)
{
	while (!may_sync)
		nanosleep(&(struct timespec){ 0, 200000 }, NULL);
	return real->datasync(fd);
}

static struct rig rig;
static struct queue_wait first, forgotten, next;
static unsigned firsts, forgottens, nexts;
static int64_t syncs_first, syncs_next;

static void
on_next(void *arg)
{
	(void)arg;
	nexts++;
	syncs_next = count_get(COUNT_SYNCS);
}

static void
on_forgotten(void *arg)
{
	(void)arg;
	forgottens++;
}

static void
on_first(void *arg)
{
	(void)arg;
	firsts++;
	syncs_first = count_get(COUNT_SYNCS);
	queue_forget(&forgotten);
	may_sync = false;
	ck_assert(queue_await(rig.queue, &next, on_next, NULL));
}

/* The end of one wait may begin another, for what was written meanwhile, and forget one that ends with it. */
START_TEST(waits_begin_and_end_in_one_another)
{
	struct disk slow;

	real = disk_replace(NULL);
	slow = *real;
	slow.datasync = sync_when_told;
	disk_replace(&slow);
	may_sync = true;
	rig_up(&rig, basic);
	settle(&rig);
	may_sync = false;
	submit(&rig, "a@b.example", NULL);
	turn_until(&rig, rig.queue->sync_running);
	ck_assert(queue_await(rig.queue, &first, on_first, NULL));
	ck_assert(queue_await(rig.queue, &forgotten, on_forgotten, NULL));
	submit(&rig, "b@b.example", NULL);
	turn_until(&rig, spool_is_dirty(rig.queue->spool));
	may_sync = true;
	turn_until(&rig, firsts == 1);
	ck_assert_uint_eq(nexts, 0);
	may_sync = true;
	turn_until(&rig, nexts == 1);
	ck_assert_uint_eq(firsts, 1);
	ck_assert_uint_eq(forgottens, 0);
	ck_assert_int_eq(syncs_next, syncs_first + 1);	/* the one after, which has what was not on disk yet */
	rig_down(&rig);
	disk_replace(real);
}
END_TEST

Suite *test_commit(void);
Suite *
test_commit(void)
{
	Suite *s = suite_create("test_commit");
	TCase *t = tcase_create("commit");

	tcase_add_test(t, waits_begin_and_end_in_one_another);
	suite_add_tcase(s, t);
	return s;
}
