# %% [markdown] lang="en"
# # 2. The chain rule as a graph
#
# **Between a weight and the loss there may be hundreds of steps. How does a slope find its way through all of them?**
#
# In lesson 1 there was one road from the loss back to the weight, and we multiplied along it. Now the roads fork.

# %% [markdown] lang="ko"
# # 2. 그래프로 보는 연쇄 법칙
#
# **가중치와 손실 사이에는 수백 단계의 계산이 있을 수 있어요. 기울기는 그 길을 어떻게 찾아올까요?**
#
# 지난 수업에서는 손실에서 가중치로 돌아오는 길이 하나뿐이어서, 그 길을 따라 곱하기만 하면 됐어요. 이번에는 길이
# 갈라져요.

# %%
from lesson import exercise

import tinygrad_relu as tg
from tinygrad_relu import Tensor

# %% [markdown] lang="en"
# ## A computation is a graph
#
# Take `p = (x + y) * y`. Each line below is an op; what it takes and what it gives are the arrows. The number `y` has
# two arrows: it goes into the sum, and into the product.

# %% [markdown] lang="ko"
# ## 계산은 그래프예요
#
# `p = (x + y) * y`를 계산해 볼게요. 아래에서 한 줄이 연산 하나이고, 연산에 들어가고 나오는 값이 화살표예요. `y`에서는
# 화살표가 두 개 나가요. 하나는 덧셈으로, 하나는 곱셈으로 들어가지요.

# %%
x, y = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
s = x + y
p = s * y
print(f"s = {s.item()}, p = {p.item()}")

# %% [markdown] lang="en"
# ## Each op knows its own small slopes, and nothing else
#
# An op is asked: if your result counts `grad`, how much does each of your inputs count? A sum hands `grad` on to both
# sides as it is. A product hands it on multiplied by the *other* factor: if `s` grows by 1, `s * y` grows by `y`.

# %% [markdown] lang="ko"
# ## 연산은 자기 기울기만 알면 돼요
#
# 연산에게 이렇게 물어봐요. "네 결과의 기울기가 `grad`일 때, 네 입력의 기울기는 각각 얼마니?" 덧셈은 `grad`를 양쪽에
# 그대로 전해요. 곱셈은 **상대편** 값을 곱해서 전해요. `s`가 1만큼 커지면 `s * y`는 `y`만큼 커지니까요.

# %%
from_product = p.op.backward(1.0)  # p counts 1
print("the product sends back, to s and to y:", *(float(g) for g in from_product))

from_sum = s.op.backward(from_product[0])  # what s counts
print("the sum sends back, to x and to y:    ", *(float(g) for g in from_sum))

# %% [markdown] lang="en"
# ## Multiply along a road, add where roads meet
#
# Two messages have arrived at `y`: 5 from the product, and 3 through the sum. If `y` grows a little, `p` grows for
# *both* reasons, so the contributions are **added**: dp/dy = 5 + 3 = 8. This is the whole chain rule:
#
# - along each road from the result back to a number, multiply the slopes;
# - over all roads, add.

# %% [markdown] lang="ko"
# ## 길을 따라 곱하고, 만나는 곳에서 더해요
#
# `y`에는 기울기가 두 번 도착했어요. 곱셈에서 5, 덧셈을 거쳐서 3. `y`가 조금 커지면 `p`는 **두 가지 이유로** 함께
# 커지니까, 둘을 **더해야** 해요. dp/dy = 5 + 3 = 8이지요. 연쇄 법칙은 이게 전부예요.
#
# - 결과에서 어떤 수까지 돌아가는 길 하나를 따라가며 기울기를 곱하고,
# - 모든 길에 대해 더해요.

# %%
dx, dy = tg.grad(p, (x, y), retain_graph=True)  # keep the graph, to walk through it
print(f"the engine: dp/dx = {dx.item()}, dp/dy = {dy.item()}")

# %% [markdown] lang="en"
# Is it true? Move `y` a little and look:

# %% [markdown] lang="ko"
# 정말 그런지 `y`를 조금 움직여 볼까요?

# %%
step = 0.001
print(f"measured:   dp/dy = {((2 + 3 + step) * (3 + step) - (2 + 3) * 3) / step:.3f}")

# %% [markdown] lang="en"
# ## Walk through it
#
# Below the same computation is replayed, one message along one arrow at a time. Go forward with the arrow key or the
# buttons; switch on *Predict* and say each number before it appears. Watch `y`: it waits until both messages are there.

# %% [markdown] lang="ko"
# ## 한 걸음씩 따라가기
#
# 아래에서 같은 계산을 한 번에 화살표 하나씩 다시 볼 수 있어요. 화살표 키나 버튼으로 움직이고, **예측하기**를 켠 다음
# 숫자가 나오기 전에 먼저 맞혀 보세요. `y`를 눈여겨보세요. 기울기 두 개가 모두 도착할 때까지 기다려요.

# %% lang="en"
tg.explain(p)

# %% lang="ko"
tg.explain(p, language="ko")

# %% [markdown] lang="en"
# ## A network is only a longer graph
#
# Here is a network with two inputs, two hidden units and two outputs, with the numbers of a well-known worked example
# (Matt Mazur, *A Step by Step Backpropagation Example*, 2015). It uses the sigmoid 1 / (1 + e⁻ᶻ), whose slope is
# `out * (1 - out)`, so that everything can be checked with a calculator.

