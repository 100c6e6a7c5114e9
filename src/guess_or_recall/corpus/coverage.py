"""What of a corpus is read and studied, what is not and why, and which parameter changes it."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Int

from guess_or_recall.corpus.documents import TokenizedTexts
from guess_or_recall.corpus.source import Reading
from guess_or_recall.settings.sequences import Sequences

SHOWN = 6  # names or reasons in one line
MET = {  # what may be met in a document, in words
    "documents_empty": "empty",
    "documents_with_mark": "with a byte order mark, which is no part of the text",
    "documents_with_lone_surrogates": "with halves of characters, read as U+FFFD",
    "documents_with_carriage_returns": "with carriage returns, which are kept",
}


def coverage(counts: dict[str, int], reading: Reading, settings: Sequences) -> dict:
    """All that there is to say of what was read and what of it is studied, for coverage.json.

    Args:
        counts: of documents, tokens, windows and sequences.
        reading: the files that were read and skipped, and what was met in their documents.
        settings: the section `sequences`.

    Returns:
        The counts, the skipped files with reasons, and `statement`, in lines to be read.
    """
    met = {
        name: reading.counts[name] for name in ("documents_null", *MET, "special_tokens_in_text")
    }
    files = {"files": len(reading.manifest), "files_skipped": len(reading.skipped)}
    counts = files | counts | met
    lines = [*of_files(reading), *of_texts(counts, settings), of_windows(counts, settings)]
    return {**counts, "skipped": reading.skipped, "statement": lines}


def unused(texts: TokenizedTexts, length: int) -> dict[str, int]:
    """The windows of a corpus, and the documents and tokens that none of them holds.

    Args:
        texts: the corpus.
        length: tokens of a sequence.
    """
    lengths: Int[np.ndarray, " d"] = np.diff(texts.ends, prepend=0)
    short = lengths < length
    return {
        "documents_short": int(short.sum()),
        "tokens_of_short_documents": int(lengths[short].sum()),
        "tokens_of_tails": int((lengths[~short] % length).sum()),
        "windows": int((lengths // length).sum()),
    }


def of_files(reading: Reading) -> Iterator[str]:
    """Files read and skipped, and their encodings where they are not all UTF-8."""
    skipped = Counter(row["reason"] for row in reading.skipped)
    yield (
        f"{len(reading.manifest):,} files are read, {len(reading.skipped):,} skipped"
        + listed(f"{reason} {count:,}" for reason, count in skipped.most_common())
    )
    encodings = Counter(row.get("encoding", "utf-8") for row in reading.manifest)
    if set(encodings) != {"utf-8"}:
        names = (f"{name} {count:,}" for name, count in encodings.most_common())
        yield "encodings of the files" + listed(names)
    guessed = [row for row in reading.manifest if row.get("encoding_is_guessed")]
    if guessed:
        names = (f"{row['file']} {row['encoding']}" for row in guessed)
        yield "encodings guessed from the bytes (if wrong, save as UTF-8)" + listed(names)


def of_texts(counts: dict[str, int], settings: Sequences) -> Iterator[str]:
    """What was met in the documents, and what of their tokens no window holds."""
    met = [f"{counts[name]:,} {words}" for name, words in MET.items() if counts[name]]
    null = counts["documents_null"]
    without = f", {null:,} rows have null for a text" if null else ""
    yield f"{counts['documents']:,} documents{without}" + listed(met)
    total = max(counts["tokens"], 1)
    yield (
        f"{counts['tokens']:,} tokens, of which no sequence holds "
        f"{counts['tokens_of_short_documents'] / total:.1%} in {counts['documents_short']:,} "
        f"documents shorter than {settings.total} tokens (sequences.prefix, sequences.suffix) "
        f"and {counts['tokens_of_tails'] / total:.1%} in tails of documents"
    )
    if in_text := counts["special_tokens_in_text"]:
        kept = "text" if settings.special_tokens == "text" else "tokens"
        key = " (sequences.files.special_tokens)" if settings.source == "files" else ""
        yield f"{in_text:,} special tokens stand in documents, encoded as {kept}{key}"
    if settings.special_tokens == "text" and counts["special_tokens"]:
        left = counts["special_tokens"]
        yield f"{left:,} special tokens are left: the vocabulary has them as words"
    if counts["unknown_tokens"]:
        yield f"{counts['unknown_tokens']:,} tokens stand for text that the vocabulary lacks"


def of_windows(counts: dict[str, int], settings: Sequences) -> str:
    """The share of all windows that is studied, and how to study more."""
    windows, studied = counts["windows"], counts["sequences"]
    line = f"{studied:,} of {windows:,} windows are studied ({studied / max(windows, 1):.1%})"
    if studied == windows:
        return line
    if settings.source == "files":
        keys = {
            "sequences.background": settings.background,
            "sequences.studied.background": settings.studied.get("background", 0),
        }
        binding = [f"{key} is {value}" for key, value in keys.items() if value < windows]
    else:
        binding = [f"sequences.studied is {settings.studied}"]
    repeated = counts["windows_repeated"]
    reasons = [f"{repeated:,} repeat another window"] if repeated else []
    return line + listed([*binding, *reasons])


def listed(parts: Iterable[str]) -> str:
    """Parts of a list behind a colon: the first ones, and how many more there are."""
    names = list(parts)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ": " + ", ".join(names[:SHOWN]) + more if names else ""
