"""Activation functions: what makes a network more than one matrix.

Each is a class with a forward and a backward, and its docstring states the formula and the slope at each kink.
Values and slopes are those of PyTorch, at zero, at infinity and at NaN too.
"""

from __future__ import annotations

import math

import numpy as np

from ..op import Op, function, register
from .arithmetic import as_floats
from .linalg import sum_of_rows
from .reductions import sum
from .sums import add_up, rounded, widened

__all__ = [
    "celu", "elu", "gelu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax",
    "mish", "normal_cdf", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign",
    "swish", "tanhshrink", "threshold", "thresholded_relu",
]  # fmt: skip


@register
class ReLU(Op):
    """max(x, 0), elementwise. The saved mask is where x <= 0; there the gradient stops, so relu'(0) = 0.

    NaN stays NaN and lets the gradient through, since NaN <= 0 is false; relu'(0) = 0 is also the choice that
    trains best (Bertoin et al. 2021, "Numerical influence of ReLU'(0) on backpropagation").

    >>> x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
    >>> y = tg.relu(x)
    >>> y
    Tensor([1., 0., 3., 0.], op=relu)
    >>> y.op.mask
    array([False,  True, False,  True])
    >>> y.backward([1, 2, -3, 4])
    >>> x.grad
    Tensor([ 1.,  0., -3.,  0.])
    """

    def forward(self, x):
        self.mask = x <= 0
        return np.maximum(x, 0)

    def backward(self, grad):
        return np.where(self.mask, 0, grad)


relu = function(ReLU)


@register
class LeakyReLU(Op):
    """x where x > 0, negative_slope * x elsewhere (Maas et al. 2013). Slope at 0: negative_slope.

    >>> tg.leaky_relu(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.02,  0.  ,  3.  ])
    """

    def forward(self, x, negative_slope: float = 0.01):
        self.positive = np.greater(x, 0)
        self.slope = negative_slope
        return np.where(self.positive, x, x * negative_slope)

    def backward(self, grad):
        return np.where(self.positive, grad, grad * self.slope)


leaky_relu = function(LeakyReLU)


@register(name="prelu")
class PReLU(Op):
    """x where x > 0, weight * x elsewhere, with a weight that is learned (He et al. 2015). Slope at 0: the weight.

    ``weight``: one number, or one for each channel, which is axis 1 of x. The weight gets the sum of x * grad over
    x <= 0. ValueError if the number of weights is neither 1 nor the number of channels.

    >>> tg.prelu(Tensor([[-2.0, -2.0, 3.0]]), Tensor([0.5, 0.1, 0.5]))
    Tensor([[-1. , -0.2,  3. ]])
    """

    def forward(self, x, weight):
        channels = np.shape(x)[1] if np.ndim(x) > 1 else 1
        if np.ndim(weight) > 1 or np.size(weight) not in (1, channels):
            raise ValueError(f"expected one weight or one for each of the {channels} channels (axis 1 of x)")
        self.positive = np.greater(x, 0)
        # Only with channels in the middle does broadcasting need help, and then its gradient does too.
        self.others = tuple(i for i in range(np.ndim(x)) if i != 1) if np.size(weight) != 1 else ()
        return np.where(self.positive, x, x * self._along_channels(weight))

    def _along_channels(self, weight):
        return np.reshape(weight, (-1,) + (1,) * (len(self.others) - 1)) if len(self.others) > 1 else weight

    def backward(self, grad):
        x, weight = self.inputs
        to_weight = np.where(self.positive, 0, grad * x)
        if self.others:
            to_weight = sum(to_weight, axis=self.others)
        return np.where(self.positive, grad, grad * self._along_channels(weight)), to_weight


prelu = function(PReLU)


@register(name="relu6")
class ReLU6(Op):
    """x held between 0 and 6 (Krizhevsky 2010). Slope 1 strictly between, 0 at both bounds and outside.

    >>> tg.relu6(Tensor([-1.0, 3.0, 8.0]))
    Tensor([0., 3., 6.])
    """

    def forward(self, x):
        self.mask = np.logical_or(np.less_equal(x, 0), np.greater_equal(x, 6))
        return np.clip(x, 0, 6)

    def backward(self, grad):
        return np.where(self.mask, 0, grad)


