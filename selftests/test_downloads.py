"""A release is used only if it is whole and matches its checksum; a server on loopback makes each fault."""

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
    """Neither the component nor a draft of it exists."""
    assert [path.name for path in component.folder.parent.iterdir()] == [f"{component.key}.lock"]


def test_the_programs_of_an_archive_are_taken(etcd: Component) -> None:
    """No other file is taken; the names are those that the modules give."""
    folder = provide(etcd, QUIET)
    assert {path.name for path in folder.iterdir()} == {"server", "etcdctl"}
    assert subprocess.check_output([folder / "server"], text=True) == "etcd\n"


@pytest.mark.parametrize(
    ("name", "version"),
    [("containerd", "2.2.1"), ("coredns", "1.14.2"), ("cri-tools", "1.36.0"), ("cni-plugins", "1.9.1")],
)
def test_every_archive_is_where_its_project_puts_it(mirror: Mirror, name: str, version: str) -> None:
    """It is at its host and path under the mirror's prefix, and its programs run."""
    folder = provide(downloads.programs(name, version, mirror.url, QUIET), QUIET)
    assert {subprocess.check_output([path], text=True).strip() for path in folder.iterdir()} == {
        path.name for path in folder.iterdir()
    }
    assert {path.name for path in folder.iterdir()} == set(downloads.RELEASES[name][0].members)


def test_what_kubernetes_does_not_publish_is_compiled(mirror: Mirror) -> None:
    """It is put beside the downloaded programs; here it is cached already."""
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
    """dl.k8s.io publishes digests without a file name or line end."""
    digest = hashlib.sha256((mirror.folder / ETCD).read_bytes()).hexdigest()
    (mirror.folder / ETCD).with_name("SHA256SUMS").write_text(digest)
    provide(etcd, QUIET)


def test_the_checksum_of_this_file_is_taken(mirror: Mirror, etcd: Component) -> None:
    """The list contains those of other files as well."""
    sums = (mirror.folder / ETCD).with_name("SHA256SUMS")
    sums.write_text(f"{'0' * 64}  etcd-v3.6.8-linux-arm64.tar.gz\n{sums.read_text()}")
    provide(etcd, QUIET)


def test_a_wrong_checksum_is_an_error(mirror: Mirror, etcd: Component) -> None:
    """It names the file, the expected and the seen digest, and the file is removed."""
    (mirror.folder / ETCD).write_bytes(b"something else")
    expected = (mirror.folder / ETCD).with_name("SHA256SUMS").read_text().split()[0]
    with pytest.raises(downloads.WrongChecksum) as failure:
        provide(etcd, QUIET)
    seen = hashlib.sha256(b"something else").hexdigest()
    assert str(failure.value).startswith(
        f"{mirror.url}/{ETCD} does not match its checksum: expected SHA-256 {expected} (by SHA256SUMS beside it), "
        f"seen {seen}."
    )
    assert_nothing_is_kept(etcd)


def test_a_body_that_ends_early_without_saying_so_is_found_out(mirror: Mirror, etcd: Component) -> None:
    """The checksum shows it."""
    mirror.faults[ARCHIVE] = [half_that_looks_whole]
    with pytest.raises(downloads.WrongChecksum):
        provide(etcd, QUIET)
    assert_nothing_is_kept(etcd)


def test_a_broken_line_is_tried_again(mirror: Mirror, etcd: Component) -> None:
    """The second download starts from the beginning."""
    mirror.faults[ARCHIVE] = [half]
    assert subprocess.check_output([provide(etcd, QUIET) / "etcdctl"], text=True) == "etcdctl\n"


def test_a_busy_server_is_asked_again(mirror: Mirror, etcd: Component) -> None:
    """This applies to the checksum as to the file."""
    mirror.faults["SHA256SUMS"] = [busy]
    provide(etcd, QUIET)
    assert [path.rsplit("/", 1)[-1] for path in mirror.requests] == ["SHA256SUMS", "SHA256SUMS", ARCHIVE]


def test_a_line_that_always_breaks_is_given_up(mirror: Mirror, etcd: Component) -> None:
    """The error after the last attempt contains the reason."""
    mirror.faults[ARCHIVE] = [half] * 9
    with pytest.raises(downloads.Unavailable, match=r"can't be downloaded: RemoteProtocolError peer closed connection"):
        provide(etcd, QUIET)
    assert mirror.requests.count(f"/{ETCD}") == downloads.ATTEMPTS
    assert_nothing_is_kept(etcd)


def test_what_is_not_published_is_asked_for_once(mirror: Mirror, etcd: Component) -> None:
    """It won't appear a second later."""
    (mirror.folder / ETCD).unlink()
    with pytest.raises(downloads.Unavailable, match=f"/{ETCD} can't be downloaded: the answer is 404 File not found"):
        provide(etcd, QUIET)
    assert mirror.requests.count(f"/{ETCD}") == 1
    assert_nothing_is_kept(etcd)


def test_a_login_page_is_no_checksum(mirror: Mirror, etcd: Component) -> None:
    """A hotel's network answers every request with one."""
    mirror.faults["SHA256SUMS"] = [portal]
    with pytest.raises(
        downloads.Unavailable, match=r"contains no SHA-256 of etcd-.*; it begins with '<html>Please log in"
    ):
        provide(etcd, QUIET)


def test_an_archive_that_is_called_a_compressed_answer_is_left_as_it_is(mirror: Mirror, etcd: Component) -> None:
    """Unpacked, it would not match its checksum."""
    mirror.faults[ARCHIVE] = [encoded]
    provide(etcd, QUIET)


def test_an_archive_without_a_program_is_refused(mirror: Mirror) -> None:
    """The error names the files that it contains instead."""
    mirror.publish(PLUGINS, (mirror.folder / ETCD).read_bytes())
    plugins = downloads.programs("cni-plugins", "1.9.1", mirror.url, QUIET)
    with pytest.raises(downloads.Unavailable, match=r"contains no bandwidth, but README.md, etcd, etcdctl, etcdutl"):
        provide(plugins, QUIET)
    assert_nothing_is_kept(plugins)


def test_the_mirrors_password_is_not_told(mirror: Mirror) -> None:
    """An error may get into a report."""
    secret = mirror.url.replace("//", "//somebody:secret@")
    (mirror.folder / KUBERNETES / "kube-apiserver.sha256").unlink()
    with pytest.raises(downloads.Unavailable, match=r"http://\*\*\*@127.0.0.1:\d+/dl.k8s.io/") as failure:
        provide(downloads.programs("kubernetes", "1.36.3", secret, QUIET), QUIET)
    assert "secret" not in str(failure.value)


def test_another_source_is_another_content(etcd: Component) -> None:
    """The cache may hold the same version of both; the mirror makes no difference."""
    assert etcd.key != go.programs("etcd", "3.6.8").key
    assert etcd.key == downloads.programs("etcd", "3.6.8", None, QUIET).key


def test_progress_tells_what_is_downloaded(mirror: Mirror, capfd: pytest.CaptureFixture[str]) -> None:
    """It names the file."""
    loud = Progress()
    provide(downloads.programs("etcd", "3.6.8", mirror.url, loud), loud)
    assert f"downloading {ARCHIVE} ..." in capfd.readouterr().err.splitlines()


def test_programs_are_for_everyone(etcd: Component) -> None:
    """Everyone may run them, as those that Go links."""
    assert stat.S_IMODE((provide(etcd, QUIET) / "server").stat().st_mode) == 0o755
