# %% [markdown] lang="en"
# # 4. Broadcasting, and why its gradient is a sum
#
# **One bias serves a hundred rows of data. A hundred rows of gradients come back. How do they fit into one bias?**
#
# NumPy stretches small arrays to fit large ones without a word. On the way back somebody has to undo that.

# %% [markdown] lang="ko"
# # 4. 브로드캐스팅의 기울기가 합인 이유
#
# **편향 하나를 데이터 백 줄이 함께 써요. 그러면 기울기도 백 줄이 돌아올 텐데, 이것이 어떻게 편향 하나에 들어갈까요?**
#
# NumPy는 작은 배열을 큰 배열에 맞게 말없이 늘려 줘요. 돌아올 때는 누군가 그것을 되돌려 놓아야 해요.

# %%
import numpy as np
from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.lab import figures

# %% [markdown] lang="en"
# ## What broadcasting does
#
# Four rows of data, three units, one bias for each unit. The shapes are (4, 3) and (3,), so NumPy behaves as if the
# bias stood there four times, without copying it.

# %% [markdown] lang="ko"
# ## 브로드캐스팅이 하는 일
#
# 데이터가 네 줄, 뉴런이 세 개, 편향은 뉴런마다 하나씩 있어요. 모양이 (4, 3)과 (3,)이니까, NumPy는 편향이 네 번 반복된
# 것처럼 계산해요. 실제로 복사하지는 않아요.

# %%
z = Tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 2.0, 1.0], [1.0, 0.0, 2.0]])
bias = Tensor([0.5, -1.0, 0.0], requires_grad=True)
out = z + bias
print(out.detach().numpy())

# %% [markdown] lang="en"
# ## One number, used four times
#
# In lesson 2 a number that was used twice got two messages, and they were added. Here `bias[0]` is used four times,
# once in each row. So four messages come back, and they are added. **What is stretched on the way forward is summed on
# the way back**: not a new rule, only the old one.

# %% [markdown] lang="ko"
# ## 네 번 쓰인 수 하나
#
# 2번 수업에서 두 번 쓰인 수는 기울기를 두 번 받았고, 그 둘을 더했지요. 여기서는 `bias[0]`이 줄마다 한 번씩, 모두 네 번
# 쓰였어요. 그러니 기울기가 네 번 돌아오고, 그것을 모두 더해요. **순전파에서 늘린 것은 역전파에서 더한다.** 새로운
# 규칙이 아니라 이미 아는 규칙이에요.

# %%
grad = np.array([[1, 0, 2], [0, -1, 1], [3, 1, 0], [-1, 2, 1]], dtype=np.float32)
bias.grad = None  # gradients add up; this cell may be run again
out.backward(grad, retain_graph=True)
print("bias.grad:", bias.grad.numpy(), " of shape", bias.grad.shape)


# %%
def picture_of_the_sum():
    figure, (axes,) = figures.panels(width=7.0, height=3.8)
    numbers = np.vstack([grad, grad.sum(axis=0)])
    axes.imshow(numbers, cmap="PuOr", vmin=-8, vmax=8, aspect="auto")
    for (i, j), number in np.ndenumerate(numbers):
        axes.text(j, i, f"{number:g}", ha="center", va="center", fontsize=16)
    axes.axhline(3.5, color=figures.BLACK, linewidth=4)
    axes.set(yticks=range(5), xticks=range(3), title="What comes back is added up, column by column")
    axes.set_yticklabels([f"gradient of out, row {i}" for i in range(4)] + ["bias.grad"])
    axes.set_xticklabels([f"unit {j}" for j in range(3)])
    axes.grid(False)
    return figure


show(picture_of_the_sum())

# %% [markdown] lang="en"
# ## The rule for any two shapes
#
# NumPy lines shapes up from the right. An axis that is missing in front, or that has length 1, is stretched. So these
# are the axes to sum over:

# %% [markdown] lang="ko"
# ## 어떤 모양에도 통하는 규칙
#
# NumPy는 모양을 오른쪽부터 맞춰요. 앞쪽에 없는 축이나 길이가 1인 축이 늘어나지요. 그러니 바로 그 축들을 따라 더하면
# 돼요.


# %%
def unbroadcast(grad, shape):
    """The gradient for an array of this shape, which was stretched to grad.shape."""
    missing = grad.ndim - len(shape)
    grad = grad.sum(axis=tuple(range(missing)))
    ones = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return grad.sum(axis=ones, keepdims=True)


for shape in [(3,), (4, 1), (1, 3), (1, 1), ()]:
    small = Tensor(np.ones(shape), requires_grad=True)
    (z + small).backward(grad)
    same = np.array_equal(unbroadcast(grad, shape), small.grad.numpy())
    print(f"{shape!s:>7}  by hand and by the engine: {'the same' if same else 'different'}")

