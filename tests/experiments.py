"""The lab's experiments with options by which each is done in a moment."""

TINY = {
    "order": {"steps": 6, "lengths": (10, 2000)},
    "mask": {"seeds": 2, "epochs": 2, "blocks": (1, 2)},
    "vanishing": {"depths": [2, 3], "seeds": 2},
    "init": {"layers": [3], "epochs": 3, "seeds": 2, "depth": 6, "moment_seeds": 4},
    "speed": {"rates": [0.3, 1.0], "seeds": 2, "tuning_seeds": 1, "most_epochs": 6},
    "dying": {"rates": [0.1, 2.0], "seeds": 2, "epochs": 12, "networks": 100},
    "zigzag": {"seeds": 2, "batch_sizes": [1, 16]},
    "kink": {"seeds": 1, "epochs": 1, "starts": 4, "narrow": 8, "widths": (2,)},
    "siblings": {"seeds": 2, "tuning_seeds": 1, "epochs": 1, "units": 2, "steps": 20, "sample": 1000},
}

# Three of them, for what does not depend on which they are.
SMALL = {name: TINY[name] for name in ("order", "mask", "kink")}
