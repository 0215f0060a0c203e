# %% [markdown] lang="en"
# # 1. One neuron by hand
#
# **A neuron has given the wrong answer. How does it know which way to turn its weight, and how far?**
#
# In this lesson you compute one neuron and its gradients with nothing but school arithmetic, and then see the engine
# come to the same numbers. Everything that follows, up to whole networks, is this lesson repeated.

# %% [markdown] lang="ko"
# # 1. 손으로 계산하는 뉴런 하나
#
# **뉴런이 틀린 답을 냈어요. 가중치를 어느 쪽으로, 얼마나 움직여야 하는지 뉴런은 어떻게 알까요?**
#
# 이번 수업에서는 뉴런 하나의 출력과 기울기를 손으로 계산해 보고, 엔진이 같은 값을 내는지 확인해요. 아무리 큰
# 신경망이라도 결국 여기서 하는 계산을 되풀이하는 것뿐이에요.

# %%
import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## Forward: from the input to the loss
#
# Our neuron has one input `x`, one weight `w` and one bias `b`. It computes a weighted sum `z = w * x + b` and passes
# it through ReLU, `a = max(z, 0)`. The answer should have been `target`; the loss is the square of what is missing.

# %% [markdown] lang="ko"
# ## 순전파: 입력에서 손실까지
#
# 이 뉴런에는 입력 `x`, 가중치 `w`, 편향 `b`가 하나씩 있어요. 먼저 가중합(weighted sum) `z = w * x + b`를 구하고, 렐루
# 함수 `a = max(z, 0)`을 통과시켜요. 원하는 답이 `target`이라면, 모자란 만큼을 제곱한 것이 손실이에요.

# %%
x, target = 2.0, 2.0
w, b = 0.5, -0.5

z = w * x + b
a = max(z, 0)
loss = (a - target) ** 2
print(f"z = {z}, a = {a}, loss = {loss}")

# %% [markdown] lang="en"
# ## What does the loss do when the weight moves?
#
# Everything is fixed but `w`, so the loss is a curve over `w`. Where we stand, at `w = 0.5`, it falls to the right. How
# steeply it falls is a number, the **slope**, and it can be measured: move `w` by a tiny step and see what the loss
# does.

# %% [markdown] lang="ko"
# ## 가중치를 움직이면 손실은 어떻게 변할까요?
#
# `w`만 빼고 모두 고정하면 손실은 `w`에 대한 곡선이 돼요. 지금 위치인 `w = 0.5`에서는 오른쪽으로 갈수록 손실이
# 줄어들지요. 얼마나 가파르게 줄어드는지를 나타내는 수가 바로 **기울기**예요. `w`를 아주 조금 움직여 보면 직접 잴 수
# 있어요.


# %%
def loss_at(w):
    return (np.maximum(w * x + b, 0) - target) ** 2


step = 0.001
slope = (loss_at(w + step) - loss_at(w)) / step
print(f"slope at w = {w}: about {slope:.3f}")


# %%
def picture_of_the_slope():
    figure, (axes,) = figures.panels(width=7.5)
    ws = np.linspace(-0.5, 2.2, 271)
    axes.plot(ws, loss_at(ws), color=figures.BLUE, linewidth=2.5, label="loss")
    near = np.array([w - 0.28, w + 0.3])
    tangent = loss_at(w) + slope * (near - w)
    axes.plot(near, tangent, "--", color=figures.RED, linewidth=2.5, label="its slope here")
    axes.plot(w, loss_at(w), "o", color=figures.RED, markersize=11, label="w = 0.5")
    axes.set(xlabel="weight w", ylabel="loss", title="The loss of one neuron, over its weight")
    figures.legend(axes, loc="upper center")
    return figure


show(picture_of_the_slope())

# %% [markdown] lang="en"
# Look at the left, where the curve is flat. There `z` is negative, ReLU gives 0 whatever `w` is, and moving `w` changes
# nothing. Remember this place; we shall come back to it.

# %% [markdown] lang="ko"
# 왼쪽의 평평한 구간을 보세요. 여기서는 `z`가 음수라서 렐루가 늘 0을 내보내고, `w`를 움직여도 아무것도 변하지 않아요.
# 나중에 다시 만나게 될 곳이니 기억해 두세요.

# %% [markdown] lang="en"
# ## Backward: from the loss to the weight
#
# Measuring would be far too slow for a million weights. There is a better way: go back through the computation, one
# step at a time, and multiply. Each step needs only its own small rule:
#
# | step | rule | here |
# | --- | --- | --- |
# | `loss = (a - target)²` | d loss/d a = 2 (a - target) | 2 · (0.5 - 2) = **-3** |
# | `a = max(z, 0)` | d a/d z = 1 where z > 0, else 0 | **1** |
# | `z = w x + b` | d z/d w = x, and d z/d b = 1 | **2**, and **1** |
#
# So d loss/d w = -3 · 1 · 2 = **-6**, and d loss/d b = -3 · 1 · 1 = **-3**. The sign says: the loss falls when `w`
# grows.

# %% [markdown] lang="ko"
# ## 역전파: 손실에서 가중치까지
#
# 가중치가 백만 개라면 하나하나 움직여 재는 방법은 너무 느려요. 더 좋은 방법이 있어요. 계산을 거꾸로 한 단계씩 되짚어
# 가면서 곱하는 거예요. 각 단계는 자기만의 간단한 규칙 하나만 알면 돼요.
#
# | 단계 | 규칙 | 지금 값 |
# | --- | --- | --- |
# | `loss = (a - target)²` | d loss/d a = 2 (a - target) | 2 · (0.5 - 2) = **-3** |
# | `a = max(z, 0)` | z > 0이면 d a/d z = 1, 아니면 0 | **1** |
# | `z = w x + b` | d z/d w = x, d z/d b = 1 | **2**, **1** |
#
# 따라서 d loss/d w = -3 · 1 · 2 = **-6**이고, d loss/d b = -3 · 1 · 1 = **-3**이에요. 부호가 음수라는 것은 `w`가 커지면
# 손실이 줄어든다는 뜻이에요.

