"""Every hook of an algorithm of one's own that gives, or does, what it must not is one sentence."""

from __future__ import annotations

import pytest
from federations import federation
from toy_stores import write_run_of_two_clients

from medfl import cli
from medfl.errors import MedflError

ALGORITHM = """
import os
from dataclasses import replace
import numpy as np
import torch
from medfl.algorithms import FederatedAlgorithm
from medfl.chain import Part, Work
from medfl.results.columns import Column

def cut(parts):
    return {k: replace(p, value=p.value[:1]) for k, p in parts.items()}

class Mine(FederatedAlgorithm):
    columns = (Column("x", "x"),)
    client_columns = (Column("y", "y"),)
"""
SETUP, NAMES, BROADCAST = "setup(self, server)", "local_names(self, model)", "broadcast(self)"
TRAIN, MESSAGE = "train(self, client, model)", "message(self, client, model, work)"
LOSS = "loss(self, model, images, labels, client)"
CORRECT = "correct_gradient(self, gradient, model, client)"
SENT, WEIGH = "sent(self, client, message, work)", "weigh(self, messages)"
STEP, AGGREGATE = "step(self, total)", "aggregate(self, total)"
ROW, CLIENT_ROW, EXTRA = "row(self)", "client_row(self, client)", "extra_work(self)"
JUDGED, PERSONAL = "judged(self)", "personal_model(self, client, model)"
OBJECTIVE = "objective(self)"
TABLE = "gave {}, but needed is a dictionary of column → number, or None where there is none"
PARTS = "return {{k: replace(p, {}) for k, p in client.model_parts(model).items()}}"
VALUE = "needed is the batch's loss, a tensor of one real number that has a gradient"
NOTHING = "gave float, but needed is nothing: "
# What a hook does, and what is said of it after "`hook` of the algorithm `my_hooks:Mine` ". The
# model of these federations has 36 · 3 weights and 3 biases, 111 parameters in double precision.
WRONG = {
    (SETUP, "server.vector.zero_()"): "has changed the server's model, with which the run begins",
    (SETUP, "self.state = None"): "as `state`, gave NoneType, but needed is a dictionary of tens",
    (SETUP, "os.chdir('/')"): "has changed the current folder (os.chdir) while a run trained",
    (NAMES, "pass"): "gave NoneType, but needed is a set of names of the model's parameters",
    (NAMES, "return 'weight'"): "gave str, but needed is a set of names",
    (NAMES, "return {'nothing'}"): "gave 'nothing', which the model does not have",
    (BROADCAST, "pass"): "gave NoneType, but needed is a dictionary of name → tensor",
    (BROADCAST, "return {'c': 1.0}"): "as `c`, gave float, but needed is a tensor",
    (BROADCAST, "return {'parameters': torch.zeros(3)}"): "as `parameters`, gave torch.float32 of "
    "shape (3,): it must give real numbers of shape (111,)",
    (TRAIN, "pass"): "gave NoneType, but needed is a Work, as client.descend gives it",
    (TRAIN, "return Work(None, 1, 1)"): "as its `loss`, gave NoneType, but needed is a number",
    (TRAIN, "return Work(1.0, -1, 1)"): "gave `steps` of -1: it must give a whole number, 0 or mo",
    (TRAIN, "return Work(1.0, 1.5, 1)"): "gave `steps` of 1.5: it must give a whole number",
    (TRAIN, "return Work(1.0, 1, True)"): "gave `gradients` of True: it must give a whole number",
    (TRAIN, "return Work(1.0, 1, 1, None)"): "as its `extras`, gave NoneType, but needed is a dict",
    (TRAIN, "return Work(1.0, 0, 0)"): "gave no step and no gradient of any client, so all would",
    (TRAIN, "client.received['parameters'].zero_(); return client.descend(model, 'train')"): "has "
    "changed `client.received['parameters']` in place, from which other clients start, too",
    (TRAIN, "client.keep(x=5); return client.descend(model, 'train')"): "as `x`, gave int, but nee",
    (TRAIN, "raise StopIteration"): ": StopIteration (in Mine.train, line ",
    (LOSS, "pass"): f"gave NoneType, but {VALUE}",
    (LOSS, "return 1.0"): f"gave float, but {VALUE}",
    (LOSS, "return model.module(images).sum(1)"): "gave torch.float64 of shape (",
    (LOSS, "return torch.tensor(1.0)"): "gave torch.float32 of shape () without a gradient: it mus",
    (CORRECT, "return 1.0"): f"{NOTHING}change the gradient in place",
    (MESSAGE, "return {}"): "gave no part `statistics` and `parameters`, of which the server takes",
    (MESSAGE, "return {'parameters': 1, 'statistics': 2}"): "as `parameters`, gave int, but needed",
    (MESSAGE, "return cut(client.model_parts(model))"): ": its part `parameters` is of shape (1,), "
    "but needed is (111,), as the server's is",
    (MESSAGE, PARTS.format("weight=-1.0")): ": its part `parameters` has the weight -1.0: it must",
    (MESSAGE, PARTS.format("weight='x'")): ": its part `parameters` has the weight x: it must be",
    (MESSAGE, PARTS.format("base=3")): ": its part `parameters` has another base than what the",
    (MESSAGE, PARTS.format("value=None")): ": its part `parameters` must be a vector (k,) of real",
    (SENT, "client.keep(x=None)"): "as `x`, gave NoneType, but needed is a tensor",
    (SENT, "message.parts['parameters'].value.zero_()"): "has changed a vector of `parameters` in",
    (WEIGH, "pass"): "gave NoneType, but needed is a list of messages",
    (WEIGH, "return ['x']"): "in its list, gave str, but needed is a Message",
    (WEIGH, "return messages + messages"): "gave messages of the clients [0, 1, 2, 0, 1, 2]: give ",
    (WEIGH, "return [replace(m, parts=cut(m.parts)) for m in messages]"): ": its part `parameters` "
    "is of shape (1,), but needed is (111,)",
    (WEIGH, "return [replace(m, parts={}) for m in messages]"): "gave a message without `parameter",
    (STEP, "return total['parameters'].mean"): "gave Tensor, but needed is nothing: write the new",
    (AGGREGATE, "return 1.0"): f"{NOTHING}write the new model into `self.server.vector`",
    (AGGREGATE, "self.server.vector = None"): "set `server.vector`, and gave NoneType, but needed",
    (AGGREGATE, "self.server.vector = self.server.vector[:1]"): "set `server.vector`, and gave "
    "torch.float64 of shape (1,): it must give real numbers of shape (111,)",
    (AGGREGATE, "self.server.vector = self.server.vector.float()"): "set `server.vector`, and gave "
    "torch.float32 on cpu: it must give torch.float64 on cpu",
    (AGGREGATE, "self.server.vector.copy_(total['parameters'].mean[:1])"): "gave one number, ",
    (AGGREGATE, "self.state = []"): "as `state`, gave list, but needed is a dictionary of tensors",
    (ROW, "pass"): TABLE.format("NoneType"),
    (ROW, "return []"): TABLE.format("list"),
    (ROW, "return {'q': 1.0}"): "gave ['q'], but its `columns` are ['x']: declare there what it",
    (ROW, "return {'x': 'y'}"): "as `x`, gave str, but needed is a number, or None where there is",
    (ROW, "return {'x': float('nan')}"): "gave x nan: give a number, or None where there is none",
    (CLIENT_ROW, "return []"): TABLE.format("list"),
    (CLIENT_ROW, "return {'y': float('nan')}"): "gave y nan: give a number, or None where there",
    (JUDGED, "return 1.0"): "gave float, but needed is a vector of shape (111,)",
    (JUDGED, "return self.server.vector[:1]"): "gave torch.float64 of shape (1,): it must give",
    (PERSONAL, "return 1.0"): f"{NOTHING}load it into `model`",
    (OBJECTIVE, "return []"): "gave list, but needed is a text",
}
# What each may do, and what docs/your-own-code.md lets it.
RIGHT = [
    (SETUP, "self.state['m'] = torch.zeros_like(server.vector)"),
    (NAMES, "return []"),
    (BROADCAST, "return {'parameters': self.server.vector * 0.9, 'c': torch.tensor(1)}"),
    (TRAIN, "return Work(np.float32(1), np.int64(0), 1)"),
    (TRAIN, "return Work(1.0, client.id, 0)"),  # client 0 trains nothing in this round
    (TRAIN, "client.keep(x=torch.zeros(2)); return client.descend(model, 'train')"),
    (LOSS, "return 2 * super().loss(model, images, labels, client)"),
    (CORRECT, "return gradient.mul_(0.5)"),
    (MESSAGE, "return {**client.model_parts(model, 1.0), 'c': Part(torch.ones(2), 1.0)}"),
    (WEIGH, "return messages[1:]"),
    (AGGREGATE, "return self.server.vector.copy_(total['parameters'].mean / 2)"),
    (AGGREGATE, "self.server.vector = total['parameters'].mean * 2"),
    (AGGREGATE, "self.server.vector.zero_()"),
    (ROW, "return {'x': np.float32(1)}"),
    (ROW, "return {}"),
    (CLIENT_ROW, "return {'y': None}"),
    (JUDGED, "return self.server.vector.float()"),
]


