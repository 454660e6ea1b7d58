"""Every hook of a link of one's own that gives, or does, what it must not is one sentence."""

from __future__ import annotations

import pytest
from federations import federation
from toy_stores import write_run_of_two_clients

from medfl import cli
from medfl.errors import MedflError

LINK = """
import itertools, os, random
from dataclasses import replace
import numpy as np
import torch
from medfl.chain import Link, WeightedSum
from medfl.results.columns import Column

class Short(WeightedSum):
    def total(self):
        return {n: replace(t, mean=t.mean[:1]) for n, t in super().total().items()}

class Never(WeightedSum):
    def total(self):
        pass

class Mine(Link):
    stage = "attack"
    columns = (Column("x", "x"),)
    client_columns = (Column("y", "y"),)

    def row(self, notes):
        return {"x": 1.0}
"""
BATCHES = "batches(self, client, rows, purpose)"
SAMPLES = "samples(self, client, images, labels)"
GRADIENT = "gradient(self, client, model, images, labels, backward)"
MESSAGE, OPEN = "message(self, client, message)", "open(self, number, clients)"
ROW, CLIENT_ROW = "row(self, notes)", "client_row(self, client)"
TRAFFIC, PRIVACY = "traffic(self, number, up, down)", "privacy(self)"
JUDGE, SETUP = "judge(self, labels, say)", "setup(self, server)"
COMBINATION, CLOSE = "combination(self, number, inner)", "close(self, number, total, answered)"
ROWS_OF_TABLES = "gave {}, but needed is a dictionary of column → number, or None"
PAIR = "gave {}, but needed is a pair of whole numbers of 0 or more, the bytes up and down"
LOSS = "needed is the batch's mean loss, a tensor of one real number, as `backward` gives it"
SHAPES = "gave {}, but needed is a pair: images and labels of the shapes that it was given"
# What a hook does, and what is said of it after "`hook` of the link `my_hooks:Mine` ".
WRONG = {
    (BATCHES, "while True: yield client.rows[:1]"): "gave more batches than the 2 of this descent",
    (BATCHES, "return itertools.repeat(client.rows[:0])"): "gave more batches than the 2 of this",
    (BATCHES, "return []"): "gave no batch at all, so the client would send what it has not train",
    (BATCHES, "return (r for r in rows if False)"): "gave no batch at all",
    (BATCHES, "return 1.0"): "gave float, but needed is an iterator of batches",
    (BATCHES, "client.rows[:] = 0; return rows"): "has changed `client.rows`, the samples that",
    (BATCHES, "client.rows = client.rows[:1]; return rows"): "has changed `client.rows`",
    (OPEN, "return [0.0]"): "in its list, gave float, but needed is a whole number, one of the ids",
    (OPEN, "return [False]"): "in its list, gave bool, but needed is a whole number",
    (OPEN, "return [[0]]"): "in its list, gave list, but needed is a whole number",
    (OPEN, "return [7]"): "gave [7]: it must give each client at most once",
    (SAMPLES, "pass"): SHAPES.format("NoneType"),
    (SAMPLES, "return float('nan')"): SHAPES.format("float"),
    (SAMPLES, "return images"): SHAPES.format("Tensor"),
    (SAMPLES, "return images.numpy(), labels"): "as its images, gave ndarray, but needed is a ten",
    (SAMPLES, "return images, 'x'"): "as its labels, gave str, but needed is a tensor",
    (SAMPLES, "return images[:1], labels[:1]"): "gave images of shape (1, 1, 6, 6) (torch.uint8)",
    (SAMPLES, "return images, labels[:1]"): "gave labels of shape (1,) (torch.int64), but needed",
    (SAMPLES, "return images, labels.float()"): "gave labels of shape (4,) (torch.float32), but",
    (SAMPLES, "return images, labels * 0 + 9"): "gave labels from 9 to 9, but needed are classes",
    (SAMPLES, "return images, torch.full((4, 3), torch.nan)"): "gave labels from nan to nan, but n",
    (GRADIENT, "pass"): f"gave NoneType, but {LOSS}",
    (GRADIENT, "backward(images, labels); return 1.0"): f"gave float, but {LOSS}",
    (
        GRADIENT,
        "return backward(images, labels)[None]",
    ): "gave torch.float64 of shape (1,), but",
    (GRADIENT, "return torch.tensor(1.0)"): "left no gradient in the model, so the step would tra",
    (MESSAGE, "message.parts['parameters'].base.zero_(); return message"): "has changed a vector of"
    " `parameters` in place, which is not its own",
    (MESSAGE, "message.parts['parameters'].value.zero_(); return message"): "has changed a vector",
    (MESSAGE, "return replace(message, steps=-1)"): "gave `steps` of -1: give a whole number, or",
    (MESSAGE, "return replace(message, sealed='x')"): "as `sealed`, gave str, but needed is a medf",
    (COMBINATION, "return Short()"): "`total`, in `parameters`, is torch.float64",
    (COMBINATION, "return Never()"): "`total` gave NoneType, but needed is the total that the",
    (CLOSE, "total['parameters'].base.zero_(); return total"): "has changed a vector of",
    (ROW, "pass"): ROWS_OF_TABLES.format("NoneType"),
    (ROW, "return []"): ROWS_OF_TABLES.format("list"),
    (ROW, "return {}"): "gave [], but its `columns` are ['x']: they must be the same",
    (ROW, "return {'x': 'y'}"): "as `x`, gave str, but needed is a number, or None where there is",
    (ROW, "return {'x': float('nan')}"): "gave x nan: give a number, or None where there is none",
    (ROW, "return {'x': torch.tensor(1.0)}"): "as `x`, gave Tensor, but needed is a number",
    (CLIENT_ROW, "return []"): ROWS_OF_TABLES.format("list"),
    (CLIENT_ROW, "return {'x': 1.0}"): "gave ['x'], but its `client_columns` are ['y']: declare",
    (JUDGE, "return 1.0"): ROWS_OF_TABLES.format("float"),
    (JUDGE, "say(lambda i: i[:1]); return {}"): "the function of `say` gave torch.uint8 of shape",
    (JUDGE, "say(lambda i: None); return {}"): "the function of `say` gave NoneType, but needed is",
    (JUDGE, "say(3); return {}"): "`say` gave int, but needed is called with a function",
    (TRAFFIC, "pass"): PAIR.format("NoneType"),
    (TRAFFIC, "return up"): PAIR.format("int"),
    (TRAFFIC, "return float('nan'), down"): PAIR.format("float"),
    (TRAFFIC, "return -1, down"): "gave -1 bytes, but needed is a pair",
    (TRAFFIC, "return 10**400, down"): "gave 2^53 or more bytes, but needed is a pair",
    (PRIVACY, "pass"): "gave NoneType, but needed is a dictionary of names and values",
    (PRIVACY, "return {'epsilon': float('nan')}"): "gave what JSON cannot hold",
    (PRIVACY, "return {'epsilon': -1.0}"): "gave epsilon -1.0: give a number, 0 or more, or None",
    (PRIVACY, "return {'delta': 2}"): "gave delta 2: give a number, from 0 to 1, or None",
    (PRIVACY, "return {'epsilon': 'small'}"): "as `epsilon`, gave str, but needed is a number",
    (PRIVACY, "return {'unit': 5}"): "as `unit`, gave int, but needed is a text, or None",
    (SETUP, "server.vector.zero_()"): "has changed the server's model, with which the run begins",
    (SETUP, "server.vector = None"): "has changed the server's model",
    (SETUP, "self.state = None"): "as `state`, gave NoneType, but needed is a dictionary of tens",
    (SETUP, "self.hides_steps = 5"): "as `hides_steps`, gave int, but needed is True or False",
    (SETUP, "os.chdir('/')"): "has changed the current folder (os.chdir) while a run trained",
    (ROW, "raise StopIteration"): ": StopIteration (in Mine.row, line ",
    (SAMPLES, "raise StopIteration"): ": StopIteration (in Mine.samples, line ",
}
# A class attribute, and what is said of it.
ATTRIBUTES = {
    "public_pixels = 'no'": "its class attribute `public_pixels` is 'no': it must be True or False",
    "columns = 5": "its class attribute `columns` is 5: it must be tuple",
    "stage = property(lambda s: 'x')": "`stage` of the link `my_hooks:Mine` is 'x': it must be one",
    "idle = property(lambda s: None)": "`idle` of the link `my_hooks:Mine` gave NoneType, but need",
    "sums_alone = property(lambda s: 1)": "`sums_alone` of the link `my_hooks:Mine` gave int, but",
    "columns = property(lambda s: [1])": "`columns` of the link `my_hooks:Mine` gave list, but nee",
    "hides_steps = 'no'": "`hides_steps` of the link `my_hooks:Mine` gave str, but needed is True",
}


