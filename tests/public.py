"""Which names a package makes public: those that it imports as themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType


def public_names(package: ModuleType) -> list[str]:
    """Return the names in the order of the package's ``__init__.py``."""
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return [one.name for node in imports for one in node.names if one.name == one.asname]
