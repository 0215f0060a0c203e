"""Real handwritten digits, small enough to train on in seconds."""

from __future__ import annotations

from importlib import resources

import numpy as np

from .batches import train_test_split

__all__ = ["digits"]


def digits(split: str | None = None, *, test_fraction: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """1,797 handwritten digits of 8 x 8 pixels: X float32 (1797, 64), values from 0 to 1, y int64 (1797,), 0 to 9.

    ``split="train"`` and ``split="test"`` give the two parts of one fixed split (``test_fraction`` of each digit
    for the test, chosen by ``seed``); without it, all rows come in the original order. A row is an image read line
    by line, 0 is paper and 1 is ink: ``X[0].reshape(8, 8)``. ValueError for another split.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998, https://doi.org/10.24432/C50P49, CC BY 4.0 (see DIGITS_LICENSE.txt beside the data). It is the part that
    scikit-learn's ``load_digits`` has too.

    >>> X, y = data.digits()
    >>> X.shape, float(X.min()), float(X.max()), y[:5].tolist()
    ((1797, 64), 0.0, 1.0, [0, 1, 2, 3, 4])
    >>> data.digits(split="test")[0].shape
    (359, 64)
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"digits: split is 'train', 'test' or None for all, got {split!r}")
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as stored:
        X, y = stored["images"].astype(np.float32) / 16, stored["labels"].astype(np.int64)
    if split is None:
        return X, y
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_fraction, seed)
    return (X_train, y_train) if split == "train" else (X_test, y_test)
