# %% [markdown] lang="en"
# # 5. ReLU and its mask
#
# **ReLU sets every negative number to 0. On the way back, how does it know which gradients to stop?**
#
# This lesson reads a class of ten lines from a seminar on ReLU, finds the fault in it, and mends it.

# %% [markdown] lang="ko"
# # 5. 렐루와 마스크
#
# **렐루는 음수를 모두 0으로 만들어요. 역전파할 때는 어느 기울기를 막아야 하는지 어떻게 알까요?**
#
# 이번 수업에서는 렐루 세미나에서 쓴 열 줄짜리 클래스를 읽고, 그 안에 숨은 오류를 찾아서 고쳐요.

# %%
import inspect

import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## Forward saves the mask, backward uses it
#
# The slope of `max(x, 0)` is 1 where x > 0, and 0 elsewhere. When the gradient comes back, the sign of `x` is all that
# has to be known. So forward saves it, as an array of True and False: the **mask**.

# %% [markdown] lang="ko"
# ## 순전파는 마스크를 저장하고, 역전파는 마스크를 써요
#
# `max(x, 0)`의 기울기는 x > 0이면 1이고, 아니면 0이에요. 기울기가 돌아왔을 때 알아야 하는 것은 `x`의 부호뿐이지요.
# 그래서 순전파는 그 부호를 True와 False로 된 배열에 저장해 둬요. 이것이 **마스크**예요.


# %%
class Relu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        dx = dout
        return dx


relu = Relu()
print("out: ", relu.forward(np.array([1, -2, 3, -4])))
print("mask:", relu.mask)
print("dx:  ", relu.backward(np.array([1, 2, -3, 4])))

# %% [markdown] lang="en"
# Note the third number: the gradient -3 passes. The mask asks for the sign of the *input*, never for that of the
# gradient.

# %% [markdown] lang="ko"
# 세 번째 수를 보세요. 기울기 -3은 그대로 통과해요. 마스크는 **입력**의 부호만 보고, 기울기의 부호는 보지 않아요.


# %%
def picture_of_the_mask():
    rows = {"x": [1, -2, 3, -4], "out": [1, 0, 3, 0], "dout": [1, 2, -3, 4], "dx": [1, 0, -3, 0]}
    figure, (axes,) = figures.panels(width=7.0, height=3.6)
    for blocked in (1, 3):
        axes.axvspan(blocked - 0.5, blocked + 0.5, color=figures.GREY, alpha=0.35)
    for i, numbers in enumerate(rows.values()):
        for j, number in enumerate(numbers):
            axes.text(j, i, number, ha="center", va="center", fontsize=17)
    axes.set(xlim=(-0.5, 3.5), ylim=(3.5, -0.5), xticks=range(4), yticks=range(4), yticklabels=rows)
    axes.set_xticklabels(["passes", "mask: blocked"] * 2)
    axes.set_title("Where the mask is True, nothing passes, forward or back")
    axes.grid(False)
    return figure


show(picture_of_the_mask())

# %% [markdown] lang="en"
# ## The fault
#
# Now let `x` go two ways: `y = x + relu(x)`. A sum hands the gradient on to both sides *as it is*, so both sides hold
# the same array. Look what the class does to it:

# %% [markdown] lang="ko"
# ## 숨은 오류
#
# 이번에는 `x`가 두 갈래로 가요. `y = x + relu(x)`. 덧셈은 기울기를 양쪽에 **그대로** 전하니까, 양쪽이 같은 배열을
# 가지게 돼요. 이 클래스가 그 배열에 무슨 일을 하는지 보세요.

# %%
x = np.array([1.0, -2.0, 3.0, -4.0])
y = x + relu.forward(x)

dout = np.array([1.0, 2.0, -3.0, 4.0])
straight = dout  # the sum sends dout to x,
through_relu = relu.backward(dout)  # and the same dout through relu
print("dout afterwards:", dout)
print("dx by the class:", straight + through_relu)

# %%
x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
y = x + tg.relu(x)
y.backward([1, 2, -3, 4], retain_graph=True)
print("dx by the engine:", x.grad.numpy())

# %% [markdown] lang="en"
# `dout[self.mask] = 0` has written into an array that belongs to somebody else. Where a number is negative, the
# straight way still has slope 1, so 2 and 4 should have arrived. In a plain chain of layers nobody notices; in a
# network with shortcuts (a ResNet) the gradients are wrong. The mended rule makes a new array:

# %% [markdown] lang="ko"
# `dout[self.mask] = 0`이 남의 배열을 덮어써 버렸어요. 음수인 곳에서도 곧장 가는 길의 기울기는 여전히 1이니까, 2와 4가
# 도착했어야 해요. 층을 한 줄로 쌓은 신경망에서는 아무도 눈치채지 못하지만, 지름길이 있는 신경망(ResNet)에서는 기울기가
# 틀려요. 고친 규칙은 새 배열을 만들어요.