# %% [markdown] lang="ko"
# ## 신경망은 더 긴 그래프일 뿐이에요
#
# 입력 두 개, 은닉 뉴런 두 개, 출력 두 개로 된 신경망이에요. 숫자는 널리 알려진 예제에서 가져왔어요(Matt Mazur, *A Step
# by Step Backpropagation Example*, 2015). 활성화 함수는 시그모이드 1 / (1 + e⁻ᶻ)이고 그 기울기는
# `out * (1 - out)`이라서, 모든 값을 계산기로 확인할 수 있어요.

# %%
i = Tensor([0.05, 0.10])
target = Tensor([0.01, 0.99])
W1 = Tensor([[0.15, 0.20], [0.25, 0.30]], requires_grad=True)
W2 = Tensor([[0.40, 0.45], [0.50, 0.55]], requires_grad=True)
b1, b2 = Tensor([0.35, 0.35]), Tensor([0.60, 0.60])

hidden = tg.sigmoid(tg.linear(i, W1, b1))  # linear is W1 @ i + b1
out = tg.sigmoid(tg.linear(hidden, W2, b2))
error = tg.mse_loss(out, target)  # the mean of the two squares
error.backward(retain_graph=True)
print("hidden:", *(f"{value:.6f}" for value in hidden.tolist()))
print("out:   ", *(f"{value:.6f}" for value in out.tolist()))
print(f"error:  {error.item():.6f}")

# %%
tg.draw(error, direction="TB")

# %% [markdown] lang="en"
# The number at each arrow is the size of the gradient that came back along it. Take the weight 0.40, from the first
# hidden unit to the first output. One road leads there from the error, with three factors:
#
# | from | to | slope |
# | --- | --- | --- |
# | the error | `out[0]` | out - target = 0.751365 - 0.01 = 0.741365 |
# | `out[0]` | its weighted sum | out (1 - out) = 0.751365 · 0.248635 = 0.186816 |
# | the sum | the weight | `hidden[0]` = 0.593270 |
#
# Their product is 0.082167, and that is what the drawing says. How many roads lead to the weights of the *first* layer?
# Two to each, one for each output. In a network with ten layers of a hundred units there are 100⁹, far too many to walk
# one by one. But nobody has to: **what arrives at a number is added up first, and then goes on once.** One pass back
# through the graph costs about as much as two passes forward, however many roads there are.
#
# ## Exercise 1
#
# What is dq/dx of `q = x * y + x` at `x = 4`, `y = 5`? Draw the roads first.

# %% [markdown] lang="ko"
# 화살표에 적힌 수는 그 화살표를 따라 돌아온 기울기의 크기예요. 첫 번째 은닉 뉴런에서 첫 번째 출력으로 가는 가중치
# 0.40을 볼까요? 오차에서 이 가중치까지 가는 길은 하나이고, 곱할 수는 세 개예요.
#
# | 어디서 | 어디로 | 기울기 |
# | --- | --- | --- |
# | 오차 | `out[0]` | out - target = 0.751365 - 0.01 = 0.741365 |
# | `out[0]` | 가중합 | out (1 - out) = 0.751365 · 0.248635 = 0.186816 |
# | 가중합 | 가중치 | `hidden[0]` = 0.593270 |
#
# 모두 곱하면 0.082167이고, 그림에 적힌 값과 같아요. **첫 번째 층**의 가중치까지 가는 길은 몇 개일까요? 출력마다 하나씩,
# 두 개예요. 뉴런이 백 개인 층이 열 개 있는 신경망이라면 길은 100⁹개나 돼서, 하나씩 걸어서는 끝이 없어요. 하지만 그럴
# 필요가 없어요. **도착한 기울기를 먼저 모두 더한 다음, 한 번만 보내면 되니까요.** 길이 아무리 많아도 역전파 한 번의
# 비용은 순전파 두 번 정도예요.
#
# ## 연습 문제 1
#
# `x = 4`, `y = 5`일 때 `q = x * y + x`의 dq/dx는 얼마일까요? 먼저 길을 그려 보세요.

# %%
x, y = Tensor(4.0, requires_grad=True), Tensor(5.0, requires_grad=True)
q = x * y + x
q.backward()

answer = ...  # a number
exercise(answer, x.grad, "There are two roads from q back to x. What comes along each of them?")

# %% [markdown] lang="en"
# ## Exercise 2
#
# Suppose the first output of the network should have been 0.25 instead of 0.01. What is the slope of the error over the
# weight 0.40 then? Use a calculator, and the table.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 위 신경망의 첫 번째 출력이 0.01이 아니라 0.25가 되어야 했다고 해 봐요. 그러면 가중치 0.40에 대한 오차의 기울기는
# 얼마일까요? 계산기와 위의 표를 이용해 보세요.

# %%
(slope,) = tg.grad(tg.mse_loss(out, Tensor([0.25, 0.99])), W2, retain_graph=True)

answer = ...  # a number, to three figures
exercise(answer, slope[0, 0], "Which of the three factors has changed? The other two stay as they are.")

# %% [markdown] lang="en"
# "Added up first, and then goes on once": that is easily said. How does the engine know that everything has arrived?
# That is **lesson 3, why the order matters**.

# %% [markdown] lang="ko"
# "먼저 모두 더한 다음, 한 번만 보낸다." 말은 쉬워요. 그런데 모두 도착했다는 것을 엔진은 어떻게 알까요? 다음은 **3.
# 순서가 중요한 이유**예요.
