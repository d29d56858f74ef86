/* What the spool is made to do while its power is cut. */
#include "crash/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "crash/model.h"

enum { DISK = 64 << 20 };

static struct crashdisk *
begin(void)
{
	struct crashdisk *d = crashdisk_new(DISK);

	crashdisk_use(d);
	crashdisk_hook(d, run_on_change, NULL);
	model_begin();
	crashdisk_lies = run.lies;	/* honest until now, so that it is the workload that finds out */
	return d;
}

static void
end(struct crashdisk *d)
{
	char wrong[MODEL_WRONG];

	model_end(true);
	crashdisk_lies = (struct crashdisk_lies){ false, false };
	crashdisk_hook(d, NULL, NULL);
	if (!judge_spool(true, wrong)) {
		printf("FAIL %s: after an orderly end: %s\n", run.name, wrong);
		exit(1);
	}
	crashdisk_free(&d);
}

static void
put(uint32_t octets)
{
	if (!model_put(octets, false)) {
		printf("FAIL %s: no room\n", run.name);
		exit(1);
	}
}

void
workload_submit(void)
{
	struct crashdisk *d = begin();

	put(300);
	put(5000);
	put(0);
	model_commit();
	put(700);
	model_commit();
	end(d);
}

void
workload_notes_and_ends(void)
{
	struct crashdisk *d = begin();

	put(300);
	put(900);
	model_commit();
	model_note(&model.message[0]);
	model_save();
	model_commit();
	model_note(&model.message[0]);
	model_note(&model.message[1]);
	model_save();
	model_done(&model.message[1]);
	model_commit();
	model_done(&model.message[0]);
	put(400);
	model_done(&model.message[2]);
	model_commit();
	end(d);
}

/* More is staged while a batch is on its way. */
void
workload_overlap(void)
{
	struct crashdisk *d = begin();
	struct spool_sync *y;

	put(300);
	y = model_write();
	put(20000);
	model_note(&model.message[0]);
	put(20000);
	model_sync(y);
	y = model_write();
	model_done(&model.message[1]);
	put(20000);
	model_sync(y);
	model_commit();
	end(d);
}

/* Segments fill up, die, and are used again (D-06). */
void
workload_segments(void)
{
	struct crashdisk *d = begin();

	for (unsigned i = 0; i < 14; i++) {
		put(22000);
		model_commit();
		if (i >= 2)
			model_done(&model.message[i - 2]);
	}
	model_commit();
	end(d);
}

/* One batch over several segments. */
void
workload_wide(void)
{
	struct crashdisk *d = begin();

	put(100);
	model_commit();
	for (unsigned i = 0; i < 7; i++)
		put(22000);
	model_done(&model.message[2]);
	model_commit();
	end(d);
}

/* A quiet spool gives back what it does not need, more than once. */
void
workload_rest(void)
{
	struct crashdisk *d = begin();

	for (unsigned i = 0; i < 24; i++) {
		put(9000);
		if (i % 4 == 0)
			model_commit();
	}
	for (unsigned i = 0; i < 23; i++)
		if (i % 9 != 0)
			model_done(&model.message[i]);
	model_commit();
	for (unsigned i = 0; i < 4; i++) {
		spool_rest(model.s);
		model_compact(9000);
		put(14000);
		model_done(&model.message[model.n - 1]);
		model_commit();
	}
	end(d);
}

void
workload_compaction(void)
{
	struct crashdisk *d = begin();

	for (unsigned i = 0; i < 30; i++) {
		put(9000);
		if (i % 5 == 0)
			model_commit();
	}
	model_note(&model.message[0]);
	model_note(&model.message[7]);
	model_commit();
	model_note(&model.message[7]);
	for (unsigned i = 0; i < 30; i++)
		if (i % 7 != 0)
			model_done(&model.message[i]);
	model_commit();
	model_compact(9000);
	model_done(&model.message[7]);
	model_commit();
	end(d);
}

void
workload_blobs(void)
{
	struct crashdisk *d = begin();

	model_put(12000, true);
	model_commit();
	put(100);
	model_put(30000, true);
	model_done(&model.message[0]);
	model_commit();
	model_put(9000, true);
	model_done(&model.message[3]);
	model_note(&model.message[2]);
	model_commit();
	model_done(&model.message[2]);
	model_commit();
	end(d);
}

