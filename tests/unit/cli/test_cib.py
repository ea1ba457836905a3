"""The cluster's configuration as values."""

from __future__ import annotations

import pytest

from ocf_aws.cli.cluster.cib import is_off


@pytest.mark.parametrize("word", ["false", "off", "no", "n", "0", "False", "N"])
def test_each_of_pacemakers_words_for_false_is_one(word: str) -> None:
    assert is_off({"stonith-enabled": word}, "stonith-enabled", "true")


@pytest.mark.parametrize("word", ["true", "on", "yes", "y", "1"])
def test_none_of_its_words_for_true_is_one(word: str) -> None:
    assert not is_off({"stonith-enabled": word}, "stonith-enabled", "false")
