/* Faults at the boundary to the system, with the real program (PROTOCOL.md D).  Here: what those tests share. */
#include "e2e/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fault_control *
faults_new(struct world *w, enum provider_mode m587, const char *script587, const char *rest)
{
	struct fault_control *f;
	char path[128];
	int fd;

	world_new(w, m587, script587, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(w, "", rest);
	snprintf(path, sizeof path, "%s/faults", w->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, sizeof *f), 0);
	f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(f, MAP_FAILED);
	close(fd);
	snprintf(f->dir, sizeof f->dir, "%s/spool", w->dir);
	return f;
}

void
faults_free(struct world *w, struct fault_control **f)
{
	munmap(*f, sizeof **f);
	*f = NULL;
	world_free(w);
}

bool
faults_start(struct world *w, const struct fault_control *f)
{
	const char *lib = getenv("GATEPOST_FAULTLIB");
	char path[128];
	bool started;

	(void)f;
	ck_assert_msg(lib != NULL && access(lib, R_OK) == 0, "GATEPOST_FAULTLIB does not name faultlib.so");
	snprintf(path, sizeof path, "%s/faults", w->dir);
	setenv("GATEPOST_FAULTS", path, 1);
	setenv("LD_PRELOAD", lib, 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);	/* whoever sets his own must say this too */
	started = world_try_start(w);
	unsetenv("LD_PRELOAD");
	unsetenv("GATEPOST_FAULTS");
	return started;
}

void
faults_clear(struct fault_control *f)
{
	char dir[FAULT_DIR];

	memcpy(dir, f->dir, sizeof dir);
	memset(f, 0, sizeof *f);
	memcpy(f->dir, dir, sizeof dir);
}

void
faults_plan(struct fault_control *f, enum fault_call call, uint64_t n, uint64_t times, int error)
{
	struct fault_rule *r = &f->rule[call];

	r->from = 0;
	r->error = error;
	n += f->calls[call];
	r->upto = times > UINT64_MAX - n ? UINT64_MAX : n + times - 1;
	r->from = n;
}

bool
faults_may_mount(const char *test)
{
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		return true;
	printf("%s: skipped, since only root may mount a small disk (%s)\n", test, geteuid() == 0 ? strerror(errno) : "run as root");
	fflush(stdout);
	return false;
}

bool
faults_run(const struct world *w, const char *what)
{
	char command[1024];

	snprintf(command, sizeof command, "cd %s && %s", w->dir, what);
	return system(command) == 0;
}

void
faults_pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

unsigned
faults_files(const struct world *w, const char *dir)
{
	char path[128];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/spool/%s", w->dir, dir);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

bool
faults_wait_files(const struct world *w, const char *dir, unsigned n, int ms)
{
	for (; faults_files(w, dir) > n; ms -= 10) {
		if (ms <= 0)
			return false;
		faults_pause_ms(10);
	}
	return true;
}

static bool
is_queue_empty(struct world *w)
{
	char out[8192];

	return world_run(w, out, sizeof out, NULL, "queue --json") == 0 && out[0] == '\0';
}

void
faults_wait_empty(struct world *w)
{
	for (int ms = 0; !is_queue_empty(w); ms += 20) {
		ck_assert_int_lt(ms, 15000);
		faults_pause_ms(20);
	}
}

long
faults_status(const struct world *w, const char *key)
{
	char path[64], line[256];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/status", (long)w->pid);
	if ((f = fopen(path, "r")) == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return value;
}

Suite *faults_suite(void);

Suite *
faults_suite(void)
{
	Suite *s = suite_create("faults");

	suite_add_tcase(s, faults_sync_case());
	suite_add_tcase(s, faults_space_case());
	suite_add_tcase(s, faults_process_case());
	suite_add_tcase(s, faults_signals_case());
	return s;
}
