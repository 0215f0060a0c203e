# %% [markdown] lang="en"
# # 3. Why the order matters
#
# **In `b = a + a; c = b + b`, how fast does `c` grow with `a`? Everyone sees that it is 4. Why does a simple recursion
# say 8?**
#
# This is a frequent fault of home-made engines, and small tests do not show it.

# %% [markdown] lang="ko"
# # 3. 순서가 중요한 이유
#
# **`b = a + a; c = b + b`에서 `c`는 `a`보다 몇 배 빨리 커질까요? 누가 봐도 4배예요. 그런데 단순한 재귀는 왜 8이라고
# 할까요?**
#
# 직접 만든 엔진에서 자주 나오는 실수예요. 게다가 간단한 테스트로는 드러나지 않아요.

# %%
from collections import Counter

from lesson import exercise, show

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.lab import figures

# %%
a = Tensor(3.0, requires_grad=True, name="a")
b = a + a
c = b + b
b.name, c.name = "b", "c"
print(f"b = {b.item()}, c = {c.item()}")

# %% [markdown] lang="en"
# ## The obvious way: recursion
#
# "Send my gradient to my inputs, then let each of them do the same." An op knows its inputs as `op.arguments`, and its
# rule is `op.backward`.

# %% [markdown] lang="ko"
# ## 누구나 먼저 떠올리는 방법: 재귀
#
# "내 기울기를 입력들에 보내고, 입력마다 같은 일을 시킨다." 연산의 입력은 `op.arguments`에, 규칙은 `op.backward`에
# 있어요.


# %%
def recurse(t, grads, visits):
    visits.append(t.name)
    if t.op is None:  # a leaf
        return
    for argument, part in zip(t.op.arguments, t.op.backward(grads[t.name])):
        grads[argument.name] += part
    for argument in t.op.arguments:
        recurse(argument, grads, visits)


grads, visits = Counter(c=1.0), []
recurse(c, grads, visits)
print("visited:", *visits)
print("dc/da =", grads["a"])

# %% [markdown] lang="en"
# Eight. Follow the visits: `b` is visited twice, since `c = b + b` names it twice. At the first visit it already holds
# 2 and hands on 2, twice, so `a` has 4. That was right, and it should be the end. But then `b` is visited again and
# hands on its 2 **once more**.
#
# The tensor `a` is visited four times too, but it is a leaf, and hands nothing on. Only a number that is no leaf *and*
# is used twice shows the fault.

# %% [markdown] lang="ko"
# 8이 나왔네요. 방문 순서를 따라가 보세요. `c = b + b`에 `b`가 두 번 나오니까 `b`도 두 번 방문해요. 첫 번째 방문 때
# `b`는 이미 2를 가지고 있어서 2를 두 번 보내고, `a`는 4가 돼요. 여기서 끝났다면 맞는 답이었을 거예요. 그런데 `b`를 다시
# 방문하면서 이미 보낸 2를 **한 번 더** 보내요.
#
# `a`도 네 번이나 방문하지만, 리프(leaf)라서 아무것도 보내지 않아요. 리프가 아니면서 두 번 쓰인 값이 있어야만 문제가
# 드러나지요.

# %% [markdown] lang="en"
# ## The right way: wait until everything is there
#
# First count how many messages each tensor will get: one for each arrow that leaves it. A tensor hands its sum on only
# when the last message has come. No recursion is needed, just a list of those that are ready.

# %% [markdown] lang="ko"
# ## 올바른 방법: 모두 도착할 때까지 기다리기
#
# 먼저 텐서마다 기울기를 몇 번 받을지 세어 둬요. 그 텐서에서 나가는 화살표의 수와 같아요. 그리고 마지막 기울기가
# 도착했을 때에만 합을 보내요. 재귀는 필요 없고, 준비된 텐서의 목록만 있으면 돼요.


# %%
def count_messages(root):
    """How many messages each tensor under root will get."""
    missing, todo = Counter(), [root]
    for t in todo:
        for argument in t.op.arguments if t.op else ():
            if argument.name not in missing:  # met for the first time
                todo.append(argument)
            missing[argument.name] += 1
    return missing


def in_order(root, grads, visits):
    missing, ready = count_messages(root), [root]
    while ready:
        t = ready.pop()
        visits.append(t.name)
        if t.op is None:
            continue
        for argument, part in zip(t.op.arguments, t.op.backward(grads[t.name])):
            grads[argument.name] += part
            missing[argument.name] -= 1
            if missing[argument.name] == 0:
                ready.append(argument)


grads, visits = Counter(c=1.0), []
in_order(c, grads, visits)
print("visited:", *visits)
print("dc/da =", grads["a"])

# %% [markdown] lang="en"
# Each tensor stands after all that use it: this is a **topological order**. The engine does the same (see
# `topological_order` in `tinygrad_relu/graph.py`). In the explorer, watch how many gradients each tensor still waits
# for; the button *Why this order?* shows both ways side by side.

