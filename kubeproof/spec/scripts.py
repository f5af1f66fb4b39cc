"""The names of the provisioning scripts, and the roles of the machines that each runs on."""

from typing import Literal

Role = Literal["control-plane", "worker"]
CONTROL_PLANE: Role = "control-plane"
WORKER: Role = "worker"

VAGRANTFILE = "Vagrantfile"  # makes the machines, on which the scripts then run
STEP_LIBRARY = "step.sh"  # sourced by the others
CONFIG, INSTALL = "config.sh", "install_pkg.sh"
EVERYWHERE = (CONFIG, INSTALL)
OF_ROLE: dict[Role, str] = {CONTROL_PLANE: "master_node.sh", WORKER: "work_nodes.sh"}
# Every file that the folder of a spec's `scripts` must contain, in the order of use.
SCRIPTS = (STEP_LIBRARY, *EVERYWHERE, *OF_ROLE.values())
