# SPDX-License-Identifier: MIT
# Short verbs over CMake's presets (CMakePresets.json). CMake alone describes
# the build; trees are build/<preset>.
#
#   make              build the release tree
#   make demo         the main job, on /usr/include
#   make test         all tests of the release tree (it keeps every check)
#   make asan tsan ubsan checked debug   the same tests, in that tree
#   make sim          the protocols under the seeded scheduler
#   make aarch64      some tests, built for that processor, in an emulator
#   make stress       the same tests, more often, longer, with new seeds
#   make campaign     2400 random SIGKILLs and SIGSTOPs of processes; make stress ends with it
#   make bench        the benchmarks, with the rivals
#   make lint         style checks; make fmt formats
#   make install-test make release-check make clean
#
# BUILD=dir moves all trees; CMAKE_ARGS='-DHKT_WERROR=ON' goes to CMake;
# CC and CXX choose the compiler (when a tree is first made).
BUILD ?= build
CMAKE_ARGS ?=
STRESS_REPEAT ?= 20
STRESS_SCALE ?= 300
# All but what qemu-user cannot do: programs that start themselves, limits, thousands of threads. It has
# a page's flag for each page that is mapped, so the arena is to be smaller than it could be; it knows
# no futex_waitv, holds signals back from who waits without it, and of /proc makes something up.
AARCH64_NOT ?= ^(unit_(process_records|arena|family)|contract_shared_.*)$$
AARCH64_TESTS ?= ^((unit|contract)_.*|api_(lock|rlock|rwlock|condition|semaphore|event|once|barrier|queue|scope|thread|time|timer|future|executor|thread_pool|imap|parallel|fork))$$

# Builds one preset's tree, or some of it: $(call tree,preset,options of cmake --build).
define tree
	@test -f $(BUILD)/$(1)/build.ninja || \
		cmake --preset $(1) -B $(BUILD)/$(1) --log-level=WARNING $(CMAKE_ARGS)
	@cmake --build $(BUILD)/$(1) $(2)
endef

.PHONY: all setup demo test debug asan tsan ubsan checked sim aarch64 stress campaign bench fmt lint \
	install-test release-check clean

all:
	$(call tree,release)

setup:
	@tools/setup

demo: setup
	$(call tree,release,--target hocket_cli)
	@$(BUILD)/release/bin/hocket bench

test: setup
	$(call tree,release)
	@tools/run-tests $(BUILD)/release

debug asan tsan ubsan checked: setup
	$(call tree,$@)
	@tools/run-tests $(BUILD)/$@

sim: setup
	$(call tree,sim)
	@HOCKET_TEST_VERBOSE=1 tools/run-tests $(BUILD)/sim -L '^sim$$' --verbose

# The emulator is slow: more time, less work.
aarch64:
	@tools/setup build aarch64
	$(call tree,aarch64)
	@ulimit -v 16777216; HOCKET_TEST_SCALE=5 HOCKET_TEST_TIMEOUT_FACTOR=10 \
		tools/run-tests $(BUILD)/aarch64 -R '$(AARCH64_TESTS)' -E '$(AARCH64_NOT)'

stress: setup
	$(call tree,release)
	@HOCKET_TEST_REPEAT=$(STRESS_REPEAT) HOCKET_TEST_SCALE=$(STRESS_SCALE) \
		HOCKET_TEST_SHUFFLE=1 HOCKET_TEST_TIMEOUT_FACTOR=10 \
		tools/run-tests $(BUILD)/release -LE '^(examples|tools)$$' --timeout 7200
	@$(MAKE) --no-print-directory campaign

# Processes are killed and stopped at random, by a seed that it prints.
campaign: setup
	$(call tree,release)
	@HOCKET_TEST_SCALE=2000 HOCKET_TEST_VERBOSE=1 HOCKET_TEST_TIMEOUT_FACTOR=10 \
		$(BUILD)/release/bin/tests/api_process_campaign

bench:
	@tools/setup bench
	$(call tree,release)
	@for program in $(BUILD)/release/bin/bench_*; do "$$program" || exit 1; done

fmt:
	@tools/setup lint
	@tools/check-format --fix

lint:
	@tools/setup lint
	$(call tree,release)
	@tools/lint $(BUILD)/release

install-test: setup
	@tools/install-test

# Everything that must hold before a release.
release-check: test asan tsan ubsan checked sim aarch64 lint install-test stress bench

clean:
	rm -rf $(BUILD)
