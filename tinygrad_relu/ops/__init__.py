"""Every op, by family. Each is one class with a forward and a backward, and one line with its function."""

from .activations import *  # noqa: F403
from .arithmetic import *  # noqa: F403
from .indexing import *  # noqa: F403
from .linalg import *  # noqa: F403
from .losses import *  # noqa: F403
from .reductions import *  # noqa: F403
from .shape import *  # noqa: F403
