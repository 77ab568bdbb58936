"""A portal that people have used for a while: what the screens are looked at with.

Alice owns a collection, bob reads it, charlie has nothing, dora has ten thousand documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.acceptance.calls import ended
from tests.acceptance.conftest import Portal, wait_for
from tests.documents.parsing.pdf_factory import make_pdf

PEOPLE = ("alice", "bob", "charlie", "dora")
PASSWORD = "screens-password"

SETUP = f"""
from django.contrib.auth.models import User
from documents.models import Role
from documents.services import collection_create, collection_private, membership_set
from tests.many import many_documents
people = {{name: User.objects.create_user(name, password={PASSWORD!r}) for name in {PEOPLE!r}}}
harbour = collection_create(owner=people["alice"], name="Harbour works", slug="harbour-works")
membership_set(collection=harbour, user=people["bob"], role=Role.VIEWER)
many_documents(collection_private(user=people["dora"]), 10_000)
"""
REPORT = [
    [
        "# Harbour report 2025",
        "The north quay was rebuilt in 2019 by Ormund Works.",
        "It is 412 metres long.",
    ],
    ["# Cranes", "Crane C-7 lifts 40 tonnes.", "It is serviced every 3 months by the night shift."],
    ["# Dredging", "The basin is dredged to 11.5 metres each spring.", "The contract ends on 30 June 2031."],
]
NOTES = """# Pumps of the north hall

Pump P-101 moves 40 litres per minute at a pressure of **6 bar**. It was installed in 2019.

## Maintenance

| Pump | Interval | Shift |
|---|---|---|
| P-101 | 3 months | night |
| P-102 | 6 months | day |

The seals are replaced once a year.
"""
LONG_TITLE = "A title as no file should have one: " + "of the harbour works and everything beside it, " * 4
UNBROKEN = "Donaudampfschifffahrtsgesellschaftskapitaen" * 4


@dataclass(frozen=True, slots=True)
class World:
    """Addresses of what was made, each from the root."""

    portal: Portal
    report: str
    notes: str
    broken: str
    long: str
    answered: str
    conversation: str
    refused: str


def furnish(portal: Portal) -> World:
    """Through the doors that people use; only what no door makes at once is written by the shell."""
    portal.manage("shell", "-v", "0", "-c", SETUP)
    alice = portal.client("alice")
    report = sent(alice, "harbour-report.pdf", make_pdf(REPORT), tags="harbour,report")
    notes = sent(alice, "pumps.md", NOTES.encode(), tags="pumps")
    broken = sent(alice, "broken.pdf", b"%PDF-1.7 and nothing that follows")
    long = sent(alice, "long.txt", b"The lighthouse keeper counts the ships.", title=LONG_TITLE[:200])
    sent(alice, "unbroken.txt", b"The ferry leaves at noon.", title=UNBROKEN[:150])
    for pk in (report, notes, broken, long):
        wait_for(lambda pk=pk: ended(alice, pk), 90)
    answered = asked(alice, "How many tonnes does crane C-7 lift?")
    refused = asked(alice, "Who is the mayor of Reykjavik?")
    return World(
        portal=portal,
        report=f"/documents/{report}/",
        notes=f"/documents/{notes}/",
        broken=f"/documents/{broken}/",
        long=f"/documents/{long}/",
        answered=f"/ask/{answered['id']}/",
        conversation=f"/conversations/{answered['conversation']}/",
        refused=f"/conversations/{refused['conversation']}/",
    )


def sent(client: Any, name: str, content: bytes, **fields: str) -> str:
    given = {"collection": "harbour-works", **fields}
    answer = client.post("documents/", files={"file": (name, content)}, data=given)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def asked(client: Any, question: str) -> dict[str, Any]:
    answer = client.post("answers/", json={"question": question})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found
