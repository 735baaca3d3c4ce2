"""Probes in the database, in the house's own values and errors."""

from __future__ import annotations

from db.probe_records import ProbeRecord
from db.probes import ProbeRepository
from services.database import Database
from services.errors import Conflict, NotFound
from services.text import storable

MOST = 200  # probes of a feature


class ProbeStore:
    """Keeps probes and what was measured of them.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_feature(self, sae_id: str, feature_id: int) -> list[ProbeRecord]:
        """All of a feature, oldest first."""
        with self._database.read() as session:
            return ProbeRepository(session).of_feature(sae_id, feature_id)

    def insert(self, record: ProbeRecord) -> None:
        """Keep a new probe.

        Raises:
            Conflict: the feature has this text already, or as many as are kept.
        """
        with self._database.write() as session:
            probes = ProbeRepository(session)
            for other in probes.of_feature(record.sae_id, record.feature_id):
                if other.text == record.text:
                    raise Conflict(
                        f"this text is a probe of feature {record.feature_id} already, as one "
                        f"that {expectation(other.should_fire)}: remove that one first",
                        probe_id=other.probe_id,
                    )
            if probes.count(record.sae_id, record.feature_id) >= MOST:
                raise Conflict(
                    f"feature {record.feature_id} has {MOST} probes, the most that are kept: "
                    "remove some first"
                )
            probes.insert(record)

    def set_measured(self, probe_id: str, measured_max: float, measured_with: str) -> None:
        """Keep what was measured, if the probe is still there."""
        with self._database.write() as session:
            ProbeRepository(session).set_measured(probe_id, measured_max, measured_with)

    def remove(self, sae_id: str, feature_id: int, probe_id: str) -> None:
        """Remove the probe.

        Raises:
            NotFound: the feature has none of that id.
        """
        with self._database.write() as session:
            if not ProbeRepository(session).remove(sae_id, feature_id, storable(probe_id)):
                raise NotFound(
                    f"feature {feature_id} of SAE {sae_id} has no probe {probe_id[:100]!r}",
                    probe_id=probe_id[:100],
                )


def expectation(should_fire: bool) -> str:
    """What somebody expects of the feature, in words."""
    return "should fire" if should_fire else "should not fire"
