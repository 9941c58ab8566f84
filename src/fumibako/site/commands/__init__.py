"""The subcommands of `fumibako`, one a module. A module imports what is heavy inside its function: `--help` loads all."""
