"""Boxes between the kernel and Braid, both ways, in the laboratory: a part of what docs/middleboxes-lab.md has."""

import pytest

import middleboxes

#: label -> whether it stays Multipath TCP
EXPECTED = {
    "NAT": True,
    "sequence numbers shifted": True,
    "segments cut to 500 octets": True,
    "options removed from SYN": False,
    "transparent proxy": False,
}


@pytest.mark.parametrize("pair", [("linux", "braid"), ("braid", "linux")], ids="-".join)
@pytest.mark.parametrize("label", EXPECTED)
def test_everything_arrives_and_fallback_is_where_it_must_be(label, pair):
    result = middleboxes.run(middleboxes.CASES[label], 2, *pair)
    assert result["is_exact"], result
    assert (result["multipath"] == "established") == EXPECTED[label], result
    # The path without the box is used, where there is Multipath TCP.
    assert result["carrying"] == (2 if EXPECTED[label] else 1), result
