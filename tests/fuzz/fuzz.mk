# Fuzzing: a target for each tests/fuzz/TARGET.c.  Part of the Makefile; docs/fuzzing.md is its manual.
#
#   make fuzz F=dot [S=60]      one target, with libFuzzer, ASan and UBSan (clang)
#   make fuzz-all [S=60]        all of them in turn, two at a time
#   make replay                 all corpora through the same code, built as everything else is
#   make fuzz-merge F=dot       what was found and is new, into the corpus
fuzz_targets	:= $(sort $(basename $(notdir $(wildcard tests/fuzz/*.c))))
fuzz_support	:= $(patsubst %.c,$B/%.o,$(filter-out %/replay.c,$(wildcard tests/fuzz/support/*.c)) \
		   tests/crash/crashdisk.c tests/crash/inside.c)
replays		= $(fuzz_targets:%=$B/replay/%)
S		?= 60

$(replays): $B/replay/%: $B/tests/fuzz/%.o $B/tests/fuzz/support/replay.o $(fuzz_support) $B/lib.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $< $B/tests/fuzz/support/replay.o $(fuzz_support) $B/lib.a $(LIBS)

$(fuzz_targets:%=$B/fuzz/%): $B/fuzz/%: $B/tests/fuzz/%.o $(fuzz_support) $B/lib.a
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(fuzz_support) $B/lib.a $(LIBS)

.PHONY: replay fuzz fuzz-all fuzz-merge fuzz-build fuzz-deps
replay: $(replays)
	@for t in $(fuzz_targets); do \
		ls tests/fuzz/corpus/$$t/* >/dev/null 2>&1 || { echo "replay: tests/fuzz/corpus/$$t is empty" >&2; exit 1; }; \
		$B/replay/$$t tests/fuzz/corpus/$$t/* || { echo "replay: $$t fails; REPLAY_NAMES=1 names the files" >&2; exit 1; }; \
	done; echo "replay: $(words $(fuzz_targets)) targets, $$(ls tests/fuzz/corpus/*/* | wc -l) files"

# Warnings are gcc's affair, in every other build.
fuzz_make	= @$(MAKE) --no-print-directory $(JOBS) B=build/clang CC=clang WARN=-w \
		  SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
fuzz fuzz-all fuzz-merge fuzz-build: fuzz-deps
fuzz-deps:
	@sh tests/deps.sh quiet clang libclang-rt-14-dev
fuzz: F ?= $(error say which: make fuzz F=TARGET, of $(fuzz_targets))
fuzz:
	$(fuzz_make) build/clang/fuzz/$F
	@sh tests/fuzz/run.sh $F $S
fuzz-build:
	$(fuzz_make) $(fuzz_targets:%=build/clang/fuzz/%)
fuzz-all: fuzz-build
	@rm -f build/fuzz/table
	@echo $(fuzz_targets) | xargs -n 1 -P 2 sh -c 'sh tests/fuzz/run.sh "$$0" $S >/dev/null 2>&1 || echo "$$0: see build/fuzz/$$0.log"'
	@column -t build/fuzz/table
fuzz-merge: F ?= $(error say which: make fuzz-merge F=TARGET, of $(fuzz_targets))
fuzz-merge:
	$(fuzz_make) build/clang/fuzz/$F
	@sh tests/fuzz/merge.sh $F
