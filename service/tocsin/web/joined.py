"""The SDK as one small file: a newspaper's page asks once for it, not for each of its modules in turn.

The modules stay plain ES modules that a browser could load as they are. Here they are put one after the other in the
order in which a browser would run them, without comments, indentation and their imports of each other.
"""

import re
from collections.abc import Callable
from typing import Final

_IMPORT: Final = re.compile(r'^(?:import|export) (?:\{ ([^}]*) \} from )?"\./(?:assets/)?([^"]+)";\n', re.MULTILINE)
_EXPORTED: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) )", re.MULTILINE)
# Texts and regular expressions keep every character. A slash after one of these signs begins an expression.
_TEXT: Final = r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`'
_REGULAR: Final = r"(?:(?<=[(,=:?&|!])|(?<=[(,=:?&|!] ))/(?![/*])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/"
_COMMENT: Final = r"//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/"
_TOKEN: Final = re.compile(f"({_TEXT}|{_REGULAR})|{_COMMENT}", re.DOTALL)
# What would become something else: one text begun within another, and two signs that are one without their space.
_LOST: Final = re.compile(r"'.*|[+-]\s+[+-].*")
_SPACE: Final = re.compile(r"[ \t]*([{}()\[\];,:?=<>&|!+*/-]+)[ \t]*")
_STYLE: Final = re.compile(r"(?<=^const STYLE = `).*?(?=`;)", re.MULTILINE | re.DOTALL)


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
    return re.sub(r"\n+", "\n", f"{whole}export{{{','.join(offered)}}};\n").lstrip()


def _bare(name: str, source: str) -> str:
    code = _EXPORTED.sub("", _IMPORT.sub("", source))
    renamed = next((f"{{ {names} }}" for names, _ in _IMPORT.findall(source) if " as " in names), None)
    left = re.search(r"^(?:import|export)\b.*", code, re.MULTILINE)
    if renamed or left:
        raise ValueError(f"{name}: not one of the forms that can be joined: {renamed or (left and left[0])}")
    try:
        return _tight(_STYLE.sub(lambda found: _tight_style(found[0]), code))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _tight(source: str) -> str:
    """Without comments and with no more space than JavaScript needs; a line that may end a statement keeps its end."""
    code = _TOKEN.sub(lambda token: token[1] or " ", source)
    tight, place = [], 0
    for token in _TOKEN.finditer(code):
        if token[0].count("{") != token[0].count("}"):
            raise ValueError(f"a text within a text cannot be kept: {token[0]}")
        tight += [_squeezed(code[place : token.start()]), token[0]]
        place = token.end()
    return "".join((*tight, _squeezed(code[place:])))


def _squeezed(code: str) -> str:
    if lost := _LOST.search(code):
        raise ValueError(f"would not mean the same with less space: {lost[0]}")
    code = _SPACE.sub(r"\1", re.sub(r"\s*\n\s*", "\n", code))
    return re.sub(r"(?<=[{(\[,;:?=>&|])\n|\n(?=[})\].?:&|])", "", code).replace(";}", "}")


def _tight_style(sheet: str) -> str:
    return re.sub(r" ?([{};,>]) ?|(?<=:) ", r"\1", re.sub(r"\s+", " ", sheet)).replace(";}", "}")
