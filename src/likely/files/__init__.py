"""Files and folders that are written whole or not at all, and never over something that was not asked for."""

from likely.files.folders import copied_folder, filled_folder, left_beside, replaced_folder
from likely.files.places import contains, refuse_existing, refuse_unwritable, same_place
from likely.files.whole import write

__all__ = [
    "contains",
    "copied_folder",
    "filled_folder",
    "left_beside",
    "refuse_existing",
    "refuse_unwritable",
    "replaced_folder",
    "same_place",
    "write",
]
