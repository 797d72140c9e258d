"""Class names of the data sets that published models know, in the order of those models' outputs.

One text file per data set, one class per line; line `i` (from 0) names output `i`. An order is only here if a source
shows it, for a wrong one looks right and names every action wrongly:

| list | classes | order |
|---|---|---|
| kinetics400 | 400 | alphabetical: torchvision, DeepMind, MMAction2, PySlowFast, S3D alike |
| kinetics600 | 600 | alphabetical: DeepMind, MMAction2 |
| kinetics700 | 700 | alphabetical: MMAction2. Hara's models of 700 classes and more have an order of their own |
| ssv2 | 174 | the numbers of `something-something-v2-labels.json` |
| charades | 157 | the data set's codes c000..c156 |
| sports1m | 487 | the data set's `labels.txt`; C3D |
| ucf101 | 101 | the data set's `classInd.txt`, from 0 |
| hmdb51 | 51 | alphabetical: MMAction2 |

>>> from muybridge.labels import load_labels
>>> load_labels("kinetics400")[0]
'abseiling'
"""

from __future__ import annotations

from importlib import resources

__all__ = ["list_labels", "load_labels"]


def list_labels() -> list[str]:
    """Names of the class lists, sorted."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(".txt") for name in files if name.endswith(".txt"))


def load_labels(name: str) -> tuple[str, ...]:
    """The classes of a data set, in the order of a published model's outputs.

    Args:
        name: A name of `list_labels()`.

    Raises:
        ValueError: No such list.
    """
    names = list_labels()
    if name not in names:
        raise ValueError(f"no class list {name!r}; there are: {', '.join(names)}")
    text = (resources.files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
