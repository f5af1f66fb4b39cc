"""The downloads and the clients of registries all use the spec's proxy and certificate authority."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from kubeproof.lab import LabFailed, debian, downloads, go, uplink
from kubeproof.lab.cache import provide
from kubeproof.lab.registries import Registry
from kubeproof.process.progress import Progress
from kubeproof.spec.model import Lab
from selftests.mirror import ETCD, Mirror, certificate, served

QUIET = Progress(quiet=True)


def lab(proxy: str | None = None, ca: Path | None = None) -> Lab:
    """The spec's section `lab`."""
    return Lab.model_validate({"source": "release", "mirror": None, "proxy": proxy, "ca": ca and str(ca)})


def written(authority: trustme.CA, file: Path) -> Path:
    """Write the authority's certificate to the file that a spec names."""
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that the system does not trust."""
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority's file."""
    return written(authority, tmp_path / "ca.pem")


@pytest.fixture
def proxy(mirror: Mirror, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A proxy with certificates of its own, as in many companies; the registries are the usual ones."""
    for name in ("GOPROXY", "GONOPROXY", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")
    mirror.authority = authority
    return mirror


@pytest.fixture
def with_tls(authority: trustme.CA, mirror: Mirror) -> Iterator[str]:
    """The mirror's files over TLS."""
    with served(mirror.folder, certificate(authority, "127.0.0.1")) as secure:
        yield secure.url.replace("http:", "https:")


@pytest.mark.usefixtures("cold_cache")
def test_releases_come_by_the_proxy(proxy: Mirror, ca: Path) -> None:
    """The hosts are the projects' own."""
    with uplink.of(lab(proxy.url, ca)):
        provide(downloads.programs("etcd", "3.6.8", None, QUIET), QUIET)
    assert "CONNECT github.com:443" in proxy.requests
    assert f"/{ETCD.removeprefix('github.com/')}" in proxy.requests


@pytest.mark.usefixtures("cold_cache")
def test_a_mirror_may_have_an_authority_of_its_own(with_tls: str, ca: Path) -> None:
    """It is trusted because the spec names it."""
    with uplink.of(lab(ca=ca)):
        provide(downloads.programs("etcd", "3.6.8", with_tls, QUIET), QUIET)


def test_a_stranger_is_not_trusted(with_tls: str) -> None:
    """The complaint contains the reason."""
    with uplink.of(lab()):
        assert "CERTIFICATE_VERIFY_FAILED" in downloads.complaint("etcd", "3.6.8", with_tls)


def test_the_systems_authorities_stay_trusted(
    with_tls: str, ca: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The spec's authority comes beside them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    with uplink.of(lab(ca=written(trustme.CA(), tmp_path / "other.pem"))):
        assert downloads.complaint("etcd", "3.6.8", with_tls) == ""


@pytest.mark.parametrize("registry", [go.PROXY, debian.ARCHIVE, go.INDEX], ids=["go", "apt", "pip"])
def test_registries_are_asked_by_the_proxy(proxy: Mirror, registry: Registry) -> None:
    """Each one's own client uses the proxy, which has no answer here."""
    with uplink.of(lab(proxy.url)):
        assert registry.complaint()
    assert proxy.requests


@pytest.mark.parametrize("registry", [go.PROXY, go.INDEX], ids=["go", "pip"])
def test_clients_of_registries_trust_the_authority(proxy: Mirror, registry: Registry, ca: Path) -> None:
    """They send requests through the proxy's TLS."""
    with uplink.of(lab(proxy.url, ca)):
        registry.complaint()
    connected, *asked = proxy.requests
    assert connected.startswith("CONNECT ")
    assert asked
    assert not asked[0].startswith("CONNECT ")


def test_the_environment_is_put_back(ca: Path) -> None:
    """Machines and checks never see the variables, even after a failure."""
    before = dict(os.environ)

    def fail() -> None:
        with uplink.of(lab("http://127.0.0.1:9", ca)):
            raise LabFailed(os.environ["https_proxy"])

    with pytest.raises(LabFailed, match=r"http://127.0.0.1:9"):
        fail()
    assert dict(os.environ) == before
