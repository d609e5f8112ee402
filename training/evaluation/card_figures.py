"""What the template of the model card may call: figures from pages, facts from the sidecars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from BrainstemALSLib.errors import BrainstemALSError, ExitCode
from BrainstemALSLib.segmentation.models import LOCATOR, STRUCTURES, find_model

from .written_pages import WrittenPage, read_page, read_rows

LINK = "../results"  # from the card to the pages
MISSING = "n/a"
_MARKED = {True: "reached", False: "**not reached**", None: "not measured"}
_BOUND = re.compile(r"\b(?:at least|at most|reach) (\d+(?:\.\d+)?)")
_FOUND = re.compile(r": (-?\d+(?:\.\d+)?)(?: %)?(?: \(|$)")


@dataclass(frozen=True)
class Source:
    """A page the card draws on: the command that writes it, and whether it must name our model."""

    command: str
    of_bundled: bool = True


SOURCES = {
    "segmentation": Source("python -m training.evaluation.segmentation"),
    "icbm": Source("python -m training.evaluation.icbm"),
    "real": Source("python -m training.evaluation.real"),
    "safety": Source("python -m training.evaluation.safety"),
    "few_labels": Source("python -m training.experiments.curve", of_bundled=False),
    "bench": Source("python -m training.evaluation.bench"),
}


class Figures:
    """What the template may call; everything it returns is text for the card.

    Parameters
    ----------
    results : Path
        Folder of the pages.
    model_dir : Path, optional
        Folder of models instead of the bundled ones.

    Raises
    ------
    BrainstemALSError
        A model is missing or damaged.
    """

    def __init__(self, results: Path, model_dir: Path | None = None):
        self.results = results
        self.models = {name: find_model(name, model_dir) for name in (LOCATOR, STRUCTURES)}
        self._pages: dict[str, WrittenPage] = {}

    def names(self) -> dict[str, object]:
        """Return the names of the template."""
        offered = (
            self.figure, self.table, self.marks, self.missed, self.link, self.sources,
            self.model, self.has, self.training_data, self.megabytes, self.trained_with, self.runs,
        )  # fmt: skip
        return {function.__name__: function for function in offered}

    def page(self, stem: str) -> WrittenPage:
        """Return a page, once it is known to be of the bundled model.

        Raises
        ------
        BrainstemALSError
            It is missing, damaged, or of another model.
        """
        if stem not in self._pages:
            source = _source(stem)
            page = read_page(self.results, stem, source.command)
            for role, file in self.models.items():
                named = page.models.get(role)
                # The temperature of today: the same weights gave other probabilities before it.
                asked = page.temperatures.get(role, f"{file.temperature:g}")
                if named == file.card["sha256"] and asked == f"{file.temperature:g}":
                    continue
                if named is not None or (source.of_bundled and role == STRUCTURES):
                    raise BrainstemALSError(
                        f"{stem}.md",
                        f"these results are {'not' if named else 'not said to be'} of the bundled "
                        f"model ({role})",
                        f"Run `{source.command}`.",
                        ExitCode.USAGE,
                    )
            self._pages[stem] = page
        return self._pages[stem]

    def figure(
        self, table: str, column: str, where: Mapping[str, object] | None = None, digits: int = 3
    ) -> str:
        """Return one cell: of the only row that ``where`` leaves."""
        rows = self._rows(table, where)
        if len(rows) != 1:
            raise template_error(f"{table}: {where} leaves {len(rows)} rows, not one")
        return next(_columns(rows, [column], table, digits))[0]

    def table(
        self,
        table: str,
        columns: Sequence[str] | Mapping[str, str],
        where: Mapping[str, object] | None = None,
        digits: int = 3,
    ) -> str:
        """Return a part of a table as Markdown.

        Parameters
        ----------
        table : str
            Name of the TSV without ending.
        columns : sequence of str, or mapping
            Which columns; a mapping also says their headings.
        where : mapping, optional
            Column to the value, or the list of values, of the rows that are wanted.
        digits : int
            Decimals of columns in which any cell has decimals.
        """
        rows = self._rows(table, where)
        if not rows:
            raise template_error(f"{table}: no row has {where}")
        headings = columns.values() if isinstance(columns, Mapping) else columns
        cells = list(zip(*_columns(rows, list(columns), table, digits), strict=True))
        return _markdown(list(headings), cells)

    def marks(self, *stems: str) -> str:
        """Return the marks of pages as one table; of each missed one, by how much."""
        rows = [
            (self.page(stem).kind, _with_shortfall(text, passed), _MARKED[passed])
            for stem in stems
            for text, passed in self.page(stem).marks
        ]
        return _markdown(("data", "asked for, and found", ""), rows)

    def missed(self, *stems: str) -> list[str]:
        """Return the marks that were not reached or not measured."""
        return [
            f"{text}: not measured" if passed is None else _with_shortfall(text, passed)
            for stem in stems
            for text, passed in self.page(stem).marks
            if not passed
        ]

    def link(self, stem: str, text: str = "") -> str:
        """Return a link to a page; its title unless told otherwise."""
        return f"[{text or self.page(stem).title}]({LINK}/{stem}.md)"

    def sources(self) -> str:
        """Return the pages the card draws on, with data, date and command."""
        rows = []
        for stem in SOURCES:
            page = self.page(stem)
            command = f"`{page.facts.get('Command', '')}`"
            rows.append((self.link(stem), page.kind, page.facts.get("Date", MISSING), command))
        return _markdown(("page", "data", "date", "command"), rows)

    def model(self, role: str, path: str) -> str:
        """Return an entry of a model's sidecar, named by its keys with dots between."""
        value = _entry(self.models[role].card, path)
        if value is None:
            raise template_error(f"the sidecar of the model {role} has no {path}")
        return " x ".join(map(str, value)) if isinstance(value, list) else str(value)

    def training_data(self, role: str) -> list[str]:
        """Return what a model learned from, each with its licence."""
        return list(self.models[role].card["training_data"])

    def megabytes(self, role: str) -> str:
        """Return the size of a model's file in MB (10^6 bytes)."""
        return f"{self.models[role].path.stat().st_size / 1e6:.1f}"

    def has(self, role: str, path: str) -> bool:
        """Whether a model's sidecar has an entry."""
        return _entry(self.models[role].card, path) is not None

    def trained_with(self, ingredient: str) -> bool:
        """Whether the structure model's sidecar says that an ingredient took part in its training.

        It does where an entry has that name and a value, or where a text, such as a command, has
        that word.
        """
        return _mentions(self.models[STRUCTURES].card["training"], ingredient)

    def runs(self, role: str) -> str:
        """Return the runs that a model's weights went through, the first at the top."""
        from ..origin import history

        rows = [
            (
                str(number),
                _known_or_missing(run["anatomies"]),
                _known_or_missing(run["steps"]),
                _known_or_missing(run["seconds"], lambda seconds: f"{seconds / 60:.0f}"),
                _known_or_missing(run["seed"]),
                f"`{run['sha256'][:8]}`",
            )
            for number, run in enumerate(history(self.models[role].card), start=1)
        ]
        headings = ("run", "anatomies", "steps", "minutes", "seed", "weights (sha256)")
        return _markdown(headings, rows)

    def _rows(self, table: str, where: Mapping[str, object] | None) -> list[dict[str, str]]:
        stem = _stem(table)
        self.page(stem)
        rows = read_rows(self.results, table, _source(stem).command)
        for column, wanted in (where or {}).items():
            _known(column, rows, table)
            values = {str(v) for v in wanted} if isinstance(wanted, list) else {str(wanted)}
            rows = [row for row in rows if row[column] in values]
        return rows


