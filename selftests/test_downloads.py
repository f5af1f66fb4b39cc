"""A release is taken whole and as its checksum says, or not at all; each fault is one of a server's on loopback."""

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest

from kubeproof.lab import downloads, go
from kubeproof.lab.cache import Component, provide
from kubeproof.process.progress import Progress
from selftests.mirror import ETCD, KUBERNETES, PLUGINS, Mirror, busy, encoded, half, half_that_looks_whole, portal

QUIET = Progress(quiet=True)
ARCHIVE = Path(ETCD).name

pytestmark = pytest.mark.usefixtures("cold_cache")


@pytest.fixture
def etcd(mirror: Mirror) -> Component:
    """A component whose release is one archive."""
    return downloads.programs("etcd", "3.6.8", mirror.url, QUIET)


def assert_nothing_is_kept(component: Component) -> None:
    """Neither the component nor what was half made of it."""
    assert [path.name for path in component.folder.parent.iterdir()] == [f"{component.key}.lock"]


def test_the_programs_of_an_archive_are_taken(etcd: Component) -> None:
    """No other file of it, and by the names that the modules give them."""
    folder = provide(etcd, QUIET)
    assert {path.name for path in folder.iterdir()} == {"server", "etcdctl"}
    assert subprocess.check_output([folder / "server"], text=True) == "etcd\n"


@pytest.mark.parametrize(
    ("name", "version"),
    [("containerd", "2.2.1"), ("coredns", "1.14.2"), ("cri-tools", "1.36.0"), ("cni-plugins", "1.9.1")],
)
def test_every_archive_is_where_its_project_puts_it(mirror: Mirror, name: str, version: str) -> None:
    """With host and path under the mirror's prefix, and programs that can be run."""
    folder = provide(downloads.programs(name, version, mirror.url, QUIET), QUIET)
    assert {subprocess.check_output([path], text=True).strip() for path in folder.iterdir()} == {
        path.name for path in folder.iterdir()
    }
    assert {path.name for path in folder.iterdir()} == set(downloads.RELEASES[name][0].members)


def test_what_kubernetes_does_not_publish_is_compiled(mirror: Mirror) -> None:
    """And stands beside the downloaded programs; here it is cached already."""
    agnhost = go.programs("kubernetes", "1.36.3", downloads.UNPUBLISHED["kubernetes"]).folder / "agnhost"
    agnhost.parent.mkdir(parents=True)
    agnhost.write_text("compiled")
    folder = provide(downloads.programs("kubernetes", "1.36.3", mirror.url, QUIET), QUIET)
    assert {path.name for path in folder.iterdir()} == {
        *("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"),
        *("kubeadm", "kubectl", "kubelet", "agnhost"),
    }
    assert subprocess.check_output([folder / "kubeadm"], text=True) == "kubeadm 1.36.3\n"
    assert (folder / "agnhost").read_text() == "compiled"


def test_a_digest_alone_is_a_checksum(mirror: Mirror, etcd: Component) -> None:
    """As dl.k8s.io has them, without a name or a line's end."""
    digest = hashlib.sha256((mirror.folder / ETCD).read_bytes()).hexdigest()
    (mirror.folder / ETCD).with_name("SHA256SUMS").write_text(digest)
    provide(etcd, QUIET)


def test_the_checksum_of_this_file_is_taken(mirror: Mirror, etcd: Component) -> None:
    """Where a list has those of others."""
    sums = (mirror.folder / ETCD).with_name("SHA256SUMS")
    sums.write_text(f"{'0' * 64}  etcd-v3.6.8-linux-arm64.tar.gz\n{sums.read_text()}")
    provide(etcd, QUIET)


def test_a_wrong_checksum_is_an_error(mirror: Mirror, etcd: Component) -> None:
    """Which names the file, what was expected and what was seen, and nothing of it is kept."""
    (mirror.folder / ETCD).write_bytes(b"something else")
    expected = (mirror.folder / ETCD).with_name("SHA256SUMS").read_text().split()[0]
    with pytest.raises(downloads.WrongChecksum) as failure:
        provide(etcd, QUIET)
    seen = hashlib.sha256(b"something else").hexdigest()
    assert str(failure.value).startswith(
        f"{mirror.url}/{ETCD} is not what its checksum says: expected SHA-256 {expected} (by SHA256SUMS beside it), "
        f"seen {seen}."
    )
    assert_nothing_is_kept(etcd)


