"""PromQL against what the portal exposes: every metric, every label and every value has to exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import get_args

import promql_parser as promql
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from documents.backlog import COUNTED
from documents.embedding.registry import ENGINES
from documents.exposition import PROCESSES, empty
from documents.models import Stage
from portal.metrics import at_scrape
from portal.middleware import METHODS
from search.caching import Kind
from search.models import Answer
from search.retrieval import NEWEST

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
#: What Prometheus adds to everything that it scrapes.
OF_TARGETS = frozenset({"job", "instance"})
#: What a dashboard fills in, before Grafana asks.
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}

Labels = frozenset[str]


@dataclass(frozen=True)
class Inventory:
    """Samples by name with the labels they have, and values by name of the metric and label."""

    samples: Mapping[str, Labels]
    values: Mapping[tuple[str, str], frozenset[str]]


def inventory() -> Inventory:
    """What the processes of a portal expose that count together, as they do under ``runportal``."""
    from django_prometheus.middleware import Metrics

    import portal.asgi  # noqa: F401 - brings every module that counts

    Metrics.get_instance()
    samples = {"up": OF_TARGETS}
    for name, kind, labels in declared():
        for suffix in SUFFIXES[kind]:
            own = labels | {"le"} if suffix == "_bucket" else labels
            samples[name + suffix] = frozenset(own) | OF_TARGETS
    return Inventory(samples, values())


def declared() -> Iterator[tuple[str, str, Labels]]:
    """Name, type and labels of each metric. Those of Python itself are not there with several processes."""
    for collector in REGISTRY._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            yield collector._name, collector._type, frozenset(collector._labelnames)
    families: list[Metric] = [*empty().values()]
    for collector in at_scrape():
        families.extend(collector.describe())  # type: ignore[attr-defined]
    for family in families:
        yield family.name, family.type, frozenset(family._labelnames)  # type: ignore[attr-defined]


def values() -> dict[tuple[str, str], frozenset[str]]:
    """Of labels whose values are words of the code."""
    found: dict[tuple[str, str], set[str]] = {
        ("request_latency_seconds", "method"): {*METHODS, "other"},
        ("request_latency_seconds", "endpoint"): {"unmatched", *view_names(get_resolver().url_patterns)},
        ("search_stage_seconds", "stage"): {*words_given("search", "stage"), NEWEST},
        ("search_cache", "kind"): set(get_args(Kind)),
        ("search_cache", "outcome"): set(words_given("search", "count", at=1)) | {"hit", "miss"},
        ("search_seconds", "cached"): {"yes", "no"},
        ("answers", "outcome"): {*Answer.State.values, "abstained"},
        ("llm_tokens", "kind"): set(words_given("search", "labels")),
        ("ingest_stage_seconds", "stage"): {*Stage.values} - {""},
        ("ingest_queue_documents", "status"): {status.value for status in COUNTED},
        ("documents_processed", "outcome"): {"ready", "failed"},
        ("embedding_tokens", "engine"): set(ENGINES),
        ("model_load_seconds", "engine"): set(ENGINES),
        ("django_http_responses_total_by_status", "status"): {str(each.value) for each in HTTPStatus},
        ("django_http_responses_total_by_status_view_method", "status"): {
            str(each.value) for each in HTTPStatus
        },
        ("up", "job"): {"portal-web", "portal-worker"},
    }
    for name in ("process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"):
        found[name, "process"] = set(PROCESSES)
    return {key: frozenset(words) for key, words in found.items()}


def view_names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from view_names(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


def words_given(app: str, function: str, at: int = 0) -> Iterator[str]:
    """The literal words that an app's code gives a function or method of this name."""
    for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and called(node) == function:
                words = [word.value for word in node.args[at : at + 1] if isinstance(word, ast.Constant)]
                yield from (word for word in words if isinstance(word, str))


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


# --- Expressions ----------------------------------------------------------------------------


def faults(text: str, known: Inventory) -> list[str]:
    """What an expression asks for that is not there; a sentence each."""
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    try:
        parsed = promql.parse(text)
    except ValueError as error:
        return [f"cannot be read: {error}"]
    return [*of_node(parsed, known)]


def of_node(node: promql.Expr, known: Inventory) -> Iterator[str]:
    if isinstance(node, promql.VectorSelector):
        yield from of_selector(node, known)
    elif isinstance(node, promql.AggregateExpr) and node.modifier:
        yield from missing_labels(node.modifier.labels, node.expr, known)
    elif isinstance(node, promql.BinaryExpr) and node.modifier and node.modifier.matching:
        for side in (node.lhs, node.rhs):
            yield from missing_labels(node.modifier.matching.labels, side, known)
    elif isinstance(node, promql.Call):
        yield from of_call(node)
    for child in children(node):
        yield from of_node(child, known)


def of_call(node: promql.Call) -> Iterator[str]:
    """Only what counts up has a rate; a quantile needs buckets, and their bounds kept apart."""
    names = {name for child in node.args for name in selected(child)}
    if node.func.name in ("rate", "increase"):
        yield from (f"{name} does not count up" for name in names if family_of(name) == name)
    elif node.func.name == "histogram_quantile":
        yield from (f"{name} has no buckets" for name in names if not name.endswith("_bucket"))
        inner = node.args[1]
        kept = inner.modifier.labels if isinstance(inner, promql.AggregateExpr) and inner.modifier else []
        if isinstance(inner, promql.AggregateExpr) and "le" not in kept:
            yield "a quantile needs the label le"


def children(node: promql.Expr) -> list[promql.Expr]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
    return []


def of_selector(node: promql.VectorSelector, known: Inventory) -> Iterator[str]:
    if node.name not in known.samples:
        yield f"there is no metric {node.name}"
        return
    for matcher in node.matchers.matchers:
        if matcher.name not in known.samples[node.name]:
            yield f"{node.name} has no label {matcher.name}"
        elif not matcher.value.startswith("$"):
            yield from unknown_values(node.name, matcher, known)


def unknown_values(name: str, matcher: promql.Matcher, known: Inventory) -> Iterator[str]:
    """Each alternative of a pattern has to fit something that the code can say."""
    allowed = known.values.get((family_of(name), matcher.name))
    if allowed is None:
        return
    is_pattern = matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe)
    for word in matcher.value.split("|") if is_pattern else [matcher.value]:
        fits = any(re.fullmatch(word, each) for each in allowed) if is_pattern else word in allowed
        if not fits:
            yield f'{matcher.name} of {name} is never "{word}"'


def family_of(sample: str) -> str:
    return re.sub(r"_(total|bucket|sum|count)$", "", sample)


def missing_labels(labels: list[str], node: promql.Expr, known: Inventory) -> Iterator[str]:
    for name in selected(node):
        for label in labels:
            if label not in known.samples.get(name, {label}):
                yield f"{name} has no label {label}"


def selected(node: promql.Expr) -> set[str]:
    """Metrics that an expression is made of."""
    if isinstance(node, promql.VectorSelector):
        return {node.name}
    return {name for child in children(node) for name in selected(child)}
