"""Sheets, as a person sees them: number formats, hidden parts, printed headers, through the child process."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from tests.helpers.office_files import odf, xlsx
from tests.helpers.reading import Reader, notes


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.125, "0.0%", "12.5%"),
        (0.025, "0%", "3%"),
        (1599.99, "#,##0.00", "1,599.99"),
        (-1599.99, "$#,##0.00;[Red]($#,##0.00)", "($1,599.99)"),
        (-1599.99, '"$"#,##0.00_);[Red]\\("$"#,##0.00\\)', "($1,599.99)"),
        (-2.5, "0.0", "-2.5"),
        (12345.6, "¥#,##0.00", "¥12,345.60"),
        (1234.5, '#,##0.00"元"', "1,234.50元"),
        (0.5, "[$€-407]#,##0.00", "€0.50"),
        (12, "#,##0.00\\ [$€-407]", "12.00 €"),
        (1234567, '#,##0,"k"', "1,235k"),
        (198356388, "0.00E+00", "1.98E+08"),
        (2.5, "# ?/?", "2 1/2"),
        (5551234, "000-0000", "555-1234"),
        (19.99, '0" dollars and" .00 "cents"', "19 dollars and .99 cents"),
        (3, "0.##", "3"),
        (-0.001, "0.00", "0.00"),  # not -0.00
        (0, '_($* #,##0_);_($* (#,##0);_($* "-"??_);_(@_)', "0"),  # a dash would not be found
        (42, ";;;", "42"),  # hidden by its format
        (7, "General", "7"),
        (44, "[>10]0.0;0", "44"),  # a condition: the value itself
        (39219.84, "yyyy\\-mm\\-dd", "2007-05-17"),
        (39219.84, "m/d/yy", "2007-05-17"),
        (33966.760424803244, "h:mm AM/PM", "6:15 PM"),
        (33966.260424803244, "h:mm", "6:15"),
        (1.0833333333333333, "[h]:mm", "26:00:00"),
    ],
)
def test_a_number_is_read_as_the_sheet_shows_it(read: Reader, value: float, code: str, shown: str) -> None:
    data = xlsx({"S": (("Item", "Value"), ("Pump", value), ("泵", "x"))}, codes={"B2": code})
    assert f"Item: Pump | Value: {shown}\n" in read("a.xlsx", data).text


def test_the_format_is_that_of_the_cell_where_rows_and_columns_are_left_out(read: Reader) -> None:
    rows = ((), ("", "", "Share", "Sum"), ("", "", 0.5, 0.5))
    text = read("a.xlsx", xlsx({"S": rows}, codes={"C3": "0%"})).text
    assert "Share: 50% | Sum: 0.5\n" in text


def test_what_an_opendocument_sheet_shows(read: Reader) -> None:
    cell = '<table:table-cell office:value-type="{}" office:value="{}"{}><text:p>{}</text:p></table:table-cell>'.format
    word = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'.format
    names = f"<table:table-row>{word('Item')}{word('Share')}{word('价格')}</table:table-row>"
    values = cell("percentage", "0.125", "", "12.5%") + cell("currency", "1599.9", "", "¥1,599.90")
    row = f'<table:table-row table:number-rows-repeated="2">{word("Pump")}{values}</table:table-row>'
    data = odf("spreadsheet", f'<table:table table:name="Costs">{names}{row}</table:table>')
    assert read("a.ods", data).text.count("Item: Pump | Share: 12.5% | 价格: ¥1,599.90\n") == 2


def test_hidden_rows_and_columns_are_named(read: Reader) -> None:
    rows = (("Item", "Value"), ("Pump", 1), ("Valve", 2))
    data = xlsx({"Costs": rows, "Other": rows}, extra='<cols><col min="2" max="3" hidden="1"/></cols>')
    note = notes(read("a.xlsx", data))
    assert note == "Sheets with hidden rows or columns, which were read all the same: Costs, Other."


def test_what_is_printed_above_and_below_a_sheet(read: Reader) -> None:
    words = quoteattr('&L&"Arial,Bold"&12仅供内部使用&CCosts 2024&Rpage &P of &N')[1:-1]
    extra = f"<headerFooter><oddHeader>{words}</oddHeader></headerFooter>"
    text = read("a.xlsx", xlsx({"S": (("a", "b"), ("c", "d"))}, extra=extra)).text
    assert text.endswith("仅供内部使用 Costs 2024 page of\n")
