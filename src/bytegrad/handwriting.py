"""Handwritten digits that come with the engine, so that a network can learn to read without a download."""

from pathlib import Path

import numpy as np

from bytegrad.kernels import Array

#: One image of so many is for testing.
_FIFTH = 5

#: The darkest pixel in the file.
_DARKEST = 16


def digits(split: str = "train") -> tuple[Array, Array]:
    """Return handwritten digits: images (n, 8, 8) of float32 from 0 (paper) to 1 (ink), labels (n,) of int64.

    There are 1,797 of them. Every fifth one, starting with the fifth, belongs to the split "test" (359 images), the
    others to "train" (1,438); "all" has both, in the order of the file. The arrays are new in each call and take
    264 bytes an image. Source: [alpaydin1998], under CC BY 4.0 (``digits.LICENSE.txt``).

    Args:
        split: "train", "test" or "all".

    Raises:
        ValueError: a split of another name.
        FileNotFoundError: the file with the images did not come along with the package.

    >>> images, labels = digits("test")
    >>> images.shape, labels[:4].tolist()
    ((359, 8, 8), [4, 9, 4, 9])
    >>> for row in images[0, 1::2]:
    ...     print("".join("_.:#"[int(3 * ink)] for ink in row))
    ___..___
    __.:_.._
    __:#:#__
    ____#___
    """
    if split not in ("train", "test", "all"):
        raise ValueError(
            f'split is {split!r}: the digits are divided once and for all. Pass "train", "test" or "all".'
        )
    path = Path(__file__).with_name("digits.npz")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: the digits lie beside the engine's modules, and were left behind when these were "
            "copied. Install the package as a whole."
        )
    with np.load(path, allow_pickle=False) as archive:
        images = archive["images"].astype(np.float32) / np.float32(_DARKEST)  # (n, 8, 8)
        labels = archive["labels"].astype(np.int64)  # (n,)
    if split == "all":
        return images, labels
    is_test = np.arange(len(labels)) % _FIFTH == _FIFTH - 1
    chosen = is_test if split == "test" else ~is_test
    return images[chosen], labels[chosen]
