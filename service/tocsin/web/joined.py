"""The SDK as one file: a newspaper's page asks once for it, not for each of its modules in turn.

The modules stay plain ES modules that a browser could load as they are. Here they are put one after the other in the
order in which a browser would run them, without their imports of each other.
"""

import re
from collections.abc import Callable
from typing import Final

_IMPORT: Final = re.compile(r'^(?:import|export) (?:\{ ([^}]*) \} from )?"\./(?:assets/)?([^"]+)";\n', re.MULTILINE)
_EXPORTED: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)


def parts(entry: str, read: Callable[[str], str]) -> tuple[str, ...]:
    """The names of the entry and of all that it imports, in the order in which they run."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found:
            return
        for _, imported in _IMPORT.findall(read(name)):
            visit(imported)
        found[name] = None

    visit(entry)
    return tuple(found)


def joined(entry: str, read: Callable[[str], str]) -> str:
    """One module with the exports of the entry, which only passes on what others export.

    Raises ValueError for a form of import or export that would not survive.
    """
    offered = [names for names, _ in _IMPORT.findall(read(entry)) if names]
    whole = "".join(_bare(name, read(name)) for name in parts(entry, read) if name != entry)
    return f"{whole}export {{ {', '.join(offered)} }};\n"


def _bare(name: str, source: str) -> str:
    code = _EXPORTED.sub("", _IMPORT.sub("", source))
    renamed = next((f"{{ {names} }}" for names, _ in _IMPORT.findall(source) if " as " in names), None)
    left = re.search(r"^(?:import|export)\b.*", code, re.MULTILINE)
    if renamed or left:
        raise ValueError(f"{name}: not one of the forms that can be joined: {renamed or (left and left[0])}")
    return code
