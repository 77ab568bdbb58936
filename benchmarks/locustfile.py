"""What a hundred people do, for locust: 60 browse, 25 search, 10 ask, 5 upload. ``benchmarks.mix`` runs it.

``MIX`` names a JSON file: people with their tokens and sessions, documents that all of them see, what they
search and ask. A refusal that says when to come back is no failure; it has a line of its own.
"""

from __future__ import annotations

import json
import os
import random
from itertools import accumulate, cycle
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, task

from benchmarks.corpus import Author

MIX = json.loads(Path(os.environ["MIX"]).read_text())
SEED = 1
FORMS = ("txt", "md", "html", "csv", "eml", "docx")
CHARACTERS = 1500
#: Any question may come again, the first ones most often (Zipf).
OFTEN = list(accumulate(1 / rank for rank in range(1, len(MIX["questions"]) + 1)))

chance = random.Random(SEED)
people = cycle(MIX["people"])
forms = cycle(FORMS)
author = Author(SEED)


class Person(FastHttpUser):
    """One of them, signed in, who looks at what came for one to three seconds."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        known = next(people)
        self.session = {"Cookie": f"sessionid={known['session']}"}
        self.token = {"Authorization": f"Bearer {known['token']}"}

    @task(60)
    def browse(self) -> None:
        document = chance.choice(MIX["documents"])
        page = chance.choice(("/", "/documents/", f"/documents/{document}/", "/search/"))
        self.call("browse", "GET", page, headers=self.session)

    @task(25)
    def search(self) -> None:
        address, headers = chance.choice((("/api/v1/search/", self.token), ("/search/", self.session)))
        self.call("search", "GET", address, headers=headers, params={"q": self.question()})

    @task(10)
    def ask(self) -> None:
        asked = {"question": self.question()}
        self.call("ask", "POST", "/api/v1/answers/", headers=self.token, json=asked)

    @task(5)
    def upload(self) -> None:
        file = author.make(next(forms), CHARACTERS)
        given = {"file": (file.name, file.content)}
        self.call("upload", "POST", "/api/v1/documents/", headers=self.token, files=given)

    def question(self) -> str:
        return str(chance.choices(MIX["questions"], cum_weights=OFTEN)[0])

    def call(self, kind: str, method: str, address: str, **given: Any) -> None:
        with self.client.request(method, address, name=kind, catch_response=True, **given) as response:
            if response.status_code in (429, 503) and response.headers.get("Retry-After"):
                response.request_meta["name"] = f"{kind}, refused"
                response.success()
