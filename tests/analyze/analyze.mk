# What reads or watches the program without being a test of it: memcheck, analyzers, how it was built, which lines tests run.
# A short run under memcheck: suites of what reads strangers' bytes and of what owns memory in many hands, and the daemon itself
# in e2e's `live', with its commands, from start to end.
valgrind_unit	:= test_buf test_dsn test_envelope test_session test_spool
# A stack that begins as zeros would hide from memcheck what nobody set.
valgrind: deps-for-valgrind build/coverage/unconfined.so
	@$(MAKE) --no-print-directory $(JOBS) B=build/valgrind HARDEN_NEW= build/valgrind/gatepost build/valgrind/unit build/valgrind/e2e
	@MEMCHECK=build/valgrind/unit CK_TIMEOUT_MULTIPLIER=20 sh tests/suites.sh tests/memcheck.sh 2 $(valgrind_unit)
	@MEMCHECK=build/valgrind/gatepost GATEPOST_GENTLY=1 GATEPOST_PRELOAD=$(abspath build/coverage/unconfined.so) $(MAKE) --no-print-directory B=build/valgrind HARDEN_NEW= SLOW=yes e2e_program=tests/memcheck.sh e2e T=live
deps-for-valgrind:
	@sh tests/deps.sh quiet valgrind libc6-dbg

# Each file by gcc's analyzer and by clang-tidy (.clang-tidy says what it looks for, and why not for more).  What has been
# looked at is done again when it, or a header of it, has changed: so it depends on the object, which knows.  clang's
# analyzer gets a third of its usual budget for a function: it takes a third of the time, and found the same here.
TIDY		?= clang-tidy-14
TIDY_FLAGS	= $(filter-out -W%,$(CSTD)) $(PATHS) -Idaemon -include tests/analyze/tidy.h \
		  $(shell $(PKG_CONFIG) --cflags $(LIBS_PC) 2>/dev/null) -Xclang -analyzer-config -Xclang max-nodes=75000
all_src		:= $(lib_src) $(main_src)
$B/analyze/%.gcc: %.c $B/%.o
	@mkdir -p $(@D)
	@$(CC) $(CSTD) $(PATHS) -Idaemon $(shell $(PKG_CONFIG) --cflags $(LIBS_PC) 2>/dev/null) -O0 -Werror -fanalyzer -c -o /dev/null $<
	@touch $@
$B/analyze/%.tidy: %.c $B/%.o .clang-tidy $(wildcard daemon/*/.clang-tidy) tests/analyze/tidy.h
	@mkdir -p $(@D)
	@said=$$($(TIDY) --quiet $< -- $(TIDY_FLAGS) 2>/dev/null) || { echo "$$said"; exit 1; }
	@touch $@
analyze: deps-for-analyze
	@$(MAKE) --no-print-directory $(JOBS) -k analyze-now
	@echo "analyze: $(words $(all_src)) files, gcc -fanalyzer and clang-tidy have nothing to say"
analyze-now: $(all_src:%.c=$B/analyze/%.tidy) $(all_src:%.c=$B/analyze/%.gcc)
deps-for-analyze:
	@sh tests/deps.sh quiet clang-tidy-14

hardening: $B/gatepost
	@CC="$(CC)" FLAGS="$(HARDEN) $(HARDEN_LD)" sh tests/hardening.sh $B/gatepost $B/daemon

# Lines of daemon/ that the tests run, by gcc's own gcov; build/coverage/not-run has the others.  It fails below LEAST percent
# outside command/.  The same run has the sanitizers of `make asan', so that CI needs but one.  e2e ends its daemons gently and
# unconfined, so that they write down what they ran; those that tests kill do not.
LEAST		?= 90
COVERAGE	= B=build/coverage SAN="-fsanitize=address,undefined $(SAN_FLAGS) $(COUNTS)"
build/coverage/unconfined.so: tests/coverage/unconfined.c
	@mkdir -p $(@D)
	@$(CC) $(CSTD) -g -O2 $(WARN) -shared -fPIC -o $@ $<
coverage: deps-quietly build/coverage/unconfined.so
	@$(MAKE) --no-print-directory $(JOBS) $(COVERAGE) build/coverage/gatepost build/coverage/unit build/coverage/e2e $(replays:$B/%=build/coverage/%)
	@find build/coverage -name '*.gcda' -delete
	@GATEPOST_GENTLY=1 GATEPOST_PRELOAD=$(abspath build/coverage/unconfined.so) ASAN_OPTIONS=verify_asan_link_order=0 \
		$(MAKE) --no-print-directory $(JOBS) --output-sync=target $(COVERAGE) unit replay e2e
	@$(MAKE) --no-print-directory coverage-report
coverage-report:
	@for r in $(ROOMS) main; do gcov -t -o build/coverage/daemon/$$r build/coverage/daemon/$$r/*.gcda 2>/dev/null; done | \
		awk -v least=$(LEAST) -v not=build/coverage/not-run -f tests/coverage/report.awk

.PHONY: valgrind deps-for-valgrind coverage coverage-report analyze analyze-now deps-for-analyze hardening
