# %% [markdown] lang="en"
# # 7. A whole network on two moons
#
# **One neuron draws one straight line. How do eight of them find the way between two moons?**
#
# Everything is together now: data, a model, a loss, the loop. We write the loop by hand once, look at the network while
# it learns, and then take the nonlinearity away to see what it was good for.

# %% [markdown] lang="ko"
# # 7. 두 반달을 가르는 신경망
#
# **뉴런 하나는 직선 하나를 그어요. 그런 뉴런 여덟 개가 어떻게 두 반달 사이의 굽은 길을 찾아낼까요?**
#
# 이제 필요한 것이 다 모였어요. 데이터, 모델, 손실, 그리고 학습 루프예요. 루프를 한 번은 손으로 써 보고, 신경망이 배우는
# 과정을 들여다본 다음, 비선형 함수를 빼 보면서 그것이 무슨 일을 했는지 알아봐요.

# %%
import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn, optim
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## The data
#
# 200 points in the plane, in two classes that reach into each other. No straight line separates them.

# %% [markdown] lang="ko"
# ## 데이터
#
# 평면 위의 점 200개가 두 부류(클래스)로 나뉘어 서로 맞물려 있어요. 어떤 직선으로도 둘을 가를 수 없어요.

# %%
X, y = data.moons(200, noise=0.15, seed=1)
print("X:", X.shape, " y:", y.shape, " in each class:", np.bincount(y))


# %%
def draw_points(axes):
    for label, color in enumerate((figures.BLUE, figures.ORANGE)):
        points, marker = X[y == label], figures.MARKERS[label]
        axes.plot(*points.T, marker, color=color, markeredgecolor="white", markersize=6)


def picture_of_the_data():
    figure, (axes,) = figures.panels(width=6.5, height=4.2)
    draw_points(axes)
    axes.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    axes.set_title("Two moons: class 0 (circles) and class 1 (squares)")
    return figure


show(picture_of_the_data())

# %% [markdown] lang="en"
# ## The model and its loss
#
# Eight neurons with ReLU look at a point. Two more put their answers together, one for each class. The larger of the
# two is the decision, and the cross-entropy is the loss: how surprised the network is by the right class.

# %% [markdown] lang="ko"
# ## 모델과 손실
#
# 렐루를 쓰는 뉴런 여덟 개가 점 하나를 봐요. 그 답을 다시 뉴런 두 개가 모으는데, 부류마다 하나씩이에요. 둘 중 큰 쪽이
# 신경망의 결정이고, 손실은 교차 엔트로피예요. 정답을 보고 신경망이 얼마나 놀라는지를 나타내지요.

# %%
_ = tg.manual_seed(0)
model = nn.MLP(2, [8], 2, activation="relu")
loss = tg.cross_entropy(model(X), y)
print(f"loss before training: {loss.item():.3f}; knowing nothing costs ln 2 = {np.log(2):.3f}")

# %%
tg.draw(loss, depth=1, direction="TB")

# %% [markdown] lang="en"
# ## The loop, by hand
#
# Forward, backward, a step, and again, as in lesson 1. Only the step is a little cleverer here: Adam keeps, for each
# weight, an average of the slopes it has seen. `zero_grad()` empties `.grad`, which would add up otherwise.

# %% [markdown] lang="ko"
# ## 손으로 쓰는 학습 루프
#
# 순전파, 역전파, 한 걸음, 그리고 다시 반복. 1번 수업과 똑같아요. 다만 걸음이 조금 더 똑똑해졌어요. Adam은 가중치마다
# 지금까지 본 기울기의 평균을 기억해요. `zero_grad()`는 `.grad`를 비워요. 비우지 않으면 기울기가 계속 쌓이거든요.

