from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from torch import Tensor, nn

from likely.data import Batch, Warp
from likely.errors import ConfigError
from likely.likelihoods import DiscretisedLogistic, Gaussian
from likely.models import VAE
from likely.networks import ConvDecoder, ConvEncoder, Encoder, Features, LinearMLP, ResidualMLP, Shaped, Standardise
from likely.networks.convolution import _Up
from likely.posteriors import Normal
from likely.priors import StandardNormal

EVENTS = [(1, 1), (1, 1, 3), (5, 7), (5, 7, 1), (8, 8), (8, 8, 3), (28, 28), (33, 17), (33, 17, 4)]


def shaken(network: nn.Module) -> nn.Module:
    """Residual blocks start at zero, where half of their weights have no gradient yet."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return network


def networks(event: tuple[int, ...]) -> list[tuple[nn.Module, int, int]]:
    cells = math.prod(event)
    return [
        (ConvEncoder(event, 6, covariates=2), cells + 2, 6),
        (ConvDecoder(3, (*event, 5)), 3, 5 * cells),
        (ConvDecoder(3, (*event, 2), channels=(8, 4), blocks=2), 3, 2 * cells),
        (ResidualMLP(cells, 4, 16), cells, 4),
        (LinearMLP(cells, 4, 16), cells, 4),
    ]


@pytest.mark.parametrize("event", EVENTS, ids=str)
def test_any_size_of_picture_any_leading_axes_and_no_row_depends_on_another(event: tuple[int, ...]) -> None:
    for network, inputs, outputs in networks(event):
        shaken(network.double())
        assert (network.inputs, network.outputs) == (inputs, outputs)
        assert network.widest >= max(inputs, outputs)
        x = torch.randn(3, 2, inputs, dtype=torch.float64, requires_grad=True)
        made = network(x)
        assert made.shape == (3, 2, outputs)
        torch.testing.assert_close(network(x[1, 0]), made[1, 0])
        (moved,) = torch.autograd.grad(made[1, 0].square().sum(), x, retain_graph=True)
        assert moved[1, 0].abs().max() > 0
        moved[1, 0] = 0
        assert moved.abs().max() == 0
        made.square().sum().backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (6, 4), (5, 7), (7, 4)])
def test_upsampling_and_convolution_at_once_is_the_one_after_the_other(size: tuple[int, int]) -> None:
    up = _Up(3, 5, size).double()
    h = torch.randn(2, 3, *(math.ceil(side / 2) for side in size), dtype=torch.float64)
    even = [side + side % 2 for side in size]
    apart = F.conv2d(F.interpolate(h, size=even, mode="nearest"), up.weight, padding=1)
    torch.testing.assert_close(up(h), apart[:, :, : size[0], : size[1]])


def test_the_decoder_gives_one_parameter_of_all_cells_after_the_other() -> None:
    likelihood = Gaussian((8, 6, 3))
    decoder = ConvDecoder(2, likelihood.parameter_shape, channels=(4,))
    with torch.no_grad():
        for weight in (decoder.first.weight, decoder.first.bias, decoder.last.weight):
            weight.zero_()
        decoder.first.bias.view(4, 3, 4)[2, 1] = 1.0  # rows 4 and 5, columns 2 and 3 of the picture
        decoder.last.weight[1 * 3 + 2, :, 1, 1] = 1.0  # parameter 1 of channel 2
    mean, log_scale = likelihood.split(decoder(torch.zeros(7, 5, 2)))
    lit = torch.zeros(8, 6, 3, dtype=torch.bool)
    lit[4:6, 2:4, 2] = True
    assert mean.abs().max() == 0
    assert ((log_scale > 1) == lit).all()
    assert (log_scale[..., ~lit] == 0).all()


def test_the_encoder_reads_pictures_channels_last() -> None:
    encoder = ConvEncoder((5, 4, 3), 2)
    with torch.no_grad():
        encoder.levels[0].weight[:, [0, 2]] = 0.0
        encoder.levels[0].weight[:, :, [0, 2]] = 0.0  # even rows of green alone
    x = torch.randn(1, 5, 4, 3, requires_grad=True)
    encoder(x.flatten(1)).sum().backward()
    seen = torch.zeros(5, 4, 3, dtype=torch.bool)
    seen[::2, :, 1] = True
    assert ((x.grad[0] != 0) == seen).all()


def bars(rows: int) -> Tensor:
    """A picture of 7 x 5 with one bar in one of three colours, at a random row."""
    generator = torch.Generator().manual_seed(0)
    made = torch.full((rows, 7, 5, 3), 60.0)
    made[torch.arange(rows), torch.randint(7, (rows,), generator=generator), :, torch.arange(rows) % 3] = 200.0
    return (made + 4 * torch.randn(made.shape, generator=generator)).round().clamp(0, 255)


def test_a_convolutional_model_starts_at_the_marginals_and_learns() -> None:
    x = bars(210)
    likelihood = DiscretisedLogistic((7, 5, 3), 1.0, 0.0, 255.0, 70.0, 40.0)
    encoder = Encoder(Standardise(70.0, 40.0, 105), ConvEncoder((7, 5, 3), 8))
    model = VAE(StandardNormal(4), likelihood, Normal(4), encoder, ConvDecoder(4, likelihood.parameter_shape))
    marginals = likelihood(likelihood.initial(x)).log_prob(x).flatten(1).sum(1).mean()
    model.decoder.start(likelihood.initial(x))
    start = model.terms(Batch(x), 10).reconstruction.mean()
    torch.testing.assert_close(start, marginals, rtol=0.01, atol=0.0)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(250):
        terms = model.terms(Batch(x[torch.arange(70) * 3 + step % 3]))
        optimiser.zero_grad()
        (terms.kl - terms.reconstruction).mean().backward()
        optimiser.step()
    terms = model.terms(Batch(x))
    assert (terms.reconstruction - terms.kl).mean() > marginals + 60


def test_start_sets_the_output_of_either_kind_of_decoder() -> None:
    bias = torch.linspace(-3, 3, 5 * 7 * 2)
    for decoder in (ConvDecoder(2, (5, 7, 2)), ResidualMLP(2, 70, 16)):
        before = decoder(torch.randn(4, 2))
        decoder.start(bias)
        after = decoder(torch.randn(4, 2)) - bias
        assert 0 < after.std() < 0.3 * before.std()


def test_weights_are_stored_as_they_are_and_autocast_is_followed() -> None:
    for made, again in zip(networks((9, 6, 3)), networks((9, 6, 3)), strict=True):
        x = torch.randn(2, made[1])
        again[0].load_state_dict(load(save(made[0].state_dict())))
        torch.testing.assert_close(again[0](x), made[0](x), rtol=0.0, atol=0.0)
        with torch.autocast("cpu", torch.bfloat16):
            rough = made[0](x).float()
        torch.testing.assert_close(rough, made[0](x), rtol=0.1, atol=0.1)


def test_pictures_and_sizes_are_demanded() -> None:
    with pytest.raises(ConfigError, match=r"pictures \(H, W\) or \(H, W, C\), got \(9,\); use ResidualMLP"):
        ConvEncoder((9,), 2)
    with pytest.raises(ConfigError, match=r"got \(2, 3, 4, 5\)"):
        ConvDecoder(2, (2, 3, 4, 5, 1))
    with pytest.raises(ConfigError, match=r"channels must be positive and blocks at least 0, got \(8, 0\) and 1"):
        ConvEncoder((4, 4), 2, channels=(8, 0))
    with pytest.raises(ConfigError, match=r"takes 48 numbers per row, flat; got \(2, 4, 4, 3\)"):
        ConvEncoder((4, 4, 3), 2)(torch.zeros(2, 4, 4, 3))


@pytest.mark.parametrize("covariates", [0, 2])
def test_an_encoder_appends_covariates(covariates: int) -> None:
    x, y = torch.randint(0, 256, (3, 4, 4), dtype=torch.uint8), torch.randn(3, covariates, dtype=torch.float64)
    for body in (ResidualMLP(16 + covariates, 6, 8), ConvEncoder((4, 4), 6, covariates=covariates)):
        encoder = Encoder(Standardise(128.0, 60.0, 16), body)
        assert (encoder.covariates, encoder.outputs, encoder.widest) == (covariates, 6, body.widest)
        made = encoder(x, y) if covariates else encoder(x)
        assert made.shape == (3, 6)
        if covariates:
            assert (encoder(x, y + 1) != made).all()
            with pytest.raises(ConfigError, match="takes 2 covariates per row, got 0"):
                encoder(x)
        else:
            with pytest.raises(ConfigError, match="takes 0 covariates per row, got 3"):
                encoder(x, torch.zeros(3, 3))


def test_an_encoder_needs_a_body_that_fits() -> None:
    first = Features([0], Warp([((0.0, 0.0), (1.0, 1.0))], [False]), [(1, 4)])
    with pytest.raises(ConfigError, match=r"Linear does not state its sizes; wrap it: networks.Shaped"):
        Encoder(first, nn.Linear(5, 4))
    with pytest.raises(ConfigError, match="ResidualMLP takes 3 numbers per row; x has 5 features"):
        Encoder(first, ResidualMLP(3, 4, 8))


class Restless(nn.Module):
    """Changes what it can when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.frozen = nn.BatchNorm1d(4), nn.Dropout().eval()
        self.register_buffer("calls", torch.zeros(()))
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        self.norm.running_mean += 1
        self.modes.append(self.training or torch.is_grad_enabled())
        return self.norm(x) + torch.randn(())


