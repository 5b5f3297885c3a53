"""Files and folders as locks between processes; the system lets go of them with the process, however it ends."""

import fcntl


def try_lock(descriptor: int) -> bool:
    """Whether it is ours now; False where another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
