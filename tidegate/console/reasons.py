"""The controller's one-sentence outcomes in the reader's language.

They are written once, in English, where things happen; here are their shapes.  What stands in braces is kept.
"""

from __future__ import annotations

import re
from functools import cache

from tidegate.console.words import N_, _, language

SHAPES: tuple[str, ...] = (
    N_("Running."),
    N_("Running; nobody can log in until a root password is set."),
    N_("Running on {cpus} CPUs (maxRcu {rcu}) at most."),
    N_("Running on {cpus} CPUs (maxRcu {rcu}) at most, in whole CPUs as no CPU group can be made here."),
    N_("Running, its limit of {cpus} CPUs (maxRcu {rcu}) not enforced: this host grants it none."),
    N_(
        "Running, but its quota of this month is used up: nobody new is let in, those that are on get {cpus} CPUs. "
        "Raise spendingLimit.monthly, or wait for the next month."
    ),
    N_(
        "Running, but its quota of this month is used up: nobody new is let in, those that are on stay. "
        "Raise spendingLimit.monthly, or wait for the next month."
    ),
    N_("Asleep: nobody was connected; the next login wakes it."),
    N_(
        "Asleep, and its quota of this month is used up: nobody is let in. "
        "Raise spendingLimit.monthly, or wait for the next month."
    ),
    N_("Its server is stopping."),
    N_("Its data is being copied from its parent."),
    N_("Its server is starting."),
    N_("Its server is taking the new root password in."),
    N_("Waiting for the host to start its server."),
    N_("Stopping its server and removing its data."),
    N_("Its data could not be removed yet: {why}"),
    N_("The host could not take the cluster: {why}"),
    N_("The cluster and its data are gone."),
    N_("Connected to {service} through {zones}."),
    N_("Connected, but it has no zone yet: add one, or no program can reach it."),
    N_("Connected, but the service's owner has switched its zones off; no packet passes."),
    N_("Its service was deleted by the service's owner; no packet passes. Delete it too."),
    N_("The service's owner has not accepted the connection; no packet passes."),
    N_("The network of {vpc} could not be made: {why}"),
    N_("The VPC's network could not be made: {why}"),
    N_("The VPC's network stands; interfaces in it: {count}."),
    N_("{cents}, and {spent} cents were spent this month"),
    N_("an Essential cluster has no branches; since 2026-07-14 Starter ones alone do"),
    N_("its quota of this month is used up, and then it can have no new branch"),
    N_("it stores more than 100 GiB, and then it can have no branch"),
    N_("No host is connected."),
    N_("The host's agent does not answer."),
    N_("Nobody here can be asked."),
    N_("It has no server yet."),
    N_("Its server did not answer within {seconds} s."),
    N_("Its server broke off: {why}."),
    N_("The controller has not looked at it yet."),
    N_("Its last change is not carried out yet; before it: {sentence}"),
)


def translate_reason(reason: str) -> str | None:
    """None for a sentence of no known shape.  A part named ``sentence`` is translated in its turn."""
    if language() == "en":
        return reason
    for shape, pattern in _patterns():
        if found := pattern.fullmatch(reason):
            facts = {
                name: (translate_reason(text) or text) if name == "sentence" else text
                for name, text in found.groupdict().items()
            }
            return _(shape).format_map(facts)
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(shape, _pattern(shape)) for shape in SHAPES]


def _pattern(shape: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", shape)
    texts = [f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL)
