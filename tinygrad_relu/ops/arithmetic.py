"""Arithmetic, elementwise with NumPy's broadcasting: the four operations, powers, logarithms, angles, comparisons.

A rule returns gradients in the broadcast shape; the engine sums them back to the shape of each input.
"""

from __future__ import annotations

import math

import numpy as np

from ..op import Op, function, register

__all__ = [
    "abs", "add", "arctan", "clip", "cos", "cosh", "divide", "equal", "exp", "exp2", "expm1", "greater",
    "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp",
    "logical_and", "logical_not", "logical_or", "maximum", "minimum", "multiply", "negative", "not_equal", "power",
    "reciprocal", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "where",
]  # fmt: skip


def slope_of_abs(x):
    """The sign of x: 0 at 0, and at NaN too, as in PyTorch."""
    return np.where(np.isnan(x), 0, np.sign(x))


def as_floats(x):
    """x as floats, a Python number too: integers without a sign wrap around where they are negated or multiplied."""
    if not hasattr(x, "dtype"):
        return np.float64(x)
    return x if x.dtype.kind == "f" else x / 1


@register(numpy=np.add, operator="add")
class Add(Op):
    """x + y. Both get the gradient as it is.

    >>> Tensor([1.0, 2.0]) + 1
    Tensor([2., 3.])
    """

    def forward(self, x, y):
        return x + y

    def backward(self, grad):
        return grad, grad


add = function(Add)


@register(numpy=np.subtract, operator="sub")
class Subtract(Op):
    """x - y. The gradient goes to x as it is and to y negated.

    >>> 5 - Tensor([1.0, 2.0])
    Tensor([4., 3.])
    """

    def forward(self, x, y):
        return x - y

    def backward(self, grad):
        return grad, -grad


subtract = function(Subtract)


@register(numpy=np.multiply, operator="mul")
class Multiply(Op):
    """x * y. Each gets the gradient times the other.

    >>> Tensor([1.0, 2.0]) * Tensor([3.0, 4.0])
    Tensor([3., 8.])
    """

    def forward(self, x, y):
        return x * y

    def backward(self, grad):
        x, y = self.inputs
        to_x, to_y = self.parents
        return (None if to_x is None else grad * y), (None if to_y is None else grad * x)


multiply = function(Multiply)


@register(numpy=(np.divide, np.true_divide), operator="truediv")
class Divide(Op):
    """x / y. d/dx = 1/y and d/dy = -x/y**2.

    >>> Tensor([1.0, 2.0]) / 2
    Tensor([0.5, 1. ])
    """

    def forward(self, x, y):
        return np.true_divide(x, y)

    def backward(self, grad):
        y = self.inputs[1]
        to_y = self.parents[1]
        return grad / y, (None if to_y is None else -grad * (self.output / y))


divide = function(Divide)


@register(numpy=np.negative, operator="neg")
class Negative(Op):
    """-x.

    >>> -Tensor([1.0, -2.0])
    Tensor([-1.,  2.])
    """

    def forward(self, x):
        return np.negative(x)

    def backward(self, grad):
        return -grad


negative = function(Negative)


@register(numpy=np.positive, operator="pos", method=False)
def positive(x):
    """+x is x itself.

    >>> +Tensor([1.0, -2.0])
    Tensor([ 1., -2.])
    """
    return x


@register(numpy=np.power, operator="pow")
class Power(Op):
    """x ** y, with 0 ** 0 = 1. d/dx = y * x**(y-1), and 0 where y = 0; d/dy = x**y * log(x), and 0 where x = 0 <= y.

    A negative x with a broken exponent gives NaN, as the real power does not exist there. A half is the square root,
    to the sign of -0.0.

    >>> Tensor([0.0, 2.0, 3.0]) ** Tensor([0.0, 3.0, 2.0])
    Tensor([1., 8., 9.])
    """

    def forward(self, x, y):
        return _power(x, y)

    def backward(self, grad):
        x, y = self.inputs
        to_x, to_y = self.parents
        grad_x = None if to_x is None else self._times_slope_in_x(grad, x, y)
        return grad_x, (None if to_y is None else grad * self._slope_in_y(x, y))

    def _times_slope_in_x(self, grad, x, y):
        if type(y) in (int, float):  # x ** 2 and its like: no need to look for zeros in y
            return grad * (y * _power(x, y - 1)) if y else np.where(True, 0, grad)
        never = y == 0
        safe = np.where(never, 1, y)
        return np.where(never, 0, grad * (safe * x ** (safe - 1)))

    def _slope_in_y(self, x, y):
        never = np.logical_and(x == 0, y >= 0)
        return np.where(never, 0, self.output * np.log(np.where(never, 1, x)))


