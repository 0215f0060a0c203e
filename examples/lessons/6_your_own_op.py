# %% [markdown] lang="en"
# # 6. An op of your own
#
# **The engine has over a hundred ops. What if the one that you need is not among them?**
#
# This lesson gives ReLU a round corner, first with a rule that is wrong, so that you see how one finds out.

# %% [markdown] lang="ko"
# # 6. 나만의 연산
#
# **엔진에는 연산이 백 개 넘게 들어 있어요. 그런데 내가 쓰려는 연산이 그중에 없다면 어떻게 할까요?**
#
# 이번 수업에서는 렐루의 꺾인 곳을 둥글게 만든 연산을 써 봐요. 처음에는 일부러 틀린 규칙으로 시작해요. 틀린 것을 어떻게
# 알아내는지 보기 위해서예요.

# %%
import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## Often nothing is missing
#
# In lesson 5 the corner of ReLU had no slope. Here is a curve that runs close to ReLU and has none of that, called
# *squareplus* (Barron 2021, arXiv 2112.11687): `(x + sqrt(x² + 4)) / 2`. All of its parts are there, so it can simply
# be written down, and the engine finds its slope by the chain rule.

# %% [markdown] lang="ko"
# ## 사실 대부분은 이미 있어요
#
# 5번 수업에서 본 렐루는 꺾인 곳에 기울기가 없었어요. 렐루와 거의 같으면서 꺾인 곳이 없는 함수가 있는데,
# *squareplus*(Barron 2021, arXiv 2112.11687)라고 해요. 식은 `(x + sqrt(x² + 4)) / 2`예요. 필요한 연산이 모두 있으니까
# 그냥 식을 그대로 쓰면 돼요. 기울기는 엔진이 연쇄 법칙으로 구해요.


# %%
def composed(x):
    return (x + tg.sqrt(x * x + 4)) / 2


x = Tensor([-1.0, 2.0], requires_grad=True)
out = composed(x)
out.backward([1, 1], retain_graph=True)  # keep the graph, to draw it
print("out:   ", out.detach().numpy())
print("x.grad:", x.grad.numpy())

# %%
tg.draw(out, direction="TB")

# %% [markdown] lang="en"
# Five nodes for one little curve. An op of your own makes it one, with a rule that you choose: shorter to read, less to
# remember, and open to formulas that the engine has no parts for.
#
# ## One class, two methods
#
# `forward` gets arrays and returns an array. `backward` gets the gradient of the result, and returns that of the input.
# The rule needs a slope, so let us take the derivative with pencil and paper:
#
# - the slope of `sqrt(x² + 4)` is `x / sqrt(x² + 4)`
# - so the slope of the whole is `(1 + x / sqrt(x² + 4)) / 2`
#
# This is what many write at first:

# %% [markdown] lang="ko"
# 작은 곡선 하나에 노드가 다섯 개나 필요해요. 나만의 연산을 만들면 노드 하나로 끝나고, 규칙도 직접 정할 수 있어요. 읽기
# 쉽고, 기억할 것도 적고, 엔진의 연산만으로는 쓸 수 없는 식도 쓸 수 있지요.
#
# ## 클래스 하나, 메서드 둘
#
# `forward`는 배열을 받아 배열을 돌려줘요. `backward`는 결과의 기울기를 받아 입력의 기울기를 돌려줘요. 규칙에는
# 도함수가 필요하니 종이에 연필로 미분해 봐요.
#
# - `sqrt(x² + 4)`의 도함수는 `x / sqrt(x² + 4)`
# - 그러므로 전체의 도함수는 `(1 + x / sqrt(x² + 4)) / 2`
#
# 처음에는 이렇게 쓰는 사람이 많아요.


# %%
@tg.register
class Squareplus(tg.Op):
    """(x + sqrt(x * x + 4)) / 2: ReLU with a round corner."""

    def forward(self, x):
        return (x + np.sqrt(x * x + 4)) / 2

    def backward(self, grad):
        (x,) = self.inputs
        return (1 + x / np.sqrt(x * x + 4)) / 2


