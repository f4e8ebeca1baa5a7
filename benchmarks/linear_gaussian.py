"""Linear-Gaussian models with closed-form evidence and posterior (probabilistic PCA, Tipping and Bishop 1999)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from likely.likelihoods import Gaussian
from likely.models import VAE
from likely.posteriors import FullNormal, Normal
from likely.priors import StandardNormal


class Linear:
    """x = W z + b + σ ε, ε ~ N(0, I)."""

    w: Tensor
    b: Tensor
    sigma: float
    dims: int
    latent: int

    def sample(self, rows: int) -> Tensor:
        z, e = torch.randn(rows, self.latent, dtype=torch.float64), torch.randn(rows, self.dims, dtype=torch.float64)
        return z @ self.w.T + self.b + self.sigma * e

    def log_px(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        """Of what is observed: the marginal normal distribution of these cells."""
        covariance = self.w @ self.w.T + self.sigma**2 * torch.eye(self.dims, dtype=torch.float64)
        if observed is None:
            return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)
        found = torch.zeros(len(x), dtype=torch.float64)
        for row, cells in enumerate(observed):
            if cells.any():
                law = torch.distributions.MultivariateNormal(self.b[cells], covariance[cells][:, cells])
                found[row] = law.log_prob(x[row, cells])
        return found

    def vae_with_missing(self, shift: float = 0.0, widen: float = 1.0) -> VAE:
        """The same model with the exact posterior of each row's observed cells, but for a shift and a factor."""
        decoder = nn.Linear(self.latent, self.dims, dtype=torch.float64)
        with torch.no_grad():
            decoder.weight.copy_(self.w)
            decoder.bias.copy_(self.b)
        q, likelihood = FullNormal(self.latent), Gaussian((self.dims,), self.sigma)
        model = VAE(StandardNormal(self.latent), likelihood, q, OfObserved(self, shift, widen), decoder)
        return model.double()


class OfObserved(nn.Module):
    """Parameters of a `FullNormal`: P(z|x) = N(Λ⁻¹ Wᵀ M (x − b)/σ², Λ⁻¹), Λ = I + Wᵀ M W/σ², M = diag(observed)."""

    def __init__(self, exact: Linear, shift: float, widen: float) -> None:
        super().__init__()
        self.exact, self.shift, self.widen = exact, shift, widen

    def forward(self, values: Tensor, observed: Tensor | None = None) -> Tensor:
        exact, latent = self.exact, self.exact.latent
        seen = (torch.ones_like(values, dtype=torch.bool) if observed is None else observed).to(torch.float64)
        to_z = exact.w.T * seen.unsqueeze(1) / exact.sigma**2
        precision = torch.eye(latent, dtype=torch.float64) + to_z @ exact.w
        mean = torch.linalg.solve(precision, (to_z @ (values - exact.b).unsqueeze(-1))).squeeze(-1)
        root = torch.linalg.cholesky(torch.linalg.inv(precision))
        diagonal = root.diagonal(dim1=-2, dim2=-1)
        row, column = torch.tril_indices(latent, latent, -1)
        below = (root / diagonal.unsqueeze(-1))[:, row, column]
        return torch.cat([mean + self.shift, diagonal.log() + math.log(self.widen), below], -1)


