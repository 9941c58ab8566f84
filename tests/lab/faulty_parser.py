"""A parser that some mails kill or keep for ever, for processes that are started with a PYTHONPATH of ours.

Stands in for a fault of the parser's code, of which none is known: "kill the parser" in a mail ends the process by
SIGSEGV, "never end" lets it run for ever.
"""

import os
from pathlib import Path

FAULTY = """
import ctypes, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "fumibako.archive.rows":
            return None
        sys.meta_path.remove(self)
        import importlib.util
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            parse = module.parse
            def faulty(raw):
                data = bytes(raw)
                if b"kill the parser" in data:
                    ctypes.string_at(0)
                while b"never end" in data:
                    pass
                return parse(raw)
            module.parse = faulty
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def with_faulty_parser(folder: Path) -> str:
    """Write the fault into ``folder``; returns the PYTHONPATH under which Python loads it at its start."""
    (folder / "sitecustomize.py").write_text(FAULTY)
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
