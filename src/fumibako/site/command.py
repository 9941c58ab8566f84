"""The `fumibako` command. Each subcommand is a module of `commands` with a `command`, loaded when it is asked for."""

import importlib
import pkgutil

import click

from fumibako.site import commands


class Commands(click.Group):
    """The subcommands that there are files for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Their names, as `--help` lists them."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The subcommand of a name, or None."""
        if name not in self.list_commands(context):
            return None
        module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fumibako", prog_name="fumibako")
def main() -> None:
    """Fumibako (文箱): every mail with a customer, wherever it was read or sent from."""


if __name__ == "__main__":
    main()