@pytest.fixture
def made(own_module):
    def make(more, **settings):
        own_module("my_hooks", f"{LINK}\n{more}")
        chain = {"links": {"my_hooks:Mine": {}}}
        return federation(**{"rounds": 1, "chain": chain, **settings})

    return make


def hooked(hook, body):
    return f"    def {hook}:\n        {body}\n"


@pytest.mark.parametrize(("hook", "body"), WRONG)
def test_it_is_refused_by_the_hook_s_name(made, hook, body):
    def asked():
        trainer = made(hooked(hook, body))
        trainer.train()
        return trainer.columns  # for which the tables ask what it promises

    with pytest.raises(MedflError) as error:
        asked()
    said = str(error.value)
    assert said.startswith(f"`{hook.split('(')[0]}` of the link `my_hooks:Mine`")
    assert WRONG[hook, body] in said
    assert "\n" not in said


@pytest.mark.parametrize("line", ATTRIBUTES)
def test_an_attribute_of_another_type_is_refused(made, line):
    with pytest.raises(MedflError) as error:
        made(f"    {line}\n")
    assert ATTRIBUTES[line] in str(error.value)


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        (OPEN, "return list(np.array(clients))"),
        (BATCHES, "return itertools.islice(rows, 2)"),  # fewer than planned
        (BATCHES, "return (client.rows[:3] for _ in rows)"),
        (SAMPLES, "images.zero_(); return images, labels"),  # they are the batch's own
        (SAMPLES, "return images.double() / 2, torch.full((len(labels), 3), 1 / 3).double()"),
        (CLIENT_ROW, "return {'y': np.float32(1.5)}"),
        (ROW, "return {'x': None}"),
        (TRAFFIC, "return np.int64(up + 8), down"),
        (PRIVACY, "return {'mechanism': 'mine', 'unit': 'image', 'epsilon': 1.0, 'delta': 1e-5}"),
        (JUDGE, "assert say(lambda i: i.clone()).shape[1] == 3; return {'x': 0.5}"),
        (CLOSE, "return {n: replace(t, mean=t.mean / 2) for n, t in total.items()}"),
    ],
)
def test_what_a_hook_may_do_is_taken(made, hook, body):
    trainer = made(hooked(hook, body))
    trainer.train()
    assert trainer.status == "completed"


