# gatepost's whole build.  Works without configure; ./configure writes config.mk, which
# only records paths and flags.
#
#   make            the program (build/gatepost)      make check [T=suite]  all tests but the slow ones
#   make demo       the main job, shown               make asan / tsan      the same under sanitizers
#   make analyze    gcc -fanalyzer, clang-tidy        make coverage, valgrind, hardening
#   make help       every target
-include config.mk

B		?= build
PREFIX		?= /usr/local
SYSCONFDIR	?= /etc
VERSION		:= 0.1.0
CC		?= cc
PKG_CONFIG	?= pkg-config

ROOMS		?= base mail smtp net config spool route errand memo listener relay queue control web command
LIBS_PC		:= libevent_core libevent_extra libevent_pthreads libssl libcrypto libconfuse jansson

CSTD		:= -std=gnu17 -D_GNU_SOURCE -pthread
WARN		:= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
		   -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough -fno-common \
		   $(if $(filter 0,$(WERROR)),,-Werror)
# Tests may convert as they like.
WARN_OURS	:= -Wconversion -Wsign-conversion
# Those that not every compiler knows (clang 14 does not).
known		= $(shell $(CC) $1 -fsyntax-only -x c /dev/null >/dev/null 2>&1 && echo $1)
HARDEN_NEW	:= $(call known,-ftrivial-auto-var-init=zero) $(call known,-fzero-call-used-regs=used-gpr)
HARDEN		?= -O2 -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
		   -fcf-protection=full -fno-delete-null-pointer-checks -fno-strict-overflow \
		   -fno-strict-aliasing -fPIE $(HARDEN_NEW)
HARDEN_LD	?= -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed
PATHS		:= -DPREFIX='"$(PREFIX)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -DVERSION='"$(VERSION)"'

ALL_CFLAGS	= $(CSTD) -g $(if $(SAN),-O1 -fno-omit-frame-pointer $(SAN),$(HARDEN)) $(WARN) $(PATHS) \
		  -Idaemon $(shell $(PKG_CONFIG) --cflags $(LIBS_PC) 2>/dev/null) $(CFLAGS)
ALL_LDFLAGS	= -pthread $(if $(SAN),$(SAN),$(HARDEN_LD)) $(LDFLAGS)
LIBS		= $(shell $(PKG_CONFIG) --libs $(LIBS_PC) 2>/dev/null) -lcrypt
# gcov counts what of daemon/ was run.  In tests it would only write to disk whenever one starts a program.
COUNTS		:= --coverage -fprofile-update=atomic
CHECK_CFLAGS	= $(shell $(PKG_CONFIG) --cflags check 2>/dev/null)
CHECK_LIBS	= $(shell $(PKG_CONFIG) --libs check 2>/dev/null)

