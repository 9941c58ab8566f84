"""Where everything is wired: settings, addresses, the `fumibako` command, and the processes that make an installation.

- `up` (`up.py`) is the parent of all: it locks the data folder, binds the web port, then starts PostgreSQL from the
  wheel's binaries (`postgres.py`), the web server (`serve.py`), one worker and the sample mail server. Every child dies
  with it and is started again when it dies.
- Beyond one machine the same processes are started one by one: `fumibako web`, `fumibako worker`, with `DATABASE_URL`.
- What an operator may set are environment variables, read in `settings.py` and listed in `docs/settings.md`.
"""
