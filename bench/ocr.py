"""OCR on pages whose text is known: PDF pages drawn as pictures, read, and compared with their own text.

    python bench/ocr.py FILE.pdf[:PAGE] ... [--poor] [--out FILE]

The text of the PDF is the truth; similarity is `difflib`'s ratio over the characters but white space, so that the
order of the lines counts. `--poor` draws the page at 100 dpi, skewed by one degree, with noise, as a poor scan.
The floor is what is read without OCR: nothing.
"""

from __future__ import annotations

import argparse
import difflib
import resource
import time
from pathlib import Path

import numpy as np
import pypdfium2
from PIL import Image, ImageFilter

from ragkit.loaders.images.ocr import DPI, Ocr, Reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", metavar="FILE.pdf[:PAGE]")
    parser.add_argument("--poor", action="store_true", help="pages as a poor scan shows them")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [
        "| page | characters | similarity | words found | confidence | s |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(rows))
    ocr = Ocr({}, lambda: None, lambda *_: None)
    for item in arguments.pages:
        name, _, number = item.rpartition(":") if item.rpartition(":")[2].isdigit() else (item, "", "1")
        rows.append(row(Path(name), int(number), ocr, poor=arguments.poor))
        print(rows[-1], flush=True)
    memory = f"Peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB."
    text = "\n".join([*rows, "", memory, ""])
    print(text[text.index("\nPeak") :])
    if arguments.out:
        arguments.out.write_text(text, "utf-8")


def row(path: Path, number: int, ocr: Ocr, *, poor: bool) -> str:
    page = pypdfium2.PdfDocument(path)[number - 1]
    truth = page.get_textpage().get_text_range()
    picture = page.render(scale=(100 if poor else DPI) / 72).to_pil().convert("RGB")
    pixels = np.asarray(_spoiled(picture) if poor else picture)[:, :, ::-1].copy()
    began = time.perf_counter()
    reading = ocr.read_all([number], lambda _: pixels)[number] or Reading("", 0.0)
    seconds = time.perf_counter() - began
    wanted, got = "".join(truth.split()), "".join(reading.text.split())
    like = difflib.SequenceMatcher(None, wanted, got, autojunk=False).ratio()
    words = {word for word in truth.lower().split() if len(word) > 3}
    found = len([word for word in words if word in reading.text.lower()]) / max(len(words), 1)
    figures = f"{len(wanted)} | {like:.3f} | {found:.3f} | {reading.confidence:.2f} | {seconds:.1f}"
    return f"| {path.name} p. {number} | {figures} |"


def _spoiled(picture: Image.Image) -> Image.Image:
    turned = picture.rotate(1, fillcolor="white", resample=Image.Resampling.BICUBIC)
    soft = np.asarray(turned.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float32)
    noise = np.random.default_rng(1).normal(0, 18, soft.shape)
    return Image.fromarray(np.clip(soft + noise, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