relu6 = function(ReLU6)


@register
class Threshold(Op):
    """x where x > threshold, the constant ``value`` elsewhere, as in PyTorch. Slope 0 at the threshold.

    >>> tg.threshold(Tensor([0.5, 1.0, 2.0]), threshold=1.0, value=-7.0)
    Tensor([-7., -7.,  2.])
    """

    @staticmethod
    def arguments(x, threshold: float, value: float):
        return (x,), {"threshold": threshold, "value": value}

    def forward(self, x, *, threshold, value):
        self.mask = np.less_equal(x, threshold)
        return np.where(self.mask, value, x)

    def backward(self, grad):
        return np.where(self.mask, 0, grad)


threshold = function(Threshold)


@register
class ThresholdedReLU(Op):
    """x where x > theta, 0 elsewhere (Konda et al. 2014), as in Keras. Slope 0 at theta.

    >>> tg.thresholded_relu(Tensor([0.5, 1.0, 2.0]))
    Tensor([0., 0., 2.])
    """

    def forward(self, x, theta: float = 1.0):
        self.mask = np.less_equal(x, theta)
        return np.where(self.mask, 0, x)

    def backward(self, grad):
        return np.where(self.mask, 0, grad)


thresholded_relu = function(ThresholdedReLU)


# ---------------------------------------------------------------------- the exponential linear units


def _below_zero(x):
    """x where it is below 0, since e**x of a large x would overflow; at 0 itself a constant already, as in PyTorch."""
    return np.where(np.less(x, 0), x, 0)


@register
class ELU(Op):
    """x where x > 0, alpha * (e**x - 1) elsewhere (Clevert et al. 2015). Slope at 0: alpha. Runs towards -alpha.

    >>> tg.elu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.6321,  0.    ,  2.    ])
    """

    def forward(self, x, alpha: float = 1.0):
        self.mask = np.less_equal(x, 0)
        self.alpha = alpha
        return np.where(self.mask, alpha * np.expm1(np.where(self.mask, x, 0)), x)

    def backward(self, grad):
        negative = _below_zero(self.inputs[0])
        return np.where(self.mask, grad * (self.alpha * np.exp(negative)), grad)


elu = function(ELU)


@register
class SELU(Op):
    """scale * elu(x, alpha), with the two constants that keep mean 0 and variance 1 (Klambauer et al. 2017).

    Slope at 0: scale * alpha = 1.7581.

    >>> tg.selu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-1.1113,  0.    ,  2.1014])
    """

    alpha = 1.6732632423543772
    scale = 1.0507009873554805

    def forward(self, x):
        self.mask = np.less_equal(x, 0)
        return self.scale * np.where(self.mask, self.alpha * np.expm1(np.where(self.mask, x, 0)), x)

    def backward(self, grad):
        negative = _below_zero(self.inputs[0])
        return np.where(self.mask, grad * (self.scale * self.alpha * np.exp(negative)), grad * self.scale)


selu = function(SELU)


@register
class CELU(Op):
    """x where x > 0, alpha * (e**(x/alpha) - 1) elsewhere (Barron 2017). Slope at 0: 1, whatever alpha.

    >>> tg.celu(Tensor([-1.0, 0.0, 2.0]), alpha=0.5)
    Tensor([-0.4323,  0.    ,  2.    ])
    """

    def forward(self, x, alpha: float = 1.0):
        if alpha == 0:
            raise ValueError("alpha divides x and cannot be 0")
        self.mask = np.less_equal(x, 0)
        self.alpha = alpha
        return np.where(self.mask, alpha * np.expm1(np.where(self.mask, x, 0) / alpha), x)

    def backward(self, grad):
        negative = _below_zero(self.inputs[0])
        return np.where(self.mask, grad * np.exp(negative / self.alpha), grad)


celu = function(CELU)


# ---------------------------------------------------------------------- sigmoid and its kin; tanh is in arithmetic


