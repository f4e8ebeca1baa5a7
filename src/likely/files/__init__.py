"""Files and folders that are written whole or not at all, and never over something that was not asked for."""

from likely.files.documents import MAX_DOCUMENT_BYTES, parsed
from likely.files.fields import built, conform
from likely.files.folders import filled_folder, finish_swap, new_beside, old_beside, swap
from likely.files.locks import LOCK, demand_own_lock, demand_unowned, locked_by_us, release_lock, take_lock
from likely.files.places import contains, refuse_existing, refuse_unwritable, same_place, seen_to_exist
from likely.files.reading import Counted, inflated, is_gzip, read_regular
from likely.files.room import MAX_BYTES, default_bytes, demand_room, gib, most_bytes, no_room
from likely.files.whole import half_written, sync_folder, write

__all__ = [
    "LOCK",
    "MAX_BYTES",
    "MAX_DOCUMENT_BYTES",
    "Counted",
    "built",
    "conform",
    "contains",
    "default_bytes",
    "demand_own_lock",
    "demand_room",
    "demand_unowned",
    "filled_folder",
    "finish_swap",
    "gib",
    "half_written",
    "inflated",
    "is_gzip",
    "locked_by_us",
    "most_bytes",
    "new_beside",
    "no_room",
    "old_beside",
    "parsed",
    "read_regular",
    "refuse_existing",
    "refuse_unwritable",
    "release_lock",
    "same_place",
    "seen_to_exist",
    "swap",
    "sync_folder",
    "take_lock",
    "write",
]
