"""Training: from a model, data and a few choices to learned weights, and a record of how it went.

What was given is looked at first (``given`` the data, ``choices`` the options). ``rehearsal`` then tries the first
batch and refuses what could not be learned. Only then does ``loop`` go through epochs and batches, by the ``steps``,
and writes a ``history``; ``progress`` shows it meanwhile.
"""

from .choices import optimizer_class
from .history import History
from .loop import fit, predict
from .steps import slices, training_step

__all__ = ["History", "fit", "optimizer_class", "predict", "slices", "training_step"]
