"""Puts what the dense and the lexical search found into one order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ragkit.text import terms
from ragkit.types.documents import ChunkRef, Scores
from ragkit.types.search import Hit, Nearness

_TRUSTED_COVER = (0.1, 0.4)  # the best candidate's cover at which shared words are trusted not at all, and fully
# The weights below are in standard deviations of the cosine. They were chosen together on the eight sets of
# docs/retrieval.md, where hybrid search is above dense and lexical search alone on each.
_WORDS_WEIGHT = 3.25  # the weight of the BM25 score
_COVER_WEIGHT = 1.0  # the weight of the share of the question's words that a chunk holds
_DOCUMENT_WEIGHT = 3.0  # the weight of the share of them in the name and the opening of the chunk's document
FEEDBACK_CHUNKS = 5  # the best chunks that the question is moved towards before the last ranking
NEIGHBOURS = 15  # the chunks most like a chunk, whose scores it shares
ALIKE = 0.4  # weight of the score of a passage's double, beside 1 for its own


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the two searches found for one question."""

    refs: Sequence[ChunkRef]  # by rising id
    openings: Mapping[str, str]  # by source, the id of the document's first chunk, where a later chunk was found
    dense: Mapping[str, float]  # cosines by id, the best first
    lexical: Mapping[str, float]  # BM25 scores by id, the best first
    term_weights: Mapping[str, float]  # the weight of each of the question's terms
    columns: Sequence[str]  # the ids that `column_ids` gives
    term_scores: Scores  # what each term (row) adds to the BM25 score of each chunk (column)


def column_ids(refs: Sequence[ChunkRef], openings: Mapping[str, str]) -> list[str]:
    """Returns the ids of all chunks whose words count for some candidate: itself and the opening of its document."""
    names = [ref.id for ref in refs]
    return names + sorted(set(openings.values()).difference(names))


def term_weights(question_terms: tuple[str, ...], frequencies: Mapping[str, int], chunks: int) -> dict[str, float]:
    """Returns the inverse document frequency of each term: ln(1 + (N - n + 0.5) / (n + 0.5)), as in BM25
    (Robertson and Zaragoza 2009). A term that occurs nowhere weighs as much as one that occurs once:
    a question about an unknown word must not look answered by the rest of its words."""
    weights = {}
    for term in question_terms:
        n = max(frequencies.get(term, 0), 1)
        weights[term] = math.log(1 + max(chunks - n, 0) + 0.5) - math.log(n + 0.5) + 0.1
    return {term: max(weight, 0.05) for term, weight in weights.items()}


def covers(question: str, texts: Sequence[str]) -> list[float]:
    """Returns, for each text, the share from 0 to 1 of the question's words that it holds. A word weighs the less,
    the more of the texts hold it."""
    asked = terms.query_terms(question)
    matcher = terms.Matcher(asked)
    held = [matcher.count(text) for text in texts]
    weights = term_weights(asked, {term: sum(term in one for one in held) for term in asked}, len(texts))
    return [terms.cover(weights, one) for one in held]


class Fusion:
    """Scores and orders all candidates of a question.

    Four things speak for a chunk: its cosine, in standard deviations above an ordinary chunk; its BM25 score, as a
    share of the best candidate's; the share of the question's weighted words that it holds; and the share that its
    document's name and opening hold, which say whose report it is and of when, as the chunk itself seldom does.

    The shares cannot drown the meaning as a raw BM25 score can. Where no candidate holds much of the question, as
    across languages, BM25 has nothing to say: its weight is multiplied by `trust`, from 0 to 1.
    """

    def __init__(self, found: Candidates) -> None:
        count = len(found.refs)
        scores = _scores_with_file_names(found)
        held = scores > 0
        weights = np.array(list(found.term_weights.values()))
        bm25 = scores[:, :count].sum(axis=0)
        place = {name: at for at, name in enumerate(found.columns)}
        openings = [place[found.openings.get(ref.source, ref.id)] for ref in found.refs]
        squared = _covers(held, weights**2)  # weights are squared as in a product of tf-idf vectors
        self._found = found
        self._covers = _covers(held[:, :count], weights)
        low, high = _TRUSTED_COVER
        self.trust = min(max((float(self._covers.max(initial=0.0)) - low) / (high - low), 0.0), 1.0)
        self._words = (
            _WORDS_WEIGHT * self.trust * bm25 / (bm25.max(initial=0.0) or 1.0)
            + _COVER_WEIGHT * squared[:count]
            + _DOCUMENT_WEIGHT * squared[openings]
        )

    def scores(self, nearness: Nearness) -> Scores:
        """Returns the score of every candidate; one without a vector gets what its words say."""
        near = (nearness.cosines - nearness.ordinary.mean) / nearness.ordinary.deviation
        scores: Scores = self._words + np.where(np.isnan(near), 0.0, near)
        return scores

    def ranked(self, scores: Scores, similarities: Scores) -> list[Hit]:
        """Returns all candidates, best first; ties are broken by the chunk's id."""
        found, order = self._found, _best_first(scores)
        dense_ranks = {name: rank for rank, name in enumerate(found.dense, 1)}
        lexical_ranks = {name: rank for rank, name in enumerate(found.lexical, 1)}
        refs = [found.refs[place] for place in order.tolist()]
        fields = (
            refs,
            scores[order].tolist(),
            range(1, len(refs) + 1),
            [dense_ranks.get(ref.id) for ref in refs],
            [lexical_ranks.get(ref.id) for ref in refs],
            [None if math.isnan(cosine) else cosine for cosine in similarities[order].tolist()],
            self._covers[order].tolist(),
        )
        return list(map(Hit._make, zip(*fields, strict=True)))