@register
class Sigmoid(Op):
    """1 / (1 + e**-x), between 0 and 1, without overflow. Slope s * (1 - s): at most 1/4, at 0.

    >>> tg.sigmoid(Tensor([-1000.0, 0.0, 2.0]))
    Tensor([0.    , 0.5   , 0.8808])
    """

    def forward(self, x):
        x = as_floats(x)
        # e**-|x| is at most 1; for x < 0 the fraction is widened by e**x.
        return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))

    def backward(self, grad):
        return grad * (self.output * (1 - self.output))


sigmoid = function(Sigmoid)


@register
class HardSigmoid(Op):
    """slope * x + offset held between 0 and 1. Slope 0 at both kinks, where the line meets 0 and 1.

    The default is PyTorch's x/6 + 1/2, with kinks at -3 and 3. Keras up to 2 used 0.2 x + 0.5 (kinks at -2.5 and
    2.5): give ``slope=0.2``. The first use was in Courbariaux et al. 2015, "BinaryConnect".

    >>> tg.hard_sigmoid(Tensor([-3.0, 0.0, 1.0]))
    Tensor([0.    , 0.5   , 0.6667])
    >>> tg.hard_sigmoid(Tensor([-3.0, 0.0, 1.0]), slope=0.2)
    Tensor([0. , 0.5, 0.7])
    """

    def forward(self, x, slope: float = 1 / 6, offset: float = 0.5):
        line = slope * x + offset
        self.mask = np.logical_and(line > 0, line < 1)
        self.slope = slope
        return np.clip(line, 0, 1)

    def backward(self, grad):
        return np.where(self.mask, grad * self.slope, 0)


hard_sigmoid = function(HardSigmoid)


@register
class LogSigmoid(Op):
    """log(sigmoid(x)), exact where the sigmoid is nearly 0. Slope sigmoid(-x).

    >>> tg.log_sigmoid(Tensor([-1000.0, 0.0, 2.0]))
    Tensor([-1.0000e+03, -6.9315e-01, -1.2693e-01])
    """

    def forward(self, x):
        x = as_floats(x)
        return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

    def backward(self, grad):
        return grad * sigmoid(-self.inputs[0])


log_sigmoid = function(LogSigmoid)


@register
class Softplus(Op):
    """log(1 + e**(beta x)) / beta, a smooth ReLU (Dugas et al. 2001). Slope sigmoid(beta x).

    Where beta * x > threshold it is x itself, with slope 1, as in PyTorch; at 20 the two differ by 2e-9.

    >>> tg.softplus(Tensor([-1.0, 0.0, 30.0]))
    Tensor([ 0.3133,  0.6931, 30.    ])
    """

    def forward(self, x, beta: float = 1.0, threshold: float = 20.0):
        if beta <= 0:
            raise ValueError(f"expected beta > 0, got {beta}")
        scaled = x * beta
        self.linear = scaled > threshold
        self.beta = beta
        return np.where(self.linear, x, np.log1p(np.exp(np.where(self.linear, 0, scaled))) / beta)

    def backward(self, grad):
        return np.where(self.linear, grad, grad * sigmoid(self.inputs[0] * self.beta))


softplus = function(Softplus)


@register(aliases=("swish",))
class SiLU(Op):
    """x * sigmoid(beta * x); called SiLU for beta = 1 (Elfwing et al. 2017), Swish in Ramachandran et al. 2017.

    Slope s + beta * x * s * (1 - s), 1/2 at 0; its least value for beta = 1 is -0.2785, at x = -1.2785.

    >>> tg.silu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.2689,  0.    ,  1.7616])
    >>> tg.swish(Tensor([-1.0, 0.0, 2.0]), beta=10.0)
    Tensor([-4.5398e-05,  0.0000e+00,  2.0000e+00])
    """

    def forward(self, x, beta: float = 1.0):
        self.beta = beta
        return x * sigmoid(x * beta)

    def backward(self, grad):
        scaled = self.inputs[0] * self.beta
        s = sigmoid(scaled)
        return grad * (s * (1 + scaled * (1 - s)))


silu = swish = function(SiLU)


@register
class Mish(Op):
    """x * tanh(softplus(x)) (Misra 2019). Slope 0.6 at 0.

    >>> tg.mish(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.3034,  0.    ,  1.944 ])
    """

    def forward(self, x):
        return x * np.tanh(softplus(x))

    def backward(self, grad):
        x = self.inputs[0]
        t = np.tanh(softplus(x))
        return grad * (t + x * (1 - t * t) * sigmoid(x))


