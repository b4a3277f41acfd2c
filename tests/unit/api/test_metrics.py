# SPDX-License-Identifier: Apache-2.0
"""The figures of one process."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dbflow.metrics import Metrics
from tests.unit.api.world import OWNER, World


def samples(metrics: Metrics) -> dict[str, float]:
    """As ``name{label="value",…}``, labels in the order of their names."""
    text, _ = metrics.text()
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_gauge_is_looked_up_when_somebody_asks() -> None:
    metrics, values = Metrics(), {("a",): 1.0}
    metrics.gauge("dbflow_test", "A test.", ["name"], lambda: values)
    assert samples(metrics)['dbflow_test{name="a"}'] == 1
    values.clear()
    assert not [name for name in samples(metrics) if name.startswith("dbflow_test")]


def test_requests_are_counted_by_the_pattern_of_their_url(world: World) -> None:
    instance_id = world.active()
    for _ in range(3):
        assert world.ask("GET", f"instances/{instance_id}").status_code == 200
    assert world.ask("GET", "instances/nowhere").status_code == 404
    assert world.ask("GET", f"/v1.0/p1/{instance_id}").status_code == 404
    assert world.ask("GET", "instances", None).status_code == 401
    assert world.ask("BREW", "instances").status_code == 405
    found = samples(world.services.metrics)
    route = "/v1.0/<project>/instances/<instance_id>"
    counted = {name: value for name, value in found.items() if name.startswith("dbflow_http_requests_total")}
    assert counted[f'dbflow_http_requests_total{{method="GET",route="{route}",status="200"}}'] == 3
    assert counted[f'dbflow_http_requests_total{{method="GET",route="{route}",status="404"}}'] == 1
    assert counted['dbflow_http_requests_total{method="GET",route="none",status="404"}'] == 1
    assert counted['dbflow_http_requests_total{method="GET",route="/v1.0/<project>/instances",status="401"}'] == 1
    assert any('method="other"' in name and 'status="405"' in name for name in counted)
    assert found[f'dbflow_http_request_seconds_count{{method="GET",route="{route}"}}'] == 4
    assert instance_id not in metrics_text(world)
    assert found["dbflow_sql_connections"] == 0


def test_the_newest_number_of_connections_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although one that looked before is interrupted before it tells."""
    looked, told, numbers = threading.Event(), threading.Event(), iter([1, 0])

    def in_use() -> int:
        number = next(numbers)
        if number:
            looked.set()
            told.wait(0.5)
        return number

    def ask() -> None:
        assert world.app.test_client().get("/v1.0/p1/instances", headers=OWNER).status_code == 200

    monkeypatch.setattr(world.database, "in_use", in_use)
    earlier = threading.Thread(target=ask)
    earlier.start()
    assert looked.wait(30)
    ask()
    told.set()
    earlier.join()
    assert samples(world.services.metrics)["dbflow_sql_connections"] == 0


def metrics_text(world: World) -> str:
    return world.services.metrics.text()[0].decode()


def test_accepted_operations(world: World) -> None:
    world.created()
    assert samples(world.services.metrics)['dbflow_operations_accepted_total{kind="instance.create"}'] == 1


@pytest.mark.parametrize("path", ["/metrics", "/v1.0/metrics"])
def test_not_on_the_port_of_the_api(world: World, path: str) -> None:
    assert world.ask("GET", path, None).status_code in (401, 404)
    assert "dbflow_http" not in world.ask("GET", path, None).text