x = Tensor(2.0, requires_grad=True)
tg.squareplus(x).backward()
print("registered as:         ", Squareplus.name)
print("the slope at 2:        ", x.grad.item())
print("by the composed one:   ", tg.grad(composed(x), x)[0].item())

# %% [markdown] lang="en"
# It seems to be right. It is not. Do you see what is missing?
#
# ## Let the engine doubt you
#
# `gradcheck` moves each input by a tiny step, as we did by hand in lesson 1, and compares the slopes that it measures
# with those that the rule gives. One number would have passed, so give it two:

# %% [markdown] lang="ko"
# 맞는 것 같지만, 사실은 틀렸어요. 무엇이 빠졌는지 보이나요?
#
# ## 엔진에게 검사받기
#
# `gradcheck`는 1번 수업에서 우리가 손으로 했던 것처럼 입력을 하나씩 아주 조금 움직여서 기울기를 재고, 규칙이 내놓은
# 기울기와 비교해요. 수가 하나뿐이면 그냥 통과해 버리니까, 두 개를 넣어 봐요.

# %%
print(tg.gradcheck(tg.squareplus, Tensor(2.0)))

# %%
report = tg.gradcheck(tg.squareplus, Tensor([-1.0, 2.0]), raise_exception=False)
print(report)

# %% [markdown] lang="en"
# Read the first wrong line: the output `0[1]`, moved by the input `0[0]`. An elementwise op does not mix its elements,
# so the measured slope is 0. The rule says 0.276. It has forgotten **`grad`**, the factor that comes in from behind:
# here 0 for the element that nobody asked about. With a single number, `grad` was 1, and nobody noticed.
#
# (`raise_exception=False` is for reading. Without it, a wrong rule is an error.)
#
# ## The mended rule

# %% [markdown] lang="ko"
# 틀렸다고 나온 첫 줄을 읽어 봐요. 입력 `0[0]`을 움직였을 때 출력 `0[1]`의 기울기예요. 원소별 연산은 원소끼리 섞이지
# 않으니까 잰 기울기는 0이에요. 그런데 규칙은 0.276이라고 했어요. 뒤에서 전해지는 **`grad`를** 곱하는 것을 잊은
# 거예요. 물어보지 않은 원소에서는 `grad`가 0이지요. 수가 하나일 때는 `grad`가 1이어서 아무도 눈치채지 못했어요.
#
# (`raise_exception=False`는 표를 읽어 보려고 쓴 거예요. 이것을 빼면 규칙이 틀렸을 때 오류가 나요.)
#
# ## 고친 규칙


# %%
@tg.register  # the same name again replaces the old one, as when a cell is run again
class Squareplus(tg.Op):
    """(x + sqrt(x * x + 4)) / 2: ReLU with a round corner."""

    def forward(self, x):
        self.root = np.sqrt(x * x + 4)
        return (x + self.root) / 2

    def backward(self, grad):
        (x,) = self.inputs
        return grad * (1 + x / self.root) / 2


points = Tensor([-3.0, -1.0, 0.0, 2.0])
print("this one is used now:", tg.registry["squareplus"] is Squareplus)
print(tg.gradcheck(tg.squareplus, points))

# %% [markdown] lang="en"
# All agree. We have even saved a root: `forward` keeps it, as ReLU keeps its mask, and `backward` need not take it
# again.
#
# ## The slope of the slope
#
# Some methods differentiate twice: then the backward pass is itself recorded, as if it were a forward pass.
# `gradgradcheck` compares those second slopes:

# %% [markdown] lang="ko"
# 모두 맞아요. 제곱근도 한 번만 계산하게 했어요. 렐루가 마스크를 저장하듯이 `forward`가 저장해 두고, `backward`는 다시
# 계산하지 않아요.
#
# ## 기울기의 기울기
#
# 두 번 미분하는 방법들도 있어요. 그럴 때는 역전파 자체가 순전파처럼 기록돼요. `gradgradcheck`는 이렇게 구한 두 번째
# 기울기를 비교해요.

# %%
report = tg.gradgradcheck(tg.squareplus, points, raise_exception=False)
print(report)

