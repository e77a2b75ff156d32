"""Makes the tables of docs/cost.md and docs/cold-starts.md from what costs.py and cold_starts.py know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import costs
from cold_starts import MEMORIES, STARTS, on_paper
from costs import STATE, TEXT, WORKS
from prices import MILLION, PRICES, Usage, dollars

BILLION = 1000 * MILLION

SERVICES = {
    "arrival": ("IoT", "HTTP", "Scheduler", "SQS", "Data"),
    "Lambda": ("Lambda",),
    "DynamoDB": ("DynamoDB",),
    "SNS": ("SMS",),
    "log": ("Log",),
}


def money(amount: float) -> str:
    """Dollars as people read them: cents while they matter."""
    if amount >= 100:
        return f"${amount:,.0f}"
    return "$0" if amount == 0 else f"${amount:.2f}" if amount >= 0.01 else "under a cent"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column is text, the others are figures."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *rows))


def per_source() -> str:
    """What a million events cost, by how they arrive and what their handler does."""
    rows = [[s.name, *(money(dollars(costs.on_lambda(s, work), MILLION)) for work in WORKS)] for s in costs.SOURCES]
    rows.insert(2, [costs.IGNORED, *["$0"] * len(WORKS)])
    return table(["a million of, where the handler", *(work.name for work in WORKS)], rows)


def parts() -> str:
    """Where the money goes for events that each read and write a value, and for a text with each."""
    rows = [bill(source.name, costs.on_lambda(source, STATE)) for source in costs.SOURCES]
    reading, told = costs.on_lambda(costs.SOURCES[0], STATE), costs.on_lambda(costs.SOURCES[0], TEXT)
    rows.append(bill("a text with each, in addition", {name: told[name] - reading[name] for name in told}))
    return table(["", *SERVICES, "a million a month", "a billion a month"], rows)


def bill(name: str, usage: Usage) -> list[str]:
    """The parts of a million's bill, and the whole of a million's and a billion's."""
    each = [
        {key: amount for key, amount in usage.items() if key.startswith(prefixes)} for prefixes in SERVICES.values()
    ]
    return [
        name,
        *(money(dollars(part, MILLION)) for part in each),
        *(money(dollars(usage, n)) for n in (MILLION, BILLION)),
    ]


def workers() -> str:
    """What the same events cost on machines of one's own, and from where on that is cheaper."""
    rows = [
        [
            f"{host.compared.name}: workers that take it {host.name}",
            money(dollars(costs.on_lambda(host.compared, STATE), BILLION)),
            money(costs.on_workers(host, STATE, BILLION)),
            f"{costs.break_even(host, STATE) / MILLION:.0f} million",
        ]
        for host in costs.WORKERS
    ]
    return table(["a value read and written by each", "a billion on Lambda", "on workers", "as cheap from"], rows)


def naive() -> str:
    """What the other ways cost, beside ours."""
    rows = []
    for way in costs.NAIVE:
        both = [(dollars(way.each, n) + dollars(way.monthly), dollars(way.ours, n)) for n in (MILLION, BILLION)]
        rows.append([f"{way.name} ({way.assumes})", *(money(amount) for pair in both for amount in pair)])
    return table(["the other way", "a million events a month", "ours", "a billion", "ours"], rows)


def idle() -> str:
    """What is paid while nothing happens."""
    return table(
        ["while nothing happens", "a month"], [[name, money(dollars(usage))] for name, usage in costs.IDLE.items()]
    )


def loop() -> str:
    """What a loop costs until somebody stops it."""
    rows = [
        ["emits one event each time", money(costs.loop_a_day(branching=False))],
        ["emits two each time, until the account's quotas hold it", money(costs.loop_a_day(branching=True))],
    ]
    return table(["a handler that hears itself, and", "a day"], rows)


def prices() -> str:
    """All prices."""
    rows = [
        [name, f"${p.dollars:.10f}".rstrip("0").rstrip("."), f"{p.per:,.0f} {p.unit}", p.page, p.seen or "from memory"]
        for name, p in PRICES.items()
    ]
    return table(["", "price", "for", "source", "seen"], rows).replace("---:", "---")


def starts() -> str:
    """How long first events take, on paper."""
    rows = [
        [name, f"{seconds:.3f} s", *(f"{on_paper(seconds, memory):.2f} s" for memory in MEMORIES)]
        for name, seconds in STARTS.items()
    ]
    return table(["a process and its first event", "one core", *(f"{memory} MB" for memory in MEMORIES)], rows)


PARTS = {
    "per source": per_source,
    "parts": parts,
    "workers": workers,
    "naive": naive,
    "idle": idle,
    "loop": loop,
    "prices": prices,
    "cold starts": starts,
}


def page(name: str) -> str:
    """A page of docs/ with its derived parts as they have to be."""
    text = Path(__file__).with_name(name).read_text()
    for part, made in PARTS.items():
        text = re.sub(rf"(<!-- derived: {part} -->\n).*?(<!-- end -->)", rf"\1\n{made()}\n\n\2", text, flags=re.S)
    return text
