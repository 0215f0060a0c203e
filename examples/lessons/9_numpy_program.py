# %% [markdown] lang="en"
# # 9. The NumPy program of a training step
#
# **Take away the graph, the ops and the engine. What is left of a training step?**
#
# Some twenty lines of NumPy. The engine writes them for you, and by now you can read every one of them.

# %% [markdown] lang="ko"
# # 9. 학습 한 단계의 NumPy 프로그램
#
# **그래프도, 연산도, 엔진도 모두 걷어 내면 학습 한 단계에는 무엇이 남을까요?**
#
# NumPy 스무 줄 남짓이 남아요. 엔진이 그 프로그램을 써 주고, 이제 여러분은 한 줄도 빠짐없이 읽을 수 있어요.

# %%
import importlib.util
import re
import tempfile
from pathlib import Path

import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import data, nn, optim
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## A training step
#
# Forty points of the two moons, with the labels -1 and 1; four ReLU neurons and one that adds up. The optimizer does
# what you did by hand in lesson 1: each parameter goes against its slope.

# %% [markdown] lang="ko"
# ## 학습 한 단계
#
# 두 반달의 점 40개에 레이블 -1과 1을 붙였어요. 렐루 뉴런 네 개와 그것을 더하는 뉴런 하나가 있어요. 옵티마이저는
# 1번 수업에서 손으로 하던 일을 해요. 파라미터마다 자기 기울기의 반대 방향으로 움직여요.

# %%
X, y = data.moons(40, noise=0.1, seed=1)
y = (2 * y[:, None] - 1).astype(np.float32)