/* The process is killed and starts again on the same machine, over and over. */
void
workload_kills(void)
{
	struct crashdisk *d = begin();

	for (unsigned i = 0; i < 4; i++) {
		put(3000);
		put(15000);
		model_commit();
		model_note(&model.message[2 * i]);
		if (i > 0)
			model_done(&model.message[2 * i - 1]);
		(void)model_write();	/* and never synced */
		model_end(false);
		crashdisk_kill(d);
		model_open();
	}
	end(d);
}

/* D-07, D-08: the sync fails once, then the disk says all is well. */
void
workload_failed_sync(void)
{
	for (unsigned n = 0; n < 12; n++) {
		struct crashdisk *d = begin();

		put(2000);
		put(20000);
		model_commit();
		crashdisk_fail_sync(d, n);
		for (unsigned i = 0; i < 8; i++) {
			put(14000);
			model_note(&model.message[0]);
			if (model_sync(model_write()) == 0)
				continue;
			model_end(false);
			crashdisk_kill(d);
			model_open();
		}
		end(d);
	}
}

/* After an orderly end the log goes on where it was: its last word must not be believed when more has come, and failed. */
void
workload_clean_then_failed(void)
{
	for (unsigned n = 0; n < 4; n++) {
		struct crashdisk *d = begin();

		put(2000);
		model_commit();
		model_end(true);
		crashdisk_kill(d);
		model_open();
		crashdisk_fail_sync(d, n);
		for (unsigned i = 0; i < 4; i++) {
			put(3000);
			model_note(&model.message[0]);
			if (model_sync(model_write()) == 0)
				continue;
			model_end(false);
			crashdisk_kill(d);
			model_open();
		}
		end(d);
	}
}

/* D-10, D-11: what was accepted can be ended when the disk is full. */
void
workload_full_disk(void)
{
	struct crashdisk *d = begin();
	unsigned noted = 0;

	crashdisk_resize(d, 10 * MODEL_SEGMENT + 5000);
	while (model_put(0, false))	/* small: many ends for little room */
		if (model.n % 200 == 0)
			model_commit();
	model_commit();
	crashdisk_fill(d);
	for (unsigned i = 0; i < model.n; i += 3)
		noted += model_note(&model.message[i]);
	model_commit();
	if (noted == 0) {
		printf("FAIL %s: not one note\n", run.name);
		exit(1);
	}
	for (unsigned i = 0; i < model.n; i++) {
		if (i % 40 != 0)
			model_done(&model.message[i]);
		if (i % 200 == 0)
			model_commit();
	}
	model_commit();
	model_compact(4096);
	put(700);
	end(d);
}

static void
random_step(void)
{
	struct message *m = &model.message[model.n > 0 ? run_chance(model.n) : 0];

	switch (run_chance(9)) {
	case 0:
	case 1:
		put((uint32_t)run_chance(3) == 0 ? (uint32_t)run_chance(25000) : (uint32_t)run_chance(3000));
		break;
	case 2:
		model_put((uint32_t)(1000 + run_chance(20000)), true);
		break;
	case 3:
		if (model_is_live(m))
			model_note(m);
		break;
	case 4:
	case 5:
		if (model_is_live(m))
			model_done(m);
		break;
	case 6:
		spool_rest(model.s);
		break;
	default:
		spool_compact(model.s, 8192);
	}
}

void
workload_random_work(void)
{
	for (unsigned seed = 1; seed <= run.seeds; seed++) {
		struct crashdisk *d;
		struct spool_sync *y;

		run.sampled = true;
		run.random = seed * 7919;
		d = begin();
		for (unsigned round = 0; round < 60; round++) {
			for (uint64_t n = run_chance(6); n > 0; n--)
				random_step();
			y = model_write();
			for (uint64_t n = run_chance(4); n > 0; n--)
				random_step();
			model_sync(y);
			if (run_chance(12) != 0)
				continue;
			model_end(run_chance(2) == 0);
			crashdisk_kill(d);
			model_open();
		}
		model_commit();
		end(d);
	}
}