# %%
optimizer = optim.Adam(model.parameters(), lr=0.05)
seen = {0: model.state_dict()}
for step in range(1, 301):
    loss = tg.cross_entropy(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step in (30, 300):
        seen[step] = model.state_dict()
        print(f"after step {step:3}: loss {loss.item():.3f}")

# %% [markdown] lang="en"
# ## Before, during, after
#
# Each neuron of the hidden layer is silent on one side of a straight line and speaks on the other. These are the thin
# lines. The thick one is where the network changes its mind. On its way it is straight, and **it bends only where it
# crosses the line of a neuron**: there one more voice joins in.

# %% [markdown] lang="ko"
# ## 학습 전, 학습 중, 학습 후
#
# 은닉층의 뉴런은 저마다 직선 하나의 한쪽에서는 침묵하고 다른 쪽에서는 값을 내요. 가는 선이 그 직선들이에요. 굵은 선은
# 신경망의 결정이 바뀌는 경계예요. 경계는 곧게 가다가 **어느 뉴런의 직선과 만나는 곳에서만 꺾여요.** 거기서 새로운
# 뉴런이 끼어들기 때문이지요.


# %%
def plane():
    """The coordinates of a grid around the data, and all of its places."""
    x1, x2 = np.linspace(-1.7, 2.7, 89), np.linspace(-1.2, 1.7, 59)
    return x1, x2, np.stack(np.meshgrid(x1, x2), axis=-1).reshape(-1, 2).astype(np.float32)


def draw_decision(axes, model):
    """The ground in the colour of the class that the network decides for, and where it changes its mind."""
    x1, x2, places = plane()
    scores = tg.predict(model, places)
    for_class_1 = (scores[:, 1] - scores[:, 0]).reshape(len(x2), len(x1))
    colors = (figures.BLUE, figures.ORANGE)
    axes.contourf(x1, x2, for_class_1, levels=[-np.inf, 0, np.inf], colors=colors, alpha=0.25)
    axes.contour(x1, x2, for_class_1, levels=[0], colors=figures.BLACK, linewidths=3)
    axes.set(xlabel="x₁", xlim=x1[[0, -1]], ylim=x2[[0, -1]])


def draw_neurons(axes, layer):
    """For each neuron the line where its sum w₁ x₁ + w₂ x₂ + b is 0."""
    for (w1, w2), b in zip(layer.weight.data, layer.bias.data):
        through = -b * np.array([w1, w2]) / (w1 * w1 + w2 * w2)
        axes.axline(through, through + [-w2, w1], color=figures.GREY, linewidth=1.2)


def picture_of_the_learning():
    figure, panels = figures.panels(columns=3, width=2.95, height=2.8, sharey=True)
    for axes, (step, weights) in zip(panels, seen.items()):
        then = nn.MLP(2, [8], 2)
        then.load_state_dict(weights)
        draw_decision(axes, then)
        draw_neurons(axes, then[0])
        draw_points(axes)
        right = (tg.predict(then, X).argmax(axis=1) == y).mean()
        axes.set_title(f"step {step}: {100 * right:.1f} % right")
    panels[0].set_ylabel("x₂")
    return figure


show(picture_of_the_learning())

# %% [markdown] lang="en"
# ## `tg.fit`: the same loop, with what one wants beside it
#
# In practice one keeps some points aside, goes through the rest in small batches, and watches both. `tg.fit` does that,
# and returns the history.

# %% [markdown] lang="ko"
# ## `tg.fit`: 같은 루프, 그리고 함께 필요한 것들
#
# 실제로는 점 일부를 따로 빼 두고, 나머지를 작은 배치로 나누어 학습하면서 양쪽을 지켜봐요. `tg.fit`이 이 일을 해 주고,
# 학습 기록을 돌려줘요.

# %%
_ = tg.manual_seed(0)
model = nn.MLP(2, [8], 2, activation="relu")
history = tg.fit(model, X, y, lr=0.03, epochs=60, batch_size=20, validation=0.3, seed=0, progress=False)
right = history[-1]["val_accuracy"]
print(f"after {len(history)} epochs, of points it has not seen: {100 * right:.1f} % right")


# %%
def picture_of_the_history():
    figure, panels = figures.panels(columns=2, width=4.3, height=3.5)
    epochs = history["epoch"]
    for axes, name in zip(panels, ("loss", "accuracy")):
        axes.plot(epochs, history[name], color=figures.BLUE, linewidth=2.5, label="training")
        unseen = history[f"val_{name}"]
        axes.plot(epochs, unseen, "--", color=figures.RED, linewidth=2.5, label="points not seen")
        axes.set(xlabel="epoch", ylabel=name, title=name.capitalize())
    figures.legend(panels[0], loc="upper right")
    return figure


show(picture_of_the_history())

# %% [markdown] lang="en"
# ## Without the nonlinearity
#
# Now take ReLU out, and for fairness put in a second hidden layer. More weights than before, the same training:

# %% [markdown] lang="ko"
# ## 비선형 함수가 없다면
#
# 이제 렐루를 빼요. 대신 공평하게 은닉층을 하나 더 넣어 줄게요. 가중치는 아까보다 많고, 학습 방법은 같아요.

# %%
_ = tg.manual_seed(0)
straight = nn.MLP(2, [8, 8], 2, activation=nn.Identity)
_ = tg.fit(straight, X, y, lr=0.03, epochs=60, batch_size=20, seed=0, progress=False)
for name, network in (("with ReLU", model), ("without", straight)):
    right = (tg.predict(network, X).argmax(axis=1) == y).mean()
    count = sum(parameter.size for parameter in network.parameters())
    print(f"{name:>9}: {count:3} parameters, {100 * right:.1f} % right")


# %%
def picture_with_and_without():
    figure, panels = figures.panels(columns=2, width=4.3, height=3.4, sharey=True)
    titles = ("With ReLU", "Without, and with more layers")
    for axes, network, title in zip(panels, (model, straight), titles):
        draw_decision(axes, network)
        draw_points(axes)
        axes.set_title(title)
    panels[0].set_ylabel("x₂")
    return figure


show(picture_with_and_without())

# %% [markdown] lang="en"
# A straight line. More layers do not help: a matrix times a matrix is a matrix, so any number of them in a row is one
# single layer. **What makes depth worth anything is the bend between the layers.**
#
# ## Exercise 1
#
# Prove it. `small` has two layers, `A @ x + a` and then `B @ h + b`, with nothing between. Give weight and bias of the
# *one* layer that does the same, as a pair, written with `A`, `a`, `B` and `b`.

# %% [markdown] lang="ko"
# 직선이에요. 층을 더 쌓아도 소용없어요. 행렬에 행렬을 곱하면 그냥 행렬이니까, 몇 층을 쌓아도 결국 한 층이에요. **층을
# 깊게 쌓는 것이 의미를 가지려면 층 사이에서 꺾여야 해요.**
#
# ## 연습 문제 1
#
# 직접 증명해 보세요. `small`은 두 층이고, `A @ x + a` 다음에 `B @ h + b`를 계산해요. 사이에는 아무것도 없어요. 똑같은
# 일을 하는 **한** 층의 가중치와 편향을 `A`, `a`, `B`, `b`로 써서 둘을 묶어 답하세요.

# %%
_ = tg.manual_seed(0)
small = nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 3))
A, a, B, b = (parameter.detach().numpy() for parameter in small.parameters())