def make_step():
    """A network that starts with the same weights each time, and one step of its training."""
    with tg.random.seeded(0):
        model = nn.MLP(2, [4], 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def train_step(X, y):
        loss = tg.mse_loss(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, train_step


model, by_the_engine = make_step()
tg.draw(tg.mse_loss(model(X), y), direction="TB")

# %% [markdown] lang="en"
# ## The program
#
# `tg.compile` watches one call of the step, and writes down what happened to the numbers. Before you read: find the
# three headings `forward`, `backward` and `update`.

# %% [markdown] lang="ko"
# ## 프로그램
#
# `tg.compile`은 이 단계를 한 번 실행하는 동안 지켜보면서 숫자들에 무슨 일이 일어났는지 받아 적어요. 읽기 전에 먼저
# `forward`, `backward`, `update`라는 제목 세 개를 찾아보세요.

# %%
model, step = make_step()
compiled = tg.compile(step)
first_loss = compiled(X, y)
print(compiled.source)

# %% [markdown] lang="en"
# ## Reading it
#
# | line of the program | where you have met it |
# | --- | --- |
# | `np.less_equal(linear0, 0, out=relu1_mask)` | forward saves the mask: lesson 5 |
# | `np.multiply(..., np.float32(0.05), ...)` | the loss is a mean of 40 squares: its slope is 2/40 of what is missing |
# | `np.dot(ones40, grad_linear2, out=grad_bias2)` | one bias, forty rows: the gradient is a sum, lesson 4 |
# | `np.putmask(grad_linear0, relu1_mask, 0)` | backward uses the mask: lesson 5 |
# | `np.dot(X.T, grad_linear0, out=grad_weight0.T)` | a weight's slope is its input times what comes back: lesson 1 |
# | the order of the backward pass | from the loss on, no node before all of its gradients are in: lesson 3 |
#
# And three things that an expert would have done by hand:
#
# - **The loop over the parameters is gone.** All 17 numbers lie in one vector `theta`, their slopes in `grad`, and the
#   update is a product and a difference of vectors. `weight0` and the others are windows (views) on it.
# - **What does not depend on the data is made once**, above the function: the 40 ones, and memory for results.
# - **Hardly any memory is asked for** while it runs: each `out=` names an array of its own that was made once. Nothing
#   is written over that somebody could still want to look at, as the class of lesson 5 did.

# %% [markdown] lang="ko"
# ## 읽어 보기
#
# | 프로그램의 줄 | 어디서 보았나요? |
# | --- | --- |
# | `np.less_equal(linear0, 0, out=relu1_mask)` | 순전파가 마스크를 저장해요: 5번 |
# | `np.multiply(..., np.float32(0.05), ...)` | 손실은 제곱 40개의 평균이니, 기울기는 차이의 2/40이에요 |
# | `np.dot(ones40, grad_linear2, out=grad_bias2)` | 편향 하나를 40줄이 함께 쓰니, 기울기는 합이에요: 4번 |
# | `np.putmask(grad_linear0, relu1_mask, 0)` | 역전파가 마스크를 써요: 5번 |
# | `np.dot(X.T, grad_linear0, out=grad_weight0.T)` | 가중치의 기울기는 입력 곱하기 돌아온 기울기예요: 1번 |
# | 역전파의 순서 | 손실에서 시작해서, 받을 기울기를 다 받은 노드만 움직여요: 3번 |
#
# 그리고 전문가가 손으로 썼다면 했을 일이 세 가지 있어요.
#
# - **파라미터를 도는 반복문이 사라졌어요.** 수 17개가 모두 `theta`라는 벡터 하나에, 기울기는 `grad`에 들어 있어요.
#   그래서 갱신은 벡터의 곱과 차로 끝나요. `weight0` 같은 것들은 이 벡터를 들여다보는 창(뷰)이에요.
# - **데이터와 상관없는 것은 한 번만 만들어요.** 함수 위에 있는 1 마흔 개와 결과를 담을 메모리가 그래요.
# - **실행 중에는 메모리를 거의 새로 요청하지 않아요.** `out=` 뒤에는 모두 처음에 한 번 만들어 둔, 저마다의 배열이 와요.
#   5번 수업의 클래스처럼 누가 아직 볼지도 모르는 값을 덮어쓰지도 않아요.

# %% [markdown] lang="en"
# ## Is it really the same?
#
# `save` writes the program with all its numbers into a file that needs only NumPy. We save it, load it as a module of
# its own, and let it go on with the training, 200 steps. Beside it the engine does the same, op by op.

# %% [markdown] lang="ko"
# ## 정말 똑같을까요?
#
# `save`는 프로그램을 숫자까지 모두 담아 파일로 저장해요. 이 파일에는 NumPy만 있으면 돼요. 저장한 파일을 별개의 모듈로
# 불러와서 학습을 200단계 이어 가게 하고, 그 옆에서 엔진도 같은 일을 연산 하나하나 따라가며 하게 해요.


# %%
def text_of(compiled):
    """The file that save writes, as text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my_step.py"
        compiled.save(path)
        return path.read_text(encoding="utf-8")


def load(text):
    """This text as a module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "my_step.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("my_step", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def parameters_of(module):
    """The weights and biases of a program, one after the other."""
    names = ("weight0", "bias0", "weight2", "bias2")
    return np.concatenate([getattr(module, name).ravel() for name in names])


text = text_of(compiled)
print("it imports:", re.findall(r"^import \w+", text, flags=re.M))

# %%
my_step = load(text)
by_the_file = [float(my_step.train_step(X, y)) for _ in range(200)]

twin, by_the_engine = make_step()
by_the_engine(X, y)  # the compiled one was called once before it was saved
op_by_op = [by_the_engine(X, y).item() for _ in range(200)]

weights = nn.utils.parameters_to_vector(twin.parameters())
print("losses the same to the last bit: ", by_the_file == op_by_op)
print("weights the same to the last bit:", np.array_equal(parameters_of(my_step), weights))


# %%
def picture_of_both():
    figure, (axes,) = figures.panels(width=7.5, height=4)
    axes.plot(op_by_op, color=figures.SKY, linewidth=7, label="the engine, op by op")
    axes.plot(by_the_file, "--", color=figures.BLACK, linewidth=2, label="the saved file, NumPy alone")
    axes.set(xlabel="step", ylabel="loss", title="The same training, twice", ylim=(0, None))
    figures.legend(axes)
    return figure


show(picture_of_both())

# %% [markdown] lang="en"
# ## What was saved
#
# Between the recording and the program stand small passes, each with one idea. `report()` tells what each has saved in
# this step: calls of NumPy.

# %% [markdown] lang="ko"
# ## 무엇을 아꼈을까요?
#
# 기록을 프로그램으로 바꾸는 동안 작은 패스들을 거쳐요. 패스마다 아이디어가 하나씩 있어요. `report()`는 각 패스가 이
# 단계에서 NumPy 호출을 몇 번 아꼈는지 알려 줘요.

# %%
print(compiled.report())

# %% [markdown] lang="en"
# `copies` and `dead` have left out what nobody reads, `common` what was computed twice; `destinations` lets gradients
# be written where the optimizer wants them, and `once` makes only once what is always the same. Below stands what is
# left. Does that pay? Time both on your machine: the smaller the arrays, the more it does.
#
# ## Exercise 1
#
# The file has lost two lines: forward no longer saves the mask, and backward no longer uses it. Mend it with one line
# in the backward pass, which does without the mask: make 0 what must be 0 in `grad_linear0`. (An exercise of lesson 5
# helps.)

# %% [markdown] lang="ko"
# `copies`와 `dead`는 아무도 읽지 않는 것을, `common`은 두 번 계산한 것을 뺐어요. `destinations`는 기울기를 옵티마이저가
# 바라는 자리에 바로 쓰게 하고, `once`는 늘 같은 것을 한 번만 만들어요. 아래에 남은 것이 나와요. 효과가 있을까요?
# 여러분의 컴퓨터에서 직접 시간을 재 보세요. 배열이 작을수록 효과가 커요.
#
# ## 연습 문제 1
#
# 파일에서 두 줄이 사라졌어요. 순전파는 이제 마스크를 저장하지 않고, 역전파는 마스크를 쓰지 않아요. 역전파에 한 줄을
# 넣어서 마스크 없이 고쳐 보세요. `grad_linear0`에서 0이 되어야 하는 곳을 0으로 만들면 돼요. (5번 수업의 연습 문제가
# 도움이 될 거예요.)


# %%
def with_line(line):
    """The saved program without its mask, and with this line in the place of the one that used it."""
    forgetful = re.sub(r"np\.less_equal\(.*", "relu1_mask.fill(False)", text)
    return load(re.sub(r"np\.putmask\(.*", lambda _: line, forgetful))


def losses_with(line):
    module = with_line(line)
    return [float(module.train_step(X, y)) for _ in range(20)]


def gives_the_engines_losses(line):
    return losses_with(line) == op_by_op[:20]


def hint(line):
    found = losses_with(line)
    first = next(i for i, (mine, right) in enumerate(zip(found, op_by_op)) if mine != right)
    numbers = f"{found[first]:.6f} and not {op_by_op[first]:.6f}"
    return f"The loss of step {first + 1} is {numbers}. What tells you where ReLU was silent?"


answer = ...  # a line of NumPy, as a text
exercise(answer, gives_the_engines_losses, hint)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Change the update: **weight decay** adds a tenth of each parameter to its slope, so that weights shrink when nothing
# else pulls at them. Write the update with `theta`, `grad` and `lr`. `optim.SGD(..., weight_decay=0.1)` is the judge.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 갱신을 바꿔 보세요. **가중치 감쇠**(weight decay)는 기울기에 파라미터 값의 10분의 1을 더해요. 그러면 다른 힘이 없을 때
# 가중치가 조금씩 줄어들어요. `theta`, `grad`, `lr`로 갱신을 써 보세요. 심판은 `optim.SGD(..., weight_decay=0.1)`이에요.


# %%
def with_update(line):
    """The saved program with this line in the place of its update."""
    update = r"np\.multiply\(grad, lr.*\n.*np\.subtract\(theta.*"
    changed = re.sub(update, lambda _: line, text)
    return load(re.sub(r"(\n    def train_step.*\n)", r"\1        nonlocal theta\n", changed))


def weights_with(line):
    """All parameters after 20 steps, by the program with this line and by the engine."""
    module = with_update(line)
    model, first_step = make_step()
    first_step(X, y)
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(20):
        module.train_step(X, y)
        loss = tg.mse_loss(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return parameters_of(module), nn.utils.parameters_to_vector(model.parameters())


def agrees_with_sgd(line):
    return np.allclose(*weights_with(line), atol=1e-5)


def hint(line):
    mine, right = weights_with(line)
    length, wanted = np.linalg.norm(mine), np.linalg.norm(right)
    return f"After 20 steps the weights have the length {length:.3f}, with the engine's SGD {wanted:.3f}."


answer = ...  # a line of NumPy, as a text; it must change theta itself, since the weights are windows on it
exercise(answer, agrees_with_sgd, hint)

# %% [markdown] lang="en"
# That was the course: from one neuron, worked out by hand, to a program that you could have written by hand. What is
# said about ReLU beyond this (is it six times as fast? does it never lose the gradient? what does depth need?) you can
# measure yourself, in **the lab**: `tinygrad-relu lab all --out lab` runs every claim, and `lab/index.html` shows what
# holds.

# %% [markdown] lang="ko"
# 여기까지가 수업이에요. 손으로 계산한 뉴런 하나에서 시작해서, 손으로 쓸 수도 있었을 프로그램까지 왔어요. 렐루에는 아직
# 이야기가 더 남아 있어요. 정말 여섯 배나 빠를까요? 기울기를 절대 잃지 않을까요? 깊은 신경망에는 무엇이 필요할까요?
# 이제는 **실험실**에서 직접 재 볼 수 있어요. `tinygrad-relu lab all --out lab`을 실행하면 모든 주장을 실험해 보고,
# 무엇이 맞는지 `lab/index.html`에서 보여 줘요.
