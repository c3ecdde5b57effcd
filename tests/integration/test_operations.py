# SPDX-License-Identifier: Apache-2.0
"""What operators rely on beyond the main path: geo databases replaced while running, host names of endpoints that move,
failovers that wait for a person, and a state folder that cannot be written."""
import json
import os
import subprocess
import tomllib

import jsonschema
import pytest
from harness import BIN, BUILD, ROOT, Listener, Scenario, eventually, loopback

NAME = "www.ops.test"


@pytest.fixture
def scenario():
    with Scenario() as running:
        yield running


def two_gateways(first: str, second: str, service: str = "", extra: str = "") -> str:
    return f"""
{extra}
[zone."ops.test"]
ns = {{ "ns.ops.test" = ["127.0.0.1"] }}
[monitor.tcp]
type = "tcp"
port = 7000
interval = "200ms"
timeout = "100ms"
recheck = "50ms"
[region.north]
location = {{ latitude = 60, longitude = 10 }}
[region.south]
location = {{ latitude = -30, longitude = 20 }}
[gateway.north]
region = "north"
endpoints = ["{first}"]
monitors = ["tcp"]
[gateway.south]
region = "south"
endpoints = ["{second}"]
monitors = ["tcp"]
[service.www]
name = "{NAME}"
gateways = ["north", "south"]
policy = ["healthy", "nearest", "first 1"]
{service}
"""


def make_database(path, table: str):
    """Writes a geo database beside `path`, then puts it in its place, as careful scripts do."""
    (path.parent / "table.csv").write_text(table)
    made = path.parent / "made.mmdb"
    subprocess.run([next(BUILD.rglob("fairway-mmdb")), path.parent / "table.csv", made], check=True)
    os.replace(made, path)


def test_a_replaced_geo_database_is_noticed(scenario):
    first, second = loopback(), loopback()
    listeners = [Listener(first, 7000), Listener(second, 7000)]
    database = scenario.folder / "geo.mmdb"
    make_database(database, "192.0.2.0/24, NO, 60, 10, Oslo, 64496\n")
    scenario.start_fairwayd(two_gateways(first, second, extra=f'[geoip]\ndatabases = ["{database}"]'))
    assert scenario.addresses(NAME, "A", "192.0.2.0/24") == [first]
    make_database(database, "192.0.2.0/24, ZA, -30, 20, Bloemfontein, 64496\n")
    eventually("the new database decides", lambda: scenario.addresses(NAME, "A", "192.0.2.0/24") == [second])
    assert "reloaded" in scenario.fairway("events")
    for listener in listeners:
        listener.close()


def test_the_answer_follows_the_host_name_of_an_endpoint(scenario):
    before, after, other = loopback(), loopback(), loopback()
    listeners = [Listener(address, 7000) for address in (before, after, other)]
    zone = "$TTL 1\n@ SOA ns hostmaster 1 3600 600 86400 1\n@ NS ns\nns A 127.0.0.1\ngw A {}\n"
    with Scenario() as names:
        (names.folder / "hosts.zone").write_text(zone.format(before))
        names.start_fairwayd(f"""
[zone."hosts.test"]
file = "hosts.zone"
""" + two_gateways(other, before))
        scenario.start_fairwayd(two_gateways("gw.hosts.test", other, extra=f"""
[probes]
resolvers = ["{names.address}:{names.port}"]
[geoip.default]
latitude = 60
longitude = 10
"""))
        assert scenario.addresses(NAME) == [before]
        (names.folder / "hosts.zone").write_text(zone.format(after))
        names.fairway("reload")
        eventually("the new address is answered", lambda: scenario.addresses(NAME) == [after])
        # A resolver that is gone takes nothing away: the last good address stays, and somebody is told.
        names.programs[0].stop()
        eventually("the trouble is told", lambda: "gw.hosts.test" in scenario.fairway("events"), 60)
        assert scenario.addresses(NAME) == [after]
    for listener in listeners:
        listener.close()


