"""Being nobody instead of root, for programs that mind who they are."""

import os

from . import clients

NOBODY = 65534


def drop_root():
    """The words before a command that make root nobody; none for other users."""
    if os.geteuid() != 0:
        return []
    return [clients.need("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def give_away(directory):
    """Nobody owns all that is in the folder; other users keep what is theirs."""
    if os.geteuid() == 0:
        for parent, folders, files in os.walk(directory):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(parent, name), NOBODY, NOBODY, follow_symlinks=False)
