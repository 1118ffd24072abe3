"""What each verb prints with `--json`: the table that `tools/json_schemas.py` writes into `docs/json/`."""

from __future__ import annotations

from ragkit.frontends.json_shapes.answer_shapes import (
    AnswerJson,
    BundleCheckJson,
    ExhaustiveAnswerJson,
    HitsJson,
    StructuredAnswerJson,
    WhyNotJson,
)
from ragkit.frontends.json_shapes.evaluation_shapes import (
    ComparisonJson,
    RunJson,
    VerdictsJson,
)
from ragkit.frontends.json_shapes.index_shapes import (
    AuditJson,
    ChecksJson,
    DocumentJson,
    FilesJson,
    IndexReportJson,
    IndexStatusJson,
    PlanJson,
    ProblemsJson,
    RemovedJson,
    SettingsJson,
)
from ragkit.frontends.json_shapes.model_shapes import (
    InstalledModelsJson,
    ModelRecordJson,
    ReplyJson,
    RunningModelsJson,
    TransferJson,
    VectorsJson,
)

OUTPUTS: dict[str, type] = {
    "ask": AnswerJson,
    "ask --everything": ExhaustiveAnswerJson,
    "ask --schema": StructuredAnswerJson,
    "audit": AuditJson,
    "check-bundle": BundleCheckJson,
    "config": SettingsJson,
    "doctor": ChecksJson,
    "embed": VectorsJson,
    "eval": RunJson,
    "eval --compare": ComparisonJson,
    "forget": RemovedJson,
    "generate": ReplyJson,
    "import": IndexStatusJson,
    "index": IndexReportJson,
    "index --dry-run": PlanJson,
    "list": FilesJson,
    "models create": TransferJson,
    "models list": InstalledModelsJson,
    "models ps": RunningModelsJson,
    "models pull": TransferJson,
    "models push": TransferJson,
    "models show": ModelRecordJson,
    "remove": RemovedJson,
    "search": HitsJson,
    "show": DocumentJson,
    "status": IndexStatusJson,
    "test": VerdictsJson,
    "verify": ProblemsJson,
    "why-not": WhyNotJson,
}
