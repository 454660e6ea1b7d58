"""What a run's record says of the processor and the memory that it took."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, sys, time
from medfl.federated.usage import peak_memory, processor_seconds
before = processor_seconds(), peak_memory()
end = time.process_time() + 0.3
while time.process_time() < end: pass
if sys.argv[1] == "child":
    import subprocess
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.5: pass"])
held = b"x" * int(sys.argv[2])
del held
print(json.dumps([after - b for after, b in zip((processor_seconds(), peak_memory()), before)]))
"""


def used(who: str, size: int) -> list[float]:
    command = [sys.executable, "-c", CODE, who, str(size)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def test_seconds_and_bytes_are_those_that_were_taken():
    size = 300 * 2**20
    seconds, memory = used("alone", size)
    assert 0.29 < seconds < 1
    assert 0.9 * size < memory < 1.1 * size


def test_the_seconds_of_a_child_count_too():
    assert used("child", 0)[0] > 0.75
