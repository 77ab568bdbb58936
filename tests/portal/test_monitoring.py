"""What ``deploy/`` ships for Prometheus and Grafana asks for what the portal tells, and for nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.portal.expressions import Inventory, declared, faults, inventory

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@cache
def known() -> Inventory:
    return inventory()


@cache
def dashboard() -> dict[str, Any]:
    return json.loads((DEPLOY / "grafana" / "portal.json").read_text())  # type: ignore[no-any-return]


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / name).read_text())  # type: ignore[no-any-return]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in read("prometheus/alerts.yml")["groups"] for rule in group["rules"]]


def expressions() -> Iterator[Any]:
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_asks_for_what_there_is(expression: str) -> None:
    assert faults(expression, known()) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("sum(rate(searches_totall[5m]))", "there is no metric searches_totall"),
        ("search_seconds", "there is no metric search_seconds"),
        ("rate(search_seconds_total[5m])", "there is no metric search_seconds_total"),
        ("answers_running_total", "there is no metric answers_running_total"),
        ("process_virtual_memory_bytes", "there is no metric process_virtual_memory_bytes"),
        ("python_info", "there is no metric python_info"),
        ('rate(searches_total{kind="hybrid"}[5m])', "searches_total has no label kind"),
        ("sum by (stage) (rate(searches_total[5m]))", "searches_total has no label stage"),
        ("answers_running / on (stage) sockets_open", "answers_running has no label stage"),
        ('rate(answers_total{outcome="ended"}[5m])', 'outcome of answers_total is never "ended"'),
        (
            'rate(ingest_stage_seconds_sum{stage=~"parsing|fusion"}[5m])',
            'stage of ingest_stage_seconds_sum is never "fusion"',
        ),
        (
            'rate(request_latency_seconds_count{endpoint="no-such-page"}[5m])',
            'endpoint of request_latency_seconds_count is never "no-such-page"',
        ),
        ('up{job="portal"}', 'job of up is never "portal"'),
        ("rate(answers_running[5m])", "answers_running does not count up"),
        ("histogram_quantile(0.9, rate(search_seconds_sum[5m]))", "search_seconds_sum has no buckets"),
        (
            "histogram_quantile(0.9, sum by (cached) (rate(search_seconds_bucket[5m])))",
            "a quantile needs the label le",
        ),
    ],
)
def test_one_that_asks_for_more_is_told(expression: str, fault: str) -> None:
    assert fault in faults(expression, known())


def test_one_that_cannot_be_read_is_told() -> None:
    (fault,) = faults("sum(rate(searches_total[5m])", known())
    assert fault.startswith("cannot be read")


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == DATASOURCE, panel["title"]
    (variable,) = dashboard()["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_alert_says_what_it_means() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert all(rule["annotations"].values())
        assert rule["for"]


def test_an_alert_names_no_label_that_its_expression_drops() -> None:
    for rule in rules():
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]):
            assert label in rule["expr"] or (label == "instance" and "up{" in rule["expr"]), rule["alert"]


def test_prometheus_reads_the_alerts_and_scrapes_what_compose_starts() -> None:
    given, compose = read("prometheus/prometheus.yml"), read("compose.yaml")
    assert all((DEPLOY / "prometheus" / name).exists() for name in given["rule_files"])
    jobs = {job["job_name"]: job for job in given["scrape_configs"]}
    assert set(jobs) == set(known().values["up", "job"])
    worker = compose["services"]["worker"]["environment"]
    (found,) = jobs["portal-worker"]["dns_sd_configs"]
    assert (found["names"], found["port"]) == (["worker"], worker["WORKER_METRICS_PORT"])
    ((target,),) = [each["targets"] for each in jobs["portal-web"]["static_configs"]]
    host, _colon, _port = target.partition(":")
    assert host in compose["services"]
    assert compose["services"]["web"]["environment"]["ALLOWED_HOSTS"].endswith(f",{host}")


def test_compose_starts_both_by_one_profile() -> None:
    compose = read("compose.yaml")
    by_profile = {
        name for name, each in compose["services"].items() if "monitoring" in each.get("profiles", [])
    }
    assert by_profile == {"prometheus", "grafana"}
    for name in by_profile:
        service = compose["services"][name]
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), "a pinned tag"
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
    token = compose["secrets"]["metrics_token"]["environment"]
    assert token in compose["services"]["web"]["environment"]


def test_grafana_finds_datasource_and_dashboard() -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = read("grafana/provisioning/dashboards/portal.yml")["providers"]
    mounted = [each.split(":")[1] for each in read("compose.yaml")["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/portal.json" in mounted


def test_every_metric_of_the_portal_is_documented() -> None:
    table = (ROOT / "docs" / "operations.md").read_text()
    inventory()  # loads every module that counts
    for name, kind, labels in declared():
        if not name.startswith("django_"):
            shown = name + "_total" if kind == "counter" else name
            (row,) = re.findall(rf"^\| `{shown}` \| (.*?) \|", table, re.MULTILINE) or [None]
            assert row is not None, f"{shown} is not in the table"
            assert {*re.findall(r"`(\w+)`", row)} == labels, shown
