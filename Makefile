# Signet: make, make check, make demo, make install. V=1 shows the commands.
PREFIX ?= /usr/local
libdir ?= $(PREFIX)/lib
bindir ?= $(PREFIX)/bin
datadir ?= $(PREFIX)/share
mandir ?= $(datadir)/man
BUILD ?= build
CC ?= cc
CLANG ?= clang
CLANG_FORMAT ?= clang-format
CFLAGS ?= -O2 -g

Q := $(if $(V),,@)
PACKAGES := tss2-esys tss2-mu tss2-rc tss2-tctildr libcrypto p11-kit-1 libassuan gpg-error
DEPENDENCIES := $(filter-out clean setup check-format fix-format,$(or $(MAKECMDGOALS),all))
ifneq ($(DEPENDENCIES),)
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PACKAGE_LIBS := $(shell pkg-config --libs tss2-esys tss2-mu tss2-rc tss2-tctildr libcrypto libassuan gpg-error 2>/dev/null)
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wvla -Wwrite-strings $(if $(WERROR),-Werror)
HARDENING := -fstack-protector-strong -fstack-clash-protection \
	$(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
SANITIZER := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined)
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -I. $(PACKAGE_CFLAGS) $(WARNINGS) $(HARDENING) $(CFLAGS) \
	$(SANITIZER) -fPIC $(VISIBILITY) -MMD -MP
LINK := $(CC) $(CFLAGS) $(SANITIZER) $(LDFLAGS) -Wl,-z,relro,-z,now,-z,noexecstack

VISIBILITY = -fvisibility=hidden

not_product = $(filter-out %_test.c %_fuzz.c %_bench.c,$(wildcard $(1)))
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

TOKEN_SOURCES := $(filter-out token/cli/%,$(call not_product,token/*/*.c))
SIGNET_SOURCES := $(call not_product,token/cli/*.c)
EMULATOR_SOURCES := $(call not_product,emulator/*.c emulator/behaviour/*.c emulator/identity/*.c)
CLI_SOURCES := $(call not_product,emulator/cli/*.c)
COUNT_SOURCES := $(wildcard conformance/tcti/*.c)
API_HELPERS := $(call not_product,conformance/api/*.c)

MODULE := $(BUILD)/signet-pkcs11.so
EMULATOR := $(BUILD)/libtss2-tcti-signet.so.0
SIGNET := $(BUILD)/signet
SIGNET_TPM := $(BUILD)/signet-tpm
COUNT_TCTI := $(BUILD)/libtss2-tcti-count.so.0
UNIT_TESTS := $(patsubst %_test.c,$(BUILD)/test/%_test,$(wildcard token/*/*_test.c emulator/*_test.c emulator/*/*_test.c))
API_TESTS := $(patsubst conformance/api/%_test.c,$(BUILD)/conformance/%_test,\
	$(wildcard conformance/api/*_test.c))
BENCHES := $(patsubst conformance/bench/%_bench.c,$(BUILD)/bench/%_bench,\
	$(wildcard conformance/bench/*_bench.c)) \
	$(patsubst %_bench.c,$(BUILD)/bench/%_bench,$(wildcard emulator/*_bench.c token/*/*_bench.c))
FUZZERS := $(patsubst %_fuzz.c,$(BUILD)/fuzz/%_fuzz,$(wildcard token/*/*_fuzz.c emulator/*_fuzz.c emulator/*/*_fuzz.c))

.PHONY: all check check-format fix-format install uninstall clean bench fuzz asan tsan demo setup tests
.SECONDARY:

all: $(MODULE) $(EMULATOR) $(SIGNET) $(SIGNET_TPM)

setup:
	$(Q)scripts/setup

# PKCS#11's own prototypes know no const.
$(BUILD)/conformance/%.o: WARNINGS := $(filter-out -Wcast-qual -Wwrite-strings,$(WARNINGS))

$(BUILD)/conformance/tcti/%.o: VISIBILITY :=

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(COMPILE) -c -o $@ $<

