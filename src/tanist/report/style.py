"""How the page looks. Colours are told apart by people who see few of them, and nothing is told by colour alone."""

from __future__ import annotations

from tanist.report import stages as s

STAGE_CLASSES = {
    s.LOOK: "look",
    s.FENCE: "fence",
    s.STORAGE: "storage",
    s.CLAIM: "claim",
    s.OUTSIDE: "outside",
    s.IDENTITY: "identity",
    s.SERVICES: "services",
    s.HEALTH: "health",
    s.VERIFY: "verify",
    s.COPY: "copy",
    s.REBOOT: "reboot",
    s.OTHER: "other",
}
LIGHT = """--ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --panel: #f4f6f8; --line: #d5dae0;
  --good: #1a6f37; --warn: #8a5a00; --bad: #b3261e; --note: #0b5cad;
  --look: #7a7f87; --fence: #b3261e; --storage: #0b62a4; --claim: #5b4fb5; --outside: #2f855a; --identity: #b7791f;
  --services: #c05621; --health: #b83280; --verify: #56707f; --copy: #0f766e; --reboot: #7c2d12;
  --other: #4a5568;"""
DARK = """--ink: #e6e9ed; --soft: #9aa5b1; --paper: #14171b; --panel: #1d2127; --line: #343b44;
  --good: #5fc583; --warn: #e0ae4a; --bad: #ff8a80; --note: #7db8f5;
  --look: #8b939d; --fence: #ff8a80; --storage: #5aa7e0; --claim: #a59bf0; --outside: #6cc398; --identity: #e3b45c;
  --services: #f0925f; --health: #ef86c1; --verify: #93acba; --copy: #5eead4; --reboot: #fdba74;
  --other: #94a3b8;"""
_BARS = "\n".join(f".{one} {{ fill: var(--{one}); background: var(--{one}); }}" for one in STAGE_CLASSES.values())
STYLE = f""":root {{ {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 2rem auto; padding: 0 1.25rem; }}
h1 {{ font-size: 1.6rem; margin: 0; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .6rem; }}
h3 {{ font-size: 1rem; margin: 1rem 0 .4rem; color: var(--soft); }}
.lead {{ font-size: 1.1rem; margin: .4rem 0; }}
.badge {{ font-size: .75em; font-weight: 600; border: 1px solid currentColor; border-radius: 1em; padding: .1em .7em;
  white-space: nowrap; vertical-align: middle; }}
.good {{ color: var(--good); }} .warn {{ color: var(--warn); }} .bad {{ color: var(--bad); }}
.note {{ color: var(--note); }}
.next {{ border-left: .25rem solid var(--bad); padding: .5rem .8rem; background: var(--panel); }}
dl {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .6rem 1.5rem; margin: 1rem 0;
  padding: .9rem 1rem; background: var(--panel); border-radius: .5rem; }}
dt {{ color: var(--soft); font-size: .8rem; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
th {{ text-align: left; color: var(--soft); font-weight: 600; }}
th, td {{ padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }}
td:first-child, td .sign, td.number {{ white-space: nowrap; overflow-wrap: normal; }}
td.number {{ font-variant-numeric: tabular-nums; text-align: right; padding-right: 1rem; }}
tr.part td {{ font-weight: 600; background: var(--panel); }} tr.failed td {{ color: var(--bad); }}
small, footer {{ color: var(--soft); }} footer {{ margin: 2.5rem 0; font-size: .8rem; overflow-wrap: anywhere; }}
ul.stages {{ list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; padding: 0; margin: .4rem 0 1rem; }}
.swatch {{ display: inline-block; width: .8em; height: .8em; border-radius: .2em; margin-right: .45em; }}
code {{ font: .92em ui-monospace, "DejaVu Sans Mono", monospace; }}
svg {{ width: 100%; height: auto; display: block; font-size: 11.5px; }}
svg text {{ fill: var(--ink); }} svg text.tick, svg text.length {{ fill: var(--soft); }}
svg text.bad, svg text.cut {{ fill: var(--bad); }}
.grid {{ stroke: var(--line); }} .cut {{ stroke: var(--bad); stroke-dasharray: 3 3; }} text.cut {{ stroke: none; }}
.bar.undone {{ opacity: .45; }} .stripe {{ fill: var(--paper); opacity: .55; }}
{_BARS}
@media print {{
  :root {{ {LIGHT} }}
  body {{ margin: 0; max-width: none; font-size: 10.5pt; }}
  h2, h3 {{ break-after: avoid; }} tr, svg g, dl {{ break-inside: avoid; }} thead {{ display: table-header-group; }}
  .bar, .swatch, dl, .next, tr.part td {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