def test_the_trial_of_a_module_leaves_everything_as_it_was() -> None:
    module, generator = Restless(), torch.get_rng_state()
    Shaped(module, (4,), (4,))
    assert module.modes == [False]
    assert (module.training, module.norm.training, module.frozen.training) == (True, True, False)
    assert module.calls == 0
    assert module.norm.running_mean.abs().max() == 0
    assert torch.equal(torch.get_rng_state(), generator)


def test_a_module_of_the_users_turns_pictures_and_keeps_leading_axes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 8 * 6, 10))
    encoder = Shaped(net, (3, 8, 6), (10,), channels_first=True)
    x = torch.randn(2, 5, 8, 6, 3, dtype=torch.float64)
    wanted = net(x.flatten(0, 1).permute(0, 3, 1, 2).float()).view(2, 5, 10)
    torch.testing.assert_close(encoder(x), wanted)
    torch.testing.assert_close(encoder(x.flatten(2)), wanted)
    assert (encoder.inputs, encoder.outputs, encoder.widest) == (144, 10, 192)
    back = nn.Sequential(nn.Linear(5, 2 * 144), nn.Unflatten(1, (2, 3, 8, 6)))
    decoder = Shaped(back, (5,), (2, 3, 8, 6), channels_first=True)
    z = torch.randn(4, 7, 5)
    flat = back(z.flatten(0, 1)).permute(0, 1, 3, 4, 2).reshape(4, 7, 288)
    torch.testing.assert_close(decoder(z), flat)
    law = Gaussian((8, 6, 3))
    model = VAE(StandardNormal(5), law, Normal(5), encoder, decoder)
    assert model.terms(Batch(x[0]), 2).log_px_z.shape == (2, 5)


