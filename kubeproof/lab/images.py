"""The cluster's images: built from its programs, and kept unpacked as a container runtime stores them."""

import os
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

from kubeproof.lab import LabFailed, debian, go, packages, sources
from kubeproof.lab.cache import Component, provide
from kubeproof.process import paths
from kubeproof.process.commands import dying_with_us, run
from kubeproof.process.progress import Progress
from kubeproof.process.waiting import NotInTime, wait_for
from kubeproof.spec import Spec, stated

FOLDER = paths.RECIPES / "images"
DOCKERFILE = FOLDER / "Dockerfile"
# Go names a program after its module's folder, which is not always the name that the image needs.
NAMES = {("etcd", "server"): "etcd", ("flannel", "flannel"): "flanneld"}
PROGRAMS = "kubeproof/programs"
TOOLS = "kubeproof/tools"
PAUSE_SOURCE = "build/pause/linux/pause.c"
BLOBS = Path("io.containerd.content.v1.content", "blobs", "sha256")
SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
SHARED = Path("/usr/share/kubeproof")  # a folder of the box, on each machine
START_SECONDS = 30
LAST_CHARACTERS = 2000


def store(spec: Spec, docker: dict[str, str]) -> Component:
    """The runtime's folder containerd/ with every image that kubeadm and the CNI name for the spec's versions.

    Its large content is in blobs/ and snapshots.tar, which all machines share.
    `docker` is the environment in which the docker client finds the lab's daemon.
    """
    names = ("kubernetes", *sources.network(spec), "etcd", "coredns", "cni-plugins", "containerd")
    programs = sources.of(spec, *names)
    tools = debian.tools()
    network_dockerfile = FOLDER / f"Dockerfile.{spec.network_plugin}"

    def build(folder: Path) -> None:
        progress = Progress(quiet=True)
        context = folder / "context"
        _gather(context, spec, {name: provide(part, progress) for name, part in programs.items()})
        names = _image_names(spec, context)
        # Docker builds all earlier stages as well, so the other network's, whose programs are missing, must not be in.
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text(DOCKERFILE.read_text() + network_dockerfile.read_text())
        # The daemon gets the programs once, as an image, and copies them into each image.
        run("docker", "import", provide(tools, progress) / "root.tar", TOOLS, env=docker)
        _pipe(["tar", "--create", "--directory", context, "."], ["docker", "import", "-", PROGRAMS], docker)
        for name in names:
            target = name.rsplit("/", 1)[-1].split(":")[0]
            build = ["docker", "build", "--quiet", f"--target={target}", f"--tag={name}", f"--file={dockerfile}"]
            run(*build, FOLDER, env=docker)
        _import(folder, context, names, docker)
        run("docker", "rmi", *names, PROGRAMS, TOOLS, env=docker)
        dockerfile.unlink()
        shutil.rmtree(context)

    recipe: tuple[str | Path, ...] = (
        DOCKERFILE,
        network_dockerfile,
        tools.key,
        stated(spec.traffic_image),
        *[part.key for part in programs.values()],
    )
    return Component("images", recipe, build)


def _gather(context: Path, spec: Spec, programs: dict[str, Path]) -> None:
    context.mkdir()
    for component, folder in programs.items():
        for program in folder.iterdir():
            os.link(program, context / NAMES.get((component, program.name), program.name))
    if spec.network_plugin == "calico":
        _gather_for_calico(context, spec)
    kubernetes = go.source("kubernetes", stated(spec.kubernetes.version), "k8s.io/kubernetes")
    run("gcc", "-static", "-Os", "-include", "strings.h", "-o", context / "pause", kubernetes / PAUSE_SOURCE)


def _gather_for_calico(context: Path, spec: Spec) -> None:
    os.link(context / "calico", context / "calico-ipam")
    calico = go.source("calico", sources.network(spec)["calico"], packages.MANIFESTS["calico"][0])
    shutil.copytree(calico / "node" / "filesystem", context / "filesystem", copy_function=shutil.copyfile)
    for script in (context / "filesystem").rglob("*"):
        script.chmod(0o755)  # a module contains no modes, and most of these files are programs
    (context / "status").mkdir()
    (context / "status" / "status.json").touch()


