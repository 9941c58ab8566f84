"""Other values for the product's constants, for processes that are started with a PYTHONPATH of ours.

What the product does every 45 seconds or after 15 minutes is tested by the same code with a shorter wait.
"""

import json
import os
from pathlib import Path
from typing import Any

_HOOK = """
import importlib.util, json, sys

VALUES = json.loads({values!r})

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name not in VALUES:
            return None
        values = VALUES.pop(name)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            for constant, value in values.items():
                if not hasattr(module, constant):
                    raise AttributeError(f"{{name}} has no {{constant}} any more")
                setattr(module, constant, value)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def with_constants(folder: Path, values: dict[str, dict[str, Any]]) -> str:
    """Write the values, by module and name, into ``folder``; returns the PYTHONPATH under which they hold."""
    (folder / "sitecustomize.py").write_text(_HOOK.format(values=json.dumps(values)))
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