def test_a_module_that_does_not_fit_is_named_with_its_shapes() -> None:
    linear = nn.Linear(6, 4)
    with pytest.raises(ConfigError, match=r"Linear does not take \(2, 5\), two rows of the stated inputs \(5,\): mat1"):
        Shaped(linear, (5,), (4,))
    with pytest.raises(ConfigError, match=r"Linear got \(2, 6\) and gave \(2, 4\); \(2, 3\) is expected"):
        Shaped(linear, (6,), (3,))
    with pytest.raises(ConfigError, match=r"LSTM gave a tuple; one tensor \(rows, 4\) is expected: torch.cat"):
        Shaped(nn.LSTM(6, 4), (6,), (4,))
    with pytest.raises(ConfigError, match=r"positive sizes, got \(6, 0\) and \(4,\)"):
        Shaped(linear, (6, 0), (4,))
    with pytest.raises(ConfigError, match=r"positive sizes, got \(6,\) and \(\)"):
        Shaped(linear, (6,), ())
    with pytest.raises(ConfigError, match=r"Linear got \(3, 7\); its rows are \(6,\), or flat, 6 numbers"):
        Shaped(linear, (6,), (4,))(torch.zeros(3, 7))


TWO = Standardise(0.0, 1.0, 2)


def parts(**replaced: object) -> dict[str, object]:
    made: dict[str, object] = {
        "likelihood": Gaussian((4, 5, 3)),
        "posterior": Normal(3),
        "prior": StandardNormal(3),
        "encoder": Encoder(Standardise(0.0, 1.0, 60), ConvEncoder((4, 5, 3), 6)),
        "decoder": ConvDecoder(3, (4, 5, 3, 2)),
    }
    return {**made, **replaced}