def test_a_failover_that_waits_happens_when_a_person_confirms_it(scenario):
    first, second = loopback(), loopback()
    listeners = [Listener(first, 7000), Listener(second, 7000)]
    scenario.start_fairwayd(two_gateways(first, second, 'failover = "confirm"', """
[geoip.default]
latitude = 60
longitude = 10
"""))
    assert scenario.addresses(NAME) == [first]
    listeners[0].close()
    eventually("it waits", lambda: "waiting" in scenario.fairway("events"))
    assert scenario.addresses(NAME) == [first]
    assert scenario.fairway_raw("confirm", "nothing").returncode == 4
    scenario.fairway("confirm", "www")
    eventually("the other gateway answers", lambda: scenario.addresses(NAME) == [second])
    again = Listener(first, 7000)
    eventually("the first is back at once", lambda: scenario.addresses(NAME) == [first])
    again.close()
    listeners[1].close()


def test_a_state_folder_that_is_a_file_does_not_stop_the_answers(scenario):
    first, second = loopback(), loopback()
    listeners = [Listener(first, 7000), Listener(second, 7000)]
    (scenario.folder / "state").write_text("in the way")
    scenario.start_fairwayd(two_gateways(first, second))
    assert scenario.addresses(NAME) in ([first], [second])
    refused = scenario.fairway_raw("drain", "north", "--reason", "x", "--for", "1h")
    assert refused.returncode == 1 and "cannot be kept" in refused.stderr and str(scenario.folder) in refused.stderr, refused
    for listener in listeners:
        listener.close()


def test_a_monitor_whose_authority_cannot_be_read_is_refused_before_it_runs(scenario):
    first, second = loopback(), loopback()
    good = two_gateways(first, second)
    bad = good.replace('type = "tcp"\n', 'type = "tls"\ntls = { ca_file = "gone.pem" }\n')
    scenario.write_config(bad)
    checked = subprocess.run([BIN / "fairwayd", "--check", scenario.folder / "fairway.toml"], capture_output=True,
                             text=True, timeout=30)
    assert checked.returncode == 2 and 'monitor "tcp"' in checked.stderr and "gone.pem" in checked.stderr, checked
    listeners = [Listener(first, 7000), Listener(second, 7000)]
    scenario.start_fairwayd(good)
    scenario.write_config(bad)
    assert scenario.fairway_raw("reload").returncode == 2
    assert scenario.addresses(NAME)
    for listener in listeners:
        listener.close()


def test_the_schema_accepts_the_examples_and_refuses_what_the_loader_refuses():
    text = subprocess.run([BIN / "fairway", "config", "schema"], capture_output=True, text=True, check=True,
                          timeout=30).stdout
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    examples = [ROOT / "conf" / "fairway.toml", ROOT / "conf" / "demo.toml", *(ROOT / "conf" / "examples").glob("*.toml")]
    for example in examples:
        document = tomllib.loads(example.read_text())
        assert list(validator.iter_errors(document)) == [], example
        document["sevrer"] = {}
        assert list(validator.iter_errors(document)), example
    document = tomllib.loads((ROOT / "conf" / "demo.toml").read_text())
    document["monitor"]["ike"]["fall"] = 0
    assert list(validator.iter_errors(document))


def test_mistakes_on_the_command_line_are_told_and_exit_with_2(scenario):
    (scenario.folder / "bad.toml").write_text('[monitor.x]\ntype = "tpc"\nintervall = "2s"\n')
    checked = subprocess.run([BIN / "fairwayd", "--check", scenario.folder / "bad.toml"], capture_output=True, text=True,
                             timeout=30)
    assert checked.returncode == 2
    assert "bad.toml:2:" in checked.stderr and 'did you mean "tcp"' in checked.stderr, checked.stderr
    by_cli = scenario.fairway_raw("config", "check", scenario.folder / "bad.toml")
    assert by_cli.returncode == 2 and "bad.toml:2:" in by_cli.stdout + by_cli.stderr
    assert subprocess.run([BIN / "fairwayd", "--nonsense"], capture_output=True, timeout=30).returncode == 2
    unreachable = scenario.fairway_raw("status")
    assert unreachable.returncode == 3 and str(scenario.control) in unreachable.stderr