@pytest.fixture
def made(own_module):
    def make(more, **settings):
        own_module("my_hooks", f"{ALGORITHM}{more}")
        return federation("my_hooks:Mine", **{"rounds": 1, **settings})

    return make


def hooked(hook, body):
    personal = '    evaluated = "personal"\n' if hook == PERSONAL else ""
    return f"{personal}    def {hook}:\n        {body}\n"


@pytest.mark.parametrize(("hook", "body"), WRONG)
def test_it_is_refused_by_the_hook_s_name(made, hook, body):
    def asked():
        trainer = made(hooked(hook, body))
        trainer.train()
        return trainer.server.objective

    with pytest.raises(MedflError) as error:
        asked()
    said = str(error.value)
    name = "client.keep" if "client.keep" in body else hook.split("(")[0]
    assert said.startswith(f"`{name}` of the algorithm `my_hooks:Mine`")
    assert WRONG[hook, body] in said
    assert "\n" not in said


@pytest.mark.parametrize(("hook", "body"), RIGHT)
def test_what_a_hook_may_do_is_taken(made, hook, body):
    trainer = made(hooked(hook, body))
    trainer.train()
    assert trainer.status == "completed"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("loss_passes = -1", "its class attribute `loss_passes` is -1: it must be 0 or more"),
        ("loss_passes = property(lambda s: -1)", "`loss_passes` of the algorithm `my_hooks:Mine` "),
        (
            "columns = property(lambda s: [1])",
            "`columns` of the algorithm `my_hooks:Mine` gave int",
        ),
        ("pooled = property(lambda s: 'no')", "`pooled` of the algorithm `my_hooks:Mine` gave str"),
    ],
)
def test_an_attribute_of_another_kind_is_refused(made, line, words):
    with pytest.raises(MedflError) as error:
        made(f"    {line}\n")
    assert words in str(error.value)


def test_what_check_does_to_the_configuration_is_undone(made):
    trainer = made(hooked("check(self, config, model)", "config.chain.links['x'] = {}"))
    assert trainer.config.chain.links == {}


def test_a_class_of_one_s_own_that_is_right_gives_the_numbers_of_the_built_in_one(made):
    own, built_in = made("    pass\n", rounds=2), federation("fedavg", rounds=2)
    own.train()
    built_in.train()
    assert own.server.vector.equal(built_in.server.vector)


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        (JUDGED, "return 1.0"),
        (MESSAGE, "return cut(client.model_parts(model))"),
        (ROW, "return {'x': float('nan')}"),
        (EXTRA, "return []"),
        (EXTRA, "return 'x ' * 20_000"),
        (NAMES, "pass"),
    ],
)
def test_the_command_ends_with_2_and_one_line(own_module, tmp_path, capsys, hook, body):
    own_module("my_hooks", ALGORITHM + hooked(hook, body))
    write_run_of_two_clients(tmp_path, federated_learning={"algorithm": "my_hooks:Mine"})
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    name = hook.split("(")[0]
    assert errors[0].startswith(f"medfl: error: `{name}` of the algorithm `my_hooks:Mine`")
    assert not (tmp_path / "one/metrics.json").exists()
