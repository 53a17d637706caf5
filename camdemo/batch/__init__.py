"""Many photos: a table, a contact sheet that opens from disk, maps and overlays."""

from .running import all_cores, explain_many
from .table import BatchRow

__all__ = ["BatchRow", "all_cores", "explain_many"]