power = function(Power)


def _power(x, y):
    """x ** y, for small whole y by multiplication: of negative numbers NumPy takes a hundred times as long."""
    if type(y) not in (int, float):
        return np.power(x, y)
    if y in (0.5, -0.5):
        return np.sqrt(x) if y > 0 else 1 / np.sqrt(x)
    if 2 < y <= 16 and y == int(y):
        half = _power(x, int(y) // 2)
        return half * half * x if y % 2 else half * half
    return np.power(x, y)


@register(numpy=(np.abs, np.fabs), operator="abs")
class Abs(Op):
    """|x|. The slope is the sign of x: 0 at 0, and at NaN.

    >>> abs(Tensor([-2.0, 0.0, 3.0]))
    Tensor([2., 0., 3.])
    """

    def forward(self, x):
        self.sign = slope_of_abs(as_floats(x))
        return np.abs(x)

    def backward(self, grad):
        return grad * self.sign


abs = function(Abs)


@register(numpy=np.reciprocal)
class Reciprocal(Op):
    """1 / x. Slope -1 / x**2.

    >>> tg.reciprocal(Tensor([2.0, 4.0]))
    Tensor([0.5 , 0.25])
    """

    def forward(self, x):
        return 1 / x

    def backward(self, grad):
        return -grad * (self.output * self.output)


reciprocal = function(Reciprocal)


def _won(grad, larger, smaller):
    """The gradient where one is larger than the other, half of it where they are equal."""
    return np.where(larger == smaller, grad / 2, np.where(larger < smaller, 0, grad))


@register(numpy=np.maximum)
class Maximum(Op):
    """The larger of x and y. The gradient goes to the larger one; where both are equal each gets half.

    So the slope of maximum(x, 0) at 0 is 1/2, while that of relu is 0. NaN in either gives NaN.

    >>> tg.maximum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([3., 5.])
    """

    def forward(self, x, y):
        return np.maximum(x, y)

    def backward(self, grad):
        x, y = self.inputs
        to_x, to_y = self.parents
        return (None if to_x is None else _won(grad, x, y)), (None if to_y is None else _won(grad, y, x))


maximum = function(Maximum)


@register(numpy=np.minimum)
class Minimum(Op):
    """The smaller of x and y. The gradient goes to the smaller one; where both are equal each gets half.

    >>> tg.minimum(Tensor([1.0, 5.0]), Tensor([3.0, 4.0]))
    Tensor([1., 4.])
    """

    def forward(self, x, y):
        return np.minimum(x, y)

    def backward(self, grad):
        x, y = self.inputs
        to_x, to_y = self.parents
        return (None if to_x is None else _won(grad, y, x)), (None if to_y is None else _won(grad, x, y))


minimum = function(Minimum)


@register
class Clip(Op):
    """x held between ``min`` and ``max``, either of which may be None. Slope 1 between and at the bounds, 0 outside.

    >>> tg.clip(Tensor([-2.0, 0.5, 7.0]), 0, 6)
    Tensor([0. , 0.5, 6. ])
    """

    def forward(self, x, min=None, max=None):
        if min is None and max is None:
            raise ValueError("expected a lower bound, an upper bound or both")
        inside = True if min is None else np.greater_equal(x, min)
        self.inside = inside if max is None else np.logical_and(inside, np.less_equal(x, max))
        return np.clip(x, min, max)

    def backward(self, grad):
        return np.where(self.inside, grad, 0)


clip = function(Clip)


@register(numpy=np.clip, method=False)
def _numpy_clip(x, a_min=None, a_max=None, *, min=None, max=None):
    """np.clip, which has two names for each bound."""
    return clip(x, a_min if min is None else min, a_max if max is None else max)


@register(numpy=np.where, method=False)
class Where(Op):
    """x where the condition holds, y elsewhere. The gradient goes to the one that was taken.

    >>> x = Tensor([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0.1 * x)
    Tensor([-0.1,  2. ])
    """

    def forward(self, condition, x, y):
        return np.where(condition, x, y)

    def backward(self, grad):
        condition = self.inputs[0]
        _, to_x, to_y = self.parents
        grad_x = None if to_x is None else np.where(condition, grad, 0)
        return None, grad_x, (None if to_y is None else np.where(condition, 0, grad))


where = function(Where)


@register(numpy=np.sign)
class Sign(Op):
    """-1, 0 or 1. The slope is 0 everywhere, at 0 too.

    >>> tg.sign(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-1.,  0.,  1.])
    """

    def forward(self, x):
        return np.sign(x)

    def backward(self, grad):
        return np.zeros_like(grad)


sign = function(Sign)


# ---------------------------------------------------------------------- exponentials and logarithms


@register(numpy=np.exp)
class Exp(Op):
    """e ** x. Its slope is its value.

    >>> tg.exp(Tensor([0.0, 1.0]))
    Tensor([1.    , 2.7183])
    """

    def forward(self, x):
        return np.exp(x)

    def backward(self, grad):
        return grad * self.output


exp = function(Exp)


@register(numpy=np.exp2)
class Exp2(Op):
    """2 ** x. Slope log(2) * 2**x.

    >>> tg.exp2(Tensor([0.0, 3.0]))
    Tensor([1., 8.])
    """

    def forward(self, x):
        return np.exp2(x)

    def backward(self, grad):
        return grad * (self.output * math.log(2))


exp2 = function(Exp2)


@register(numpy=np.expm1)
class Expm1(Op):
    """e ** x - 1, exact for small x too. Slope e ** x.

    >>> tg.expm1(Tensor([0.0, 1e-5]))
    Tensor([0.e+00, 1.e-05])
    """

    def forward(self, x):
        return np.expm1(x)

    def backward(self, grad):
        return grad * (self.output + 1)


expm1 = function(Expm1)


@register(numpy=np.log)
class Log(Op):
    """The natural logarithm: -inf at 0, NaN below. Slope 1 / x.

    >>> tg.log(Tensor([1.0, 10.0]))
    Tensor([0.    , 2.3026])
    """

    def forward(self, x):
        return np.log(x)

    def backward(self, grad):
        return grad / self.inputs[0]


log = function(Log)


@register(numpy=np.log2)
class Log2(Op):
    """The logarithm to base 2. Slope 1 / (x log 2).

    >>> tg.log2(Tensor([1.0, 8.0]))
    Tensor([0., 3.])
    """

    def forward(self, x):
        return np.log2(x)

    def backward(self, grad):
        return grad / (self.inputs[0] * math.log(2))


log2 = function(Log2)


@register(numpy=np.log10)
class Log10(Op):
    """The logarithm to base 10. Slope 1 / (x log 10).

    >>> tg.log10(Tensor([1.0, 1000.0]))
    Tensor([0., 3.])
    """

    def forward(self, x):
        return np.log10(x)

    def backward(self, grad):
        return grad / (self.inputs[0] * math.log(10))


log10 = function(Log10)


@register(numpy=np.log1p)
class Log1p(Op):
    """log(1 + x), exact for small x too. Slope 1 / (1 + x).

    >>> tg.log1p(Tensor([0.0, 1e-5]))
    Tensor([0.0000e+00, 9.9999e-06])
    """

    def forward(self, x):
        return np.log1p(x)

    def backward(self, grad):
        return grad / (1 + self.inputs[0])


log1p = function(Log1p)


@register(name="logaddexp", numpy=np.logaddexp)
class LogAddExp(Op):
    """log(e**x + e**y) without overflow. Slopes sigmoid(x - y) and sigmoid(y - x).

    >>> tg.logaddexp(Tensor([0.0, 1000.0]), 0.0)
    Tensor([6.9315e-01, 1.0000e+03])
    """

    def forward(self, x, y):
        return np.logaddexp(x, y)

    def backward(self, grad):
        x, y = self.inputs
        return grad / (1 + np.exp(y - x)), grad / (1 + np.exp(x - y))


logaddexp = function(LogAddExp)


@register(numpy=np.sqrt)
class Sqrt(Op):
    """The square root: NaN below 0. Slope 1 / (2 sqrt(x)), infinite at 0.

    >>> tg.sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """

    def forward(self, x):
        return np.sqrt(x)

    def backward(self, grad):
        return grad / (2 * self.output)


sqrt = function(Sqrt)


@register
class Rsqrt(Op):
    """1 / sqrt(x). Slope -1/2 * x**(-3/2).

    >>> tg.rsqrt(Tensor([4.0, 16.0]))
    Tensor([0.5 , 0.25])
    """

    def forward(self, x):
        return 1 / np.sqrt(x)

    def backward(self, grad):
        return -0.5 * grad * self.output**3


rsqrt = function(Rsqrt)


@register(numpy=np.square)
class Square(Op):
    """x * x. Slope 2 x.

    >>> tg.square(Tensor([-3.0, 2.0]))
    Tensor([9., 4.])
    """

    def forward(self, x):
        return np.square(x)

    def backward(self, grad):
        return grad * (2 * self.inputs[0])


square = function(Square)


# ---------------------------------------------------------------------- angles, in radians


@register(numpy=np.sin)
class Sin(Op):
    """The sine of an angle in radians. Slope cos(x).

    >>> tg.sin(Tensor([0.0, 1.0]))
    Tensor([0.    , 0.8415])
    """

    def forward(self, x):
        return np.sin(x)

    def backward(self, grad):
        return grad * np.cos(self.inputs[0])


sin = function(Sin)


@register(numpy=np.cos)
class Cos(Op):
    """The cosine of an angle in radians. Slope -sin(x).

    >>> tg.cos(Tensor([0.0, 1.0]))
    Tensor([1.    , 0.5403])
    """

    def forward(self, x):
        return np.cos(x)

    def backward(self, grad):
        return -grad * np.sin(self.inputs[0])


cos = function(Cos)


@register(numpy=np.tan)
class Tan(Op):
    """The tangent of an angle in radians. Slope 1 + tan(x)**2.

    >>> tg.tan(Tensor([0.0, 1.0]))
    Tensor([0.    , 1.5574])
    """

    def forward(self, x):
        return np.tan(x)

    def backward(self, grad):
        return grad * (1 + self.output * self.output)


tan = function(Tan)


@register(numpy=np.arctan)
class Arctan(Op):
    """The angle between -pi/2 and pi/2, in radians, whose tangent is x. Slope 1 / (1 + x**2).

    >>> tg.arctan(Tensor([0.0, 1.0]))
    Tensor([0.    , 0.7854])
    """

    def forward(self, x):
        return np.arctan(x)

    def backward(self, grad):
        x = self.inputs[0]
        return grad / (1 + x * x)


arctan = function(Arctan)


@register(numpy=np.sinh)
class Sinh(Op):
    """(e**x - e**-x) / 2. Slope cosh(x).

    >>> tg.sinh(Tensor([0.0, 1.0]))
    Tensor([0.    , 1.1752])
    """

    def forward(self, x):
        return np.sinh(x)

    def backward(self, grad):
        return grad * np.cosh(self.inputs[0])


sinh = function(Sinh)


@register(numpy=np.cosh)
class Cosh(Op):
    """(e**x + e**-x) / 2. Slope sinh(x).

    >>> tg.cosh(Tensor([0.0, 1.0]))
    Tensor([1.    , 1.5431])
    """

    def forward(self, x):
        return np.cosh(x)

    def backward(self, grad):
        return grad * np.sinh(self.inputs[0])


cosh = function(Cosh)


@register(numpy=np.tanh)
class Tanh(Op):
    """The hyperbolic tangent, between -1 and 1. Slope 1 - tanh(x)**2: 1 at 0, and next to nothing beyond 3.

    >>> tg.tanh(Tensor([0.0, 1.0, 1000.0]))
    Tensor([0.    , 0.7616, 1.    ])
    """

    def forward(self, x):
        return np.tanh(x)

    def backward(self, grad):
        return grad * (1 - self.output * self.output)


tanh = function(Tanh)


# ---------------------------------------------------------------------- comparisons: constants to the graph


@register(numpy=np.equal, operator="eq")
class Equal(Op):
    """x == y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) == 2
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x, y):
        return np.equal(x, y)


equal = function(Equal)


@register(numpy=np.not_equal, operator="ne")
class NotEqual(Op):
    """x != y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) != 2
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x, y):
        return np.not_equal(x, y)


