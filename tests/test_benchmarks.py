"""The benchmarks run, and count rightly; how fast anything is, no test says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import _child
from benchmarks._chart import draw
from benchmarks._figures import Aim, Figure, table
from benchmarks._measured import utilisation
from benchmarks.pace import busiest_second

ROOT = Path(__file__).parents[1]


def test_a_quick_run_gives_a_table_json_and_a_chart(tmp_path: Path) -> None:
    """Every figure is told in all three, beside those it is compared with."""
    data, chart = tmp_path / "figures.json", tmp_path / "figures.svg"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "batch", "virtual", "pace", "imports"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(  # noqa: S603 - this repository
        [*command, "--json", str(data), "--chart", str(chart)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(data.read_text("utf-8"))
    assert list(measured) == ["batch", "virtual", "pace", "imports"]
    figures = [figure for each in measured.values() for figure in each]
    assert all(figure["name"] in done.stdout for figure in figures)
    assert all(figure["ours"] > 0 for figure in figures)
    assert all((figure["aim"] is None) is ("reached" not in figure) for figure in figures)
    compared = {figure["name"].partition(":")[0] for figure in figures if figure["script"]}
    assert compared == {"utilisation", "API requests a job", "CPU a job, ms"}
    assert ElementTree.fromstring(chart.read_text("utf-8")).tag.endswith("svg")  # noqa: S314 - drawn here


def test_utilisation_ends_when_no_job_waits_any_more() -> None:
    """Slot-seconds count from the first create to the last; what runs on after that does not."""
    two_slots = [{"created_at": 0, "updated_at": 1000}, {"created_at": 0, "updated_at": 600}]
    last = {"created_at": 1000, "updated_at": 9000}
    assert utilisation([*two_slots, last], slots=2) == pytest.approx(0.8)


def test_the_busiest_second_has_both_its_ends() -> None:
    """Departures exactly a second apart fall into one second."""
    assert busiest_second([0.0, 0.5, 1.0, 1.6, 2.5]) == 3
    assert busiest_second([0.0]) == 1


def test_a_figure_says_whether_its_aim_is_reached() -> None:
    """What misses its aim shows the value that was compared."""
    missed = Figure(name="CPU", ours=3.0, script=4.0, aim=Aim(text="≤ 1/4 of the script's", value=0.75, most=0.25))
    reached = Figure(name="slots", ours=0.99, aim=Aim(text="≥ 0.98", value=0.99, least=0.98))
    assert missed.as_json()["reached"] is False
    lines = table([missed, reached]).splitlines()
    assert lines[1].endswith("no: 0.7500")
    assert lines[2].endswith("yes")


def test_the_chart_has_a_bar_for_each_contender_and_none_for_what_stands_alone() -> None:
    """Names are escaped; the longest bar is the largest value's."""
    compared = Figure(name="a < b", ours=1.0, script=4.0, floor={"bare": 2.0})
    picture = ElementTree.fromstring(draw({"x": [compared, Figure(name="alone", ours=1.0)]}))  # noqa: S314 - drawn here
    bars = [element for element in picture.iter() if element.tag.endswith("rect")]
    assert [bar.get("class") for bar in bars] == ["ours", "script", "floor"]
    widths = [float(bar.get("width", "")) for bar in bars]
    assert max(widths) == widths[1] == 2 * widths[2]


def test_a_process_of_its_own_tells_what_it_spent_and_a_failure_is_one() -> None:
    """The result crosses as JSON; a function that raises raises here."""
    spent = _child.run("_child:peak_memory")
    assert 1 < spent.result <= spent.peak
    with pytest.raises(_child.Failed):
        _child.run("_child:no_such_function")
