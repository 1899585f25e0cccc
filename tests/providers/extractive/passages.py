"""Provide passages of a small book on dairy, read as an app reads them."""

from __future__ import annotations

import uuid

from ragbot.books.chunking.chunker import chunk_page
from ragbot.books.formats.plain import read_plain_page
from ragbot.bootstrap.extractive import passage_reader
from ragbot.core.domain import Chunk, Passage
from ragbot.core.text import count_tokens
from ragbot.index.analysis import Analyzer
from ragbot.providers.extractive.generator import is_answer
from ragbot.providers.extractive.question import asked_for
from ragbot.providers.extractive.reading import PassageReader, ReadPassage
from ragbot.providers.extractive.scoring import Candidate, defines, score
from ragbot.providers.extractive.units import Unit

READER = passage_reader()
# Sentences that answer nothing.
FILLER = "The cellar is tiled and cool. Milk comes at six in the morning. Nobody hurries there at all. " * 3


def chunk_of(text: str, *headings: str) -> Chunk:
    """Return a chunk that holds the text, under a path of headings."""
    path = headings or ("Dairy",)
    return Chunk(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join((*path, text)))),
        path="dairy.md",
        heading_path=path,
        title=path[0],
        address="dairy",
        anchor="",
        start=0,
        end=len(text),
        text=text,
        search_text=f"{' > '.join(path)}\n\n{text}",
        tokens=count_tokens(text),
    )


def read(text: str, *headings: str, reader: PassageReader = READER) -> ReadPassage:
    """Return the text as a passage, read in English."""
    return reader.read(chunk_of(text, *headings), "english")


def units_in(text: str, *headings: str) -> list[Unit]:
    """Its units."""
    return [one.unit for one in read(text, *headings).units]


def chunks_of_page(source: str) -> list[Chunk]:
    """Return the chunks of a page of Markdown."""
    return chunk_page(read_plain_page("dairy.md", source))


def passages_of(*texts: str) -> tuple[Passage, ...]:
    """Retrieved passages, best first."""
    return tuple(Passage(chunk_of(text), 1.0 - place / 10) for place, text in enumerate(texts))


def weights_of(question: str) -> dict[str, float]:
    """Return the question's stems, each as rare as the others."""

    analyzer = Analyzer("english")
    return dict.fromkeys(map(analyzer.stem, analyzer.question_words(question)), 2.0)


def candidates_of(question: str, *passages: ReadPassage) -> list[Candidate]:
    """Return every unit of the passages with its score for the question, best first."""
    asked, weights = asked_for(question), weights_of(question)
    subject = READER.terms("english", asked.subject) if asked.subject else frozenset()
    found = []
    for place, passage in enumerate(passages):
        for index, one in enumerate(passage.units):
            if not is_answer(one.unit):
                continue
            candidate = Candidate(
                passage=place,
                index=index,
                read=one,
                rank=place,
                path_terms=passage.path_terms,
                retrieval=0.0,
                defines=defines(one, subject),
                keys=asked.keys_of(one.unit.cells, one.label),
            )
            found.append((score(asked, weights, subject, candidate), candidate))
    return [
        Candidate(**{name: getattr(one, name) for name in one.__slots__} | {"score": value})
        for value, one in sorted(found, key=lambda pair: -pair[0])
    ]