# nodelete: OpenSSL's per-thread data and exit handlers must outlive a dlclose.
$(MODULE): $(call objects,$(TOKEN_SOURCES)) token/api/signet-pkcs11.map
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(LINK) -shared $(if $(SANITIZE),,-Wl,--no-undefined) -Wl,-soname,signet-pkcs11.so -Wl,-z,nodelete \
		-Wl,--version-script=token/api/signet-pkcs11.map -o $@ $(filter %.o,$^) \
		$(PACKAGE_LIBS) -ldl -lpthread

$(EMULATOR): $(call objects,$(EMULATOR_SOURCES)) emulator/emulator.map
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(LINK) -shared $(if $(SANITIZE),,-Wl,--no-undefined) \
		-Wl,-soname,libtss2-tcti-signet.so.0 -Wl,-z,nodelete \
		-Wl,--version-script=emulator/emulator.map -o $@ $(filter %.o,$^) \
		-lcrypto -lm -ldl -lpthread
	$(Q)ln -sf $(@F) $(BUILD)/libtss2-tcti-signet.so

VERSION = $(shell awk '/define SIGNET_VERSION_M/ { v = v "." $$3 } END { print substr(v, 2) }' \
	token/session/version.h)
$(BUILD)/emulator/cli/main.o: CFLAGS += -DSIGNET_VERSION='"$(VERSION)"'
$(BUILD)/emulator/cli/main.o: token/session/version.h

$(SIGNET): $(call objects,$(SIGNET_SOURCES)) $(BUILD)/token.a
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(LINK) -pie -o $@ $^ $(PACKAGE_LIBS) -ldl -lpthread

$(SIGNET_TPM): $(call objects,$(CLI_SOURCES)) $(BUILD)/emulator.a
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(LINK) -pie -o $@ $^ -lcrypto -lm -ldl -lpthread

$(COUNT_TCTI): $(call objects,$(COUNT_SOURCES))
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(LINK) -shared -Wl,-soname,$(@F) -o $@ $^ -ltss2-tctildr -ldl -lpthread
	$(Q)ln -sf $(@F) $(BUILD)/libtss2-tcti-count.so

# Unit tests see the insides of the rooms: they link the objects, not the module.
# The archives keep each test program to the objects that it uses.
$(BUILD)/token.a: $(call objects,$(TOKEN_SOURCES))
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/emulator.a: $(call objects,$(EMULATOR_SOURCES))
	$(Q)rm -f $@ && ar rcs $@ $^

TEST_LIBS := -lcmocka $(PACKAGE_LIBS) -lm -ldl -lpthread

$(BUILD)/test/token/%_test: $(BUILD)/token/%_test.o $(BUILD)/token.a
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS)

$(BUILD)/test/emulator/%_test: $(BUILD)/emulator/%_test.o $(BUILD)/emulator.a
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS)

# Runs what it tests.
$(BUILD)/test/emulator/cli/cli_test $(BUILD)/test/emulator/cli/check_test: | $(SIGNET_TPM) $(EMULATOR)

$(BUILD)/conformance/%_test: $(BUILD)/conformance/api/%_test.o $(call objects,$(API_HELPERS))
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ -lcmocka -ldl -lpthread -lcrypto

$(BUILD)/bench/emulator/%_bench: $(BUILD)/emulator/%_bench.o $(BUILD)/emulator.a
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS)

$(BUILD)/bench/token/%_bench: $(BUILD)/token/%_bench.o $(BUILD)/token.a
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS)

$(BUILD)/bench/%_bench: $(BUILD)/conformance/bench/%_bench.o
	@mkdir -p $(@D)
	$(Q)$(LINK) -Wl,--as-needed -o $@ $^ $(PACKAGE_LIBS) -ldl -lpthread

tests: all $(UNIT_TESTS) $(API_TESTS) $(COUNT_TCTI)

check:
	$(Q)scripts/setup
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)BUILD=$(BUILD) SANITIZE=$(SANITIZE) scripts/check

asan:
	$(Q)$(MAKE) --no-print-directory check BUILD=build-asan SANITIZE=address,undefined

# Those with threads, and those of what threads share.
THREAD_TESTS := $(patsubst %,build-tsan/test/emulator/%_test,\
	copies fork load objects parallel sessions sharing thread)