def test_parts_that_fit_are_taken() -> None:
    VAE(**parts())
    VAE(**parts(encoder=nn.Linear(1, 1), decoder=nn.Linear(1, 1)))
    conditional = Encoder(Standardise(0.0, 1.0, 60), ResidualMLP(62, 6, 8))
    VAE(**parts(encoder=conditional, decoder=ResidualMLP(5, 120, 8), condition=TWO))


UNFIT = [
    ({"encoder": ResidualMLP(59, 6, 8)}, "encoder ResidualMLP takes 59 numbers per row; x has 60"),
    ({"posterior": Normal(2), "prior": StandardNormal(2)}, "encoder Encoder gives 6 numbers per row; Normal needs 4"),
    (
        {"prior": StandardNormal(4), "posterior": Normal(4), "encoder": nn.Linear(1, 1)},
        "decoder ConvDecoder takes 3 numbers per row; z has 4",
    ),
    (
        {"condition": TWO, "decoder": ConvDecoder(3, (4, 5, 3, 2))},
        "encoder Encoder takes, of y, 0 numbers per row; y has 2",
    ),
    (
        {"condition": TWO, "encoder": nn.Linear(1, 1)},
        "decoder ConvDecoder takes 3 numbers per row; z has 3 and y 2",
    ),
    ({"decoder": ConvDecoder(3, (4, 5, 3, 3))}, "decoder ConvDecoder gives 180 numbers per row; Gaussian needs 120"),
    (
        {
            "encoder": Shaped(nn.Flatten(), (3, 4, 5), (60,)),
            "posterior": Normal(30),
            "prior": StandardNormal(30),
            "decoder": nn.Linear(1, 1),
        },
        r"takes rows of \(3, 4, 5\); \(4, 5, 3\) is needed",
    ),
    (
        {
            "decoder": Shaped(nn.Unflatten(1, (2, 3, 4, 5)), (120,), (2, 3, 4, 5)),
            "prior": StandardNormal(120),
            "posterior": Normal(120),
            "encoder": nn.Linear(1, 1),
        },
        r"gives rows of \(2, 3, 4, 5\); \(2, 4, 5, 3\) is needed",
    ),
]


@pytest.mark.parametrize(("replaced", "message"), UNFIT)
def test_parts_that_do_not_fit_are_refused(replaced: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VAE(**parts(**replaced))


@pytest.mark.parametrize(("categories", "size"), [(2, 2), (32, 32), (33, 11), (300, 32)])
def test_many_categories_are_embedded(categories: int, size: int) -> None:
    first = Features([], None, [(0, categories)])
    codes = torch.arange(-1, categories, dtype=torch.float64)[:, None]
    seen = first(codes)
    assert seen.shape == (categories + 1, size)
    assert first.outputs == size
    assert len(seen.unique(dim=0)) == categories + 1
    assert torch.equal(seen[0], torch.zeros(size))
    assert float(seen[1:].detach().norm(dim=1).mean()) == pytest.approx(1, abs=0.15)
    assert bool(list(first.parameters())) == (categories > 32)
    for weight in first.parameters():
        seen.sum().backward()
        assert weight.grad is not None
        assert (weight.grad == 1).all()  # the code of a value never seen has a vector to learn as well


def test_numbers_are_seen_on_the_bent_axis_and_within_ten() -> None:
    straight, bent = ((0.0, 0.0), (2.0, 1.0)), ((-0.5, -1.0), (0.5, 1.0), (1000.5, 2.0))
    first = Features([2, 0], Warp([straight, bent], [False, False]), [(1, 2)])
    seen = first(torch.tensor([[0.0, 1.0, 5.0], [1e6, 0.0, -1e6]], dtype=torch.float64))
    torch.testing.assert_close(seen, torch.tensor([[2.5, 0.0, 0.0, 1.0], [-10.0, 10.0, 1.0, 0.0]]))