mish = function(Mish)


@register
class HardSwish(Op):
    """x * relu6(x + 3) / 6 (Howard et al. 2019). Slope x/3 + 1/2 between the kinks at -3 and 3, where it is 0 and 1.

    >>> tg.hard_swish(Tensor([-3.0, 0.0, 1.0, 3.0]))
    Tensor([-0.    ,  0.    ,  0.6667,  3.    ])
    """

    def forward(self, x):
        x = as_floats(x)
        self.off, self.linear = np.less_equal(x, -3), np.logical_not(np.less(x, 3))
        return x * np.clip(x + 3, 0, 6) / 6

    def backward(self, grad):
        x = self.inputs[0]
        return np.where(self.off, 0, np.where(self.linear, grad, grad * (x / 3 + 0.5)))


hard_swish = function(HardSwish)


@register(name="normal_cdf")
class NormalCDF(Op):
    """The share of a standard normal distribution below x. Slope: its density, e**(-x*x/2) / sqrt(2 pi).

    NumPy has no error function. With z = |x| / sqrt(2) and t = 2 / (2 + z), log(erfc(z) * e**(z*z) / t) is smooth in
    t, and 26 Chebyshev terms (fitted for this file with 40 digits) give it to double precision.

    >>> tg.normal_cdf(Tensor([-1.0, 0.0, 1.0]))
    Tensor([0.1587, 0.5   , 0.8413])
    """

    def forward(self, x):
        z = np.abs(x) / math.sqrt(2)
        t = 2 / (2 + z)
        above = last = 0.0  # Clenshaw's recurrence for the sum of c[k] * T_k(2 t - 1)
        for c in reversed(_LOG_ERFC[1:]):
            above, last = c + (4 * t - 2) * above - last, above
        tail = 0.5 * t * np.exp(_LOG_ERFC[0] + (2 * t - 1) * above - last - z * z)
        return np.where(np.greater(x, 0), 1 - tail, tail)

    def backward(self, grad):
        x = self.inputs[0]
        return grad * (np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))


_LOG_ERFC = (  # the first is one unit in the last place larger, so that P(Z < 0) is 1/2 to the last bit
    -0.6513268598908546, 0.6419697923564902603, 0.01947647320418583631, -0.009561514786808631642,
    -0.0009465953444820368663, 0.0003668394978527614519, 4.252332480690777164e-5, -2.027857811253424315e-5,
    -1.624290004647025513e-6, 1.303655835580523202e-6, 1.562644172206614318e-8, -8.523809591492654253e-8,
    6.529054439098851496e-9, 5.059343495551468942e-9, -9.913641564930330867e-10, -2.273651222931835856e-10,
    9.646791102015526802e-11, 2.394038083039114745e-12, -6.886027526497553398e-12, 8.944879273090725717e-13,
    3.130921399342958078e-13, -1.127082236136725237e-13, 3.810905255189232055e-16, 7.106097613609236988e-15,
    -1.523028201457104304e-15, -9.457494571291234e-17,
)  # fmt: skip

normal_cdf = function(NormalCDF)


@register
class GELU(Op):
    """x * P(Z < x) for a standard normal Z (Hendrycks & Gimpel 2016). Slope 1/2 at 0.

    ``approximate``: "none" for the exact form, "tanh" for x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3))).

    >>> tg.gelu(Tensor([-1.0, 0.0, 2.0]))
    Tensor([-0.1587,  0.    ,  1.9545])
    """

    def forward(self, x, approximate: str = "none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f'approximate: expected "none" or "tanh", got {approximate!r}')
        self.exact = approximate == "none"
        given, x = x, widened(x)
        return rounded(x * (normal_cdf(x) if self.exact else self._half_of_tanh(x)), given)

    def backward(self, grad):
        x = widened(self.inputs[0])
        if self.exact:
            return grad * (normal_cdf(x) + x * (np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)))
        h = self._half_of_tanh(x)
        return grad * (h + x * (2 * h * (1 - h)) * (_ROOT * (1 + 3 * 0.044715 * x * x)))

    def _half_of_tanh(self, x):
        return 0.5 * (1 + np.tanh(_ROOT * (x + 0.044715 * (x * x * x))))


