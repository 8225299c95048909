"""Every CSS class of our templates exists: the theme's stylesheet holds only what the theme uses itself."""

import re
from pathlib import Path

import unfold

ROOT = Path(__file__).resolve().parent.parent
THEME = Path(unfold.__file__).parent / "static/unfold/css/styles.css"
OURS = sorted((ROOT / "config/static/hongyan").rglob("*.css"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Hooks of scripts, without a look; our own ones begin with hy-.
HOOKS = {"chart", "errornote", "errors", "module"}


def classes_of(stylesheet: str) -> set[str]:
    """The class names that a stylesheet gives a look."""
    selectors = re.findall(r"\.((?:\\.|[\w-])+)", re.sub(r"/\*.*?\*/", "", stylesheet, flags=re.DOTALL))
    return {re.sub(r"\\(.)", r"\1", name) for name in selectors}


def classes_in(template: Path) -> set[str]:
    """The class names written out in a template."""
    source = re.sub(r"{{.*?}}", "{{}}", template.read_text(), flags=re.DOTALL)
    source = re.sub(r"{[%#].*?[%#]}", " ", source, flags=re.DOTALL)
    written = " ".join(re.findall(r'(?<![:\w-])class="([^"]*)"', source))
    return {
        name for name in written.split() if "{{" not in name and not name.endswith("-") and not name.startswith("hy-")
    }


def test_every_class_of_our_templates_has_a_look():
    known = classes_of(THEME.read_text()) | HOOKS
    for stylesheet in OURS:
        known |= classes_of(stylesheet.read_text())

    unknown = {
        str(template.relative_to(ROOT)): sorted(missing)
        for template in TEMPLATES
        if (missing := classes_in(template) - known)
    }

    assert unknown == {}