def _image_names(spec: Spec, context: Path) -> list[str]:
    """The images that kubeadm, the CNI's manifest and the traffic checks name.

    Raises LabFailed if kubeadm names other versions than the built ones.
    """
    listing = ("config", "images", "list", f"--kubernetes-version=v{spec.kubernetes.version}")
    kubeadms = run(context / "kubeadm", *listing).split()
    for name in ("etcd", "coredns"):
        version = sources.versions(spec)[name]
        if not any(re.search(rf"/{name}:v?{re.escape(version)}(-\d+)?$", image) for image in kubeadms):
            raise LabFailed(
                f"{sources.COMPANIONS} pairs kubeadm {spec.kubernetes.version} with {name} {version}, but kubeadm "
                f"runs another one: expected one of {', '.join(kubeadms)}"
            )
    manifest = packages.network_manifest(spec).read_text()
    return [*kubeadms, *sorted(set(re.findall(r"image: (\S+)", manifest))), spec.traffic_image]


def _pipe(writer: list[str | Path], reader: list[str | Path], docker: dict[str, str]) -> None:
    """Run two programs with a pipe between them, so that gigabytes of images need no room on disk."""
    commands = [shlex.join(str(word) for word in command) for command in (writer, reader)]
    run("bash", "-o", "pipefail", "-c", " | ".join(commands), env=docker)


def _import(folder: Path, programs: Path, names: list[str], docker: dict[str, str]) -> None:
    """Fill containerd/ with the daemon's images, by a containerd that runs for the import alone."""
    root, config, log = folder / "containerd", folder / "containerd.toml", folder / "containerd.log"
    # unix(7) limits a socket's path to 107 characters; the cache's path can be longer, the one in /proc is short.
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    socket = Path(f"/proc/{os.getpid()}/fd/{descriptor}/containerd.sock")
    config.write_text(
        textwrap.dedent(f"""\
            version = 3
            root = "{root}"
            state = "{folder / "state"}"
            required_plugins = ["io.containerd.metadata.v1.bolt"]
            disabled_plugins = [
              "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
              "io.containerd.nri.v1.nri", "io.containerd.monitor.task.v1.cgroups", "io.containerd.internal.v1.restart",
            ]
            [grpc]
            address = "{socket}"
            [ttrpc]
            address = "{socket}.ttrpc"
            """)
    )
    with log.open("wb") as output:
        command = dying_with_us(str(programs / "containerd"), "--config", str(config))
        daemon = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_for("containerd listens, to import images", socket.exists, within=START_SECONDS)
        ctr: list[str | Path] = [programs / "ctr", "--address", socket, "--namespace", "k8s.io", "images"]
        unpack: list[str | Path] = [*ctr, "import", "--local", "--snapshotter=overlayfs", "-"]
        _pipe(["docker", "save", *names], unpack, docker)
        # Pinned, so that kubelet does not remove an image: no machine could fetch it again.
        for name in names:
            run(*ctr, "label", name, "io.cri-containerd.pinned=pinned")
    except NotInTime as error:
        raise LabFailed(f"{error}; its last output: {log.read_text()[-LAST_CHARACTERS:]}") from None
    finally:
        daemon.terminate()
        daemon.wait(START_SECONDS)
        os.close(descriptor)
    for path in (folder / "state", log, config, *folder.glob(f"{socket.name}*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    _share_blobs(root / BLOBS, folder / "blobs")
    _share_snapshots(root / SNAPSHOTS, folder / "snapshots.tar")


def _share_blobs(runtimes: Path, blobs: Path) -> None:
    """Move the blobs to a folder that all machines share; links lead the runtime there."""
    blobs.mkdir()
    for blob in runtimes.iterdir():
        blob.rename(blobs / blob.name)
        blob.symlink_to(SHARED / "blobs" / blob.name)


def _share_snapshots(runtimes: Path, archive: Path) -> None:
    """Move the unpacked layers, to an archive that preserves owners; links lead the runtime there as well."""
    move = f"--transform=s,^[.],.{SHARED / 'snapshots'},S"  # S: not the targets of symbolic links
    xattrs = ["--xattrs", "--xattrs-include=security.*"]  # without overlayfs's own, which belong to this folder
    run("tar", "--create", f"--file={archive}", f"--directory={runtimes}", "--numeric-owner", move, *xattrs, ".")
    for layer in runtimes.glob("*/fs"):
        shutil.rmtree(layer)
        layer.symlink_to(SHARED / "snapshots" / layer.relative_to(runtimes))
