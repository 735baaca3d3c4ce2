"""A made SAE with everything that its table of features can show, on a database of either kind."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import pytest

from services.container import Container
from services.features.requests import FeatureTableQuery
from services.settings import Settings
from tests import made_features as made
from tests.brute_features import Brute

N_FEATURES, N_TOKENS = 400, 3000


@dataclass
class World:
    """The services, and what they must say."""

    container: Container
    brute: Brute

    def query(self, **asked):
        return FeatureTableQuery.parse({"sae_id": made.SAE, "store_id": made.STORE, **asked})

    def page(self, **asked):
        return self.container.features.page(self.query(**asked))

    def ids(self, **asked):
        return self.container.features.ids(self.query(**asked))


@pytest.fixture(scope="session")
def made_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("wide")
    made.make_home(home, N_FEATURES, N_TOKENS, per_token=6)
    return home, made.make_decoder(home, N_FEATURES)


def make_world(home, url, decoder, n_features):
    container = Container(Settings(home=home, database_url=url, preload=False))
    said = made.said(n_features)
    made.say(container, url, said)
    return World(container, Brute(home / "stores" / made.STORE, decoder, said))


@pytest.fixture
def world(made_home, tmp_path, database_url):
    home, decoder = made_home
    shutil.copytree(home, tmp_path / "home")
    found = make_world(tmp_path / "home", database_url, decoder, N_FEATURES)
    yield found
    found.container.close()
