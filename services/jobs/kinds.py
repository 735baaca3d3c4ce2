"""The registry of kinds: what jobs there are, what each takes, and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from services.errors import InvalidArgument, Unsupported
from services.jobs.requests import JobParams
from services.validation import invalid

if TYPE_CHECKING:
    from services.jobs.context import JobContext

P = TypeVar("P", bound=JobParams)


@dataclass(frozen=True)
class Kind(Generic[P]):
    """One kind of job.

    `run` does the work and answers what it made. It is called again after a crash, with the
    checkpoint that it last committed; it looks for a stop with every batch.
    """

    name: str
    params: type[P]
    run: Callable[[JobContext, P], Mapping[str, Any] | None]
    title: Callable[[P], str]
    version: int = 1  # of the parameters
    upgrade: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None  # from an older version
    max_attempts: int = 3  # this many crashes of its worker, and the job fails

    def check(self, values: Mapping[str, Any]) -> P:
        """The parameters.

        Raises:
            InvalidArgument: names each wrong one.
        """
        try:
            return self.params.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None

    def read(self, values: Mapping[str, Any], version: int) -> P:
        """Stored parameters, checked again by the worker.

        Raises:
            Unsupported: another version of the product wrote them.
            InvalidArgument: they are not valid any more.
        """
        if version == self.version:
            return self.check(values)
        if version > self.version or self.upgrade is None:
            raise Unsupported(
                f"the parameters of this {self.name} job have version {version}; this server "
                f"reads version {self.version}: start it anew"
            )
        return self.check(self.upgrade(version, dict(values)))


class Kinds:
    """The kinds that this process knows."""

    def __init__(self, *kinds: Kind[Any]) -> None:
        self._kinds: dict[str, Kind[Any]] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind[Any]) -> None:
        """Make a kind known; ValueError when its name is taken."""
        if kind.name in self._kinds:
            raise ValueError(f"there is a kind of job {kind.name!r} already")
        self._kinds[kind.name] = kind

    def names(self) -> tuple[str, ...]:
        """What there is."""
        return tuple(self._kinds)

    def get(self, name: str) -> Kind[Any]:
        """The kind.

        Raises:
            InvalidArgument: there is none of this name.
        """
        kind = self._kinds.get(name)
        if kind is None:
            known = ", ".join(sorted(self._kinds)) or "none yet"
            raise InvalidArgument(f"there is no kind of job {name[:64]!r}; there are: {known}")
        return kind
