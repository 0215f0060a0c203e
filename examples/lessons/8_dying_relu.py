# %% [markdown] lang="en"
# # 8. Dying ReLUs
#
# **A neuron answers 0, whatever you show it. Can it ever learn again?**
#
# In lesson 1 there was a flat side of the loss, on which moving the weight changed nothing. Now we push a neuron over
# there, watch what happens to it, and measure which cures help, and which only sound as if they did.

# %% [markdown] lang="ko"
# # 8. 죽어가는 렐루
#
# **무엇을 보여 줘도 0만 내보내는 뉴런이 있어요. 이 뉴런은 다시 배울 수 있을까요?**
#
# 1번 수업에서 손실 곡선의 평평한 구간을 보았지요. 거기서는 가중치를 움직여도 아무것도 변하지 않았어요. 이번에는 뉴런을
# 그곳으로 밀어 넣고 무슨 일이 일어나는지 지켜본 다음, 어떤 처방이 정말 듣고 어떤 처방이 말뿐인지 재 봐요.

# %%
import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn, optim
from tinygrad_relu.lab import Spread, figures

# %% [markdown] lang="en"
# ## One step too far
#
# One neuron, three inputs. Its answers are 1, 2 and 3 and ought to be 1, 1.5 and 2: a little too large. So the gradient
# says: less. With the learning rate 0.4 it goes down in one step, and too far.

# %% [markdown] lang="ko"
# ## 너무 큰 한 걸음
#
# 뉴런은 하나, 입력은 세 개예요. 출력은 1, 2, 3인데 정답은 1, 1.5, 2예요. 조금 큰 셈이니까 기울기는 줄이라고 말해요.
# 그런데 학습률이 0.4이면 한 걸음에 너무 멀리 내려가 버려요.

# %%
x = Tensor([[1.0], [2.0], [3.0]])
target = Tensor([[1.0], [1.5], [2.0]])
w, b = Tensor([[1.0]], requires_grad=True), Tensor([0.0], requires_grad=True)

for step in range(4):
    z = tg.linear(x, w, b)
    loss = tg.mse_loss(tg.relu(z), target)
    dw, db = tg.grad(loss, (w, b))
    sums = "  ".join(f"{number:5.2f}" for number in z.data.ravel())
    print(f"step {step}: sums {sums}   slopes {dw.item():.2f}, {db.item():.2f}   loss {loss.item():.3f}")
    w.data -= 0.4 * dw.data
    b.data -= 0.4 * db.data

# %% [markdown] lang="en"
# After one step all three sums are negative. ReLU makes 0 of each, and its mask stops each gradient: both slopes are
# 0. The loss is larger than ever, but nothing moves any more, whatever the learning rate is now. In the drawing you see
# where the gradient gets stuck. Read it from the bottom:

# %% [markdown] lang="ko"
# 한 걸음 만에 세 합이 모두 음수가 되었어요. 렐루는 모두 0으로 만들고, 마스크는 기울기를 모두 막아요. 두 기울기가 다
# 0이에요. 손실은 어느 때보다 큰데도 이제는 아무것도 움직이지 않아요. 학습률을 바꿔도 소용없어요. 기울기가 어디서
# 막히는지 그림에서 볼 수 있어요. 맨 아래에서 위로 읽어 보세요.

# %%
dead_w, dead_b = w.data.copy(), b.data.copy()
loss = tg.mse_loss(tg.relu(tg.linear(x, w, b)), target)
loss.backward(retain_graph=True)
tg.draw(loss, direction="TB")

# %% [markdown] lang="en"
# ## Bringing it back
#
# With ReLU this neuron is lost. But give its sums a little slope on the negative side, with LeakyReLU (`0.1 * z` there)
# or ELU (`exp(z) - 1` there), and a small learning rate. Then it is pushed up again:

# %% [markdown] lang="ko"
# ## 다시 살려 내기
#
# 렐루로는 이 뉴런을 살릴 수 없어요. 하지만 음수 쪽에도 기울기를 조금 남겨 두면 어떨까요? LeakyReLU는 음수에서
# `0.1 * z`, ELU는 `exp(z) - 1`을 써요. 여기에 작은 학습률을 쓰면 뉴런이 다시 위로 밀려 올라와요.


