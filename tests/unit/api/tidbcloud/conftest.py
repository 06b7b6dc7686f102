"""Fixtures: an empty store, and TiDB Cloud in front of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from tidegate.api.tidbcloud import adapter
from tidegate.api.tidbcloud.errors import Failure
from tidegate.domain.refusals import Refusal
from tidegate.store.store import Store

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode finds no module beside a test by itself

from tidbcloud_cloud import Cloud


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrating takes a tenth of a second, copying does not."""
    path = tmp_path_factory.mktemp("store") / "tidegate.db"
    made = Store(f"sqlite:///{path}")
    made.migrate()
    made.close()
    return path


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{copy(migrated, tmp_path)}")
    yield made
    made.close()


@pytest.fixture
def cloud(store: Store) -> Cloud:
    return Cloud(store)


# -- the audit of errors.py (test_tidbcloud_provoked.py): which refusals answered a request


@pytest.fixture(scope="session")
def refusals_met() -> set[type[Refusal]]:
    return _MET


@pytest.fixture
def whole_folder(request: pytest.FixtureRequest) -> bool:
    """Does every test of the folder run in this session?  Not with -k, a file or a test's name on the command line."""
    here = Path(__file__).parent
    running = {item.path for item in request.session.items if item.path.parent == here}
    config = request.config
    chosen = config.option.keyword or config.option.markexpr or any("::" in word for word in config.args)
    return not chosen and running == set(here.glob("test_*.py"))


_MET: set[type[Refusal]] = set()


@pytest.fixture(autouse=True, scope="session")
def _note_refusals() -> Iterator[None]:
    describe_refusal = adapter.describe_refusal

    def noted(refusal: Refusal) -> Failure:
        _MET.add(type(refusal))
        return describe_refusal(refusal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "describe_refusal", noted)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What counts the refusals comes after what meets them."""
    items.sort(key=lambda item: item.name.startswith("test_every_") and item.name.endswith("_was_met"))
