"""What is done with ranked passages before an answer: repeats, limits, reranking, other queries, text around."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ragkit import RagKit
from ragkit.config.resolving import resolve
from ragkit.frontends.cli import main
from ragkit.models.embedded.e5 import weights_path
from ragkit.testing import ScriptedOllama
from ragkit.types.answers import Answer
from ragkit.types.errors import InputError
from tests.helpers.prompted_model import Model, asked, opened

QUESTION = "How many days of annual leave?"
LEAVE = "Annual leave is twenty days for every member of staff."
ZH = "年假为二十天，未休完的可以顺延到次年三月。"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(
        f"# Leave\n\n{LEAVE}\n\n# Hours\n\nWork begins at nine and ends at five.\n", "utf-8"
    )
    (folder / "copy of leave.md").write_text(f"# Leave\n\n{LEAVE}\n", "utf-8")
    (folder / "假期.md").write_text(f"# 年假\n\n{ZH}\n", "utf-8")
    (folder / "副本.md").write_text(f"# 年假\n\n{ZH}\n", "utf-8")
    lines = [f"Leave in office {n} has days of its own, counted by the annual plan of office {n}." for n in range(30)]
    (folder / "offices.md").write_text("# Offices\n\n" + "\n\n".join(lines), "utf-8")
    return folder


def names(kit: RagKit, question: str = QUESTION, k: int = 6) -> list[str]:
    return [Path(hit.chunk.source).name for hit in kit.search(question, k)]


def test_reports_that_differ_in_a_number_are_both_used(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    english = "In quarter {n} the plant in Leeds made pumps, valves and filters, and its sales went on as planned."
    chinese = "第{n}季度，苏州工厂生产水泵、阀门和滤芯，销售按计划进行。"
    for name, text, numbers in (("en", english, "23"), ("zh", chinese, "二三")):
        for n in numbers:
            (folder / f"{name}-{n}.md").write_text(text.format(n=n), "utf-8")
    with opened(folder) as (kit, _):
        assert set(names(kit, "Which quarter?", k=4)) == {"en-2.md", "en-3.md", "zh-二.md", "zh-三.md"}


def test_what_says_the_same_is_used_once_and_named(docs: Path) -> None:
    (docs / "leave.md").write_text(f"# Leave\n\n{LEAVE}\n", "utf-8")  # without its hours, which may rank as well
    with opened(docs) as (kit, _):
        for question, pair in (
            (QUESTION, {"leave.md", "copy of leave.md"}),
            ("年假有多少天？", {"假期.md", "副本.md"}),
        ):
            assert len(pair & set(names(kit, question))) == 1
            answer = kit.ask(question)
            [said] = [entry for entry in answer.ledger.left_out if Path(entry.source).name in pair]
            [kept] = pair - {Path(said.source).name}
            assert str(said.reason) == f"says the same as {kept}"
            assert kit.why_not(question, Path(said.source).name).stage == "selection"


def test_no_more_passages_of_one_document_than_allowed(docs: Path) -> None:
    with opened(docs, per_source=2) as (kit, _):
        found = names(kit, "leave in office days annual plan", 6)
        assert found.count("offices.md") == 2
        loss = kit.why_not("leave in office days annual plan", "offices.md")
        assert loss.stage == "given"
    with opened(docs, k=12) as (kit, _):
        assert names(kit, "leave in office days annual plan", 12).count("offices.md") > 2


def test_the_language_model_orders_the_best_passages_anew(docs: Path) -> None:
    with opened(docs, Model(Which_of_these="I think 3, then 1."), rerank="chat") as (kit, server):
        found = kit.search(QUESTION, 3)
        [prompt] = [asked(body) for body in server.prompts()]
        third = prompt.split("\n[3]\n")[1]
        assert found[0].chunk.text in third.split("</passage-")[0]
        assert [hit.rank for hit in found] == [1, 2, 3]
    with opened(docs) as (kit, _):
        usual = kit.search(QUESTION, 3)
    assert found[0].chunk.id != usual[0].chunk.id
    assert usual[0].chunk.id in {hit.chunk.id for hit in found}


SENTENCES = {
    "canteen.md": "The canteen was built by the founder's brother. Its long hall has high windows, and meals are taken "
    "at oak tables. Every meal is cooked by a team of four, who have run the kitchen of the canteen for years.",
    "rules.md": "Bicycles stand behind the house. The lift is serviced in spring. Warm food is served until nine in "
    "the evening. Parcels are kept by the porter, who has the keys of the shed, and gloves are hung on the fence.",
    "食堂.md": "食堂由创办人的弟弟建造，大厅很长，窗户很高，大家在橡木桌旁用餐。"
    "厨房由四名厨师负责，每一餐都由他们烹制，多年如此。",
    "须知.md": "自行车停在楼后。电梯每年春天检修。热饭供应到晚上九点为止。"
    "包裹由门卫代收，工具房的钥匙也在门卫处，遗失的手套挂在围栏上。",
}
ASKED = {"When does dinner end?": "rules.md", "食堂最晚几点还能吃到热的东西？": "须知.md"}


@pytest.mark.skipif(weights_path() is None, reason="the extra `embedded` is not installed")
def test_the_nearest_sentence_brings_a_passage_forward(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in SENTENCES.items():
        (folder / name).write_text(text, "utf-8")
    found = {}
    for rerank in ("auto", "sentences", "off"):
        config, _ = resolve(environ={}, flags={"models.backend": "embedded", "retrieval.rerank": rerank})
        with RagKit.open(tmp_path / "index", config) as kit:
            kit.index([folder])
            found[rerank] = {q: [(h.chunk.source, h.rank, h.score) for h in kit.search(q, 4)] for q in ASKED}
    assert found["auto"] == found["sentences"]
    for question, name in ASKED.items():
        ranked, before = found["sentences"][question], found["off"][question]
        assert Path(ranked[0][0]).name == name
        assert [(rank, score) for _, rank, score in ranked] == [(rank, score) for _, rank, score in before]
    assert found["sentences"] != found["off"]


def test_a_reranker_that_says_nothing_changes_nothing(docs: Path) -> None:
    with opened(docs) as (kit, _):
        usual = [hit.chunk.id for hit in kit.search(QUESTION, 5)]
    with opened(docs, Model(Which_of_these="None of them, sorry."), rerank="chat") as (kit, _):
        assert [hit.chunk.id for hit in kit.search(QUESTION, 5)] == usual


def test_what_reranking_lost_is_told(docs: Path) -> None:
    with opened(docs) as (kit, _):
        best = kit.search(QUESTION, 1)[0].chunk
    backwards = ", ".join(map(str, range(20, 1, -1)))
    with opened(docs, Model(Which_of_these=backwards), rerank="chat", k=2) as (kit, _):
        assert kit.why_not(QUESTION, best.text).stage == "reranking"


@pytest.mark.parametrize(("question", "other"), [(QUESTION, "年假有多少天？"), ("年假有多少天？", QUESTION)])
def test_a_question_is_also_searched_for_in_the_other_language(docs: Path, question: str, other: str) -> None:
    model = Model(Translate=other, 翻译=other)
    with opened(docs, model, expand="translate") as (kit, _):
        found = set(names(kit, question, 8))
    assert found & {"leave.md", "copy of leave.md"}
    assert found & {"假期.md", "副本.md"}


@pytest.mark.parametrize(
    ("way", "reply"),
    [
        ("paraphrase", "1. When does work begin?\n2. At what time do we start work, nine?\n"),
        ("hyde", "Work begins at nine and ends at five."),
    ],
)
def test_other_words_for_a_question_find_what_its_own_do_not(docs: Path, way: str, reply: str) -> None:
    model = Model(other_ways=reply, two_sentences=reply)
    question = "Opening of the day?"
    with opened(docs, model, expand=way) as (kit, _):
        assert any("Work begins at nine" in hit.chunk.text for hit in kit.search(question, 5))


def test_what_needs_a_language_model_says_so(docs: Path) -> None:
    config, _ = resolve(environ={}, flags={"models.backend": "embedded", "retrieval.rerank": "chat"})
    with RagKit.open(docs.parent / "index2", config) as kit:
        kit.index([docs])
        with pytest.raises(InputError, match="needs a language model"):
            kit.search(QUESTION)


def passage(answer: Answer, name: str) -> list[int]:
    return [entry.tokens for entry in answer.ledger.sent if Path(entry.source).name == name]


def test_the_settings_from_the_command_line(docs: Path) -> None:
    with ScriptedOllama(answer=Model(Which_of_these="2, 1")) as server:
        words = ["--index", str(docs.parent / "cli"), "--set", "models.backend=ollama"]
        words += ["--set", f"ollama.host={server.url}", "--set", "ollama.embed_model=embed"]
        words += ["--set", "ollama.chat_model=chat", "--set", "retrieval.rerank=chat"]
        assert CliRunner().invoke(main, [*words, "index", str(docs)]).exit_code == 0
        shown = CliRunner().invoke(main, [*words, "search", QUESTION, "--json"])
        assert len(json.loads(shown.stdout)["hits"]) > 2
        assert len(server.prompts()) == 1


def of_files(folder: Path, **texts: str) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder


SIEGE = (
    (
        "The siege of the fort of Arden began at some cost.",
        "By autumn the siege of Arden had cost the fort its walls.",
    ),
    ("The bakers of the town sold bread on credit, and nobody there minded the smell of it.",) * 2,
)
ZH_SIEGE = (
    ("雅顿要塞的围城战始于春天，守军只有三百人。", "到了秋天，雅顿要塞的围城战已使城墙尽毁。"),
    ("镇上的面包师赊账卖面包，没有人介意那股香味，孩子们整天在街上玩耍。",) * 2,
)


@pytest.mark.parametrize(
    ("question", "parts"),
    [("What did the siege of the fort of Arden cost?", SIEGE), ("雅顿要塞的围城战有什么后果？", ZH_SIEGE)],
)
def test_a_passage_is_what_speaks_for_the_question_in_one_piece(
    tmp_path: Path, question: str, parts: tuple[tuple[str, str], ...]
) -> None:
    (first, second), (aside, _) = parts
    folder = of_files(tmp_path / "docs", town=f"{aside} {aside}\n\n{first}\n\n{second}\n\n{aside} {aside}\n")
    with opened(folder, k=3) as (kit, _):
        source = str((folder / "town.md").resolve())
        document = kit.document(source)
        assert document is not None
        chunks = [chunk.text for chunk in kit.read(source)[1]]
        assert not any(first in text and second in text for text in chunks)
        [passage] = [one for one in kit.passages(question, 3) if first in one.text]
        assert second in passage.text
        assert passage.text.count(aside) < document.text.count(aside)
        assert passage.text == document.text[passage.start : passage.end]
        assert len(passage.chunk_ids) > 1
    with opened(folder, k=3, join=0, least_share=0) as (kit, _):
        assert kit.passages(question, 1)[0].text in chunks


@pytest.mark.parametrize(
    ("question", "rest"),
    [(QUESTION, "The canteen bakes bread at noon."), ("年假有多少天？", "食堂中午烤面包。")],
)
def test_what_is_much_weaker_than_the_best_is_left_out_and_named(docs: Path, question: str, rest: str) -> None:
    for number in range(4):
        (docs / f"report{number}.md").write_text(f"{rest} ({number})\n", "utf-8")
    with opened(docs, k=60) as (kit, _):
        answer = kit.ask(question)
        few = kit.passages(question, 60)
        weak = [entry for entry in answer.ledger.left_out if "% of the best score" in str(entry.reason)]
        assert {one.source for one in few} == {entry.source for entry in answer.ledger.sent}
        assert weak
        assert not any(Path(one.source).name.startswith("report") for one in few)
        assert len(names(kit, question, 60)) > len(few)  # a search shows as many as are asked for
    with opened(docs, k=60, least_share=0) as (kit, _):
        assert len(kit.passages(question, 60)) > len(few)


def test_every_copy_can_be_asked_for(docs: Path) -> None:
    with opened(docs, repeats="all") as (kit, _):
        assert {"leave.md", "copy of leave.md"} <= set(names(kit))
        assert {"假期.md", "副本.md"} <= set(names(kit, "年假有多少天？"))
