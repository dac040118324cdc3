"""Standing characters and places that every test may use."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from annotation.models import Membership, Role, SmearImage, Study
from annotation.scheme import study_named
from annotation.store import ImageStore
from tests.emptied_tables import empty_after

REPOSITORY = Path(__file__).resolve().parent.parent

# No test fails because the machine was busy while an example was made or tried.
hypothesis_settings.register_profile("marrowloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("marrowloop")


def pytest_addoption(parser: pytest.Parser) -> None:
    kills = int(os.environ.get("MARROWLOOP_KILLS", "3"))
    parser.addoption("--kills", type=int, default=kills, help="kills of the chaos test; MARROWLOOP_KILLS or 3")
    parser.addoption("--chaos-seed", type=int, help="seed of the chaos test, as an earlier run printed it")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """What all tests together have loaded stays to the end. Python looked through it for garbage again and again:
    900,000 objects in half a second, a tenth of what tests compute."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; tests that need it are skipped where it is absent."""
    root = Path(os.environ.get("MARROWLOOP_SHARED") or REPOSITORY.parent / "shared" / "data")
    if not root.is_dir():
        pytest.skip(f"The real images are absent: no folder {root.name} beside the project, MARROWLOOP_SHARED unset.")
    return root


@pytest.fixture(scope="session", autouse=True)
def tables_emptied() -> Iterator[None]:
    """As tests/emptied_tables.py has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_after)
        yield


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, settings: Any) -> Path:
    """Every test stores its files in a folder of its own."""
    settings.DATA_FOLDER = tmp_path
    settings.IMAGE_STORE = tmp_path / "images"
    settings.SNAPSHOT_FOLDER = tmp_path / "snapshots"
    settings.ROUND_FOLDER = tmp_path / "rounds"
    settings.BUNDLE_FOLDER = tmp_path / "bundles"
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tmp_path


@pytest.fixture
def study(db: Any) -> Study:
    return study_named("Charité pilot")


@pytest.fixture
def other_study(db: Any) -> Study:
    return study_named("Somebody else's study")


def _member(study: Study, name: str, role: Role) -> User:
    user = User.objects.create_user(name, password="smear-and-stain-1")
    Membership.objects.create(study=study, user=user, role=role)
    return user


@pytest.fixture
def annotator(study: Study) -> User:
    return _member(study, "anna", Role.ANNOTATOR)


@pytest.fixture
def teammate(study: Study) -> User:
    return _member(study, "theo", Role.ANNOTATOR)


@pytest.fixture
def reviewer(study: Study) -> User:
    return _member(study, "rita", Role.REVIEWER)


@pytest.fixture
def admin(study: Study) -> User:
    return _member(study, "ada", Role.ADMIN)


@pytest.fixture
def outsider(other_study: Study) -> User:
    """Admin of another study: knows the address of everything, may see nothing of `study`."""
    return _member(other_study, "otto", Role.ADMIN)


@pytest.fixture
def client_of() -> Any:
    """client_of(user): a signed-in test client."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def make_image(own_data_folder: Path) -> Any:
    """make_image(study, width=64, height=48, seed=0, name="a.png", **fields): a stored image with its row."""
    import numpy as np
    from django.conf import settings as django_settings
    from PIL import Image

    from annotation.models import ImageName

    def make(
        study: Study, width: int = 64, height: int = 48, seed: int = 0, name: str | None = None, **fields: Any
    ) -> SmearImage:
        pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
        sha256 = ImageStore(django_settings.IMAGE_STORE).put(Image.fromarray(pixels))
        fields.setdefault("fold", SmearImage.next_fold(study))
        image = SmearImage.objects.create(study=study, sha256=sha256, width=width, height=height, **fields)
        ImageName.objects.create(image=image, name=name or f"field-{seed}.png")
        return image

    return make
