"""The images that the cluster runs, made from the programs and kept as a container runtime finds them, unpacked."""

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
# A module's root is built by the name of its folder, which is not always that of the program.
NAMES = {("etcd", "server"): "etcd", ("flannel", "flannel"): "flanneld"}
PROGRAMS = "kubeproof/programs"
TOOLS = "kubeproof/tools"
PAUSE_SOURCE = "build/pause/linux/pause.c"
BLOBS = Path("io.containerd.content.v1.content", "blobs", "sha256")
SNAPSHOTS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
SHARED = Path("/usr/share/kubeproof")  # on each machine, from the box
START_SECONDS = 30
LAST_WORDS = 2000


def store(spec: Spec, docker: dict[str, str]) -> Component:
    """containerd/, the runtime's folder with every image that kubeadm and the CNI name for the spec's versions.

    What takes room in it is in blobs/ and snapshots.tar, for all machines to share.

    `docker` is the environment in which the docker client finds the lab's daemon.
    """
    names = ("kubernetes", *sources.network(spec), "etcd", "coredns", "cni-plugins", "containerd")
    programs = sources.of(spec, *names)
    tools = debian.tools()
    of_the_network = FOLDER / f"Dockerfile.{spec.network_plugin}"

    def build(folder: Path) -> None:
        progress = Progress(quiet=True)
        context = folder / "context"
        _gather(context, spec, {name: provide(part, progress) for name, part in programs.items()})
        names = _image_names(spec, context)
        # Docker makes every stage before the one that it is asked for: those of another network's provider can't be.
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text(DOCKERFILE.read_text() + of_the_network.read_text())
        # Sent to the daemon once, and copied from there into each image.
        run("docker", "import", provide(tools, progress) / "root.tar", TOOLS, env=docker)
        _pass_on(["tar", "--create", "--directory", context, "."], ["docker", "import", "-", PROGRAMS], docker)
        for name in names:
            target = name.rsplit("/", 1)[-1].split(":")[0]
            build = ["docker", "build", "--quiet", f"--target={target}", f"--tag={name}", f"--file={dockerfile}"]
            run(*build, FOLDER, env=docker)
        _import(folder, context, names, docker)
        run("docker", "rmi", *names, PROGRAMS, TOOLS, env=docker)
        dockerfile.unlink()
        shutil.rmtree(context)

    recipe: tuple[str | Path, ...] = (
        SNAPSHOTS,  # what a store without them was kept as is none of these
        DOCKERFILE,
        of_the_network,
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
        script.chmod(0o755)  # a module carries no modes, and most of these are run
    (context / "status").mkdir()
    (context / "status" / "status.json").touch()


def _image_names(spec: Spec, context: Path) -> list[str]:
    """What kubeadm, the CNI's manifest and the traffic checks will ask the runtime for.

    Raises LabFailed if kubeadm asks for other versions than those that were built.
    """
    of_kubeadm = run(
        context / "kubeadm", "config", "images", "list", f"--kubernetes-version=v{spec.kubernetes.version}"
    ).split()
    for name in ("etcd", "coredns"):
        version = sources.versions(spec)[name]
        if not any(re.search(rf"/{name}:v?{re.escape(version)}(-\d+)?$", image) for image in of_kubeadm):
            raise LabFailed(
                f"kubeadm {spec.kubernetes.version} runs another {name} than {version}, which {sources.COMPANIONS} "
                f"says: expected one of {', '.join(of_kubeadm)}"
            )
    manifest = packages.network_manifest(spec).read_text()
    return [*of_kubeadm, *sorted(set(re.findall(r"image: (\S+)", manifest))), spec.traffic_image]


def _pass_on(read: list[str | Path], written: list[str | Path], docker: dict[str, str]) -> None:
    """Run two programs side by side, the second of what the first says: gigabytes, which need no room in between."""
    ends = [shlex.join(str(word) for word in command) for command in (read, written)]
    run("bash", "-o", "pipefail", "-c", " | ".join(ends), env=docker)


def _import(folder: Path, programs: Path, names: list[str], docker: dict[str, str]) -> None:
    """Let a containerd of our own, for this alone, write its store of the daemon's images."""
    root, config, log = folder / "containerd", folder / "containerd.toml", folder / "containerd.log"
    # unix(7) allows a socket 107 characters, which a cache far down can have used up: by this way it is a few.
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
        _pass_on(["docker", "save", *names], unpack, docker)
        # Pinned: kubelet collects no image that could not be fetched again.
        for name in names:
            run(*ctr, "label", name, "io.cri-containerd.pinned=pinned")
    except NotInTime as error:
        raise LabFailed(f"{error}; its last words: {log.read_text()[-LAST_WORDS:]}") from None
    finally:
        daemon.terminate()
        daemon.wait(START_SECONDS)
        os.close(descriptor)
    for left in (folder / "state", log, config, *folder.glob(f"{socket.name}*")):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    _share_blobs(root / BLOBS, folder / "blobs")
    _share_snapshots(root / SNAPSHOTS, folder / "snapshots.tar")


def _share_blobs(kept: Path, blobs: Path) -> None:
    """Move the blobs to a folder that all machines share, and leave links for the runtime to follow."""
    blobs.mkdir()
    for blob in kept.iterdir():
        blob.rename(blobs / blob.name)
        blob.symlink_to(SHARED / "blobs" / blob.name)


def _share_snapshots(kept: Path, archive: Path) -> None:
    """The same with the unpacked layers, of which nothing is ever written; an archive keeps whose each file is."""
    there = f"--transform=s,^[.],.{SHARED / 'snapshots'},S"  # but what symbolic links name
    xattrs = ["--xattrs", "--xattrs-include=security.*"]  # not overlayfs's own, of the folder where it was unpacked
    run("tar", "--create", f"--file={archive}", f"--directory={kept}", "--numeric-owner", there, *xattrs, ".")
    for layer in kept.glob("*/fs"):
        shutil.rmtree(layer)
        layer.symlink_to(SHARED / "snapshots" / layer.relative_to(kept))