@pytest.mark.parametrize("wanted", [3, 4])
def test_where_steps_are_set_there_are_no_more_batches(made, wanted):
    body = f"return (client.rows[:2] for _ in range({wanted}))"
    trainer = made(hooked(BATCHES, body), local_steps=3)
    if wanted == 3:
        trainer.train()
        assert {client.steps for client in trainer.clients} == {3}
    else:
        with pytest.raises(MedflError, match="gave more batches than the 3 of this descent"):
            trainer.train()


def test_what_check_does_to_the_configuration_and_links_is_undone(made):
    body = "links.clear(); config.chain.links.clear()"
    trainer = made(hooked("check(self, config, algorithm, links)", body))
    assert [link.name for link in trainer.server.chain.links] == ["my_hooks:Mine"]
    assert list(trainer.config.chain.links) == ["my_hooks:Mine"]


def test_an_effect_is_a_line(made):
    trainer = made("    effect = 'word ' * 300\n")
    with pytest.raises(MedflError, match=r"`effect` of the link .* a text of 1,500 signs"):
        _ = trainer.server.objective


def test_rounds_that_nobody_answers_are_said(made, caplog):
    made(hooked(MESSAGE, "return None"), rounds=2).train()
    assert "no client answered in any round: the model is the one that the run began" in caplog.text


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        (BATCHES, "while True: yield client.rows[:1]"),
        (BATCHES, "return []"),
        (PRIVACY, "os.chdir('/'); return {}"),  # after which files would lie elsewhere
        (SETUP, "os.chdir('/')"),
        (TRAFFIC, "return float('nan'), down"),
        (ROW, "raise SystemExit(0)"),
    ],
)
def test_the_command_ends_with_2_and_one_line(own_module, tmp_path, capsys, hook, body):
    own_module("my_hooks", LINK + hooked(hook, body))
    write_run_of_two_clients(tmp_path, chain={"links": {"my_hooks:Mine": {}}})
    assert cli.main(["run", "--config", "run.yaml", "--output-dir", "one"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert errors[0].startswith("medfl: error: ")
    assert not (tmp_path / "one/metrics.json").exists()