# %% [markdown] lang="en"
# The engine does this once, in one place, for all its ops, and keeps a promise: **a gradient always has the shape of
# its tensor.** In the drawing, what was sent back to `bias` arrives as three numbers.

# %% [markdown] lang="ko"
# 엔진은 이 일을 모든 연산에 대해 한 곳에서 처리하고, 약속 하나를 지켜요. **기울기의 모양은 언제나 그 텐서의 모양과
# 같아요.** 그림을 보면 `bias`로 돌아온 기울기는 수 세 개예요.

# %%
tg.draw(out)

# %% [markdown] lang="en"
# ## What happens to those who forget it
#
# Without the sum the bias does not fail. It *grows*, without a word: from one bias for each unit to one for each row.

# %% [markdown] lang="ko"
# ## 잊어버리면 생기는 일
#
# 더하는 것을 잊어도 오류가 나지 않아요. 편향이 말없이 **커질** 뿐이에요. 뉴런마다 하나이던 편향이 데이터 줄마다 하나씩
# 생겨 버려요.

# %%
b = np.zeros(3)
b = b - 0.1 * grad  # the sum is missing
print("b has the shape", b.shape)

# %% [markdown] lang="en"
# And the best-known trap of all: predictions of shape (4, 1), targets of shape (4,). NumPy stretches *both*, and
# compares every prediction with every target. The loss is a number, training runs, and learns nonsense. So this engine
# refuses:

# %% [markdown] lang="ko"
# 가장 유명한 함정도 하나 볼까요? 예측값은 (4, 1), 정답은 (4,) 모양이라고 해 봐요. NumPy는 **둘 다** 늘려서 모든 예측을
# 모든 정답과 비교해요. 손실은 숫자로 잘 나오고 학습도 돌아가지만, 엉뚱한 것을 배워요. 그래서 이 엔진은 거부해요.

# %%
predictions, targets = np.zeros((4, 1)), np.array([1.0, 2.0, 3.0, 4.0])
print("predictions - targets has the shape", (predictions - targets).shape)
try:
    tg.mse_loss(Tensor(predictions), Tensor(targets))
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# ## Exercise 1
#
# `x` has the shape (5, 1, 3) and `y` the shape (4, 1). What `x * y` sends back to `y` has to be summed over which axes
# of the result? Give a tuple.

# %% [markdown] lang="ko"
# ## 연습 문제 1
#
# `x`의 모양은 (5, 1, 3)이고 `y`의 모양은 (4, 1)이에요. `x * y`가 `y`로 돌려보내는 기울기는 결과의 어느 축들을 따라
# 더해야 할까요? 튜플로 답해 보세요.

# %%
random = np.random.default_rng(0)
x = Tensor(random.normal(size=(5, 1, 3)))
y = Tensor(random.normal(size=(4, 1)), requires_grad=True)
product = x * y
tg.sum(product).backward()


def summed(axes):
    sent = np.broadcast_to(x.numpy(), product.shape)  # the other factor, times a gradient of ones
    return sent.sum(axis=axes)


def gives_the_gradient(axes):
    return summed(axes).size == y.size and np.allclose(summed(axes), y.grad.numpy().ravel())


answer = ...  # a tuple of axes, such as (0, 1)
exercise(
    answer,
    gives_the_gradient,
    lambda axes: f"That leaves the shape {summed(axes).shape}. Where is y stretched to {product.shape}?",
)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Each unit gets a scale instead of a bias: `out = X * scale`, where `X` is (4, 3) and `scale` (3,). Write the rule for
# the gradient of `scale`, as a function of the gradient of `out` and of `X`, both arrays.

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 이번에는 편향 대신 뉴런마다 배율을 곱해요. `out = X * scale`이고, `X`는 (4, 3), `scale`은 (3,) 모양이에요. `out`의
# 기울기와 `X`를 받아 `scale`의 기울기를 돌려주는 함수를 작성해 보세요. 둘 다 배열이에요.

# %%
X = random.normal(size=(4, 3))
scale = Tensor(random.normal(size=3), requires_grad=True)
(X * scale).backward(grad)


def agrees_with_the_engine(rule):
    found = rule(grad, X)
    return found.shape == scale.shape and np.allclose(found, scale.grad.numpy())


answer = ...  # a function, such as lambda grad, X: grad
exercise(
    answer,
    agrees_with_the_engine,
    lambda rule: f"It gives the shape {rule(grad, X).shape}. First the rule of a product, then the sum.",
)

# %% [markdown] lang="en"
# Sums, products and stretching: all of these are smooth. The next op has a corner, and has to remember on which side of
# it each number was. That is **lesson 5, ReLU and its mask**.

# %% [markdown] lang="ko"
# 덧셈, 곱셈, 늘리기는 모두 매끄러운 연산이에요. 다음에 볼 연산에는 꺾인 곳이 있어서, 각 수가 어느 쪽에 있었는지
# 기억해야 해요. 다음은 **5. 렐루와 마스크**예요.
