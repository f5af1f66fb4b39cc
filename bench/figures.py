"""The figures of `make bench`: written as JSON, drawn as a chart, and compared with the committed ones."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import psutil
import pygal
from pydantic import BaseModel

from bench.cost import Figure

LATEST, COMMITTED = Path("bench") / "latest.json", Path("bench") / "figures.json"
CHART = Path("docs") / "speed.svg"
WORSE = 1.5  # times the committed ratio
TOO_BUSY = 0.25  # of the cores, taken by other processes: clock times then say little about the product
MEBI = 1 << 20


class Figures(BaseModel):
    """Seconds of the clock and of the processors, by what was measured.

    `others_share` is the share of the cores that other processes took meanwhile; None if it was not measured.
    """

    machine: str
    runs: int
    others_share: float | None = None
    bring_up: dict[str, Figure]
    reads: dict[str, dict[str, Figure]]
    experiments: dict[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        """Figures that can be compared between machines; greater is worse."""
        product, floor, peer = (self.reads[name] for name in ("product", "floor", "peer"))
        whole = self.bring_up["vagrant up to every pod Ready"].median
        return {
            "reads: clock, times the floor's": product["clock"].median / floor["clock"].median,
            "reads: clock, times the peer's": product["clock"].median / peer["clock"].median,
            "reads: processors, times the floor's": product["processor"].median / floor["processor"].median,
            "bring-up: clock, times the floor's": whole / self.bring_up["floor"].median,
            "experiments: clock, times the chain of timers": self.experiments["the experiments by that chain: times"],
        }

    def compared_with(self, committed: Figures) -> tuple[bool, str]:
        """Whether no ratio got worse by more than half, as far as this machine can tell, and the report of that."""
        before = committed.ratios
        worse = [name for name, ratio in self.ratios.items() if ratio > WORSE * before[name]]
        lines = [f"worse by more than half: {name}: {before[name]:.2f} -> {self.ratios[name]:.2f}" for name in worse]
        if self.others_share is not None and self.others_share > TOO_BUSY:
            lines.insert(0, f"too busy to tell: other processes took {self.others_share:.0%} of the cores")
            return True, "\n".join(lines)
        return not worse, "\n".join(lines)

    def save(self, file: Path) -> None:
        """Write the figures as JSON, with the ratios for people."""
        document = {**self.model_dump(), "ratios": {name: round(ratio, 3) for name, ratio in self.ratios.items()}}
        file.write_text(json.dumps(document, indent=1) + "\n")


def this_machine() -> str:
    """The machine that the figures were measured on."""
    memory = psutil.virtual_memory().total // MEBI
    return f"{psutil.cpu_count()} cores, {memory} MiB, Linux {platform.release()}, Python {platform.python_version()}"


def draw(figures: Figures, file: Path) -> None:
    """Draw the product, the peer and the floors as bars, in seconds of the clock."""
    chart = pygal.HorizontalBar(
        title=f"Seconds, median of {figures.runs}: {figures.machine}",
        show_legend=False,
        print_values=True,
        value_formatter=lambda seconds: f"{seconds:.1f} s",
        height=320,
        truncate_label=-1,
        show_x_labels=False,
        js=[],
        no_prefix=True,
        disable_xml_declaration=True,
        style=pygal.style.Style(colors=("#7a9cc6",), value_font_size=14, label_font_size=14, title_font_size=14),
    )
    bars = {
        "reads: plain testinfra": figures.reads["peer"]["clock"].median,
        "reads: kubeproof": figures.reads["product"]["clock"].median,
        "reads: floor": figures.reads["floor"]["clock"].median,
        "bring-up: kubeproof": figures.bring_up["vagrant up to every pod Ready"].median,
        "bring-up: floor": figures.bring_up["floor"].median,
    }
    chart.x_labels = list(reversed(bars))
    chart.add("", list(reversed(bars.values())))
    file.write_text(chart.render(is_unicode=True) + "\n")
