"""Why content has too little to judge by."""

from __future__ import annotations

from gpu_qa.sync.material import Material, Unusable, why_too_little, with_unusable, with_used


def test_each_reason_is_said() -> None:
    whole = [
        (("silent", None), "it is silent throughout"),
        ((None, "black"), "the picture is black throughout"),
        (("silent", "black"), "it is silent throughout and the picture is black throughout"),
        (("missing", None), "no sound came with the picture"),
    ]
    for (sound, picture), reason in whole:
        assert why_too_little(with_unusable(Material(), 30.0, Unusable(sound, picture)), 30.0) == reason  # type: ignore[arg-type]
    short = with_used(Material(), 1.9, is_repeat=False)
    assert why_too_little(short, 2.0) == "too short: 2.0 s, of which 1.9 s can be judged; 8 s are needed"
    again = with_used(with_used(Material(), 6.0, is_repeat=False), 18.0, is_repeat=True)
    assert "18.0 s come again and say nothing new" in str(why_too_little(again, 24.0))
    assert why_too_little(with_used(Material(), 9.0, is_repeat=False), 9.0) is None