# %%
print(inspect.getsource(tg.relu.op.backward))

# %% [markdown] lang="en"
# In the explorer, `x` waits for two messages. Step to the rule of relu, and look at the mask that it saved.

# %% [markdown] lang="ko"
# 아래 탐색기에서 `x`는 기울기 두 개를 기다려요. relu의 역전파 규칙이 나오는 단계로 가서, 저장된 마스크를 확인해 보세요.

# %% lang="en"
tg.explain(y, [1, 2, -3, 4])

# %% lang="ko"
tg.explain(y, [1, 2, -3, 4], language="ko")

# %% [markdown] lang="en"
# ## And exactly at 0?
#
# There is a corner, and a corner has no slope: from the left it is 0, from the right 1. Any number between may be
# chosen; `x <= 0` chooses 0, as almost everybody does. Measured across the corner one gets neither, but 1/2.
# `gradcheck`, which compares an op with measured slopes, knows of that:

# %% [markdown] lang="ko"
# ## 정확히 0에서는요?
#
# 0에서는 그래프가 꺾여 있고, 꺾인 곳에는 기울기가 없어요. 왼쪽에서 보면 0, 오른쪽에서 보면 1이지요. 그 사이의 값이라면
# 무엇을 골라도 돼요. `x <= 0`은 거의 모두가 그렇듯이 0을 고른 거예요. 꺾인 곳을 가로질러 기울기를 재면 둘 다 아닌 1/2이
# 나와요. 연산의 기울기를 잰 값과 비교하는 `gradcheck`는 이 사실을 알고 있어요.

# %%
print(tg.gradcheck(tg.relu, Tensor([-1.0, 0.0, 1.0])))

# %% [markdown] lang="en"
# ## Exercise 1
#
# Leaky ReLU lets a tenth through instead of nothing: `x` where x > 0, and `0.1 * x` elsewhere. What comes back for the
# same numbers, `x = [1, -2, 3, -4]` and `dout = [1, 2, -3, 4]`?

# %% [markdown] lang="ko"
# ## 연습 문제 1
#
# 리키 렐루(LeakyReLU)는 완전히 막지 않고 10분의 1을 통과시켜요. x > 0이면 `x`, 아니면 `0.1 * x`예요. 같은 숫자
# `x = [1, -2, 3, -4]`와 `dout = [1, 2, -3, 4]`에 대해 무엇이 돌아올까요?

# %%
x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
tg.leaky_relu(x, 0.1).backward([1, 2, -3, 4])

answer = ...  # a list of four numbers
exercise(answer, x.grad, "The slope is 1 where x > 0 and 0.1 elsewhere; it multiplies dout, not x.")

# %% [markdown] lang="en"
# ## Exercise 2
#
# A network may save memory: it throws `x` away and keeps only `out`, which the next layer needs anyway. Write the
# backward rule of ReLU from `out` and `dout`. It must not write into either, and must be right at 0 too.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 메모리를 아끼려고 `x`를 버리고, 어차피 다음 층이 쓰는 `out`만 남겨 둘 수도 있어요. `out`과 `dout`만으로 렐루의 역전파
# 규칙을 작성해 보세요. 두 배열을 고치면 안 되고, 0에서도 맞아야 해요.

# %%
x = Tensor([1.5, -2.0, 0.0, 3.0, -4.0], requires_grad=True)
out = tg.relu(x)
out.backward([1.0, 2.0, 5.0, -3.0, 4.0])


def try_out(rule):
    """What the rule gives, and what is left of dout."""
    dout = np.array([1.0, 2.0, 5.0, -3.0, 4.0])
    return rule(out.detach().numpy().copy(), dout), dout


def is_right(rule):
    dx, dout = try_out(rule)
    return np.array_equal(dx, x.grad.numpy()) and np.array_equal(dout, [1, 2, 5, -3, 4])


def hint(rule):
    dx, dout = try_out(rule)
    if not np.array_equal(dout, [1, 2, 5, -3, 4]):
        return f"It has changed dout to {dout}, which others still need."
    return f"For out = {out.detach().numpy()} and dout = {dout} it gives {dx}. Which of these were blocked?"


answer = ...  # a function, such as lambda out, dout: dout
exercise(answer, is_right, hint)

# %% [markdown] lang="en"
# You have now written a backward rule. In **lesson 6** you give one to the engine: **an op of your own**, which it
# draws, explains and proves like those that it came with.

# %% [markdown] lang="ko"
# 방금 역전파 규칙을 하나 직접 작성했어요. **6번 수업**에서는 그런 규칙을 엔진에 넘겨줘요. **나만의 연산**을 만들면
# 엔진이 처음부터 있던 연산처럼 그려 주고, 설명해 주고, 증명해 줘요.