# %%
def nurse(activation, steps=40, lr=0.05):
    """The largest sum of the dead neuron at each step of a careful training, and its loss in the end."""
    w, b = Tensor(dead_w, requires_grad=True), Tensor(dead_b, requires_grad=True)
    largest = []
    for _ in range(steps):
        z = tg.linear(x, w, b)
        loss = tg.mse_loss(activation(z), target)
        dw, db = tg.grad(loss, (w, b))
        w.data -= lr * dw.data
        b.data -= lr * db.data
        largest.append(tg.max(z).item())
    return largest, loss.item()


def leaky(z):
    return tg.leaky_relu(z, 0.1)


def picture_of_the_nursing():
    figure, (axes,) = figures.panels(width=7.5, height=4.2)
    axes.axhspan(-1, 0, color=figures.GREY, alpha=0.2)
    axes.text(39, -0.9, "all sums negative: ReLU is silent", ha="right", fontsize=13)
    nursed = {"LeakyReLU": leaky, "ELU": tg.elu, "ReLU": tg.relu}
    for i, (name, activation) in enumerate(nursed.items()):
        look = {"color": figures.COLORS[i], "marker": figures.MARKERS[i], "markersize": 8, "markevery": 5}
        largest, _ = nurse(activation)
        axes.plot(largest, linewidth=2.5, label=name, **look)
    axes.set(xlabel="step", ylabel="largest of the three sums", ylim=(-1, 3))
    axes.set_title("A dead neuron, nursed")
    figures.legend(axes, loc="center right")
    return figure


show(picture_of_the_nursing())

# %% [markdown] lang="en"
# So slope on the negative side does what is said of it. Does it therefore save a whole network?
#
# ## Silent is not dead
#
# First the count. Here is a network with two hidden layers of 32 units on the moons, trained with a learning rate that
# is far too large. `dead_units` looks for units that are 0, without a slope, for *every* row of the data.

# %% [markdown] lang="ko"
# 음수 쪽의 기울기는 정말 소문대로 뉴런을 살려 냈어요. 그렇다면 신경망 전체도 구할 수 있을까요?
#
# ## 침묵과 죽음은 달라요
#
# 먼저 죽은 뉴런을 세어 봐요. 은닉층 두 개에 뉴런이 32개씩 있는 신경망을 반달 데이터로, 지나치게 큰 학습률로 학습시켜요.
# `dead_units`는 데이터의 **모든** 줄에서 출력과 기울기가 0인 뉴런을 찾아요.


