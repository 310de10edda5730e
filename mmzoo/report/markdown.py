"""Tables in Markdown."""

from collections.abc import Container, Iterable


def markdown_table(
    head: list[str], rows: Iterable[list[str]], left: Container[int] = range(1)
) -> str:
    """Return a table, without a newline at its end.

    Args:
        head: titles of the columns.
        rows: cells.
        left: numbers of the columns that are aligned left; the others are aligned right.
    """
    marks = ["---" if column in left else "---:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, marks, *rows))