# %% [markdown] lang="en"
# Wrong again, and `gradcheck` could not see it. The saved `self.root` is a plain array. For the engine it is a number
# like 4, so the slope of the root is lost. A mask may be saved, since it is constant. What depends on `x` must be read
# from **`self.inputs`** or **`self.output`**, which are Tensors when the backward pass is recorded. Here the output
# helps: `sqrt(x² + 4)` is `2 * output - x`.

# %% [markdown] lang="ko"
# 또 틀렸는데, `gradcheck`는 이것을 볼 수 없었어요. 저장한 `self.root`는 그냥 배열이에요. 엔진에게는 4와 같은 상수로
# 보이니까 제곱근의 기울기가 사라져요. 마스크는 상수라서 저장해도 돼요. 하지만 `x`에 따라 변하는 값은
# **`self.inputs`나 `self.output`에서** 읽어야 해요. 역전파가 기록될 때 이 둘은 Tensor가 되거든요. 여기서는 출력을
# 쓸 수 있어요. `sqrt(x² + 4)`는 `2 * output - x`와 같아요.


# %%
@tg.register
class Squareplus(tg.Op):
    """(x + sqrt(x * x + 4)) / 2: ReLU with a round corner."""

    def forward(self, x):
        return (x + np.sqrt(x * x + 4)) / 2

    def backward(self, grad):
        (x,) = self.inputs
        root = 2 * self.output - x
        return grad * (1 + x / root) / 2


print(tg.gradcheck(tg.squareplus, points))
print(tg.gradgradcheck(tg.squareplus, points))

# %% [markdown] lang="en"
# ## One of the family
#
# The op is now a function, a method of every Tensor, and one node in drawings and in the explorer. Its slopes, and the
# slopes of its slopes, come from the rule that you wrote:

# %% [markdown] lang="ko"
# ## 이제 한 식구예요
#
# 이 연산은 이제 함수이고, 모든 Tensor의 메서드이고, 그림과 탐색기에서는 노드 하나예요. 기울기도, 기울기의 기울기도
# 방금 쓴 규칙에서 나와요.

# %%
x = Tensor([-1.0, 2.0], requires_grad=True)
out = x.squareplus()
out.backward([1, 1], retain_graph=True)
tg.draw(out, direction="LR")


# %%
def curve_slope_and_bend(op, xs):
    """The op, its slope and the slope of the slope at all of these places."""
    x = Tensor(xs, requires_grad=True)
    y = op(x)
    (slope,) = tg.grad(tg.sum(y), x, create_graph=True)
    if not slope.requires_grad:  # a rule that does not depend on x, as that of ReLU
        return y.detach(), slope.detach(), np.zeros(len(xs))
    (bend,) = tg.grad(tg.sum(slope), x)
    return y.detach(), slope.detach(), bend


def picture_of_both():
    figure, panels = figures.panels(columns=3, width=3.05, height=3.3)
    xs = np.linspace(-5, 5, 401)
    for op, color, line in ((tg.relu, figures.BLUE, "-"), (tg.squareplus, figures.RED, "--")):
        for axes, values in zip(panels, curve_slope_and_bend(op, xs)):
            axes.plot(xs, np.asarray(values), line, color=color, linewidth=2.5, label=op.__name__)
    for axes, title in zip(panels, ("The curve", "Its slope", "The slope of the slope")):
        axes.set(xlabel="x", title=title)
    figures.legend(panels[0], loc="upper left")
    return figure


show(picture_of_both())

# %% [markdown] lang="en"
# ReLU's slope jumps, that of squareplus rises smoothly. And to the left squareplus still has a little slope, where ReLU
# has none; that will matter in lesson 8. When you are done with an op, take it out again:

# %% [markdown] lang="ko"
# 렐루의 기울기는 갑자기 뛰지만 squareplus의 기울기는 부드럽게 올라가요. 그리고 렐루의 기울기가 0인 왼쪽에서도
# squareplus에는 기울기가 조금 남아 있어요. 이 차이는 8번 수업에서 중요해져요. 다 쓴 연산은 다시 뺄 수 있어요.

# %%
tg.unregister("squareplus")
print("squareplus" in tg.registry)