# %%
dloss_da = 2 * (a - target)
da_dz = 1.0 if z > 0 else 0.0
dloss_dw = dloss_da * da_dz * x
dloss_db = dloss_da * da_dz * 1
print(f"by hand: dloss/dw = {dloss_dw}, dloss/db = {dloss_db}")

# %% [markdown] lang="en"
# ## The engine does the same
#
# A `Tensor` is a number (or an array) that remembers how it was computed. `backward()` goes back through that memory,
# as we did, and leaves the slopes in `.grad`. In the drawing, `grad` stands beside each value: follow it from the
# bottom up.

# %% [markdown] lang="ko"
# ## 엔진도 똑같이 계산해요
#
# `Tensor`는 자기가 어떻게 계산되었는지 기억하는 수(또는 배열)예요. `backward()`는 그 기억을 거꾸로 따라가면서 우리가 한
# 것과 똑같이 계산하고, 결과를 `.grad`에 남겨요. 그림에는 값 옆에 `grad`가 적혀 있어요. 맨 아래에서 위로 따라가 보세요.

# %%
x, target = Tensor(2.0, name="x"), Tensor(2.0, name="target")
w, b = Tensor(0.5, requires_grad=True), Tensor(-0.5, requires_grad=True)
z = w * x + b
a = tg.relu(z)
loss = tg.square(a - target)
loss.backward(retain_graph=True)  # keep the graph, to draw it
print(f"the engine: dloss/dw = {w.grad.item()}, dloss/db = {b.grad.item()}")

# %%
tg.draw(loss, direction="TB")

# %% [markdown] lang="en"
# ## A step downhill
#
# Now the neuron knows which way to turn: against the slope. How far is our choice, the **learning rate**. That is all
# of gradient descent: forward, backward, a small step, and again.

# %% [markdown] lang="ko"
# ## 내리막으로 한 걸음
#
# 이제 뉴런은 어느 쪽으로 가야 할지 알아요. 기울기의 반대 방향이지요. 얼마나 갈지는 우리가 정하는데, 이것이
# **학습률**이에요. 순전파, 역전파, 작은 한 걸음, 그리고 다시 반복. 경사 하강법은 이게 전부예요.


# %%
def train(lr, steps, w=0.5, b=-0.5):
    """The loss before each step and after the last."""
    w, b = Tensor(w, requires_grad=True), Tensor(b, requires_grad=True)
    losses = []
    for _ in range(steps + 1):
        loss = tg.square(tg.relu(w * x + b) - target)
        losses.append(loss.item())
        dw, db = tg.grad(loss, (w, b))
        w.data -= lr * dw.data
        b.data -= lr * db.data
    return losses


print("loss:", "  ".join(f"{loss:.4f}" for loss in train(lr=0.05, steps=5)))

# %% [markdown] lang="en"
# What is missing halves with each step, so the loss is divided by four.
#
# ## Exercise 1
#
# Let the neuron stand at `w = 0.1` instead (`x`, `b` and `target` as before). What is d loss/d w there? Work it out by
# hand, as in the table.

# %% [markdown] lang="ko"
# 모자란 양이 한 걸음마다 절반으로 줄어드니, 손실은 4분의 1이 돼요.
#
# ## 연습 문제 1
#
# 이번에는 뉴런이 `w = 0.1`에 있다고 해 봐요(`x`, `b`, `target`은 그대로예요). 여기서 d loss/d w는 얼마일까요? 위의
# 표처럼 손으로 계산해 보세요.

# %%
w = Tensor(0.1, requires_grad=True)
tg.square(tg.relu(w * x - 0.5) - target).backward()

answer = ...  # a number
exercise(answer, w.grad, "First compute z. Is it positive? Find the place in the picture.")

# %% [markdown] lang="en"
# ## Exercise 2
#
# With `lr=0.05` half of what was missing is left after a step. Which learning rate brings the neuron to `target` in a
# single step from `w = 0.5`, `b = -0.5`?

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# `lr=0.05`로는 한 걸음 뒤에 모자란 양이 절반 남았어요. `w = 0.5`, `b = -0.5`에서 출발하여 단 한 걸음 만에 `target`에
# 도달하려면 학습률을 얼마로 해야 할까요?

# %%
answer = ...  # a number


def arrives(lr):
    return train(lr, steps=1)[-1] < 1e-6


def hint(lr):
    left = train(lr, steps=1)[-1]
    return f"It leaves a loss of {left:.4f}. How far does z move with lr=0.05, and how far must it?"


exercise(answer, arrives, hint)

# %% [markdown] lang="en"
# Why does the gradient *vanish* on the flat side, and what becomes of a neuron that lands there? That is lesson 8.
# First we need more than one step of multiplication: **lesson 2, the chain rule as a graph**.

# %% [markdown] lang="ko"
# 평평한 쪽에 빠진 뉴런은 어떻게 될까요? 이 이야기는 8번 수업에서 해요. 그 전에, 곱셈 몇 번으로 끝나지 않는 계산을 다룰
# 수 있어야 해요. 다음은 **2. 그래프로 보는 연쇄 법칙**이에요.