not_equal = function(NotEqual)


@register(numpy=np.less, operator="lt")
class Less(Op):
    """x < y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) < 2
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x, y):
        return np.less(x, y)


less = function(Less)


@register(numpy=np.less_equal, operator="le")
class LessEqual(Op):
    """x <= y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) <= 1
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x, y):
        return np.less_equal(x, y)


less_equal = function(LessEqual)


@register(numpy=np.greater, operator="gt")
class Greater(Op):
    """x > y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) > 1
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x, y):
        return np.greater(x, y)


greater = function(Greater)


@register(numpy=np.greater_equal, operator="ge")
class GreaterEqual(Op):
    """x >= y, elementwise, as a boolean tensor without gradient.

    >>> Tensor([1.0, 2.0]) >= 2
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x, y):
        return np.greater_equal(x, y)


greater_equal = function(GreaterEqual)


@register(numpy=(np.logical_and, np.bitwise_and), operator="and")
class LogicalAnd(Op):
    """Logical and of x and y, elementwise, without gradient. ``a & b`` on boolean tensors.

    >>> (Tensor([1.0, 2.0]) > 0) & (Tensor([1.0, 2.0]) < 2)
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x, y):
        _must_be_booleans(x, y)
        return np.logical_and(x, y)


logical_and = function(LogicalAnd)


@register(numpy=(np.logical_or, np.bitwise_or), operator="or")
class LogicalOr(Op):
    """Logical or of x and y, elementwise, without gradient. ``a | b`` on boolean tensors.

    >>> (Tensor([1.0, 2.0]) < 0) | (Tensor([1.0, 2.0]) > 1)
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x, y):
        _must_be_booleans(x, y)
        return np.logical_or(x, y)