def _source(stem: str) -> Source:
    if stem not in SOURCES:
        raise template_error(f"{stem} is none of the pages {', '.join(SOURCES)}")
    return SOURCES[stem]


def _stem(table: str) -> str:
    fitting = [stem for stem in SOURCES if table.startswith(f"{stem}_")]
    if not fitting:
        raise template_error(f"{table} belongs to none of the pages {', '.join(SOURCES)}")
    return max(fitting, key=len)


def template_error(problem: str) -> BrainstemALSError:
    """Return the refusal of a template that asks for what is not there."""
    return BrainstemALSError(
        "template of the model card", problem, "Mend the template.", ExitCode.USAGE
    )


def _known(column: str, rows: list[dict[str, str]], table: str) -> None:
    if rows and column not in rows[0]:
        raise template_error(f"{table} has no column {column!r}, only {', '.join(rows[0])}")


def _columns(
    rows: list[dict[str, str]], columns: Sequence[str], table: str, digits: int
) -> Iterator[list[str]]:
    """Cells by column; where any has decimals, all numbers of the column get the same."""
    for column in columns:
        _known(column, rows, table)
        cells = [row[column] for row in rows]
        if any(_is_number(cell) and not cell.lstrip("-").isdigit() for cell in cells):
            cells = [f"{float(cell):.{digits}f}" if _is_number(cell) else cell for cell in cells]
        yield cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = list(zip(*rows, strict=True)) or [("",)] * len(headings)
    right = [all(_is_number(cell) or cell == MISSING for cell in cells) for cells in columns]
    lines = [
        f"| {' | '.join(headings)} |",
        "|" + "|".join("---:" if numbers else "---" for numbers in right) + "|",
    ]
    lines += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return "\n".join(lines)


def _with_shortfall(text: str, passed: bool | None) -> str:
    """A mark, saying how far it was missed where it names a bound and ends in what was found."""
    bound, found = _BOUND.search(text), _FOUND.search(text)
    if passed is not False or "missed by" in text or bound is None or found is None:
        return text
    digits = len(found[1].partition(".")[2])
    return f"{text}, missed by {abs(float(found[1]) - float(bound[1])):.{digits}f}"


def _known_or_missing(value: object, write: Callable[[object], str] = str) -> str:
    return MISSING if value is None else write(value)


def _entry(card: Mapping, path: str) -> object:
    """Entry of a sidecar by its keys with dots between; None where there is none."""
    value: object = card
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _mentions(value: object, word: str) -> bool:
    if isinstance(value, Mapping):
        return bool(value.get(word)) or any(_mentions(inner, word) for inner in value.values())
    if isinstance(value, list):
        return any(_mentions(inner, word) for inner in value)
    return isinstance(value, str) and re.search(rf"\b{re.escape(word)}\b", value) is not None