def merge_rankings(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Merges several rankings into one: each chunk comes by its best rank, and the first list comes first. Sums of
    reciprocal ranks would put what is middling in every list above what one query alone finds, as a translation
    does."""
    found: dict[str, Hit] = {}
    for hit in sorted((hit for ranked in lists for hit in ranked), key=lambda hit: hit.rank):  # the sort is stable
        found.setdefault(hit.ref.id, hit)
    return [hit._replace(rank=rank, score=1 / rank) for rank, hit in enumerate(found.values(), 1)]


def feedback_weights(scores: Scores, most: int, trust: float) -> dict[int, float]:
    """Returns the places and weights of the `most` best chunks, which the question is to be moved towards.

    The weights sum to `trust` where the best are equals: then the question is about what they have in common. The
    more one of them stands out, the less they sum to: a question with one answer is not to be moved away from it.
    """
    best = _best_first(scores)[:most]
    odds = np.exp(scores[best] - scores[best[0]])
    shares = odds / odds.sum()
    equals = 1 / float((shares**2).sum())  # from 1, where one chunk has it all, to as many as there are
    moved = trust * (equals - 1) / max(best.size - 1, 1)
    return dict(zip(best.tolist(), (moved * shares).tolist(), strict=True))


def reorder_keeping_scores(scores: Scores, smooth: Scores) -> Scores:
    """Returns the same scores, given to the chunks in the order of `smooth`, where a chunk's score is averaged with
    those of the chunks most like it: what answers a question comes in groups (Diaz 2005). The first chunk stays the
    first, as for a question with one answer it is the likely one. The averages themselves are not used: they lie
    closer together, and would make weak chunks look strong."""
    before, after = _best_first(scores), _best_first(smooth)
    reordered = np.empty_like(scores)
    reordered[before[0]] = scores[before[0]]
    reordered[after[after != before[0]]] = scores[before[1:]]
    return reordered


def order_of_one_search(found: Candidates, ranked: Sequence[Hit], mode: str) -> list[Hit]:
    """Returns `ranked` in the order of the "dense" or the "lexical" search alone (`mode`), without what that search
    did not find."""
    order = {name: at for at, name in enumerate(found.dense if mode == "dense" else found.lexical)}
    kept = sorted((hit for hit in ranked if hit.ref.id in order), key=lambda hit: order[hit.ref.id])
    return [hit._replace(rank=rank) for rank, hit in enumerate(kept, 1)]


def _scores_with_file_names(found: Candidates) -> Scores:
    """Returns the scores of the terms; a term that only the name of a chunk's file holds scores its weight."""
    matcher = terms.Matcher(found.term_weights)
    sources = dict.fromkeys([*found.openings, *(ref.source for ref in found.refs)])
    if not matcher.count("\n".join(map(_name_without_suffix, sources))):  # most questions name no document
        return found.term_scores
    rows = {term: row for row, term in enumerate(found.term_weights)}
    source_of = {name: source for source, name in found.openings.items()}
    source_of |= {ref.id: ref.source for ref in found.refs}
    scores = found.term_scores.copy()
    named = {source: matcher.count(_name_without_suffix(source)) for source in sources}
    for column, name in enumerate(found.columns):
        for term in named[source_of[name]]:
            if not scores[rows[term], column]:
                scores[rows[term], column] = found.term_weights[term]
    return scores


def _name_without_suffix(source: str) -> str:
    """Returns a file's name without its last suffix. It works on text: a question has hundreds of names, and making
    a path of each takes its time."""
    name = source[max(source.rfind("/"), source.rfind("\\")) + 1 :]
    return name.rpartition(".")[0] or name


def _covers(held: npt.NDArray[np.bool_], weights: Scores) -> Scores:
    """Returns the share, 0 to 1, of the weight of the question's terms that each chunk holds."""
    # The sum goes row by row, so that chunks that hold the same terms get the same share to the last bit.
    shares: Scores = ((weights / weights.sum())[:, None] * held).sum(axis=0)
    return shares


def _best_first(scores: Scores) -> npt.NDArray[np.intp]:
    """Returns the places of the scores, the highest first; ties stay in the order of the places, by rising id."""
    return np.argsort(-scores, kind="stable")
