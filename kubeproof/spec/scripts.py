"""The provisioning scripts by name, and the roles of the machines that each of them runs on."""

from typing import Literal

Role = Literal["control-plane", "worker"]
CONTROL_PLANE: Role = "control-plane"
WORKER: Role = "worker"

VAGRANTFILE = "Vagrantfile"  # makes the machines that the scripts then run on
STEP_LIBRARY = "step.sh"  # sourced by the others
CONFIG, INSTALL = "config.sh", "install_pkg.sh"
EVERYWHERE = (CONFIG, INSTALL)
OF_ROLE: dict[Role, str] = {CONTROL_PLANE: "master_node.sh", WORKER: "work_nodes.sh"}
# Every file that the folder of a spec's `scripts` must hold, in the order of use.
SCRIPTS = (STEP_LIBRARY, *EVERYWHERE, *OF_ROLE.values())