def as_one_layer(pair):
    layer = nn.Linear(2, 3)
    layer.weight.data[:], layer.bias.data[:] = pair
    return layer(X)


def farthest(pair):
    return float(tg.max(tg.abs(as_one_layer(pair) - small(X))).item())


def does_the_same(pair):
    return farthest(pair) < 1e-4


def hint(pair):
    return f"It is off by up to {farthest(pair):.2f}. Put h = A @ x + a into B @ h + b, and multiply out."


answer = ...  # a pair: (weight of shape (3, 2), bias of shape (3,))
exercise(answer, does_the_same, hint)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Be the training yourself. Along a line, class 1 lies outside: `|x| > 1`. Choose two ReLU neurons,
# `h = relu(w * x + b)`, and a neuron that adds them up, `score = v @ h + c`, so that the score is above 0 for all
# `|x| > 1` and below 0 for all `|x| < 1`. There are many right answers.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 이번에는 여러분이 직접 학습을 대신해 보세요. 수직선 위에서 바깥쪽 `|x| > 1`이 부류 1이에요. 렐루 뉴런 두 개
# `h = relu(w * x + b)`와 그 둘을 더하는 뉴런 `score = v @ h + c`를 골라서, `|x| > 1`이면 score가 0보다 크고
# `|x| < 1`이면 0보다 작게 만드세요. 정답은 여러 가지예요.

# %%
xs = Tensor(np.array([-4, -2.5, -1.1, -0.9, -0.4, 0, 0.4, 0.9, 1.1, 2.5, 4]))


def scores(w, b, v, c):
    h = tg.relu(tg.outer(xs, np.array(w, float)) + np.array(b, float))
    return (h @ np.array(v, float) + c).numpy()


def wrong_places(numbers):
    return xs.numpy()[(scores(*numbers) > 0) != (tg.abs(xs).numpy() > 1)]


def hint(numbers):
    place = wrong_places(numbers)[0]
    score = scores(*numbers)[xs.numpy() == place][0]
    return f"At x = {place:g} the score is {score:g}. Which neuron should speak there, and how loudly?"


answer = ...  # four things: ([w1, w2], [b1, b2], [v1, v2], c)
exercise(answer, lambda numbers: not len(wrong_places(numbers)), hint)

# %% [markdown] lang="en"
# Neurons that are silent on one side of a line are what bends it. But what if the line of a neuron wanders off, and all
# data lie on its silent side? That is **lesson 8: dying ReLUs, and how to save them**.

# %% [markdown] lang="ko"
# 직선의 한쪽에서 침묵하는 뉴런들이 경계를 구부려요. 그런데 어떤 뉴런의 직선이 멀리 가 버려서 모든 데이터가 침묵하는
# 쪽에 놓이면 어떻게 될까요? 다음은 **8. 죽어가는 렐루**예요.
