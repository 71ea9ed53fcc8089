# The two commands are `make demo` and `make test`; both install what they need (Debian 12 packages, by name) and build.
PRESET ?= release
BUILD := build/$(PRESET)
PACKAGES := g++ cmake ninja-build libzstd-dev libbrotli-dev libxxhash-dev libssl-dev libcli11-dev \
	nlohmann-json3-dev libgtest-dev \
            python3 python3-numpy python3-xxhash python3-zstandard python3-brotli gzip xz-utils zstd brotli
PACKAGES_ARM := g++-aarch64-linux-gnu qemu-user libstdc++6:arm64 libzstd-dev:arm64 libbrotli-dev:arm64 \
	libxxhash-dev:arm64 \
                libssl-dev:arm64 libgtest-dev:arm64

.PHONY: demo test test-arm test-training build setup install fuzz bench clean

demo: build
	scripts/demo.sh $(BUILD)/cli/tacit

test: build
	ctest --preset $(PRESET) --output-on-failure

# The same for aarch64, under emulation: what arithmetic and archives hang on (scripts/test_arm.sh).
test-arm: build
	@scripts/install_packages.sh $(PACKAGES_ARM)
	cmake --preset arm > /dev/null
	cmake --build --preset arm --target tacit_cli tacit_tests
	scripts/test_arm.sh build/arm $(BUILD)/cli/tacit

build: setup
	cmake --preset $(PRESET) > /dev/null
	cmake --build --preset $(PRESET)

# Installs only what is missing, so that a machine that has everything needs neither network nor root.
setup:
	@scripts/install_packages.sh $(PACKAGES)

install: build
	cmake --install $(BUILD)

# Every fuzz target for SECONDS seconds each (needs clang).
SECONDS ?= 60
fuzz:
	@scripts/install_packages.sh $(PACKAGES) clang
	cmake --preset fuzz > /dev/null
	cmake --build --preset fuzz
	scripts/fuzz.sh build/fuzz/fuzz $(SECONDS)

# Ratios and speed on the machine at hand: bench/README.md.
bench: build
	@scripts/install_packages.sh zpaq
	$(BUILD)/bench/tacit_kernels
	$(BUILD)/bench/tacit_roofline
	python3 bench/ratios.py $(BUILD)/cli/tacit examples/*.txt

# The recipe of the built-in model, from records to an archive, on a small part of the data: installs PyTorch into
# build/training.
test-training: build
	$(MAKE) -C training smoke

clean:
	rm -rf build
