"""What is read of a spec that is invalid: whatever stands there, and never more than was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.notify.delivery.filters import ALL
from rollout.notify.delivery.wanted import NONE, written

anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "labels", "spec", "notify", "sink", "on", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(metadata=anything, spec=anything, notify=anything)
def test_anything_may_stand_there(metadata: object, spec: object, notify: object) -> None:
    """What comes of it are labels and words, and no error."""
    for document in ({"metadata": metadata, "spec": spec}, {"spec": {"notify": notify}}, {}):
        labels, named = written(document)

        assert all(isinstance(value, str) for value in labels.values())
        assert all(isinstance(word, str) for words in named.values() for word in words)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({}, ALL),
        ({"on": None}, ALL),
        ({"on": []}, ALL),
        ({"on": ["Aborted", 3]}, {"Aborted"}),
        ({"on": "Aborted"}, NONE),
        ({"on": [3]}, NONE),
        ({"on": {}}, NONE),
    ],
    ids=str,
)
def test_words_that_cannot_be_read_are_none(wish: dict[str, object], words: frozenset[str]) -> None:
    """Only who asks for no words asks for everything."""
    assert written({"spec": {"notify": [{"sink": "ops", **wish}]}}) == ({}, {"ops": words})
