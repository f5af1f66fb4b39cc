"""The arguments with which Docker runs a container as a machine."""

from pathlib import Path

from kubeproof.process import paths

# capabilities(7), beside Docker's default ones: all but CAP_SYS_RESOURCE, which a lab inside a container may lack.
# --privileged and ALL ask for it, and Docker 29 refuses to drop a capability that is absent. Docker 20.10 does not know
# BPF, PERFMON and CHECKPOINT_RESTORE; SYS_ADMIN includes them.
CAPABILITIES = [
    *["AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "DAC_READ_SEARCH", "IPC_LOCK", "IPC_OWNER", "LEASE"],
    *["LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "SYSLOG", "SYS_ADMIN", "SYS_BOOT"],
    *["SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"],
]
RUN_ARGUMENTS = [
    *[f"--cap-add={name}" for name in CAPABILITIES],
    f"--security-opt=seccomp={paths.RECIPES / 'box' / 'seccomp.json'}",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=private",
    "--device-cgroup-rule=a *:* rwm",
    "--device=/dev/kmsg",
    "--tmpfs=/run",
    "--tmpfs=/tmp:exec",
]


def run_arguments() -> list[str]:
    """RUN_ARGUMENTS, and those that the host's kernel asks for."""
    has_apparmor = Path("/sys/kernel/security/apparmor").is_dir()
    return [*RUN_ARGUMENTS, *(["--security-opt=apparmor=unconfined"] if has_apparmor else [])]