# %% [markdown] lang="ko"
# 모든 텐서가 자기를 사용한 것들 뒤에 와요. 이런 순서를 **위상 정렬** 순서라고 해요. 엔진도 똑같이
# 해요(`tinygrad_relu/graph.py`의 `topological_order`를 보세요). 아래 탐색기에서 각 텐서가 기울기를 몇 개나 더
# 기다리는지 지켜보세요. **왜 이 순서일까요?** 버튼을 누르면 두 방법을 나란히 비교할 수 있어요.

# %% lang="en"
tg.explain(c)

# %% lang="ko"
tg.explain(c, language="ko")

# %% [markdown] lang="en"
# ## Could recursion be mended?
#
# Yes: let each message travel by itself, all the way down, and hand on only what has *just* come, not the whole sum.
# Then the answer is right. But the roads double with each step of a ladder `x → x + x → …`, and every one is walked:

# %% [markdown] lang="ko"
# ## 재귀를 고칠 수는 없을까요?
#
# 고칠 수 있어요. 합을 보내지 말고 **방금 도착한 것만** 끝까지 따로따로 보내면 답이 맞아요. 하지만 사다리
# `x → x + x → …`에서는 한 칸마다 길이 두 배로 늘어나고, 그 길을 전부 걸어야 해요.


# %%
def count_visits(t):
    """The visits if each message goes on by itself."""
    return 1 + sum(count_visits(argument) for argument in (t.op.arguments if t.op else ()))


def ladder(steps):
    top = Tensor(1.0, requires_grad=True)
    for _ in range(steps):
        top = top + top
    return top


print("steps    1  2  3  4  5")
print("visits " + "".join(f"{count_visits(ladder(n)):3}" for n in range(1, 6)))


# %%
def picture_of_the_visits():
    figure, (axes,) = figures.panels(width=7.5)
    steps = range(1, 15)
    visits = [count_visits(ladder(n)) for n in steps]
    axes.semilogy(steps, visits, "o-", color=figures.RED, label="recursion, each message by itself")
    tensors = [n + 1 for n in steps]
    axes.semilogy(steps, tensors, "s-", color=figures.BLUE, label="topological order")
    axes.set(xlabel="steps of the ladder", ylabel="visits (logarithmic)", title="Going back through x + x + …")
    figures.legend(axes)
    return figure


show(picture_of_the_visits())

# %% [markdown] lang="en"
# In topological order it is one visit for each tensor, and since nothing recurses, the graph may be as deep as it
# likes:

# %% [markdown] lang="ko"
# 위상 정렬 순서로는 텐서마다 한 번만 방문하면 돼요. 재귀를 쓰지 않으니 그래프가 아무리 깊어도 괜찮아요.

# %%
deep = x = Tensor(1.0, requires_grad=True)
for _ in range(10_000):
    deep = deep + 1
deep.backward()
print("through 10,000 ops:", x.grad.item())

# %% [markdown] lang="en"
# ## Exercise 1
#
# In which order may the backward pass visit the five tensors of this graph? There is more than one right answer.

# %% [markdown] lang="ko"
# ## 연습 문제 1
#
# 다음 그래프의 텐서 다섯 개를 역전파는 어떤 순서로 방문할 수 있을까요? 정답은 하나가 아니에요.

# %%
a, b = Tensor(2.0, requires_grad=True, name="a"), Tensor(3.0, requires_grad=True, name="b")
d = a * b
e = d + a
f = e * d
d.name, e.name, f.name = "d", "e", "f"


def too_early(order):
    """The first that is visited before one that uses it, or None."""
    for t in (f, e, d):
        for argument in t.op.arguments:
            if order.index(argument.name) < order.index(t.name):
                return argument.name
    return None


answer = ...  # a list of names, such as ["a", "b", "d", "e", "f"]
exercise(
    answer,
    lambda order: sorted(order) == ["a", "b", "d", "e", "f"] and not too_early(order),
    lambda order: f"Too early: {too_early(order)}. Something that uses it is still to come.",
)

# %% [markdown] lang="en"
# ## Exercise 2
#
# Look at the table of visits above. How many visits does the mended recursion make for a ladder of `n` steps? Give a
# function of `n`. (With a million visits a second, how long would 40 steps take?)

# %% [markdown] lang="ko"
# ## 연습 문제 2
#
# 위에 있는 방문 횟수 표를 보세요. 고친 재귀는 `n`칸짜리 사다리에서 몇 번 방문할까요? `n`의 함수로 답해 보세요. (1초에
# 백만 번 방문한다면, 40칸은 얼마나 걸릴까요?)

# %%
answer = ...  # a function, such as lambda n: 2 * n
exercise(
    answer,
    lambda function: all(function(n) == count_visits(ladder(n)) for n in range(10)),
    lambda function: f"It says {function(3)} for 3 steps, where 15 are counted. What doubles?",
)

# %% [markdown] lang="en"
# So far our tensors have been single numbers. What if a bias is one row, and the data a hundred? That is **lesson 4,
# broadcasting, and why its gradient is a sum**.

# %% [markdown] lang="ko"
# 지금까지는 텐서가 수 하나였어요. 편향은 한 줄인데 데이터는 백 줄이라면 어떻게 될까요? 다음은 **4. 브로드캐스팅의
# 기울기가 합인 이유**예요.
