"""What the tests of encoders and of weights share: random weights in a file, caches without a network."""

import urllib.error

import pytest
import torch
from torchvision import models

from visclust.embedding import weights


@pytest.fixture(scope="session")
def resnet18(tmp_path_factory):
    """Torchvision's ResNet-18 with random weights, and the file they are in. Leave both as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.get_model("resnet18", weights=None).eval()
    path = tmp_path_factory.mktemp("resnet18") / "random.pth"
    torch.save(model.state_dict(), path)
    return model, path


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """Give torch an empty cache for weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def no_network(torch_home, monkeypatch):
    """Let every download fail, as behind a firewall, also where there is a network."""

    def refuse(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(weights.urllib.request, "urlopen", refuse)
    return torch_home
