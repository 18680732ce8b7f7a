"""What is given away: built, installed into an empty environment, and tried out there."""

import os
import subprocess
import sys

import pytest
from paths import TOP


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_wheel_and_the_source_archive_install_and_record_a_session():
    env = {**os.environ, "XRAY_PYTHONS": sys.executable}
    done = subprocess.run([sys.executable, "scripts/wheels.py", "--first"], cwd=TOP, env=env)
    assert done.returncode == 0
