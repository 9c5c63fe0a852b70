"""The web pages: values -> HTML text."""

import secrets
import time
from collections.abc import Iterable, Sequence
from html import escape

from .store import Asset, Job

_STYLE = """
body { margin: 0; background: #f4f6f8; color: #1d2b36; font: 15px/1.5 system-ui, sans-serif }
header { background: #24506e; color: #fff; padding: .7rem 2rem; display: flex; gap: 2rem; align-items: baseline }
header b { font-size: 1.15rem } header a { color: #cfe3f1; text-decoration: none }
header .where { margin-left: auto; opacity: .8 }
main { max-width: 60rem; margin: 2rem auto; padding: 1rem 2rem 2rem; background: #fff }
main { border: 1px solid #d9e0e6; border-radius: 6px }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: #5b6b78; font-weight: 600 }
td, th { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #e8edf1 } a { color: #1a6aa8 }
input, button { font: inherit; padding: .3rem .7rem; border: 1px solid #b6c3cd; border-radius: 4px }
button { background: #24506e; color: #fff; border-color: #24506e; cursor: pointer } form.in-line { margin: 0 }
form.login { display: grid; gap: .8rem; max-width: 18rem } form.login label { display: grid }
pre { background: #f4f6f8; padding: 1rem; overflow: auto } .bad { color: #a8231a }
.state { padding: .1rem .6rem; border-radius: 1rem; background: #e3e9ee } .done { background: #d5edd9 }
.running { background: #d6e6f7 } .interrupted { background: #f9ded9 }
"""


def _page(title: str, where: str, content: str, *, logged_in: bool = True) -> str:
    links = '<a href="/assets">Assets</a><a href="/jobs">Jobs</a><a href="/logout">Log out</a>' if logged_in else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Ops Center</title>'
        f"<style>{_STYLE}</style></head><body><header><b>Ops Center</b>{links}"
        f'<span class="where">{escape(where)}</span></header>'
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _time(moment: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) if moment else "–"


def _state(job: Job) -> str:
    return f'<span class="state {job.state}">{job.state}</span>'


def render_login(where: str, *, failed: bool = False) -> str:
    wrong = '<p class="bad">User or password is wrong.</p>' if failed else ""
    form = (
        '<form class="login" method="post" action="/login"><label>User <input name="user" autofocus></label>'
        '<label>Password <input name="password" type="password"></label><button>Log in</button></form>'
    )
    return _page("Log in", where, wrong + form, logged_in=False)


def render_assets(where: str, assets: Iterable[Asset]) -> str:
    rows = [(escape(a.name), escape(a.kind), escape(a.address), _inventory_button(a)) for a in assets]
    return _page("Assets", where, _table(("Name", "Kind", "Address", ""), rows))


def _inventory_button(asset: Asset) -> str:
    # the key is in the page: the same click sent twice is one job
    return (
        '<form class="in-line" method="post" action="/jobs"><input type="hidden" name="kind" value="inventory">'
        f'<input type="hidden" name="asset" value="{escape(asset.name)}">'
        f'<input type="hidden" name="key" value="page-{secrets.token_hex(8)}"><button>Take inventory</button></form>'
    )


def render_jobs(where: str, jobs: Iterable[Job]) -> str:
    rows = [
        (f'<a href="/jobs/{job.id}">{job.id}</a>', escape(job.kind), escape(job.asset), _state(job), _time(job.created))
        for job in jobs
    ]
    return _page("Jobs", where, _table(("Job", "Kind", "Asset", "State", "Created"), rows))


def render_job(where: str, job: Job, output: str) -> str:
    facts = [
        ("Kind", escape(job.kind)),
        ("Asset", escape(job.asset)),
        ("State", _state(job)),
        ("User", escape(job.user)),
        ("Key", escape(job.key)),
        ("Created", _time(job.created)),
        ("Started", _time(job.started)),
        ("Finished", _time(job.finished)),
    ]
    note = (
        "<p>The server stopped while this job ran. It was not run again: submit a new one if it is still wanted.</p>"
        if job.state == "interrupted"
        else ""
    )
    return _page(f"Job {job.id}", where, _table(("", ""), facts) + note + f"<h2>Output</h2><pre>{escape(output)}</pre>")