lib_src		:= $(foreach r,$(ROOMS),$(wildcard daemon/$r/*.c))
main_src	:= $(wildcard daemon/main/*.c)
lib_obj		:= $(lib_src:%.c=$B/%.o)
main_obj	:= $(main_src:%.c=$B/%.o)
headers		:= $(wildcard daemon/*/*.h)
unit_src	:= $(wildcard $(sort $(patsubst %,tests/unit/test_%.c,$(basename $(notdir \
		   $(lib_src) $(foreach r,$(ROOMS),$(wildcard daemon/$r/*.h)))))) \
		   $(wildcard tests/unit/story_*.c))
unit_obj	:= $(unit_src:%.c=$B/%.o) $B/tests/unit/main.o

all: $B/gatepost

$B/gatepost: $(main_obj) $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(main_obj) $B/lib.a $(LIBS)

$B/lib.a: $(lib_obj)
	@rm -f $@
	@$(AR) rcs $@ $(lib_obj)

# Other paths than the last time: what has them in it is made anew.
.PHONY: FORCE
$B/paths: FORCE
	@mkdir -p $(@D)
	@echo "$(PATHS)" | cmp -s - $@ || echo "$(PATHS)" >$@
$(patsubst %.c,$B/%.o,$(shell grep -lwE 'PREFIX|SYSCONFDIR|VERSION' $(lib_src) $(main_src))): $B/paths

# Nor is what was compiled with other flags linked with the rest.
$B/flags: flags := $(CC) $(subst $(PATHS),,$(ALL_CFLAGS)) $(WARN_OURS)
$B/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(flags))' | cmp -s - $@ || echo '$(subst ','\'',$(flags))' >$@
$(lib_obj) $(main_obj): $B/flags

$B/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(if $(findstring tests/,$<),$(filter-out $(COUNTS),$(ALL_CFLAGS)) $(CHECK_CFLAGS) -Itests -I$B,$(ALL_CFLAGS) $(if $(filter -w,$(WARN)),,$(WARN_OURS))) -MMD -MP -c -o $@ $<

# --- tests --------------------------------------------------------------------
# Adding tests/unit/test_FILE.c beside a daemon/ROOM/FILE.c adds a suite.
provider_obj	:= $B/tests/provider/provider.o $(patsubst %.c,$B/%.o,$(filter-out tests/provider/main.c tests/provider/provider.c,$(wildcard tests/provider/*.c)))
e2e_obj		:= $(patsubst %.c,$B/%.o,$(filter-out tests/e2e/faultlib.c,$(wildcard tests/e2e/*.c)))
crash_obj	:= $(patsubst %.c,$B/%.o,$(wildcard tests/crash/*.c))

$B/suites.h: Makefile $(unit_src)
	@mkdir -p $(@D)
	@for t in $(sort $(basename $(notdir $(unit_src)))); do echo "SUITE($$t)"; done >$@
$B/tests/unit/main.o: $B/suites.h
$B/unit: $(unit_obj) $(provider_obj) $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(unit_obj) $(provider_obj) $B/lib.a $(LIBS) $(CHECK_LIBS)
$B/e2e: $(e2e_obj) $(provider_obj) $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(e2e_obj) $(provider_obj) $B/lib.a $(LIBS) $(CHECK_LIBS)
$B/faultlib.so: tests/e2e/faultlib.c tests/e2e/faultlib.h
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(CSTD) -g -O2 $(WARN) -Itests $(if $(SAN),-DFAULTLIB_NO_MALLOC) -shared -fPIC -o $@ $<
# The wraps let the runner cheat, and show that it would notice.
$B/crash: $(crash_obj) $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -Wl,--wrap=crc32c,--wrap=stage_reserve,--wrap=renew -o $@ $(crash_obj) $B/lib.a $(LIBS)
$B/fake-provider: $B/tests/provider/main.o $(provider_obj) $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $B/tests/provider/main.o $(provider_obj) $B/lib.a $(LIBS)

$B/pageshow: $B/tests/web/show.o $B/lib.a
	@echo "  LINK  $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $B/tests/web/show.o $B/lib.a $(LIBS)

# A busy machine, or a sanitizer, is slow: that is not a failure.
PATIENCE	:= CK_TIMEOUT_MULTIPLIER=$(if $(SAN)$(SLOW),10,4)

# The suites, or T alone.  Most of their time is waiting, so several go at once; the longest first.
AT_ONCE		:= 3
unit_long	:= test_client test_dial test_crowd
unit: $B/unit
	@$(PATIENCE) sh tests/suites.sh $B/unit $(AT_ONCE) $(or $T,$(unit_long) $(filter-out $(unit_long),$(sort $(basename $(notdir $(unit_src))))))
# Random sessions against their model (tests/unit/story_model.c), more of them than `make check' plays.
N		?= 1000000
SEED		?= $(shell date +%s)
.PHONY: model
model: $B/unit
	@GATEPOST_MODEL=$N GATEPOST_MODEL_SEED=$(SEED) $(PATIENCE) CK_RUN_SUITE=story_model $B/unit
e2e_suites	:= $(patsubst tests/e2e/%.c,%,$(shell grep -l '^[a-z]*_suite(void)$$' tests/e2e/*.c))
e2e_long	:= kills damage faults
e2e: $B/e2e $B/gatepost $B/faultlib.so
	@$(if $(SAN),GATEPOST_IN_MEMORY=yes) GATEPOST=$(or $(e2e_program),$B/gatepost) GATEPOST_FAULTLIB=$B/faultlib.so GATEPOST_PROVIDERS=conf/providers.conf $(PATIENCE) \
	    sh tests/suites.sh $B/e2e $(AT_ONCE) $(or $T,$(e2e_long) $(filter-out $(e2e_long),$(e2e_suites)))
crash: $B/crash
	@$B/crash

layers:
	@awk -f tests/layers.awk daemon/LAYERS $(wildcard daemon/*/*.[ch])
headers:
	@for h in $(headers); do \
		echo "#include \"$${h#daemon/}\"" | $(CC) $(ALL_CFLAGS) -Wno-unused -fsyntax-only -x c - || exit 1; \
	done
# Tests, too, but for the benchmark's programs.
functions:
	@awk -f tests/functions.awk $(wildcard daemon/*/*.[ch]) $(filter-out tests/bench/%,$(wildcard tests/*/*.[ch]))
externals: $B/lib.a $(main_obj)
	@sh tests/externals.sh $B
options:
	@sh tests/options.sh
# Which test shows which row of the catalogue (docs/conformance.md).
.PHONY: conformance conformance-quietly
by_number = awk $1 -f tests/conformance.awk tests/conformance.tsv docs/conformance.md \
	$(sort $(wildcard tests/unit/*.[ch] tests/e2e/*.[ch])) $(wildcard daemon/*/*.[ch])
conformance:
	@$(call by_number,)
conformance-quietly:
	@$(call by_number,-v quiet=1)
.PHONY: commands install-check
commands:
	@bash tests/commands.sh
install-check: $B/gatepost
	@B=$B MAKE="$(MAKE)" bash tests/install.sh

JOBS		:= -j$(shell nproc 2>/dev/null || echo 1)

check: deps-quietly
	@$(MAKE) --no-print-directory $(JOBS) $B/gatepost $B/unit $B/e2e $(replays)
	@$(MAKE) --no-print-directory $(JOBS) --output-sync=target check-now
check-now: layers headers functions externals options commands conformance-quietly hardening install-check unit replay e2e

SAN_FLAGS	:= -fno-sanitize-recover=all
asan: deps-quietly
	@$(MAKE) --no-print-directory $(JOBS) B=build/asan SAN="-fsanitize=address,undefined $(SAN_FLAGS)" build/asan/gatepost build/asan/unit build/asan/e2e $(replays:$B/%=build/asan/%)
	@$(MAKE) --no-print-directory $(JOBS) --output-sync=target B=build/asan SAN="-fsanitize=address,undefined $(SAN_FLAGS)" unit replay e2e
# A race ends the process that has it, so that no test passes over it.  tsan-short is for CI: of the unit tests those that start
# threads (the others are one, which cannot race), of e2e what loads, kills, reloads and asks all threads at once.  OpenSSL and
# libevent are not instrumented; what they hand over between threads of ours goes through channels, which are, and nothing had to
# be suppressed.
tsan_run	= TSAN_OPTIONS=halt_on_error=1 $(MAKE) --no-print-directory B=build/tsan SAN="-fsanitize=thread"
tsan_unit	:= test_admit test_advise test_auth test_body test_capacity test_channel test_client test_commit test_control test_count test_crowd test_dial \
	test_dns test_errand test_gateway test_greet test_helper test_history test_intake test_lane test_log test_loop test_memo test_names test_network test_owed \
	test_pacing test_queue test_relay test_session test_token test_transaction test_users test_verbs test_web story_submission
tsan_e2e	:= durable live flight told web errands
tsan-build: deps-quietly
	@$(tsan_run) $(JOBS) build/tsan/gatepost build/tsan/unit build/tsan/e2e
tsan: tsan-build
	@$(tsan_run) $(JOBS) --output-sync=target unit e2e
tsan-short: tsan-build
	@$(tsan_run) unit T="$(filter $(basename $(notdir $(unit_src))),$(tsan_unit))"
	@$(tsan_run) e2e T="$(tsan_e2e)"

# --- set-up and the demonstration ------------------------------------------------
deps:
	@sh tests/deps.sh
deps-quietly:
	@sh tests/deps.sh quiet
demo: deps-quietly
	@$(MAKE) --no-print-directory $(JOBS) $B/gatepost $B/fake-provider
	@B=$B bash tests/demo.sh

interop: deps-quietly
	@$(MAKE) --no-print-directory $B/gatepost $B/fake-provider
	@B=$B bash tests/interop/recipes.sh
	@B=$B bash tests/interop/run.sh
	@B=$B bash tests/interop/sendmail.sh
# The rows that say most, in two minutes; as root.
interop-ci: deps-quietly
	@$(MAKE) --no-print-directory $B/gatepost $B/fake-provider
	@B=$B bash tests/interop/run.sh ci

# The units under a private systemd (root; else the part that needs none).
$B/systemd-helper: tests/systemd/helper.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(CC) $(CSTD) -g -O2 $(WARN) -o $@ $<
systemd-test: deps-quietly
	@$(MAKE) --no-print-directory $(JOBS) $B/gatepost $B/fake-provider $B/systemd-helper
	@B=$B bash tests/systemd/run.sh

# The status page in a real browser; needs chromium and python3.
web-test: deps-quietly
	@$(MAKE) --no-print-directory $B/gatepost $B/pageshow
	@B=$B bash tests/web/run.sh

# M minutes of everything going wrong, and then the books must balance; SEED is that of an earlier run, KILLS=1 kills and little else.
M		?= 10
soak: $B/gatepost $B/faultlib.so
	@sh tests/deps.sh quiet python3 openssl
	@python3 -B tests/soak/soak.py --minutes $M $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills) --gatepost $B/gatepost --faultlib $B/faultlib.so $(if $(SAN),--no-slack)

# Measured beside a peer in the same run; needs root and the peer (apt-get install postfix sasl2-bin python3).
# Example: make bench SCENARIOS=S1,S7 ROUNDS=3; docs/performance.md has our figures.
SCENARIOS	?= S1,S2,S3w,S5,S6,S7,S8
SYSTEMS		?= gatepost,postfix
ROUNDS		?= 2
SCALE		?= 0.5
bench: $B/gatepost
	@mkdir -p $B/bench && cp -r tests/bench/. $B/bench/ && $(MAKE) -s -C $B/bench
	@cd $B/bench && GATEPOST=$(abspath $B/gatepost) python3 bench.py compare $(SCENARIOS) $(SYSTEMS) \
	    --rounds $(ROUNDS) --scale $(SCALE) --out results.jsonl

# What strangers, runaway apps and local users may do, and an app that must be served meanwhile; a quarter of an hour.  As root the submit
# socket is attacked too.  Example: make abuse A="idle_tls starved"; A=--short is the part for every change: a minute and a half,
# of which half a minute is the wait for the late answers to wrong passwords.
A		?=
.PHONY: abuse
abuse: $B/gatepost
	@GATEPOST=$B/gatepost python3 tests/abuse/abuse.py $A

# --- installing -------------------------------------------------------------------
MANDIR		?= $(PREFIX)/share/man
UNITDIR		?= $(if $(filter /usr,$(PREFIX)),/lib,$(PREFIX)/lib)/systemd/system
# The daemon reads its configuration again after it has dropped root, and what `gatepost passwd' makes gets the
# directory's group.  Elsewhere than on the machine itself (DESTDIR) the package does that.
CONF_GROUP	= $(shell test -z "$(DESTDIR)" -a "$$(id -u)" = 0 && getent group gatepost >/dev/null && echo -g gatepost)

# Units are for machines with systemd; a package says SYSTEMD=yes.
SYSTEMD		?= $(if $(wildcard /run/systemd/system /lib/systemd/systemd),yes,no)
SYSUSERSDIR	?= $(PREFIX)/lib/sysusers.d
units		:= gatepost.service gatepost.socket gatepost@.service

install-systemd:
ifeq ($(SYSTEMD),yes)
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(PREFIX)/share/gatepost
	for u in $(units); do \
		sed -e 's|/usr/sbin/gatepost|$(PREFIX)/sbin/gatepost|' -e 's|/etc/gatepost|$(SYSCONFDIR)/gatepost|' \
		    systemd/$$u >$(DESTDIR)$(UNITDIR)/$$u && chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; \
	done
	install -m 644 systemd/direct.conf $(DESTDIR)$(PREFIX)/share/gatepost/direct.conf
	install -m 644 systemd/gatepost.sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/gatepost.conf
	if test -z "$(DESTDIR)" && test "$$(id -u)" = 0 && command -v systemd-sysusers >/dev/null; then \
		systemd-sysusers $(SYSUSERSDIR)/gatepost.conf; fi
	if test -z "$(DESTDIR)" && test "$$(id -u)" = 0 && test -d /run/systemd/system; then systemctl daemon-reload; fi
endif

install: all install-systemd
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/gatepost \
	    $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -d $(CONF_GROUP) $(DESTDIR)$(SYSCONFDIR)/gatepost
	install -m 755 $B/gatepost $(DESTDIR)$(PREFIX)/sbin/gatepost
	install -m 644 conf/providers.conf $(DESTDIR)$(PREFIX)/share/gatepost/providers.conf
	install -m 644 conf/grafana.json $(DESTDIR)$(PREFIX)/share/gatepost/grafana.json
	sed -e 's|/usr/local/share/|$(PREFIX)/share/|' -e 's|/etc/|$(SYSCONFDIR)/|' conf/gatepost.conf >$B/gatepost.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/gatepost/gatepost.conf || \
	    install -m 640 $(CONF_GROUP) $B/gatepost.conf $(DESTDIR)$(SYSCONFDIR)/gatepost/gatepost.conf
	@# One that was installed before there was the user.
	@test -z "$(CONF_GROUP)" || find $(SYSCONFDIR)/gatepost/gatepost.conf -user root -group root -perm 640 -exec chgrp gatepost {} +
	install -m 644 docs/man/gatepost.1 $(DESTDIR)$(MANDIR)/man1/gatepost.1
	install -m 644 docs/man/gatepost.conf.5 $(DESTDIR)$(MANDIR)/man5/gatepost.conf.5
	install -m 644 docs/man/sendmail.8 $(DESTDIR)$(MANDIR)/man8/gatepost-sendmail.8
	@test -n "$(DESTDIR)" || getent passwd gatepost >/dev/null || echo "there is no user gatepost yet: useradd --system" \
	    "--user-group --home-dir /var/lib/gatepost --shell /usr/sbin/nologin gatepost; then \`make install' again, for the configuration's group"
# What `systemctl enable' made leads nowhere without the units: ended while they are there, and cleared away by hand where
# systemctl cannot (another root).  Only links to our units are ours.
uninstall: uninstall-systemd
uninstall-systemd:
	@if test -z "$(DESTDIR)" -a -e $(UNITDIR)/gatepost.service && command -v systemctl >/dev/null; then \
		systemctl stop 'gatepost@*.service' || :; \
		systemctl disable --now gatepost.socket gatepost.service && systemctl disable gatepost@.service || \
		echo "systemctl fails: end the daemon yourself" >&2; fi
	@for l in $(DESTDIR)/etc/systemd/system/*.wants/gatepost*; do \
		case $$(readlink $$l) in $(UNITDIR)/gatepost.s*|$(UNITDIR)/gatepost@.service) rm -f $$l;; esac; done
	rm -f $(units:%=$(DESTDIR)$(UNITDIR)/%) $(DESTDIR)$(SYSUSERSDIR)/gatepost.conf $(DESTDIR)$(PREFIX)/share/gatepost/direct.conf
	@if test -z "$(DESTDIR)" -a -d /run/systemd/system -a "$$(id -u)" = 0; then systemctl daemon-reload; fi

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/gatepost $(DESTDIR)$(PREFIX)/share/gatepost/providers.conf \
	    $(DESTDIR)$(PREFIX)/share/gatepost/grafana.json \
	    $(DESTDIR)$(MANDIR)/man1/gatepost.1 $(DESTDIR)$(MANDIR)/man5/gatepost.conf.5 \
	    $(DESTDIR)$(MANDIR)/man8/gatepost-sendmail.8
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/share/gatepost
	@echo "left alone: $(SYSCONFDIR)/gatepost (configuration, users); the spool, which may hold mail; the user and group gatepost"

.PHONY: install-completion uninstall-completion install-sendmail uninstall-sendmail deb deb-test
# What shells complete.
BASHCOMPDIR	?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR	?= $(PREFIX)/share/zsh/site-functions
install: install-completion
install-completion:
	install -d $(DESTDIR)$(BASHCOMPDIR) $(DESTDIR)$(ZSHCOMPDIR)
	install -m 644 conf/completion/gatepost.bash $(DESTDIR)$(BASHCOMPDIR)/gatepost
	install -m 644 conf/completion/gatepost.zsh $(DESTDIR)$(ZSHCOMPDIR)/_gatepost
uninstall: uninstall-completion
uninstall-completion:
	rm -f $(DESTDIR)$(BASHCOMPDIR)/gatepost $(DESTDIR)$(ZSHCOMPDIR)/_gatepost

# The names under which other programs look for a mailer; only with SENDMAIL=yes, for they may be another mailer's.
SENDMAIL	?=
sendmail	:= $(DESTDIR)$(PREFIX)/sbin/sendmail
mailq		:= $(DESTDIR)$(PREFIX)/bin/mailq
install: $(if $(filter yes,$(SENDMAIL)),install-sendmail)
install-sendmail:
	@for l in $(sendmail)=gatepost $(mailq)=../sbin/gatepost; do \
		f=$${l%=*}; test ! -e $$f -a ! -L $$f || test "$$(readlink $$f)" = "$${l##*=}" || { \
		echo "$$f is another mailer's: remove that first, or leave SENDMAIL=yes out" >&2; exit 1; }; done
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man1
	ln -sf ../sbin/gatepost $(mailq)
	ln -sf ../man8/sendmail.8 $(DESTDIR)$(MANDIR)/man1/mailq.1
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(MANDIR)/man8
	ln -sf gatepost $(sendmail)
	ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/lib/sendmail
	install -m 644 docs/man/sendmail.8 $(DESTDIR)$(MANDIR)/man8/sendmail.8
# Only ours: a link to something else belongs to someone else.
uninstall: uninstall-sendmail
uninstall-sendmail:
	@if test "$$(readlink $(mailq))" = ../sbin/gatepost; then \
		rm -f $(mailq) $(DESTDIR)$(MANDIR)/man1/mailq.1; fi
	@if test "$$(readlink $(sendmail))" = gatepost; then \
		rm -f $(sendmail) $(DESTDIR)$(PREFIX)/lib/sendmail $(DESTDIR)$(MANDIR)/man8/sendmail.8; fi

# A Debian package of this tree, in build/deb; deb-test installs it in a fresh Debian and sends mail there (as root).
deb:
	@sh tests/package/build.sh $B/deb
deb-test: $B/fake-provider
	@B=$B bash tests/package/run.sh

# --- the rest ----------------------------------------------------------------------
format:
	clang-format -i $(wildcard daemon/*/*.[ch] tests/*/*.[ch])
clean:
	rm -rf build
help:
	@sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile tests/*/*.mk | grep -v -e '-quietly' -e '-now' -e 'install-' -e 'fuzz-deps' -e 'deps-for-' | sort -u | tr '\n' ' '; echo

include tests/fuzz/fuzz.mk tests/analyze/analyze.mk

-include $(shell find $B \( -path $B/interop -o -path $B/deb-base -o -path $B/deb \) -prune -o -type f -name '*.d' -print 2>/dev/null)

.PHONY: all bench unit e2e crash soak layers headers functions externals options check check-now asan tsan tsan-build tsan-short deps deps-quietly demo \
	interop interop-ci systemd-test web-test install install-systemd uninstall uninstall-systemd format clean help
