"""The commands, a file for each: ``train`` fills a folder with all there is to know about a run, ``predict`` uses it.

``data_sets`` finds what ``--data`` names, ``setup`` makes what is trained of the options, ``results`` writes the
folder, and ``network`` keeps the trained network in a file.
"""

import sys


def note(text: str) -> None:
    """Say on stderr what went another way than one may think, in one line."""
    print("tinygrad-relu: note:", " ".join(text.split()), file=sys.stderr)
