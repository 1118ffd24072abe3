"""What charts, diagrams and shapes say (DrawingML), which documents, slides and sheets share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from ragkit.loaders.building.document_builder import DocumentBuilder, one_line
from ragkit.loaders.office.packages import Package, Relation, add_picture, attribute, descendants, first, local, within


def paragraph_text(paragraph: Element) -> str:
    """The runs of an `a:p`, one line."""
    pieces = []
    for element in paragraph.iter():
        name = local(element)
        if name == "t":
            pieces.append(element.text or "")
        elif name in ("br", "tab"):
            pieces.append(" ")
    return one_line("".join(pieces))


def chart_lines(root: Element) -> Iterator[str]:
    """The titles, and each series with its categories and values, as the file holds them."""
    titles = [paragraph_text(p) for title in descendants(root, "title") for p in descendants(title, "p")]
    yield from filter(None, titles)
    for series in descendants(root, "ser"):
        name = " ".join(_points(series, "tx").values())
        names, values = (
            _points(series, "cat") or _points(series, "xVal"),
            _points(series, "val") or _points(series, "yVal"),
        )
        pairs = [f"{names.get(at, at)}: {value}" for at, value in values.items()]
        if name or pairs:
            yield f"{name}: {' | '.join(pairs)}" if name else " | ".join(pairs)


def diagram_lines(root: Element) -> Iterator[str]:
    return filter(None, (paragraph_text(p) for p in descendants(root, "p")))


def add_figure(package: Package, part: str, builder: DocumentBuilder) -> None:
    """The text of a chart's or a diagram's part."""
    root = package.optional_xml(part, builder)
    if root is None:
        return
    texts = list(chart_lines(root) if local(root) == "chartSpace" else diagram_lines(root))
    if texts:
        builder.blank()
        builder.add("\n".join(texts))


def picture_parts(element: Element, relations: Mapping[str, Relation], *, but_in: str = "") -> Iterator[str]:
    """The parts of the pictures that stand in a drawing, but for those within elements named `but_in`."""
    for child in element:
        if local(child) in ("blip", "imagedata"):
            name = attribute(child, "embed") or attribute(child, "id")
            relation = relations.get(name)
            if relation is not None and not relation.outside:
                yield relation.target
        if local(child) != but_in:
            yield from picture_parts(child, relations, but_in=but_in)


def add_pictures(package: Package, shape: Element, relations: Mapping[str, Relation], builder: DocumentBuilder) -> None:
    for part in picture_parts(shape, relations):
        add_picture(package, part, builder)


def _points(series: Element, name: str) -> dict[str, str]:
    """Index -> cached value of a series' names or numbers."""
    holder = first(series, name)
    found = {}
    for point in descendants(holder, "pt") if holder is not None else ():
        value = next(within(point, "v"), None)
        if value is not None and value.text:
            found[point.get("idx", "")] = _shown(value.text)
    return found


def _shown(value: str) -> str:
    """Without the digits that come of binary fractions: 8.1999999999999993 is 8.2."""
    try:
        return f"{float(value):.12g}" if len(value) > 12 else value
    except ValueError:
        return one_line(value)