tsan:
	$(Q)scripts/setup
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory BUILD=build-tsan SANITIZE=thread \
		build-tsan/signet-pkcs11.so build-tsan/libtss2-tcti-signet.so.0 \
		build-tsan/conformance/thread_test build-tsan/conformance/token_crowd_test $(THREAD_TESTS)
	$(Q)BUILD=build-tsan PLAIN=$(BUILD) scripts/threads $(THREAD_TESTS)

demo:
	$(Q)scripts/setup
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) scripts/demo

bench:
	$(Q)scripts/setup
	$(Q)$(MAKE) --no-print-directory all $(COUNT_TCTI) $(BENCHES)
	$(Q)BUILD=$(BUILD) scripts/bench

# Each fuzzer runs for FUZZ_SECONDS from the seeds beside it.
FUZZ_SECONDS ?= 60
fuzz: $(FUZZERS)
	$(Q)for f in $(FUZZERS); do name=$${f#$(BUILD)/fuzz/}; mkdir -p $(BUILD)/fuzz/corpus/$$name; \
		$$f -max_total_time=$(FUZZ_SECONDS) $(BUILD)/fuzz/corpus/$$name \
		$$(ls -d $${name}_corpus 2>/dev/null) || exit 1; done

$(BUILD)/fuzz/%_fuzz: %_fuzz.c $(TOKEN_SOURCES) $(EMULATOR_SOURCES)
	@mkdir -p $(@D)
	$(Q)$(CLANG) -std=c11 -D_GNU_SOURCE -I. $(PACKAGE_CFLAGS) -O1 -g \
		-fsanitize=fuzzer,address,undefined -o $@ $< \
		$(if $(filter token/%,$<),$(TOKEN_SOURCES),$(EMULATOR_SOURCES)) \
		$(PACKAGE_LIBS) -lm -ldl -lpthread

FORMATTED := $(wildcard token/*/*.[ch] emulator/*.[ch] emulator/*/*.[ch] conformance/*/*.[ch] fixtures/*.[ch])

check-format:
	$(Q)$(CLANG_FORMAT) --dry-run --Werror $(FORMATTED)

fix-format:
	$(Q)$(CLANG_FORMAT) -i $(FORMATTED)

install: all
	install -d $(DESTDIR)$(libdir)/pkcs11 $(DESTDIR)$(datadir)/p11-kit/modules
	install -m 755 $(MODULE) $(DESTDIR)$(libdir)/pkcs11/signet-pkcs11.so
	install -m 755 $(EMULATOR) $(DESTDIR)$(libdir)/libtss2-tcti-signet.so.0
	ln -sf libtss2-tcti-signet.so.0 $(DESTDIR)$(libdir)/libtss2-tcti-signet.so
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5
	install -m 755 $(SIGNET) $(DESTDIR)$(bindir)/signet
	install -m 755 $(SIGNET_TPM) $(DESTDIR)$(bindir)/signet-tpm
	install -m 644 token/cli/signet.1 $(DESTDIR)$(mandir)/man1/signet.1
	install -m 644 emulator/cli/signet-tpm.1 $(DESTDIR)$(mandir)/man1/signet-tpm.1
	install -m 644 emulator/cli/signet-tpm-faults.5 $(DESTDIR)$(mandir)/man5/signet-tpm-faults.5
	printf 'module: %s\n' $(libdir)/pkcs11/signet-pkcs11.so \
		> $(DESTDIR)$(datadir)/p11-kit/modules/signet.module

uninstall:
	rm -f $(DESTDIR)$(libdir)/pkcs11/signet-pkcs11.so \
		$(DESTDIR)$(libdir)/libtss2-tcti-signet.so* \
		$(DESTDIR)$(bindir)/signet $(DESTDIR)$(mandir)/man1/signet.1 \
		$(DESTDIR)$(bindir)/signet-tpm $(DESTDIR)$(mandir)/man1/signet-tpm.1 \
		$(DESTDIR)$(mandir)/man5/signet-tpm-faults.5 \
		$(DESTDIR)$(datadir)/p11-kit/modules/signet.module

clean:
	rm -rf $(BUILD) build-asan build-tsan

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
