"""The cluster's configuration as values."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ocf_aws.cli.cluster.cib import Cib, Primitive, is_off
from ocf_aws.cli.cluster.cib_xml import parse_cib


@pytest.mark.parametrize("word", ["false", "off", "no", "n", "0", "False", "N"])
def test_each_of_pacemakers_words_for_false_is_one(word: str) -> None:
    assert is_off({"stonith-enabled": word}, "stonith-enabled", "true")


@pytest.mark.parametrize("word", ["true", "on", "yes", "y", "1"])
def test_none_of_its_words_for_true_is_one(word: str) -> None:
    assert not is_off({"stonith-enabled": word}, "stonith-enabled", "true")


@pytest.mark.parametrize("ignored", ['enabled="false"', 'enabled="0"', 'role="Stopped"', 'role="Promoted"'])
def test_a_monitor_that_pacemaker_does_not_repeat_is_none(ignored: str) -> None:
    resource = resource_with(f'<operations><op id="m" name="monitor" interval="10s" {ignored}/></operations>')
    assert resource.operation("monitor") is None


@pytest.mark.parametrize("repeated", ["", 'enabled="yes"', 'role="Started"'])
def test_a_monitor_beside_it_counts(repeated: str) -> None:
    resource = resource_with(
        '<operations><op id="a" name="monitor" interval="10s" role="Stopped"/>'
        f'<op id="b" name="monitor" interval="20s" {repeated}/></operations>'
    )
    operation = resource.operation("monitor")
    assert operation and operation.id == "b"


def test_a_disabled_start_still_gives_its_timeout() -> None:
    resource = resource_with(
        '<operations><op id="s" name="start" timeout="90s" interval="0" enabled="false"/></operations>'
    )
    operation = resource.operation("start")
    assert operation and operation.timeout == 90


@pytest.mark.parametrize(
    ("parameters", "known"),
    [
        ({"pcmk_host_map": "n1:i-1;n2:i-2"}, {"n1": "i-1", "n2": "i-2"}),
        ({"port": "i-1", "pcmk_host_list": "n1"}, {"n1": "i-1"}),
        ({"plug": "i-1", "pcmk_host_list": "n1"}, {"n1": "i-1"}),
        ({"port": "i-1", "pcmk_host_map": "n1:i-1"}, {"n1": "i-1"}),
        ({"port": "dynamic", "pcmk_host_map": "n1:i-1;n2:i-2"}, {"n1": "i-1", "n2": "i-2"}),
        ({"port": "i-1", "pcmk_host_list": "n1, n2"}, {}),
        ({"port": "i-1"}, {}),
        ({"pcmk_host_list": "n1 n2"}, {}),
        ({}, {}),
    ],
)
def test_a_fencing_device_knows_what_it_maps_or_is_for(parameters: dict[str, str], known: dict[str, str]) -> None:
    pairs = "".join(f'<nvpair name="{name}" value="{value}"/>' for name, value in parameters.items())
    assert resource_with(f"<instance_attributes>{pairs}</instance_attributes>").instance_ids() == known


STANDBY = '<instance_attributes><nvpair name="standby" value="{}"/></instance_attributes>'


@pytest.mark.parametrize("word", ["true", "on", "yes", "y", "1", "On"])
def test_a_node_is_in_standby_in_each_of_pacemakers_words(word: str) -> None:
    assert cib_with(f'<nodes><node uname="n1">{STANDBY.format(word)}</node></nodes>').nodes_in("standby") == {
        "n1": "forever"
    }


@pytest.mark.parametrize("word", ["false", "off", "", "perhaps"])
def test_a_node_is_in_standby_in_no_other_word(word: str) -> None:
    assert not cib_with(f'<nodes><node uname="n1">{STANDBY.format(word)}</node></nodes>').nodes_in("standby")


@pytest.mark.parametrize(
    ("lasting", "transient", "standby"),
    [("off", "on", {"n1": "reboot"}), ("on", "on", {"n1": "reboot"}), ("on", "off", {}), ("off", "off", {})],
)
def test_an_attribute_until_a_reboot_comes_first(lasting: str, transient: str, standby: dict[str, str]) -> None:
    state = (
        f'<node_state uname="n1"><transient_attributes>{STANDBY.format(transient)}</transient_attributes></node_state>'
    )
    cib = cib_with(f'<nodes><node uname="n1">{STANDBY.format(lasting)}</node></nodes>', state)
    assert cib.nodes_in("standby") == standby


def test_references_stand_for_what_they_refer_to() -> None:
    cib = cib_with(
        """
        <resources>
          <primitive id="r" class="ocf" provider="aws" type="aws-overlay-ip">
            <instance_attributes id-ref="shared-ia"/>
            <meta_attributes id-ref="shared-meta"/>
            <operations id-ref="shared-ops"/>
          </primitive>
          <primitive id="s" class="ocf" provider="pacemaker" type="Dummy">
            <instance_attributes id="shared-ia">
              <nvpair id="shared-ip" name="ip" value="192.168.10.10"/>
              <nvpair id-ref="shared-ip" name="address"/>
              <nvpair id-ref="option"/>
            </instance_attributes>
            <meta_attributes id="shared-meta"><nvpair id="role" name="target-role" value="Stopped"/></meta_attributes>
            <operations id="shared-ops"><op id="m" name="monitor" interval="10s"/></operations>
          </primitive>
        </resources>
        <tags><tag id="t"><obj_ref id="shared-ia"/></tag></tags>
        <crm_config><cluster_property_set id="c"><nvpair id="option" name="fence" value="yes"/></cluster_property_set></crm_config>
        """
    )
    for resource in cib.primitives:
        assert resource.parameters == {"ip": "192.168.10.10", "address": "192.168.10.10", "fence": "yes"}
        assert resource.is_disabled
        assert resource.operation("monitor")


def resource_with(xml: str) -> Primitive:
    """A resource that is made of this."""
    return cib_with(
        f'<resources><primitive id="r" class="ocf" provider="aws" type="aws-overlay-ip">{xml}</primitive></resources>'
    ).primitives[0]


def cib_with(configuration: str, status: str = "") -> Cib:
    """What cibadmin answers about this."""
    return parse_cib(
        ElementTree.fromstring(f"<cib><configuration>{configuration}</configuration><status>{status}</status></cib>")
    )
