# make run        set everything up and start it (make run ARGS="--port 8001")
# make test       install what the tests need and run them all
# make test-fast  only the tests that need no server
# make lint       style, types and the order of the rooms
# make bench      measure import and reading
# make screens    take the pictures of docs/screens anew (needs Chromium)

export UV_PYTHON_DOWNLOADS = never
unexport PYTHONDONTWRITEBYTECODE  # a run of the tests starts hundreds of processes

.PHONY: run test test-fast lint bench screens python

run:
	@scripts/bring-python --no-dev --inexact
	@exec .venv/bin/fumibako up $(ARGS)

test: python
	@scripts/bring-servers
	@scripts/run-tests $(ARGS)

test-fast: python
	@.venv/bin/pytest -n auto -m "not lab and not browser" $(ARGS)

lint: python
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@DJANGO_SETTINGS_MODULE=tests.settings PYTHONPATH=. .venv/bin/python -W ignore -m django makemigrations --check --dry-run

bench: python
	@for file in bench/*.py; do echo "--- $$file"; PYTHONPATH=. .venv/bin/python "$$file" || exit 1; done

python:
	@scripts/bring-python

screens: python
	@PYTHONPATH=. .venv/bin/python -m tests.browser.screens
