"""Named points at which a process ends itself when a test asks for it; a shop that asks for none pays nothing."""

import os
import signal
from collections import Counter

from django.conf import settings

# Below all apps, because imports crash too: (name, how many times it is passed before), or nothing.
_WANTED, _, _COUNT = settings.CRASH_AT.partition(":")
_passed: Counter[str] = Counter()


def reach(name: str) -> None:
    """End this process at once, as a power cut would, if this is the point that CRASH_AT names."""
    if name != _WANTED:
        return
    _passed[name] += 1
    if _passed[name] >= int(_COUNT or 1):
        os.kill(os.getpid(), signal.SIGKILL)
