"""docs/settings.md is the tree of settings, setting by setting."""

from pathlib import Path

from yotei.settings import leaves

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def as_document() -> str:
    lines = [
        "# Settings",
        "",
        "Defaults, then one TOML file (`yotei.toml`, or the one that `YOTEI_CONFIG` names), then the environment; the",
        "later wins. What is unknown or out of range stops the start and is named. `yotei config` prints what is in",
        "force.",
        "",
        "Left alone are the variables that Kubernetes makes for a Service called `yotei` or `yotei-…`:",
        "`YOTEI_SERVICE_HOST`, `YOTEI_SERVICE_PORT…`, `YOTEI_PORT_8000_TCP…` (also UDP and SCTP), and `YOTEI_PORT`",
        "when it holds a link such as `tcp://10.0.0.1:8000`.",
    ]
    section = ""
    for leaf in leaves():
        if leaf.section != section:
            section = leaf.section
            lines += ["", f"## {section}", "", "| setting | variable | default | what it is |", "|---|---|---|---|"]
        default = (
            "none"
            if leaf.default is None
            else str(list(leaf.default) if isinstance(leaf.default, tuple) else leaf.default)
        )
        lines.append(f"| `{leaf.key}` | `{leaf.variable}` | `{default}` | {leaf.description} |")
    return "\n".join(lines) + "\n"


def test_every_setting_is_documented_with_its_default() -> None:
    assert DOCS.read_text("utf-8") == as_document(), "write it anew: python -m tests.contract.test_settings_docs"


if __name__ == "__main__":
    DOCS.write_text(as_document(), "utf-8")
