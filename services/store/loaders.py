"""Feature-major activations of any origin behind one protocol: the per-feature and transposed
layouts of the activation servers that came before this store, and the store itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from services.errors import InvalidArgument, Unsupported
from services.store.reader import ActivationStore

Loaded = tuple[np.ndarray, np.ndarray]  # indices [n] int64 ascending, activations [n] float32

_NEURON = "neuron_{:04d}"


class ActivationLoader(Protocol):
    """Where activations can be loaded from, feature by feature."""

    n_features: int
    n_samples: int

    @property
    def is_available(self) -> bool:
        """Whether this backend can be used."""
        ...

    def load(self, feature_id: int) -> Loaded | None:
        """Indices and activations of what is not zero; None when the feature is not there."""
        ...


class NeuronActs:
    """`neuron_0000/acts.npy` (float32) and `idxs.npy` (int64) per feature.

    The layout does not say how many samples there are: `n_samples` is one more than the largest
    index unless it is given.
    """

    def __init__(
        self, folder: Path, n_features: int | None = None, n_samples: int | None = None
    ) -> None:
        self._folder = folder
        numbers = [int(p.name[7:]) for p in folder.glob("neuron_*") if p.name[7:].isdigit()]
        self.n_features = max(numbers, default=-1) + 1 if n_features is None else n_features
        self.n_samples = self._counted(numbers) if n_samples is None else n_samples

    @property
    def is_available(self) -> bool:
        """Whether the folder holds at least one feature."""
        return self.n_features > 0 and self._folder.is_dir()

    def load(self, feature_id: int) -> Loaded | None:
        """Indices and activations of the feature.

        Raises:
            InvalidArgument: the two files of the feature do not fit each other.
        """
        folder = self._folder / _NEURON.format(feature_id)
        if not (folder / "idxs.npy").is_file() or not (folder / "acts.npy").is_file():
            return None
        indices, values = (np.load(folder / f"{n}.npy", allow_pickle=False) for n in _FILES)
        if indices.shape != values.shape or indices.ndim != 1 or (np.diff(indices) <= 0).any():
            raise InvalidArgument(f"{folder.name}: idxs.npy must ascend, one for each of acts.npy")
        return indices.astype(np.int64), values.astype(np.float32)

    def _counted(self, numbers: list[int]) -> int:
        last = -1
        for number in numbers:
            found = self.load(number)
            if found is not None and len(found[0]):
                last = max(last, int(found[0][-1]))
        return last + 1


_FILES = ("idxs", "acts")


class TransposedZarr:
    """One Zarr array [features, samples], zeros included."""

    def __init__(self, path: Path) -> None:
        self._array = zarr_library().open_array(path, mode="r") if path.exists() else None
        shape: tuple[int, int] = (0, 0) if self._array is None else self._array.shape
        self.n_features, self.n_samples = shape

    @property
    def is_available(self) -> bool:
        """Whether the array is there."""
        return self._array is not None

    def load(self, feature_id: int) -> Loaded | None:
        """Indices and activations of the feature, from its whole row."""
        if self._array is None or not 0 <= feature_id < self.n_features:
            return None
        row = np.asarray(self._array[feature_id, :])
        indices = np.flatnonzero(row)
        return indices, row[indices].astype(np.float32)


class StoreLoader:
    """A store of this product; a sample is a token."""

    def __init__(self, store: ActivationStore) -> None:
        self._store = store
        self.n_features, self.n_samples = store.spec.d_sae, store.n_tokens

    @property
    def is_available(self) -> bool:
        """Always."""
        return True

    def load(self, feature_id: int) -> Loaded | None:
        """Positions and values of the feature."""
        if not 0 <= feature_id < self.n_features:
            return None
        found = self._store.feature(feature_id)
        return found.positions.astype(np.int64), found.values.astype(np.float32)


def zarr_library() -> Any:
    """The zarr package; `Unsupported` when it is not installed."""
    try:
        import zarr
    except ImportError:
        raise Unsupported("the Zarr layout needs the package zarr: pip install zarr") from None
    return zarr


def neuron_folder(feature: int) -> str:
    """What the per-feature layout calls the folder of a feature."""
    return _NEURON.format(feature)
