"""What the machine tells of itself."""

from pathlib import Path

import pytest

from aisle.core import machine
from aisle.core.machine import Machine


def test_memory_load_and_processors_are_told() -> None:
    told = Machine().info()
    assert told["mem_used"] > 0
    assert told["mem_avail"] > 0
    assert 0 < told["pct_mem_used"] <= 100
    assert 0 <= told["cpu_util"] <= 100
    assert set(told["load_avg"]) == {"One", "Five", "Fifteen"}


def test_rates_are_since_the_last_question(tmp_path: Path) -> None:
    looked = Machine()
    device = machine.device_of(str(tmp_path))
    for _ in range(2):
        found = looked.disks([str(tmp_path), "/nowhere"])
        assert set(found) <= {device}
        assert all(value >= 0 for disk in found.values() for value in disk.values())


def test_a_path_lies_on_a_file_system(tmp_path: Path) -> None:
    assert machine.file_system_of(str(tmp_path)).endswith(")")
    assert machine.device_of("/proc") == ""
    assert machine.device_of("/nowhere") == ""


def test_a_container_has_what_it_is_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    whole = machine.memory()
    (tmp_path / "memory.max").write_text("1048576\n")
    (tmp_path / "memory.current").write_text("524288\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 262144\n")
    (tmp_path / "cpu.stat").write_text("nr_periods 200\nnr_throttled 50\n")
    granted = machine.memory()
    assert (granted.total, granted.available, granted.used) == (1048576, 786432, 262144)
    assert machine.throttled() == 25
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory().total == whole.total
