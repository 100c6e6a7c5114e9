import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.attention.triangle import pack, unpack
from guess_or_recall.errors import UserError


def test_order_is_row_major_over_query_then_key():
    square = torch.tensor([[1, 9, 9], [2, 3, 9], [4, 5, 6]])
    assert pack(square).tolist() == [1, 2, 3, 4, 5, 6]
    assert unpack(torch.arange(1, 7)).tolist() == [[1, 0, 0], [2, 3, 0], [4, 5, 6]]


def test_sixty_four_tokens_make_2080_values():
    assert pack(torch.zeros(2, 3, 64, 64)).shape == (2, 3, 2080)


@given(
    st.integers(1, 70),
    st.sampled_from([(), (2,), (2, 3), (0, 3)]),
    st.sampled_from([torch.float16, torch.float32, torch.int64]),
)
def test_unpack_undoes_pack_on_the_triangle(length, batch, dtype):
    square = torch.randint(-9, 9, (*batch, length, length)).to(dtype)
    packed = pack(square)
    assert packed.shape == (*batch, length * (length + 1) // 2)
    assert packed.dtype == dtype
    assert torch.equal(unpack(packed), square.tril())
    assert torch.equal(pack(unpack(packed)), packed)


def test_gradients_pass_even_when_first_used_in_inference_mode():
    with torch.inference_mode():
        pack(torch.zeros(71, 71))
    packed = torch.zeros(71 * 36, requires_grad=True)
    weight = torch.rand(71, 71)
    (unpack(packed) * weight).sum().backward()
    assert packed.grad is not None
    assert torch.equal(packed.grad, pack(weight))


@pytest.mark.parametrize("size", [2, 2079, 2081])
def test_sizes_of_no_triangle_are_refused(size):
    with pytest.raises(UserError, match=str(size)):
        unpack(torch.zeros(size))
