"""All measurements in one run: a table on stdout, and where asked for JSON and a chart."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import _chart
from benchmarks._child import Failed
from benchmarks._figures import Figure, Size, Skipped, table

MEASUREMENTS = ("batch", "virtual", "transport", "journal", "pace", "callbacks", "imports", "memory")

Measured = Mapping[str, Sequence[Figure]]


def main() -> None:
    """The table on stdout; what was left out or failed, and why, on stderr. Exits with 1 where one failed."""
    options = arguments()
    size = Size.QUICK if options.quick else Size.FULL if options.full else Size.USUAL
    names = options.only or MEASUREMENTS
    measured = dict(measure(names, size))
    print(table([figure for figures in measured.values() for figure in figures]))
    if options.json:
        options.json.write_text(as_json(measured), "utf-8")
    if options.chart:
        options.chart.write_text(_chart.draw(measured), "utf-8")
    raise SystemExit(any(name not in measured for name in names))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small numbers: do the measurements work?")
    size.add_argument("--full", action="store_true", help="large numbers, a hundred thousand jobs among them")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    return parser.parse_args()


def measure(names: Sequence[str], size: Size) -> Iterator[tuple[str, Sequence[Figure]]]:
    """The figures of each measurement; none of one that cannot be taken here, and nothing at all of one that fails."""
    for name in names:
        begun = time.perf_counter()
        try:
            figures = importlib.import_module(f"benchmarks.{name}").measure(size)
        except Skipped as reason:
            print(f"{name}: left out: {reason}", file=sys.stderr)
            yield name, ()
        except Failed as failure:
            print(f"{name}: {failure}", file=sys.stderr)
        else:
            print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            yield name, figures


def as_json(measured: Measured) -> str:
    """The figures by their measurement."""
    figures = {name: [each.as_json() for each in figures] for name, figures in measured.items()}
    return json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    main()
