"""The subcommands of `fumibako`, one a module. What is heavy is imported inside the function: `--help` loads all."""
