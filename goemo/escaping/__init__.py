"""Escaping of text that Markdown, a spreadsheet or a terminal would interpret; names without local paths.

Label names, texts, names of searches and messages are data. Each function here gives them as what they are.
"""

from goemo.escaping.markdown import code, prose
from goemo.escaping.places import without_folders
from goemo.escaping.spreadsheets import guarded, guarded_frame, guarded_row
from goemo.escaping.terminals import printable

__all__ = ["code", "guarded", "guarded_frame", "guarded_row", "printable", "prose", "without_folders"]
