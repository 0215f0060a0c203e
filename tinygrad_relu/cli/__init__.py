"""tinygrad-relu, the command: ``train`` leaves in one folder all there is to know about a run, ``predict`` uses it.

``main`` hands the arguments to ``parser``, whose words stand in help/, and calls the command's function, each in a file
of its own (that of ``lab`` lies in the lab). ``data_sets`` finds what ``--data`` names, ``setup`` makes what is trained
of the options, ``results`` writes the folder, and ``network`` keeps the trained network in a file.
"""

import sys


def note(text: str) -> None:
    """Say on stderr what went another way than one may think, in one line."""
    print("tinygrad-relu: note:", " ".join(text.split()), file=sys.stderr)
