"""The words of charts, diagrams and shapes, and their pictures, in Word, PowerPoint and Excel files (DrawingML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.office.packages import Package, Relation, attribute, descendants, first, local, within


def paragraph_text(paragraph: Element) -> str:
    """The text of a paragraph of DrawingML (`a:p`) on one line."""
    pieces = []
    for element in paragraph.iter():
        name = local(element)
        if name == "t":
            pieces.append(element.text or "")
        elif name in ("br", "tab"):
            pieces.append(" ")
    return one_line("".join(pieces))


def _chart_lines(root: Element) -> Iterator[str]:
    """The titles of a chart, and each series with its categories and values as the file holds them."""
    titles = [paragraph_text(p) for title in descendants(root, "title") for p in descendants(title, "p")]
    yield from filter(None, titles)
    for series in descendants(root, "ser"):
        name = " ".join(_points(series, "tx").values())
        names = _points(series, "cat") or _points(series, "xVal")
        values = _points(series, "val") or _points(series, "yVal")
        pairs = [f"{names.get(at, at)}: {value}" for at, value in values.items()]
        if name or pairs:
            yield f"{name}: {' | '.join(pairs)}" if name else " | ".join(pairs)


def add_figure(package: Package, part: str, builder: DocumentBuilder) -> None:
    """Add the text of the part that holds a chart or a diagram."""
    root = package.optional_xml(part, builder)
    if root is None:
        return
    if local(root) == "chartSpace":
        texts = list(_chart_lines(root))
    else:
        texts = [text for p in descendants(root, "p") if (text := paragraph_text(p))]
    if texts:
        builder.blank()
        builder.add("\n".join(texts))


def figure_parts(element: Element, relations: Mapping[str, Relation]) -> Iterator[str]:
    """The parts of the charts and diagrams that stand in a drawing."""
    for reference in descendants(element, "chart", "relIds"):
        relation = relations.get(attribute(reference, "id") or attribute(reference, "dm"))
        if relation is not None:
            yield relation.target


def picture_parts(element: Element, relations: Mapping[str, Relation], *, but_in: str = "") -> Iterator[str]:
    """The parts of the pictures that stand in a drawing, without those inside elements named `but_in`."""
    for child in element:
        if local(child) in ("blip", "imagedata"):
            name = attribute(child, "embed") or attribute(child, "id")
            relation = relations.get(name)
            if relation is not None:
                yield relation.target
        if local(child) != but_in:
            yield from picture_parts(child, relations, but_in=but_in)


def _points(series: Element, name: str) -> dict[str, str]:
    """The names or numbers of a series by their index, as they were when the file was saved."""
    holder = first(series, name)
    found = {}
    for point in descendants(holder, "pt") if holder is not None else ():
        value = next(within(point, "v"), None)
        if value is not None and value.text:
            found[point.get("idx", "")] = _shown(value.text)
    return found


def _shown(value: str) -> str:
    """A number without the digits that binary fractions bring: 8.1999999999999993 is 8.2."""
    try:
        return f"{float(value):.12g}" if len(value) > 12 else value
    except ValueError:
        return one_line(value)