# %% [markdown] lang="en"
# ## Exercise 1
#
# The bell curve `y = exp(-x²)` wants to be an op. Write its backward rule as a function of `grad`, `x` and `y`. Use
# operators and NumPy functions; `gradcheck` and `gradgradcheck` decide.

# %% [markdown] lang="ko"
# ## 연습 문제 1
#
# 종 모양 곡선 `y = exp(-x²)`을 연산으로 만들려고 해요. 역전파 규칙을 `grad`, `x`, `y`의 함수로 써 보세요. 연산자와
# NumPy 함수를 쓰면 돼요. 채점은 `gradcheck`와 `gradgradcheck`가 해요.


# %%
def bell_with(rule):
    """The op with this rule; it is not registered under a name of its own."""

    class Bell(tg.Op):
        def forward(self, x):
            return np.exp(-x * x)

        def backward(self, grad):
            (x,) = self.inputs
            return rule(grad, x, self.output)

    return Bell


def first_wrong(op, inputs):
    """The first slope that is wrong, or that is wrong in the slope of the slope; None if all are right."""
    tg.register(op, name="on_trial", method=False)
    try:
        for check in (tg.gradcheck, tg.gradgradcheck):
            report = check(op.function, inputs, raise_exception=False)
            if not report:
                return check.__name__, report.wrong[0]
    finally:
        tg.unregister("on_trial")


def is_proved(rule):
    return first_wrong(bell_with(rule), points) is None


def hint(rule):
    check, slope = first_wrong(bell_with(rule), points)
    numbers = f"{slope.analytic:.4g} where {slope.numeric:.4g} was measured"
    place = f"{check}: output {slope.output}, input {slope.input}"
    return f"{place}: {numbers}. Is it the slope, times what came in?"


answer = ...  # a function, such as lambda grad, x, y: grad * y
exercise(answer, is_proved, hint)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Now a whole op with two inputs: the length of an arrow, `sqrt(x² + y²)`. Write the class; `backward` returns a tuple
# with a gradient for each input. You need not think of broadcasting: the engine sums for you, as in lesson 4.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 이번에는 입력이 둘인 연산 전체를 만들어요. 화살표의 길이 `sqrt(x² + y²)`예요. 클래스를 쓰고, `backward`는 입력마다
# 기울기를 하나씩 튜플로 돌려주세요. 브로드캐스팅은 신경 쓰지 않아도 돼요. 4번 수업에서 본 것처럼 엔진이 대신 더해 줘요.

# %%
arrows = (Tensor([[3.0], [-1.0]]), Tensor([4.0, 2.0, -0.5]))


def lengths(op):
    tg.register(op, name="on_trial", method=False)
    try:
        return op.function(*arrows)
    finally:
        tg.unregister("on_trial")


def gives_lengths(op):
    x, y = arrows
    return np.allclose(lengths(op), tg.sqrt(x * x + y * y))


def is_right(op):
    return gives_lengths(op) and first_wrong(op, arrows) is None


def hint(op):
    if not gives_lengths(op):
        return f"forward gives {lengths(op)[0, 0].item():.4g} for the arrow (3, 4)."
    check, slope = first_wrong(op, arrows)
    if check == "gradgradcheck":
        return "The slopes are right, but not their slopes. Is there a saved array that depends on the inputs?"
    numbers = f"{slope.analytic:.4g} where {slope.numeric:.4g} was measured"
    place = f"gradcheck: output {slope.output}, input {slope.input}"
    return f"{place}: {numbers}. Which arrow is that?"


answer = ...  # a class: class Length(tg.Op): ..., and then answer = Length
exercise(answer, is_right, hint)

# %% [markdown] lang="en"
# One op is proved; a network is many of them in a row. In **lesson 7** they come together: **a whole network on two
# moons**, and what becomes of it without its ReLUs.

# %% [markdown] lang="ko"
# 연산 하나를 증명했어요. 신경망은 이런 연산을 여러 개 이어 놓은 것이지요. **7번 수업**에서는 이것들을 모아서 **두
# 반달을 가르는 신경망**을 만들고, 렐루가 없으면 어떻게 되는지도 봐요.
