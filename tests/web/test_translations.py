"""Every text of the pages has a Japanese translation with the same placeholders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template import engines
from django.template.base import Node, Template, Variable
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

from fumibako.web.catalogs import LOCALE, Entry, binary, compile_catalogs, read_catalog

SOURCE = Path(__file__).parents[2] / "src" / "fumibako"
TEMPLATES = SOURCE / "web" / "templates"
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")

Text = tuple[str, str, str]
"""Context, text, plural; the first and last are often empty."""

ARGUMENTS = {
    "gettext": ("text",),
    "gettext_lazy": ("text",),
    "gettext_noop": ("text",),
    "_": ("text",),
    "ngettext": ("text", "plural"),
    "ngettext_lazy": ("text", "plural"),
    "pgettext": ("context", "text"),
    "pgettext_lazy": ("context", "text"),
    "npgettext": ("context", "text", "plural"),
}


def python_texts(source: str) -> Iterator[Text]:
    """The texts that Python source hands to gettext."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in ARGUMENTS and node.args and isinstance(node.args[0], ast.Constant):
            values = {
                what: arg.value
                for what, arg in zip(ARGUMENTS[name], node.args, strict=False)
                if isinstance(arg, ast.Constant)
            }
            yield values.get("context", ""), values["text"], values.get("plural", "")


def template_texts(template: Template) -> Iterator[Text]:
    """The texts that a template hands to gettext, as it hands them over."""
    for node in every_node(template.nodelist):
        if isinstance(node, TranslateNode):
            context = node.message_context.var if node.message_context else ""
            yield str(context), str(node.filter_expression.var.literal), ""
        elif isinstance(node, BlockTranslateNode):
            context = node.message_context.var if node.message_context else ""
            text, _ = node.render_token_list(node.singular)
            plural = node.render_token_list(node.plural)[0] if node.plural else ""
            yield str(context), folded(text, node), folded(plural, node)
        for variable in variables(node):
            if isinstance(variable, Variable) and variable.translate:
                yield "", str(variable.literal), ""


def every_node(nodes: object) -> Iterator[Node]:
    """The nodes of a template, branches of `if` and blocks included."""
    for node in nodes:  # type: ignore[attr-defined]
        yield from node.get_nodes_by_type(Node)


def variables(node: Node) -> Iterator[object]:
    """What a node's filter expression may translate: `value|default:_("text")`."""
    expression = getattr(node, "filter_expression", None)
    if expression is None or isinstance(node, TranslateNode):
        return
    for _, arguments in expression.filters:
        for _, argument in arguments:
            yield argument


def folded(text: str, node: BlockTranslateNode) -> str:
    """The text with its line ends folded where the tag says `trimmed`."""
    return re.sub(r"\s*\n\s*", " ", text.strip()) if node.trimmed else text


def all_texts() -> dict[Text, str]:
    """Every text with the file that it stands in."""
    found: dict[Text, str] = {}
    for path in sorted(TEMPLATES.rglob("*.html")):
        template = engines["django"].get_template(str(path.relative_to(TEMPLATES))).template
        for text in template_texts(template):
            found.setdefault(text, str(path.relative_to(SOURCE)))
    for path in sorted(SOURCE.rglob("*.py")):
        if "mail" not in path.relative_to(SOURCE).parts[0]:
            for text in python_texts(path.read_text("utf-8")):
                found.setdefault(text, str(path.relative_to(SOURCE)))
    return found


@pytest.fixture(scope="module")
def japanese() -> list[Entry]:
    return list(read_catalog(LOCALE / "ja" / "LC_MESSAGES" / "django.po"))


def test_every_text_of_the_pages_has_a_japanese_translation(japanese: list[Entry]) -> None:
    known = {(entry.context, entry.text, entry.plural) for entry in japanese if all(entry.translations)}
    missing = [f"{where}: {text!r}" for text, where in all_texts().items() if text not in known]
    assert not missing, "\n".join(missing)


def test_no_translation_is_left_over_or_said_twice(japanese: list[Entry]) -> None:
    used = set(all_texts())
    keys = [(entry.context, entry.text, entry.plural) for entry in japanese if entry.text]
    assert [key for key in keys if key not in used] == []
    assert len(keys) == len(set(keys))


def test_a_translation_has_the_placeholders_of_its_text(japanese: list[Entry]) -> None:
    differing = []
    for entry in japanese:
        if not entry.text:
            continue
        wanted = set(PLACEHOLDER.findall(entry.plural or entry.text))
        for translation in entry.translations:
            if set(PLACEHOLDER.findall(translation)) != wanted:
                differing.append(entry.text)
    assert differing == []


def test_no_translation_waits_for_review(japanese: list[Entry]) -> None:
    assert [entry.text for entry in japanese if entry.fuzzy] == []


def test_a_catalog_is_built_when_its_source_is_newer(tmp_path: Path) -> None:
    folder = tmp_path / "ja" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
                                      'msgid "Mail"\nmsgstr "メール"\n', "utf-8")  # fmt: skip
    compile_catalogs(tmp_path)
    assert "メール".encode() in (folder / "django.mo").read_bytes()
    assert [path.name for path in folder.iterdir() if path.suffix == ".part"] == []


def test_pythons_gettext_reads_what_is_built() -> None:
    import gettext
    import io

    entries = [
        Entry("", "", "", ("Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=1; plural=0;\n",), False),
        Entry("", "%(n)s message", "%(n)s messages", ("%(n)s 通",), False),
        Entry("state", "Linked", "", ("連携中",), False),
        Entry("", "Guess", "", ("推測",), True),
    ]
    catalog = gettext.GNUTranslations(io.BytesIO(binary(entries)))
    assert catalog.ngettext("%(n)s message", "%(n)s messages", 5) == "%(n)s 通"
    assert catalog.pgettext("state", "Linked") == "連携中"
    assert catalog.gettext("Guess") == "Guess"
