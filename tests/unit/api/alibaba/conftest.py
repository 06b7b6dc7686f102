"""``store``: a fresh database.  ``cloud``: the API over it, with a caller's key.  ``network``: a VPC ready to use."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.api.alibaba import errors, gateway
from tidegate.domain.refusals import Refusal
from tidegate.store.store import Store

sys.path.append(str(Path(__file__).parent))  # importlib mode: a helper beside its tests is not found otherwise

from alibaba_world import Cloud, Network, make_cloud, make_network, play_controller


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated, with accounts and services: making that takes a second, copying it none."""
    path = tmp_path_factory.mktemp("store") / "tidegate.db"
    store = Store(f"sqlite:///{path}")
    store.migrate()
    make_cloud(store)
    store.close()
    return path


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "tidegate.db"
    shutil.copy(migrated, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def cloud(store: Store) -> Cloud:
    return make_cloud(store)


@pytest.fixture
def network(cloud: Cloud, store: Store) -> Network:
    network = make_network(cloud)
    play_controller(store)
    return network


# -- the audit of errors.py (test_alibaba_provoked.py): which of its rows answered a request


@pytest.fixture(scope="session")
def rows_met() -> set[int]:
    return _ROWS


@pytest.fixture(scope="session")
def codes_met() -> set[str]:
    return _CODES


@pytest.fixture
def whole_folder(request: pytest.FixtureRequest) -> bool:
    """Does every test of the folder run in this session?  Not with -k, a file or a test's name on the command line."""
    here = Path(__file__).parent
    running = {item.path for item in request.session.items if item.path.parent == here}
    config = request.config
    chosen = config.option.keyword or config.option.markexpr or any("::" in word for word in config.args)
    return not chosen and running == set(here.glob("test_*.py"))


_ROWS: set[int] = set()
_CODES: set[str] = set()


@pytest.fixture(autouse=True, scope="session")
def _note_refusals() -> Iterator[None]:
    explain, gateway_error = gateway.explain, gateway.gateway_error

    def noted(refusal: Refusal, product: str, action: str) -> errors.ApiError:
        _ROWS.add(next(at for at, row in enumerate(errors.TABLE) if row.fits(refusal, product, action)))
        return explain(refusal, product, action)

    def noted_code(code: str, **more: str) -> errors.ApiError:
        _CODES.add(code)
        return gateway_error(code, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "explain", noted)
        patch.setattr(gateway, "gateway_error", noted_code)
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What counts the rows comes after what meets them."""
    items.sort(key=lambda item: item.name.startswith("test_every_") and item.name.endswith("_was_met"))
