"""Write what the documentation takes from the declarations: python docs/tables.py, or make docs-tables."""

from __future__ import annotations

from pathlib import Path

from tune.spec.documents import with_tables, write_schema

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write the tables of docs/search-spaces.md and the schema beside the shipped spaces."""
    page = REPOSITORY / "docs" / "search-spaces.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    write_schema(REPOSITORY / "search_spaces" / "schema.json")


if __name__ == "__main__":
    main()
