"""A search on one machine takes nothing from where it stands, and shows nothing to whoever else is there."""

from __future__ import annotations

import ipaddress
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SECRET = "sesame-open-your-door"
# Named like modules that every process of a search imports, of the standard library and of others.
MODULES = ("random", "statistics", "secrets", "socket", "numpy", "torch", "mlflow", "ray", "rich")


def ray_folder(family):
    """Where the Ray of a search keeps its files; None before it is there."""
    for process in family:
        with suppress(psutil.Error):
            for argument in process.cmdline():
                if argument.startswith("--log_dir="):
                    return Path(argument.removeprefix("--log_dir=")).parents[2]
    return None


def listening(family):
    for process in family:
        with suppress(psutil.Error):
            yield from (
                (process.name(), c.laddr.ip) for c in process.net_connections("inet") if c.status == "LISTEN"
            )


@pytest.mark.timeout(600)
def test_a_search_is_alone(shell):
    """One search, of which much is asked.

    Modules of the current folder are not imported, in any process. Ray's folder is this user's alone, holds
    no secret, and is gone in the end; no command line has the secret; whoever listens does so on loopback.
    Where the path of the temporary folder is too long for sockets, one line says so.
    """
    folder = shell.folder / "hostile"
    long = folder / ("long" * 20)
    long.mkdir(parents=True)
    (folder / "tiny.yaml").write_text(
        (shell.folder / "tiny.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for name in MODULES:
        (folder / f"{name}.py").write_text(
            f"open({str(folder / 'was-imported')!r}, 'a').write({name!r})", encoding="utf-8"
        )
    hostile = type(shell)(folder, {"AWS_SECRET_ACCESS_KEY": SECRET, "TMPDIR": str(long)})
    driver = hostile.drive("search", "tiny.yaml")
    assert driver.wait_for(lambda: ray_folder(driver.family()) is not None), driver.told
    ray = ray_folder(driver.family())
    heard, lines, logs = set(), [], {}

    def looked() -> bool:
        time.sleep(0.2)  # looking takes a core, which the search needs
        family = driver.family()
        for process in family:
            with suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()))
        heard.update(listening(family))
        logs.update({path: path.read_bytes() for path in ray.rglob("*.log") if path.is_file()})
        return any("t00" in line and " done" in line for line in list(driver.lines))

    assert driver.wait_for(looked), driver.told
    assert stat.S_IMODE(ray.stat().st_mode) == 0o700
    assert ray.stat().st_uid == os.getuid()
    assert len(str(ray)) < len(str(long))
    assert driver.end() == 0, driver.told

    assert f"TMPDIR={long} is too long for Ray's sockets" in driver.told
    assert "Best: t0" in driver.told
    assert not (folder / "was-imported").exists()
    assert any("raylet" in line for line in lines)
    assert any("ray::" in line for line in lines)  # a worker
    assert not [line for line in lines if SECRET in line]
    assert any(logs.values())
    assert not [path for path, text in logs.items() if SECRET.encode() in text]
    names = {name for name, _ in heard}
    assert {"raylet", "gcs_server"} <= names
    addresses = {ipaddress.ip_address(address) for _, address in heard}
    plain = {getattr(address, "ipv4_mapped", None) or address for address in addresses}
    assert all(address.is_loopback for address in plain), heard
    assert not ray.exists()