def test_a_body_that_ends_early_without_saying_so_is_found_out(mirror: Mirror, etcd: Component) -> None:
    """By its checksum."""
    mirror.faults[ARCHIVE] = [half_that_looks_whole]
    with pytest.raises(downloads.WrongChecksum):
        provide(etcd, QUIET)
    assert_nothing_is_kept(etcd)


def test_a_broken_line_is_tried_again(mirror: Mirror, etcd: Component) -> None:
    """From the beginning."""
    mirror.faults[ARCHIVE] = [half]
    assert subprocess.check_output([provide(etcd, QUIET) / "etcdctl"], text=True) == "etcdctl\n"


def test_a_busy_server_is_asked_again(mirror: Mirror, etcd: Component) -> None:
    """For the checksum as for the file."""
    mirror.faults["SHA256SUMS"] = [busy]
    provide(etcd, QUIET)
    assert [path.rsplit("/", 1)[-1] for path in mirror.asked] == ["SHA256SUMS", "SHA256SUMS", ARCHIVE]


def test_a_line_that_always_breaks_is_given_up(mirror: Mirror, etcd: Component) -> None:
    """After some attempts, with the reason."""
    mirror.faults[ARCHIVE] = [half] * 9
    with pytest.raises(downloads.Unavailable, match=r"can't be had: RemoteProtocolError peer closed connection"):
        provide(etcd, QUIET)
    assert mirror.asked.count(f"/{ETCD}") == downloads.ATTEMPTS
    assert_nothing_is_kept(etcd)


def test_what_is_not_published_is_asked_for_once(mirror: Mirror, etcd: Component) -> None:
    """Since it won't be there a second later."""
    (mirror.folder / ETCD).unlink()
    with pytest.raises(downloads.Unavailable, match=f"/{ETCD} can't be had: the answer is 404 File not found"):
        provide(etcd, QUIET)
    assert mirror.asked.count(f"/{ETCD}") == 1
    assert_nothing_is_kept(etcd)


def test_a_login_page_is_no_checksum(mirror: Mirror, etcd: Component) -> None:
    """What a hotel's network answers to everything."""
    mirror.faults["SHA256SUMS"] = [portal]
    with pytest.raises(
        downloads.Unavailable, match=r"holds no SHA-256 of etcd-.*; it begins with '<html>Please log in"
    ):
        provide(etcd, QUIET)


def test_an_archive_that_is_called_a_compressed_answer_is_left_as_it_is(mirror: Mirror, etcd: Component) -> None:
    """Its checksum is that of the archive."""
    mirror.faults[ARCHIVE] = [encoded]
    provide(etcd, QUIET)


def test_an_archive_without_a_program_is_refused(mirror: Mirror) -> None:
    """With what it has instead."""
    mirror.publish(PLUGINS, (mirror.folder / ETCD).read_bytes())
    plugins = downloads.programs("cni-plugins", "1.9.1", mirror.url, QUIET)
    with pytest.raises(downloads.Unavailable, match=r"holds no bandwidth, but README.md, etcd, etcdctl, etcdutl"):
        provide(plugins, QUIET)
    assert_nothing_is_kept(plugins)


def test_the_mirrors_password_is_not_told(mirror: Mirror) -> None:
    """It may end up in a report."""
    secret = mirror.url.replace("//", "//somebody:secret@")
    (mirror.folder / KUBERNETES / "kube-apiserver.sha256").unlink()
    with pytest.raises(downloads.Unavailable, match=r"http://\*\*\*@127.0.0.1:\d+/dl.k8s.io/") as failure:
        provide(downloads.programs("kubernetes", "1.36.3", secret, QUIET), QUIET)
    assert "secret" not in str(failure.value)


def test_another_source_is_another_content(etcd: Component) -> None:
    """The same version of both may be in the cache; where a release was mirrored makes no difference."""
    assert etcd.key != go.programs("etcd", "3.6.8").key
    assert etcd.key == downloads.programs("etcd", "3.6.8", None, QUIET).key


def test_progress_tells_what_is_downloaded(mirror: Mirror, capfd: pytest.CaptureFixture[str]) -> None:
    """By the file's name."""
    loud = Progress()
    provide(downloads.programs("etcd", "3.6.8", mirror.url, loud), loud)
    assert f"downloading {ARCHIVE} ..." in capfd.readouterr().err.splitlines()


def test_programs_are_for_everyone(etcd: Component) -> None:
    """To run, as those that Go links."""
    assert stat.S_IMODE((provide(etcd, QUIET) / "server").stat().st_mode) == 0o755
