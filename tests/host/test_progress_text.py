"""What runs say about themselves: on the node that runs, before the work, and the numbers are the counted ones."""

import logging
import re

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

NODE = ("a prompt", "7")


class Page:
    """What a client is sent, in the order of the messages: (client, node, [(kind, text)])."""

    client_id = "the client that queued"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, list[tuple[str, str]]]] = []

    def send_sync(self, event: str, data: dict, client: str) -> None:
        assert event == "appearance_transfer.messages"
        assert data["prompt_id"]
        assert data["display_node"] == data["node"]
        messages = [(message["kind"], message["text"]) for message in data["messages"]]
        self.sent.append((client, data["node"], messages))


@pytest.fixture
def page(host, monkeypatch):
    from server import PromptServer

    page = Page()
    monkeypatch.setattr(PromptServer, "instance", page, raising=False)
    return page


@pytest.fixture
def log(host):
    """A logger of its own with the handler under test."""
    from appearance_transfer.host.runtime.progress_text import attach_node_text

    logger = logging.getLogger("appearance_transfer.tests.telling")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    attach_node_text(logger)
    attach_node_text(logger)
    yield logger
    logger.handlers.clear()


class TestOnTheNode:
    def test_messages_of_one_execution_come_together_and_each_once(self, page, log) -> None:
        from comfy_execution.utils import CurrentNodeContext

        with CurrentNodeContext(*NODE):
            log.info("It costs %d.", 3)
            log.warning("It does nothing.")
            log.info("It costs %d.", 3)
        cost, warning = ("note", "It costs 3."), ("warning", "It does nothing.")
        assert page.sent == [(Page.client_id, "7", [cost]), (Page.client_id, "7", [cost, warning])]

    def test_another_execution_begins_anew(self, page, log) -> None:
        from comfy_execution.utils import CurrentNodeContext

        for prompt in ("first", "second"):
            with CurrentNodeContext(prompt, "7"):
                log.info("It costs 3.")
        assert page.sent == [(Page.client_id, "7", [("note", "It costs 3.")])] * 2

    def test_outside_of_an_execution_and_without_a_server_it_is_silent(self, page, log, monkeypatch) -> None:
        from comfy_execution.utils import CurrentNodeContext
        from server import PromptServer

        log.info("Nobody runs.")
        monkeypatch.delattr(PromptServer, "instance")
        with CurrentNodeContext(*NODE):
            log.info("Nobody listens.")
        assert page.sent == []

    def test_the_pack_tells(self, host) -> None:
        from appearance_transfer.host.runtime.progress_text import NodeTextHandler

        handlers = logging.getLogger("appearance_transfer").handlers
        assert sum(isinstance(handler, NodeTextHandler) for handler in handlers) == 1


class TestCosts:
    """The number of evaluations said before a run is the number of samples that go through the network."""

    @pytest.fixture
    def model(self, host):
        return world.small_model()

    @pytest.fixture
    def evaluations(self, model, caplog):
        """told(): the evaluations that were said, and those that were counted, since the last call."""
        from appearance_transfer.benchmarks.evaluation_counter import CountEvaluations

        counts = CountEvaluations.execute(model).result[1]
        caplog.set_level(logging.INFO, "appearance_transfer")

        def read() -> tuple[int, int]:
            announced = sum(
                int(number) for number in re.findall(r"(\d+) (?:extra )?evaluations of the model", caplog.text)
            )
            counted = counts.by_node.total()
            caplog.clear()
            counts.by_node.clear()
            return announced, counted

        yield read
        counts.close()

    @pytest.mark.parametrize("guidance", [1.0, 3.5])
    def test_ddpm_inversion(self, model, evaluations, guidance) -> None:
        world.invert(model, world.latents(0, images=2), guidance=guidance)
        announced, counted = evaluations()
        assert announced == counted > 0

    @pytest.mark.parametrize("timesteps", ["consistent", "reference"])
    def test_ddim_inversion(self, model, evaluations, timesteps) -> None:
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
        from appearance_transfer.host.models.schedules import schedule_of

        schedule = schedule_of(model, steps=world.STEPS)
        with torch.inference_mode():
            invert_with_ddim(
                model, world.latents(0), world.prompt(1), world.prompt(2), schedule, guidance=2.0, timesteps=timesteps
            )
        announced, counted = evaluations()
        assert announced == counted > 0

    def test_null_text_at_its_longest(self, model, evaluations) -> None:
        from appearance_transfer.host.inversion.null_text import invert_with_null_text
        from appearance_transfer.host.models.schedules import schedule_of
        from appearance_transfer.inversion.null_text import NullTextSettings

        settings = NullTextSettings(updates=2, early_stop=-1.0)  # no loss is below it
        schedule = schedule_of(model, steps=3)
        with torch.inference_mode():
            invert_with_null_text(model, world.latents(0), world.prompt(1), world.prompt(2), schedule, settings)
        announced, counted = evaluations()
        assert announced == counted > 0

    def test_dift_says_how_many_looks_there_are(self, model, evaluations) -> None:
        from appearance_transfer.correspondence.dift import DiftSettings
        from appearance_transfer.host.matching.dift_features import dift_features

        with torch.inference_mode():
            dift_features(model, world.latents(0, images=2), world.prompt(1), DiftSettings(ensemble=3))
        announced, counted = evaluations()
        assert announced == counted == 6

    @pytest.mark.parametrize("matching", ["found", "progressive", "initial", "none"])
    def test_latent_deviation(self, model, evaluations, matching) -> None:
        from appearance_transfer.correspondence.dift import DiftSettings
        from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings

        structure, appearance = (world.invert(model, world.latents(seed)) for seed in (0, 1))
        evaluations()
        settings = DeviationSettings(matching=matching, window=world.window(1, 3), dift=DiftSettings(ensemble=2))
        world.sample(model, structure, sampler=DeviationSampler(structure, appearance, settings))
        announced, counted = evaluations()
        assert announced == counted - structure.steps > 0

    @pytest.mark.parametrize("replayed", [False, True])
    def test_a_transfer_beside_the_output(self, model, evaluations, replayed) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
        from appearance_transfer.host.transfer.plan import Appearance

        structure, appearance = (world.invert(model, world.latents(seed)) for seed in (0, 1))
        evaluations()
        settings = world.transfer_settings(replayed=replayed)
        patched = transfer_appearance(model, [Appearance(appearance)], structure, settings)
        world.sample(patched, structure)
        announced, counted = evaluations()
        assert announced == counted - structure.steps > 0
