"""Runs in a process of its own, because torchvision is imported once per process."""

import os
import subprocess
import sys

CODE = """
import gc, sys, torch
from medfl.models import build_model
build_model("cnn", 2, 1, 28)
print("torchvision" in sys.modules)

def fail(path):
    raise OSError("cannot open libcudart")
torch.ops.load_library = fail  # as beside a CPU-only torch, whatever is installed here

from medfl.models.torchvision_cpu import import_torchvision
torchvision = import_torchvision()
gc.collect()
print(import_torchvision() is torchvision)
print(tuple(build_model("resnet18", 2, 1, 28).eval()(torch.zeros(1, 1, 28, 28)).shape))
try:
    torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
except NotImplementedError:
    print("not there")
print("torch._dynamo" in sys.modules)
answer = sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu")
from torch._dynamo.utils import is_compile_supported
print(answer == is_compile_supported("cpu"))
"""


def test_torchvision_comes_on_demand_and_without_its_compiled_operators():
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert result.stdout.splitlines() == [
        "False",
        "True",
        "(1, 2)",
        "not there",
        "False",  # PyTorch's compiler was not started for it,
        "True",  # and what asks it still gets its answer
    ], result.stderr
