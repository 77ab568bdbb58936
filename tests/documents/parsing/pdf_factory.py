"""Small PDFs for tests, written by hand: text at known places, in known sizes, plain or bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

WIDTH, HEIGHT = 612, 792


@dataclass(frozen=True)
class Run:
    """Words at one place; ``top`` is the distance of the base line from the page's upper edge."""

    text: str
    left: float
    top: float
    size: float = 11
    bold: bool = False


def make_pdf(
    pages: list[list[str]], *, title: str = "", author: str = "", rotate: int = 0, password: str = ""
) -> bytes:
    """A PDF with the given lines on each page; a line that starts with ``# `` is set large and bold."""
    return make_pdf_of_runs([_runs(lines) for lines in pages], title, author, rotate, password)


def _runs(lines: list[str]) -> list[Run]:
    runs = []
    top = 60.0
    for line in lines:
        heading = line.startswith("# ")
        top += 22 if heading else 14
        if line:
            runs.append(Run(line.removeprefix("# "), 60, top, 18 if heading else 11, heading))
    return runs


def make_pdf_of_runs(
    pages: Sequence[Sequence[Run]], title: str = "", author: str = "", rotate: int = 0, password: str = ""
) -> bytes:
    """The same with every run placed by the caller."""
    kids = [f"{5 + 2 * index} 0 R" for index in range(len(pages))]
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>",
        _font("Helvetica"),
        _font("Helvetica-Bold"),
    ]
    for index, runs in enumerate(pages):
        content = "\n".join(_draw(run) for run in runs)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Rotate {rotate} "
            f"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {6 + 2 * index} 0 R >>"
        )
        objects.append(f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream")
    objects.append(
        f"<< /Title ({_escape(title)}) /Author ({_escape(author)}) /CreationDate (D:20240229120000Z) >>"
    )
    written = _assemble(objects)
    return encrypt(written, password) if password else written


def encrypt(pdf: bytes, password: str) -> bytes:
    """The PDF, to be opened with a password only."""
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=BytesIO(pdf))
    writer.encrypt(password, algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _font(name: str) -> str:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"


def _draw(run: Run) -> str:
    font = "F2" if run.bold else "F1"
    return f"BT /{font} {run.size} Tf {run.left} {HEIGHT - run.top} Td ({_escape(run.text)}) Tj ET"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _assemble(objects: list[str]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("cp1252")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n".encode()
    out += f"startxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
