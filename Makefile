PY := .venv/bin/python
BIN := .venv/bin
DEBIAN_PACKAGES := curl systemd strace mosquitto mosquitto-clients mbpoll libmodbus5 libnfc-bin ffmpeg python3-gi \
  gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad

PAGE_PACKAGES := chromium fonts-noto-cjk libreoffice-calc

SUBSCRIBER_PACKAGES := nodejs zabbix-agent2

MACHINE_PACKAGES := mmdebstrap qemu-system-x86 e2fsprogs

CONTAINER_PACKAGES := mmdebstrap systemd-container e2fsprogs
WHEELS := dist/wheels

BENCHES := alarm cameras diagnose footprint nfc modem_lines outbox patrol quality retention

PARSERS := tests/unit/test_pn532_frames.py tests/unit/test_em4100_frames.py tests/unit/test_wedge_lines.py \
  tests/unit/test_sun.py tests/unit/test_modbus_frames.py tests/unit/test_surgard_frames.py

.PHONY: help venv debian test check static tests deep chaos contract contract-parser wheels system system-usb demo bench $(BENCHES:%=bench-%) lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

venv: .venv/.installed ## the locked Python environment in .venv

.venv/.installed: requirements.lock pyproject.toml
	python3 -m venv .venv
	$(PY) -m pip install --quiet -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

debian: ## the independent programs that check us, from Debian
	@sh tests/install-strangers.sh $(DEBIAN_PACKAGES)

test: ## install what the gate needs, then run it
	@$(MAKE) --no-print-directory -j2 debian venv
	@echo "install: $$(( $$(date +%s) - $${STARTED:-$$(date +%s)} )) s"
	@$(MAKE) --no-print-directory check

check: venv ## the one gate: ruff, mypy, import contracts, tests
	@$(MAKE) --no-print-directory -j2 static tests

static: venv ## ruff, mypy, import contracts
	nice $(BIN)/ruff format --check .
	nice $(BIN)/ruff check .
	nice $(BIN)/mypy
	nice $(BIN)/lint-imports

tests: venv ## the gate's tests, four at a time: most of them wait
	$(PY) -m pytest -m "not deep" -n 4 --dist worksteal

deep: venv ## the long forms of the tests
	@sh tests/install-strangers.sh $(SUBSCRIBER_PACKAGES)
	npm install --silent --ignore-scripts --no-audit --no-fund --prefix build/node-red node-red@4
	$(PY) -m pip install --quiet --no-deps --target build/hikload hikload==1.1.4 xmler ffmpeg-python future
	@sh tests/install-strangers.sh $(PAGE_PACKAGES)
	HYPOTHESIS_PROFILE=deep $(PY) -m pytest --timeout 3600 -m deep
	HYPOTHESIS_PROFILE=deep $(PY) -m pytest --timeout 3600 tests/unit
	HYPOTHESIS_PROFILE=bytes $(PY) -m pytest --timeout 3600 $(PARSERS)
	@sh tests/install-strangers.sh $(MACHINE_PACKAGES)
	$(PY) -m tests.machine.power_cut

wheels: venv ## all a machine without the internet needs, in dist/wheels (WHEELS=directory)
	rm -rf $(WHEELS)
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(WHEELS) .
	$(PY) -m pip wheel --quiet --constraint requirements.lock --wheel-dir $(WHEELS) $(WHEELS)/campus_agent-*.whl
	cp requirements.lock $(WHEELS)/

system: venv ## installer and service tried in a booted Debian (systemd-nspawn; needs root)
	@sh tests/install-strangers.sh $(CONTAINER_PACKAGES)
	$(PY) -m tests.machine.container

system-usb: venv ## the kernel's FTDI driver, plugged and unplugged under the agent in qemu
	@sh tests/install-strangers.sh $(MACHINE_PACKAGES)
	$(PY) -m tests.machine.usb

demo: venv ## a simulated school watched by the real agent, about a minute (DEMO_SECONDS=n)
	$(PY) -m simulators demo

bench: $(BENCHES:%=bench-%) ## every benchmark, one JSON line a figure

$(BENCHES:%=bench-%): bench-%: venv ## (bench-alarm and so on: one of them)
	@$(PY) -m tests.benchmarks.$*

chaos: venv ## ten minutes of kills, cuts, full disks and spoilt stores; nothing may be missing (CHAOS_SECONDS=n)
	@$(PY) -m tests.chaos

contract: venv ## write docs/contract anew from the models
	$(PY) -m agent.county.asyncapi docs/contract

contract-parser: ## what the official AsyncAPI parser says of it (needs node and npm)
	npm install --silent --ignore-scripts --no-audit --no-fund --prefix build/npm @asyncapi/parser@3.6
	NODE_PATH=build/npm/node_modules node tests/contract.js docs/contract/asyncapi.json

lock: venv ## refresh requirements.lock from pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --extra dev --strip-extras --allow-unsafe --no-header --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links -o requirements.lock pyproject.toml

clean: ## remove what was built
	rm -rf .venv build dist *.egg-info
