"""Files of the user beside an index: where the default index lies, and conversations that are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragkit.store.sidecars.conversation import ConversationFile as ConversationFile


def default_index_directory() -> Path:
    """Returns the index used when none is named: a folder of the user's data directory."""
    import platformdirs

    return Path(platformdirs.user_data_dir("ragkit", appauthor=False)) / "index"


def conversation_file(path: str | os.PathLike[str]) -> ConversationFile:
    """Returns the conversation that is kept in the file `path`, which need not exist yet."""
    from ragkit.store.sidecars.conversation import ConversationFile

    return ConversationFile(Path(path).expanduser())
