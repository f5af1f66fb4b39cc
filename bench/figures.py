"""What `make bench` saw: kept as JSON, drawn as a chart, and held against what was committed."""

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
MEBI = 1 << 20


class Figures(BaseModel):
    """Seconds of the clock by what was measured, and of the processors; on which machine."""

    machine: str
    runs: int
    bring_up: dict[str, Figure]
    reads: dict[str, dict[str, Figure]]
    experiments: dict[str, float]

    @property
    def ratios(self) -> dict[str, float]:
        """What can be compared from machine to machine; the greater the worse."""
        product, floor, peer = (self.reads[name] for name in ("product", "floor", "peer"))
        whole = self.bring_up["vagrant up to every pod Ready"].median
        return {
            "reads: clock, times the floor's": product["clock"].median / floor["clock"].median,
            "reads: clock, times the peer's": product["clock"].median / peer["clock"].median,
            "reads: processors, times the floor's": product["processor"].median / floor["processor"].median,
            "bring-up: clock, times the floor's": whole / self.bring_up["floor"].median,
            "experiments: clock, times the chain of timers": self.experiments["the experiments by that chain: times"],
        }

    def worse_than(self, committed: Figures) -> dict[str, str]:
        """The ratios that got worse by more than half, and from what to what."""
        before = committed.ratios
        return {
            name: f"{before[name]:.2f} -> {ratio:.2f}"
            for name, ratio in self.ratios.items()
            if ratio > WORSE * before[name]
        }

    def save(self, file: Path) -> None:
        """Write them down, with the ratios for whoever reads the file."""
        known = {**self.model_dump(), "ratios": {name: round(ratio, 3) for name, ratio in self.ratios.items()}}
        file.write_text(json.dumps(known, indent=1) + "\n")


def this_machine() -> str:
    """What the figures are of."""
    memory = psutil.virtual_memory().total // MEBI
    return f"{psutil.cpu_count()} cores, {memory} MiB, Linux {platform.release()}, Python {platform.python_version()}"


def draw(figures: Figures, file: Path) -> None:
    """One bar for each of what stands beside each other, in seconds of the clock."""
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
