"""Frames: the calls of modules as clusters of a picture, each once, with those around it."""

from __future__ import annotations

from ..record.reading import ModuleCall
from ..record.words import written
from .picture import Cluster, Picture

__all__ = ["Frames"]


class Frames:
    """The clusters of one picture."""

    def __init__(self, picture: Picture):
        self.picture = picture
        self.ids: dict[ModuleCall, str] = {}

    def around(self, calls: tuple[ModuleCall, ...]) -> str:
        """The id of the innermost cluster, which is added with those around it if it is new; "" if there is none."""
        parent = ""
        for call in calls:
            if call not in self.ids:
                self.ids[call] = f"m{len(self.ids)}"
                self.picture.clusters.append(Cluster(self.ids[call], call.label, parent, written(call.module, 2_000)))
            parent = self.ids[call]
        return parent
