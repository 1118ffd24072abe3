"""What several readers say of a file that cannot be read, or not wholly."""

from __future__ import annotations

from ragkit.i18n.messages import coded

EMPTY = coded("empty_file", "The file is empty.")
BLANK = coded("blank_file", "The file holds nothing but white space.")
NO_TEXT_IN_FILE = coded("no_text", "The file holds no text.")
NEEDS_PASSWORD = coded("needs_password", "It needs a password: save a copy that needs none.")
NO_READER = coded("no_reader", "There is no reader for {suffix} files.")
NOT_A_REGULAR_FILE = coded("not_a_regular_file", "It is not a regular file.")
SYMBOLIC_LINK = coded("symbolic_link", "It is a symbolic link; links are not followed.")
HIDDEN_FILE = coded("hidden_file", "It is a hidden file.")
READER_FAILED = coded("reader_failed", "The reader failed on this file ({why}).")
NESTED_TOO_DEEPLY = coded("nested_too_deeply", "Its parts are nested too deeply to be read.")
PART_DAMAGED = coded("part_damaged", "The file is damaged: its part {name} cannot be read.")
DAMAGED = coded("damaged", "It is damaged ({why}).")
DAMAGED_OR_CUT_OFF = coded("damaged_or_cut_off", "The file is damaged or cut off ({why}).")
TOO_MUCH_INSIDE = coded("too_much_inside", "The files inside it are too many or too large to be unpacked.")
OWN_ENTITIES = coded(
    "own_entities", "It declares entities of its own, which may unpack without bounds; it was not read."
)
NOT_TEXT_BUT = coded("not_text_but", "Its name says text, but it is a {kind} file.")
NO_MESSAGE_TEXT = coded("no_message_text", "The message has no text of its own.")
HIDDEN_SLIDES = coded("hidden_slides", "Hidden slides, which were read all the same: {numbers}.")
NOT_OUTLOOK = coded("not_outlook", "It is not an Outlook message, whatever its name says.")
TRACKED_CHANGES = coded(
    "tracked_changes",
    "Tracked changes: what was deleted is left out, what was inserted is read (places: {count}).",
)
