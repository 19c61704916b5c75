"""How the report looks, by day and by night. What a colour says is said in words as well: by a title or a legend."""

from __future__ import annotations

STYLE = """
:root {
  --ink: #1d2430; --soft: #5b6675; --page: #f6f7f9; --card: #fff; --line: #dde1e7;
  --succeeded: #2a8f78; --failed: #c93c37; --invalid: #8d6cc0; --in-doubt: #e0a100; --running: #4b86d8; --idle: #c3cad4;
}
@media screen and (prefers-color-scheme: dark) { :root {
  --ink: #e4e8ee; --soft: #9aa6b6; --page: #14181f; --card: #1d232d; --line: #333c4a;
  --succeeded: #3fb296; --failed: #f0716b; --invalid: #b294e3; --in-doubt: #f2bd3a; --running: #6ba2f0; --idle: #4d5868;
} }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0; color: var(--ink); background: var(--page); }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; }
p { color: var(--soft); margin: 0 0 .5rem; }
.shares { display: flex; gap: 2px; height: 14px; border-radius: 7px; overflow: hidden; }
.shares span { min-width: 3px; flex-basis: 0; background: var(--fill); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: .6rem 0; padding: 0; }
i { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .45em; }
i { background: var(--fill); }
.succeeded { --fill: var(--succeeded); } .failed { --fill: var(--failed); } .invalid { --fill: var(--invalid); }
.in_doubt { --fill: var(--in-doubt); } .running { --fill: var(--running); } .not_started { --fill: var(--idle); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; }
.tiles div, figure, .wide { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tiles div { padding: .75rem 1rem; }
dt, dd { margin: 0; color: var(--soft); font-size: .875rem; }
dt + dd { font-size: 1.5rem; line-height: 1.3; color: var(--ink); font-variant-numeric: tabular-nums; }
figure { margin: 0; padding: 1.5rem 1.25rem .5rem; }
.time { display: block; overflow: visible; }
.time rect, .time path { fill: var(--fill); }
.time rect { stroke: var(--card); } .time path.running { fill-opacity: .75; }
.time text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); } .pause { stroke: var(--soft); stroke-dasharray: 3 3; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .9rem; border-top: 1px solid var(--line); }
thead th { border: 0; color: var(--soft); font-weight: 500; white-space: nowrap; }
th, td { overflow-wrap: anywhere; }
tbody th { font-weight: 600; min-width: 8rem; max-width: 16rem; }
td:last-child { min-width: 15rem; }
.status { white-space: nowrap; }
"""