logical_or = function(LogicalOr)


@register(numpy=(np.logical_not, np.invert), operator="invert")
class LogicalNot(Op):
    """Logical not of x, elementwise, without gradient. ``~a`` on boolean tensors.

    >>> ~(Tensor([1.0, 2.0]) > 1)
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x):
        _must_be_booleans(x)
        return np.logical_not(x)


logical_not = function(LogicalNot)


def _must_be_booleans(*operands) -> None:
    """& on integers means their bits to NumPy, and True to nobody: numbers are compared first."""
    if any(np.result_type(x).kind != "b" for x in operands):
        raise TypeError("expected booleans; compare numbers first, as in (x > 0) & (x < 1)")


@register(name="isnan", numpy=np.isnan)
class IsNaN(Op):
    """Test for NaN, elementwise, without gradient.

    >>> tg.isnan(Tensor([1.0, float("nan")]))
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x):
        return np.isnan(x)


isnan = function(IsNaN)


@register(name="isinf", numpy=np.isinf)
class IsInf(Op):
    """Test for infinity, elementwise, without gradient.

    >>> tg.isinf(Tensor([1.0, float("inf")]))
    Tensor([False,  True], dtype=bool)
    """

    def forward(self, x):
        return np.isinf(x)


isinf = function(IsInf)


@register(name="isfinite", numpy=np.isfinite)
class IsFinite(Op):
    """Test for numbers that are neither NaN nor infinite, elementwise, without gradient.

    >>> tg.isfinite(Tensor([1.0, float("inf")]))
    Tensor([ True, False], dtype=bool)
    """

    def forward(self, x):
        return np.isfinite(x)


isfinite = function(IsFinite)
