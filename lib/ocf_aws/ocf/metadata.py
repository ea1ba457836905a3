"""An agent's declaration as the meta-data that the OCF resource agent API 1.1 asks for.

The DOCTYPE's internal subset lets the stock ocf-tester validate it, whose DTD (ra-api-1.dtd) knows neither
unique-group and reloadable nor reload-agent; the order of elements is that of ra-api.rng.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocf_aws.ocf.agent import Action, Agent, Parameter

_HEAD = """<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd" [
<!ATTLIST parameter unique-group CDATA #IMPLIED reloadable (0|1) #IMPLIED>
<!ATTLIST action name CDATA #REQUIRED>
]>"""


def escape(text: str) -> str:
    """`text` as the content of an element. xml.sax.saxutils, which has it too, loads urllib.request (40 ms)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoteattr(text: str) -> str:
    """`text` as the value of an attribute, with its quotation marks."""
    return f'"{escape(text).replace(chr(34), "&quot;")}"'


def xml(agent: Agent) -> str:
    """The meta-data document of the agent."""
    return "\n".join(
        [
            _HEAD,
            f"<resource-agent name={quoteattr(agent.name)} version={quoteattr(agent.version)}>",
            # Pacemaker honours reload-agent only from version 1.1 on (daemons/controld/controld_metadata.c).
            "<version>1.1</version>",
            *_descriptions(agent.longdesc, agent.shortdesc),
            "<parameters>",
            *(_parameter(p) for p in agent.parameters),
            "</parameters>",
            "<actions>",
            *(_action(a) for a in agent.actions),
            "</actions>",
            "</resource-agent>",
        ]
    )


def _descriptions(longdesc: str, shortdesc: str) -> list[str]:
    return [
        f'<longdesc lang="en">\n{escape(longdesc.strip())}\n</longdesc>',
        f'<shortdesc lang="en">{escape(shortdesc)}</shortdesc>',
    ]


def _parameter(parameter: Parameter) -> str:
    attributes = f"name={quoteattr(parameter.name)}"
    if parameter.unique_group:
        # crmsh looks at unique alone, pcs at unique-group alone.
        attributes += f' unique="1" unique-group={quoteattr(parameter.unique_group)}'
    attributes += f' required="{int(parameter.required)}"'
    attributes += f' reloadable="{int(parameter.reloadable)}"'
    content = f"type={quoteattr(parameter.type)}"
    if parameter.default is not None:
        content += f" default={quoteattr(parameter.default)}"
    longdesc = parameter.longdesc
    if parameter.options:
        # The DTD has no element for them, and ocf-tester validates by the DTD.
        longdesc += f"\nAllowed values: {', '.join(parameter.options)}."
    return "\n".join(
        [
            f"<parameter {attributes}>",
            *_descriptions(longdesc, parameter.shortdesc),
            f"<content {content} />",
            "</parameter>",
        ]
    )


def _action(action: Action) -> str:
    attributes = f'name={quoteattr(action.name)} timeout="{action.timeout}s"'
    if action.interval is not None:
        attributes += f' interval="{action.interval}s"'
    if action.depth is not None:
        attributes += f' depth="{action.depth}"'
    return f"<action {attributes} />"