# %%
def train(seed, lr, activation="relu", clip=None, spread=None, epochs=40):
    """A network after its training by gradient descent, and the data."""
    with tg.random.seeded(seed):
        X, y = data.moons(200, noise=0.15)
        model = nn.MLP(2, [32, 32], 2, activation=activation)
        for layer in model:
            if spread and isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, spread)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for epoch in range(epochs):
        for X_batch, y_batch in data.batches(X, y, 20, seed=epoch):
            loss = tg.cross_entropy(model(X_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
    return model, X, y


model, X, y = train(seed=0, lr=2.0)
print(tg.dead_units(model, X))

# %% [markdown] lang="en"
# Compare the columns. The zeros are many more than the dead units bring about: living units are silent too, for most
# points and not for all. That is no illness. It is how they bend the line in lesson 7. The seminar note says that a
# neuron stays at 0 from the moment its sum turns negative; what is true is: from the moment it is negative **for all
# the data**.
#
# ## Which cure helps?
#
# Now six seeds for each treatment, and two measurements: dead units, and points on the wrong side in the end.

# %% [markdown] lang="ko"
# 두 열을 비교해 보세요. 0의 비율은 죽은 뉴런만으로 설명되는 것보다 훨씬 커요. 살아 있는 뉴런도 대부분의 점에서는
# 침묵하거든요. 다만 모든 점에서 침묵하지는 않아요. 이것은 병이 아니라, 7번 수업에서 경계를 구부리던 바로 그 방법이에요.
# 세미나 노트에는 합이 음수가 되는 순간부터 뉴런이 0만 낸다고 되어 있지만, 정확히는 **모든 데이터에 대해** 음수가 되는
# 순간부터예요.
#
# ## 어떤 처방이 들을까요?
#
# 이제 처방마다 시드를 여섯 개씩 써서 두 가지를 재요. 죽은 뉴런의 비율과, 학습이 끝났을 때 틀린 점의 비율이에요.

# %%
TREATMENTS = {
    "none: learning rate 2": {"lr": 2.0},
    "learning rate 0.5": {"lr": 0.5},
    "learning rate 0.1": {"lr": 0.1},
    "rate 2, gradients clipped at 1": {"lr": 2.0, "clip": 1.0},
    "rate 2, LeakyReLU(0.01)": {"lr": 2.0, "activation": nn.LeakyReLU(0.01)},
    "rate 2, LeakyReLU(0.1)": {"lr": 2.0, "activation": nn.LeakyReLU(0.1)},
    "rate 2, ELU": {"lr": 2.0, "activation": "elu"},
    "rate 0.5, LeakyReLU(0.1)": {"lr": 0.5, "activation": nn.LeakyReLU(0.1)},
    "rate 0.5, but start at N(0, 1)": {"lr": 0.5, "spread": 1.0},
}


def measure(seed, **treatment):
    """The shares of dead units and of points on the wrong side, in per cent."""
    with np.errstate(over="ignore", invalid="ignore"):  # some trainings blow up
        model, X, y = train(seed, **treatment)
        layers = tg.dead_units(model, X).layers  # none with LeakyReLU and ELU: there is slope everywhere
        wrong = np.mean(tg.predict(model, X).argmax(axis=1) != y)
    return np.mean([len(layer.dead) / layer.units for layer in layers] or [0]) * 100, wrong * 100


results = {}
for name, treatment in TREATMENTS.items():
    dead, wrong = zip(*(measure(seed, **treatment) for seed in range(6)))
    results[name] = Spread.of(dead), Spread.of(wrong)
    print(f"{name:30}  dead {results[name][0].mean:4.0f} %   wrong {results[name][1].mean:4.1f} %")


# %%
def picture_of_the_cures():
    figure, panels = figures.panels(columns=2, width=4.2, height=5, sharey=True)
    titles = ("Dead units", "Points on the wrong side")
    colors = (figures.BLUE, figures.ORANGE)
    for axes, title, color, column in zip(panels, titles, colors, zip(*results.values())):
        means, errors = [each.mean for each in column], [each.deviation for each in column]
        below = np.minimum(means, errors)  # a share does not go below 0
        axes.barh(range(len(means)), means, xerr=[below, errors], color=color, capsize=4)
        axes.set(xlabel="%, mean ± deviation, 6 seeds", title=title)
    panels[0].set_yticks(range(len(results)), list(results))
    panels[0].invert_yaxis()
    return figure


show(picture_of_the_cures())

# %% [markdown] lang="en"
# What the runs say:
#
# - **Too large a step is what kills.** At the rate 2 two units in five are dead; at 0.5 few are, and the points are on
#   the right side. (At 0.1 hardly one dies, but 40 epochs are too few for such small steps.) Yet deaths alone do not
#   ruin a network: with 40 % dead, most of these still learn.
# - **Clipping** holds the length of the gradient at 1, so it forbids just the step that kills. It helps as much.
# - **LeakyReLU and ELU** have no dead units, by their making. But at the rate 2 that makes nothing better: with a slope
#   of 0.01 about as many points are wrong as with ReLU, with 0.1 and with ELU many more. The step was too large, and no
#   slope mends that. At 0.5 LeakyReLU does as well as ReLU.
# - **The start counts.** Weights that begin at N(0, 1), not with He's deviation sqrt(2 / inputs), make large gradients,
#   and these make large steps: the same rate, and several times as many dead.
#
# So slope on the negative side can bring a neuron back, but here the right size of the step is worth more. In large and
# deep networks that may be otherwise. `tinygrad-relu lab dying` measures more of it.

# %% [markdown] lang="ko"
# 결과를 읽어 봐요.
#
# - **뉴런을 죽이는 것은 너무 큰 걸음이에요.** 학습률 2에서는 다섯 중 둘이 죽고, 0.5에서는 거의 죽지 않고 점도 제대로
#   갈라져요. (0.1에서는 죽는 뉴런이 거의 없지만, 걸음이 작아서 40에포크로는 모자라요.) 하지만 뉴런이 죽는다고 신경망이
#   곧 망가지는 것은 아니에요. 뉴런의 40 %가 죽어도 신경망은 대부분 여전히 배워요.
# - **기울기 클리핑**(clipping)은 기울기의 길이가 1을 넘지 못하게 해요. 뉴런을 죽이는 바로 그 큰 걸음을 막는 것이지요.
#   효과는 학습률을 낮춘 것과 비슷해요.
# - **LeakyReLU와 ELU**에는 애초에 죽는 뉴런이 없어요. 하지만 학습률 2에서는 나아지는 것이 없어요. 음수 쪽 기울기가
#   0.01이면 틀린 점이 렐루와 비슷하고, 0.1이나 ELU에서는 훨씬 많아요. 걸음이 너무 큰 것은 음수 쪽 기울기로 고칠 수
#   없거든요. 0.5에서 LeakyReLU는 렐루만큼 잘해요.
# - **초깃값도 중요해요.** He 초기화의 표준편차 sqrt(2 / 입력 수) 대신 N(0, 1)에서 시작하면 기울기가 커지고 걸음도
#   커져요. 학습률이 같아도 죽는 뉴런이 몇 배로 늘어요.
#
# 음수 쪽의 기울기는 뉴런을 다시 살릴 수 있지만, 여기서는 걸음의 크기를 맞추는 것이 더 중요했어요. 크고 깊은
# 신경망에서는 다를 수도 있어요. 더 자세한 측정은 `tinygrad-relu lab dying`에서 볼 수 있어요.

# %% [markdown] lang="en"
# ## Exercise 1
#
# Back to the first neuron, with `w = 1`, `b = 0` and its slopes 8/3 and 1. With the rate 0.4 the first step killed it.
# What is the *smallest* learning rate that does?

# %% [markdown] lang="ko"
# ## 연습 문제 1
#
# 다시 첫 번째 뉴런이에요. `w = 1`, `b = 0`이고 두 기울기는 8/3과 1이었어요. 학습률 0.4로는 첫 걸음에 죽었지요. 첫
# 걸음에 뉴런을 죽이는 **가장 작은** 학습률은 얼마일까요?


# %%
def sums_after_a_step(lr):
    w, b = Tensor([[1.0]], requires_grad=True), Tensor([0.0], requires_grad=True)
    dw, db = tg.grad(tg.mse_loss(tg.relu(tg.linear(x, w, b)), target), (w, b))
    return tg.linear(x, w - lr * dw, b - lr * db).detach().numpy().ravel()


def is_dead(lr):
    return bool((sums_after_a_step(lr) <= 0).all())


def is_the_edge(lr):
    return is_dead(1.01 * lr) and not is_dead(0.99 * lr)


def hint(lr):
    sums = ", ".join(f"{number:.2f}" for number in sums_after_a_step(lr))
    fate = "dead, but so it is at a smaller rate" if is_dead(lr) else "alive"
    return f"After a step of {lr:g} the sums are {sums}: {fate}. Write the largest sum as a formula with lr."


answer = ...  # a number
exercise(answer, is_the_edge, hint)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Design an activation of your own, out of the engine's ops: for positive sums it must be ReLU, and it must bring the
# dead neuron back to life in 300 careful steps.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 엔진의 연산으로 나만의 활성화 함수를 만들어 보세요. 양수에서는 렐루와 같아야 하고, 죽은 뉴런을 조심스러운 300걸음 안에
# 되살려야 해요.

# %%
positive = Tensor([0.5, 1.0, 3.0])


def is_relu_for_positive_sums(activation):
    return np.allclose(activation(positive), tg.relu(positive))


def revives(activation):
    largest, loss = nurse(activation, steps=300)
    return largest[-1] > 0 and loss < 0.01


def hint(activation):
    if not is_relu_for_positive_sums(activation):
        return f"For the sums {positive.numpy()} it gives {activation(positive).numpy()}."
    first, *_, last = nurse(activation, steps=300)[0]
    return f"The largest sum goes from {first:.2f} to {last:.2f}. Which slope is there below 0?"


answer = ...  # a function, such as lambda z: tg.relu(z)
exercise(answer, lambda activation: is_relu_for_positive_sums(activation) and revives(activation), hint)

# %% [markdown] lang="en"
# You know now what happens in a training step, and what can go wrong. What does all of it come to, without the engine?
# **Lesson 9 reads the NumPy program of a training step**, line by line.

# %% [markdown] lang="ko"
# 이제 학습 한 단계에서 무슨 일이 일어나고 무엇이 잘못될 수 있는지 알게 되었어요. 그렇다면 엔진을 걷어 내면 무엇이
# 남을까요? 다음은 **9. 학습 한 단계의 NumPy 프로그램**이에요. 한 줄씩 읽어 봐요.
