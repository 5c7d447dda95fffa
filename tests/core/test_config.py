import pytest

from core.config import EncoderChoice


def test_a_choice_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="pooling is 'median', must be one of: mean"):
        EncoderChoice(pooling="median")
    with pytest.raises(ValueError, match="precision is 'int8', must be one of: exact, fast"):
        EncoderChoice(precision="int8")
    with pytest.raises(ValueError, match="the encoder's name is empty"):
        EncoderChoice(name="  ")