class LinearGaussian(Linear):
    """x = W z + b + σ ε with orthogonal columns of W, so that P(z|x) is diagonal."""

    def __init__(self, dims: int, latent: int, sigma: float = 0.5) -> None:
        generator = torch.Generator().manual_seed(3)
        basis = torch.linalg.qr(torch.randn(dims, latent, generator=generator, dtype=torch.float64))[0]
        self.scales = torch.linspace(0.5, 2.0, latent, dtype=torch.float64)
        self.w, self.b, self.sigma = basis * self.scales, torch.linspace(-1, 1, dims, dtype=torch.float64), sigma
        self.dims, self.latent = dims, latent

    def vae(self, shift: float = 0.0, widen: float = 1.0) -> VAE:
        """The same model as a VAE; Q is exact but for a shift of its mean and a factor on its deviation."""
        decoder = nn.Linear(self.latent, self.dims, dtype=torch.float64)
        variance = self.sigma**2 / (self.scales.square() + self.sigma**2)
        encoder = nn.Linear(self.dims, 2 * self.latent, dtype=torch.float64)
        to_mean = (self.w / (self.scales.square() + self.sigma**2)).T
        with torch.no_grad():
            decoder.weight.copy_(self.w)
            decoder.bias.copy_(self.b)
            encoder.weight.zero_()
            encoder.weight[: self.latent] = to_mean
            encoder.bias[: self.latent] = shift - to_mean @ self.b
            encoder.bias[self.latent :] = 0.5 * variance.log() + math.log(widen)
        model = VAE(
            StandardNormal(self.latent), Gaussian((self.dims,), self.sigma), Normal(self.latent), encoder, decoder
        )
        return model.double()

    def gap(self, shift: float, widen: float) -> float:
        """D[Q(z|x)‖P(z|x)] in closed form: the same for every x."""
        variance = self.sigma**2 / (self.scales.square() + self.sigma**2)
        return float(0.5 * (widen**2 - 1 - 2 * math.log(widen) + shift**2 / variance).sum())


class Oblique(Linear):
    """x = W z + b + σ ε with columns of W that are not orthogonal: P(z|x) has a full covariance, the same for all x."""

    def __init__(self, dims: int, latent: int, sigma: float = 0.5) -> None:
        generator = torch.Generator().manual_seed(4)
        self.w = torch.randn(dims, latent, generator=generator, dtype=torch.float64) / math.sqrt(latent)
        self.b, self.sigma = torch.linspace(-1, 1, dims, dtype=torch.float64), sigma
        self.dims, self.latent = dims, latent
        self.precision = torch.eye(latent, dtype=torch.float64) + self.w.T @ self.w / sigma**2

    def vae(self, full: bool, shift: float = 0.0, widen: float = 1.0) -> VAE:
        """The same model as a VAE; Q is the best of its family but for a shift and a factor.

        The best diagonal normal has P(z|x)'s mean and the diagonal of its precision.
        """
        decoder = nn.Linear(self.latent, self.dims, dtype=torch.float64)
        q = FullNormal(self.latent) if full else Normal(self.latent)
        encoder = nn.Linear(self.dims, q.parameter_shape.numel(), dtype=torch.float64)
        to_mean = torch.linalg.solve(self.precision, self.w.T) / self.sigma**2
        root = torch.linalg.cholesky(torch.linalg.inv(self.precision))
        below = (root / root.diagonal()[:, None])[tuple(torch.tril_indices(self.latent, self.latent, -1))]
        log_std = root.diagonal().log() if full else -0.5 * self.precision.diagonal().log()
        with torch.no_grad():
            decoder.weight.copy_(self.w)
            decoder.bias.copy_(self.b)
            encoder.weight.zero_()
            encoder.weight[: self.latent] = to_mean
            encoder.bias[: self.latent] = shift - to_mean @ self.b
            encoder.bias[self.latent : 2 * self.latent] = log_std + math.log(widen)
            if full:
                encoder.bias[2 * self.latent :] = below
        model = VAE(StandardNormal(self.latent), Gaussian((self.dims,), self.sigma), q, encoder, decoder)
        return model.double()

    @property
    def approximation(self) -> float:
        """D[Q*‖P(z|x)] of the best diagonal Q*: ½ (Σ log Λ_ii − log|Λ|), Λ the precision."""
        return float(0.5 * (self.precision.diagonal().log().sum() - torch.logdet(self.precision)))

    def amortisation(self, shift: float, widen: float) -> float:
        """D[Q‖P(z|x)] − D[Q*‖P(z|x)], of either family, for Q that is shifted and widened from the best."""
        moved = shift**2 * self.precision.sum()
        return float(0.5 * (self.latent * (widen**2 - 1 - 2 * math.log(widen)) + moved))