_ROOT = math.sqrt(2 / math.pi)

gelu = function(GELU)


@register
class Softsign(Op):
    """x / (1 + |x|), between -1 and 1 (Bergstra et al. 2009). Slope 1 / (1 + |x|)**2: 1 at 0. Both NaN at infinity.

    >>> tg.softsign(Tensor([-1.0, 0.0, 3.0]))
    Tensor([-0.5 ,  0.  ,  0.75])
    """

    def forward(self, x):
        return x / (1 + np.abs(x))

    def backward(self, grad):
        below = 1 + np.abs(self.inputs[0])
        return np.where(np.isinf(below), math.nan, grad / (below * below))


softsign = function(Softsign)


@register
class HardTanh(Op):
    """x held between ``min_val`` and ``max_val``. Slope 1 strictly between, 0 at both bounds and outside.

    >>> tg.hard_tanh(Tensor([-2.0, 0.5, 2.0]))
    Tensor([-1. ,  0.5,  1. ])
    """

    def forward(self, x, min_val: float = -1.0, max_val: float = 1.0):
        if min_val >= max_val:
            raise ValueError(f"expected min_val < max_val, got {min_val} and {max_val}")
        self.mask = np.logical_or(np.less_equal(x, min_val), np.greater_equal(x, max_val))
        return np.clip(x, min_val, max_val)

    def backward(self, grad):
        return np.where(self.mask, 0, grad)


hard_tanh = function(HardTanh)


@register
class Tanhshrink(Op):
    """x - tanh(x). Slope tanh(x)**2: 0 at 0.

    >>> tg.tanhshrink(Tensor([-2.0, 0.0, 2.0]))
    Tensor([-1.036,  0.   ,  1.036])
    """

    def forward(self, x):
        return x - np.tanh(x)

    def backward(self, grad):
        t = np.tanh(self.inputs[0])
        return grad * (t * t)


tanhshrink = function(Tanhshrink)


# ---------------------------------------------------------------------- over an axis


@register
class Softmax(Op):
    """e**x / sum(e**x) along an axis: positive numbers that add up to 1. The largest is taken off first, for safety.

    The gradient is s * (grad - sum(s * grad)).

    >>> tg.softmax(Tensor([1.0, 2.0, 10000.0]))
    Tensor([0., 0., 1.])
    """

    def forward(self, x, axis: int = -1):
        self.axis = axis
        given, x = x, widened(as_floats(x))
        e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf))
        return rounded(e / add_up(e, axis=axis, keepdims=True), given)

    def backward(self, grad):
        weighted = grad * self.output
        return weighted - self.output * sum(weighted, axis=self.axis, keepdims=True)


softmax = function(Softmax)


@register
class LogSoftmax(Op):
    """log(softmax(x)) along an axis, exact where the softmax is nearly 0. The gradient is grad - softmax * sum(grad).

    >>> tg.log_softmax(Tensor([1.0, 2.0, 10000.0]))
    Tensor([-9999., -9998.,     0.])
    """

    def forward(self, x, axis: int = -1):
        self.axis = axis
        x = as_floats(x)
        if x.ndim == 2 and axis in (1, -1):
            return log_of_softmax(x.T.copy(), 0).T.copy()
        return log_of_softmax(x, axis)

    def backward(self, grad):
        return grad - np.exp(self.output) * sum(grad, axis=self.axis, keepdims=True)


log_softmax = function(LogSoftmax)


def log_of_softmax(x, axis: int):
    """The computation on arrays alone, for the losses that begin with it."""
    if not x.size:
        return x.copy()
    if x.ndim == 2 and axis == 0:  # NumPy goes over columns in one sweep, and BLAS is faster at sums
        shifted = x - np.maximum.reduce(x, axis=0, initial=-np.inf)
        return shifted - np.log(sum_of_rows(np.exp(shifted)))
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    return rounded(shifted - np.log(add_up(widened(np.exp(shifted)), axis=axis, keepdims=True)), x)
